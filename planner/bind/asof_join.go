package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

func isAsof(x *ast.Join) bool { return x.Kind == "asof" || x.Kind == "left asof" }

// asofMatch adds the match condition of an ASOF join to its condition: the one of
// MATCH_CONDITION or, of USING without one, that the last column is at least the
// right side's.
func (l *level) asofMatch(x *ast.Join, cond *scalar.Expr, sc *scope) (*scalar.Expr, error) {
	parts := scalar.Conjuncts(cond)
	switch {
	case x.Match != nil:
		at := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: sc}
		m, err := at.filter(x.Match, "MATCH_CONDITION")
		if err != nil {
			return nil, err
		}
		if len(at.pending) > 0 || len(scalar.Conjuncts(m)) != 1 || comparison(m) == "" {
			return nil, pgerr.New(pgerr.SyntaxError, "MATCH_CONDITION takes one comparison by <, <=, > or >=").At(int(x.Match.Offset()))
		}
		parts = append(parts, m)
	case len(x.Using) > 0:
		last := parts[len(parts)-1]
		m, err := l.b.infixCall(">=", last.Args[0], last.Args[1], last.Pos)
		if err != nil {
			return nil, err
		}
		parts[len(parts)-1] = m
	}
	return l.b.combine("and", parts, int(x.Pos)), nil
}

// comparison is the operator of a comparison by which an ASOF join can match, ""
// for anything else.
func comparison(x *scalar.Expr) string {
	if x.Op != scalar.OpCall || len(x.Args) != 2 {
		return ""
	}
	switch op, _, _ := strings.Cut(x.Func, "("); op {
	case "<", "<=", ">", ">=":
		return op
	}
	return ""
}

// asofNode makes the node of an ASOF join. Conditions on the right side alone say
// which of its rows are looked at.
func (l *level) asofNode(left *bound, right *fromItem, x *ast.Join, cond *scalar.Expr, out []logical.Field) (logical.Node, error) {
	if right.args != nil {
		return nil, pgerr.NotSupported(right.args[0].Pos, "a LATERAL reference from the right side of an ASOF join")
	}
	n := &logical.AsofJoin{Outer: x.Kind == "left asof", Left: left.node, Right: right.node, Out: out, Pos: int(x.Pos),
		TTL: [2]int64{l.ttlOf(left.scope), l.ttlOf(right.scope)}}
	width := len(left.node.Fields())
	var equal, rights, lefts []*scalar.Expr
	for _, c := range scalar.Conjuncts(cond) {
		switch {
		case comparison(c) != "" && crosses(c, width):
			if n.Match != nil {
				return nil, pgerr.New(pgerr.SyntaxError, "an ASOF join takes one inequality between its sides, not several").At(c.Pos)
			}
			n.Match = c
		case c.Op == scalar.OpCall && strings.HasPrefix(c.Func, "=(") && len(c.Args) == 2 && crosses(c, width):
			equal = append(equal, c)
		case scalar.SideOf(c, width) == 1:
			rights = append(rights, scalar.Remap(c, func(i int) int { return i - width }))
		case scalar.SideOf(c, width) == -1 && !n.Outer:
			lefts = append(lefts, c)
		default:
			return nil, pgerr.NotSupported(c.Pos, "this condition of an ASOF join").
				WithDetail("Between its sides, the condition may have equalities and one inequality.").Hint("Write it in WHERE, or in a subquery in the place of a side.")
		}
	}
	if n.Match == nil {
		return nil, pgerr.New(pgerr.SyntaxError, "an ASOF join needs an inequality between its sides").At(int(x.Pos)).
			Hint("Write which row is the nearest: ON … AND left.ts >= right.ts.")
	}
	n.Condition = scalar.And(equal...)
	if p := scalar.And(rights...); p != nil {
		n.Right = &logical.Filter{Input: n.Right, Predicate: p}
	}
	if p := scalar.And(lefts...); p != nil {
		n.Left = &logical.Filter{Input: n.Left, Predicate: p}
	}
	return n, nil
}

// crosses reports whether a comparison is of one side with the other.
func crosses(x *scalar.Expr, width int) bool {
	return scalar.SideOf(x.Args[0], width)*scalar.SideOf(x.Args[1], width) == -1
}
