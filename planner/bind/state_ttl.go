package bind

import (
	"math"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// ttlHint is an entry of a STATE_TTL hint of a SELECT. What the SELECT's joins,
// aggregations and window functions keep of the relation with that alias in FROM
// stays for so many microseconds after it was last written, or graph.Forever.
type ttlHint struct {
	alias  string
	micros int64
	pos    ast.Pos
	used   bool
}

// stateTTL reads a STATE_TTL hint.
func (b *binder) stateTTL(h *ast.Hint) []ttlHint {
	var out []ttlHint
	for i := range h.Args {
		v, ok := optionText(&h.Args[i])
		if !ok || h.Args[i].Value == nil {
			b.warn(h.Pos, "hint STATE_TTL takes 'alias' = 'duration'; it was ignored")
			continue
		}
		micros, ok := ttlMicros(v)
		if !ok {
			b.warn(h.Pos, "hint STATE_TTL takes a duration such as '12h' or '1 day', not '"+v+"'; it was ignored")
			continue
		}
		b.ttl = append(b.ttl, StateTTL{Alias: h.Args[i].Name, Duration: v})
		out = append(out, ttlHint{alias: h.Args[i].Name, micros: micros, pos: h.Pos})
	}
	return out
}

// ttlMicros reads a duration; a month has 30 days.
func ttlMicros(text string) (int64, bool) {
	v, err := types.ParseInterval(text, "", -1)
	if err != nil {
		return 0, false
	}
	const day = 24 * 60 * 60 * 1e6
	total := float64(v.Micros) + (float64(v.Days)+30*float64(v.Months))*day
	switch {
	case total < 0 || total > math.MaxInt64/2:
		return 0, false
	case total == 0:
		return graph.Forever, true
	}
	return int64(total), true
}

// ttlOf is what a hint says of a table expression, 0 for nothing.
func (l *level) ttlOf(s *scope) int64 {
	if len(s.rels) != 1 {
		return 0
	}
	for i := range l.ttl {
		if h := &l.ttl[i]; h.alias == s.rels[0].name {
			h.used = true
			return h.micros
		}
	}
	return 0
}

// keepFor applies the hints to what the SELECT keeps of its only relation, the node
// from with scope s, and tells of those that did not apply to anything.
func (sel *selection) keepFor(from logical.Node, s *scope) {
	if len(sel.ttl) == 0 {
		return
	}
	if micros := sel.ttlOf(s); micros != 0 {
		setTTL(sel.node, from, micros)
	}
	for _, h := range sel.ttl {
		if !h.used {
			sel.b.warn(h.pos, "hint STATE_TTL was ignored for \""+h.alias+"\": there is no relation of that name in this FROM")
		}
	}
}

// setTTL sets the lifetime of what the nodes from n down to from keep.
func setTTL(n, from logical.Node, micros int64) {
	if n == from {
		return
	}
	switch n := n.(type) {
	case *logical.Aggregate:
		n.TTL = micros
	case *logical.Over:
		n.TTL = micros
	}
	if in := n.Inputs(); len(in) > 0 {
		setTTL(in[0], from, micros)
	}
}

// inheritTTL sets the lifetime of what all nodes from n on keep, except where a
// hint has: a view's query keeps what it keeps as long as the view does, wherever
// it is read.
func inheritTTL(n logical.Node, micros int64) {
	set := func(ttl *int64) {
		if *ttl == 0 {
			*ttl = micros
		}
	}
	switch n := n.(type) {
	case *logical.Aggregate:
		set(&n.TTL)
	case *logical.Over:
		set(&n.TTL)
	case *logical.Join:
		set(&n.TTL[0])
		set(&n.TTL[1])
	case *logical.TemporalJoin:
		set(&n.TTL[0])
		set(&n.TTL[1])
	case *logical.AsofJoin:
		set(&n.TTL[0])
		set(&n.TTL[1])
	case *logical.Apply:
		set(&n.TTL)
	case *logical.SetOp:
		set(&n.TTL)
	}
	for _, in := range n.Inputs() {
		inheritTTL(in, micros)
	}
}
