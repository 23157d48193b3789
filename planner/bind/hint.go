package bind

import (
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/sql/ast"
)

// hints reads the hints of a SELECT. What is not known is told and left alone.
func (s *selection) hints() {
	s.ttl, s.b.sinkTTL = s.b.sinkTTL, nil
	for i := range s.sel.Hints {
		h := &s.sel.Hints[i]
		switch strings.ToLower(h.Name) {
		case "id":
			if id, ok := hintID(h); ok {
				s.id, s.idPos = id, h.Pos
			} else {
				s.b.warn(h.Pos, "hint ID takes one string; it was ignored")
			}
		case "state_ttl":
			s.ttl = append(s.ttl, s.b.stateTTL(h)...)
		default:
			s.b.warn(h.Pos, "unknown hint \""+h.Name+"\" was ignored")
		}
	}
}

// hintID is the text of ID('text').
func hintID(h *ast.Hint) (string, bool) {
	if len(h.Args) != 1 {
		return "", false
	}
	return optionText(&h.Args[0])
}

// optionText is the value of an option that is a word or a literal; a lone value
// may be in the name's place.
func optionText(o *ast.Option) (string, bool) {
	switch v := o.Value.(type) {
	case nil:
		return o.Name, o.Name != ""
	case *ast.Literal:
		return v.Text, v.Kind != ast.NullLiteral
	case *ast.ColumnRef:
		return pathText(v.Path), true
	}
	return "", false
}

// takeID marks the pinned id as given to an operator.
func (s *selection) takeID() { s.id = "" }

// pinLeftover gives a pinned id that no aggregation took to the operator with
// state that the SELECT has: its join or its only scan.
func (s *selection) pinLeftover() error {
	if s.id == "" {
		return nil
	}
	if !pin(s.node, s.id) {
		s.b.warn(s.idPos, "hint ID was ignored: this SELECT has no operator with state")
	}
	return nil
}

// pin gives an id to the operator with state that a SELECT has, unless it has
// another, and reports whether it did.
func pin(n logical.Node, id string) bool {
	at := pinnedID(n)
	if at == nil {
		return false
	}
	if *at == "" {
		*at = id
	}
	return *at == id
}

// pinnedID is where the first operator with state below n has its id, nil if there
// is none.
func pinnedID(n logical.Node) *string {
	switch n := n.(type) {
	case *logical.Project:
		return pinnedID(n.Input)
	case *logical.Filter:
		return pinnedID(n.Input)
	case *logical.Window:
		return pinnedID(n.Input)
	case *logical.Sort:
		return pinnedID(n.Input)
	case *logical.Over:
		return &n.ID
	case *logical.Apply:
		return &n.ID
	case *logical.Join:
		return &n.ID
	case *logical.TemporalJoin:
		return &n.ID
	case *logical.AsofJoin:
		return &n.ID
	case *logical.Scan:
		return &n.ID
	}
	return nil
}

// relationHints reads the hints after a relation's name.
func (l *level) relationHints(x *ast.TableRef, node logical.Node) {
	b := l.b
	for i := range x.Hints {
		h := &x.Hints[i]
		switch strings.ToLower(h.Name) {
		case "id":
			id, ok := hintID(h)
			if s, is := node.(*logical.Scan); ok && is {
				s.ID = id
				continue
			}
			b.warn(h.Pos, "hint ID was ignored: it takes one string and a relation that is stored")
		case "state_ttl":
			l.ttl = append(l.ttl, b.stateTTL(h)...)
		default:
			b.warn(h.Pos, "unknown hint \""+h.Name+"\" was ignored")
		}
	}
}
