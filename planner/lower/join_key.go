package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

// identifying are the columns, left ones then right ones, that tell the output's
// rows apart, nil when a side has no such columns. The keys of a side are among
// them: rows that move from key to key pass through several tasks, in any order.
// A full join has rows of the left side alone and of the right side alone, which
// would be one if all of these columns were null in both.
func (j *regularJoin) identifying() []int {
	l, r, left := &j.sides[0], &j.sides[1], len(j.sides[0].in.exprs)
	var out []int
	add := func(from int, s *joinSide) {
		if !j.keyedBy(s) {
			for c := range s.keys {
				out = append(out, from+c)
			}
		}
		for _, c := range s.upsert {
			out = append(out, from+c)
		}
	}
	only := j.n.Kind == logical.SemiJoin || j.n.Kind == logical.AntiJoin
	if l.upsert == nil || r.upsert == nil && !only {
		return nil
	}
	needLeft, needRight := true, !only
	switch j.n.Kind {
	case logical.InnerJoin:
		needRight = !j.one(r)
		needLeft = !needRight || !j.one(l)
	case logical.LeftJoin:
		needRight = !j.one(r)
	case logical.RightJoin:
		needLeft = !j.one(l)
	case logical.FullJoin:
		if !j.marked(l) && !j.marked(r) {
			return nil
		}
	}
	if needLeft {
		add(0, l)
	}
	if needRight {
		add(left, r)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// marked reports whether no row of the side has nulls in all columns that tell it
// from others.
func (j *regularJoin) marked(s *joinSide) bool {
	return slices.ContainsFunc(s.upsert, func(c int) bool { return j.b.neverNull(s.s.op, s.in.exprs[c]) })
}

// one reports whether the side has at most one row per join key.
func (j *regularJoin) one(s *joinSide) bool {
	for _, c := range s.upsert {
		if c >= s.keys {
			return false
		}
	}
	return s.upsert != nil
}

// keyedBy reports whether the join keys are columns of the side's own key, so
// that a row of that key stays in one task.
func (j *regularJoin) keyedBy(s *joinSide) bool {
	for c := range s.keys {
		if !slices.Contains(s.upsert, c) {
			return false
		}
	}
	return true
}

// upsertKey maps the identifying columns to the output's.
func (j *regularJoin) upsertKey(o *operator) {
	if o.Mode == graph.AppendOnly {
		return
	}
	for _, c := range j.identifying() {
		at := slices.Index(o.Join.Output, c)
		if at < 0 {
			o.UpsertKey = nil
			return
		}
		o.UpsertKey = append(o.UpsertKey, at)
	}
}

// spread says that the output lies as the keys of a side do that is never filled
// with nulls.
func (j *regularJoin) spread(o *operator) {
	sides, left := []int{0, 1}, len(j.sides[0].in.exprs)
	switch j.n.Kind {
	case logical.LeftJoin, logical.SemiJoin, logical.AntiJoin:
		sides = []int{0}
	case logical.RightJoin:
		sides = []int{1}
	case logical.FullJoin:
		return
	}
	for _, i := range sides {
		var cols []int
		for c := range j.sides[i].keys {
			if at := slices.Index(o.Join.Output, c+i*left); at >= 0 {
				cols = append(cols, at)
			}
		}
		if len(cols) == j.sides[i].keys && len(cols) > 0 {
			o.spread = spread{known: true, cols: cols}
			return
		}
	}
}
