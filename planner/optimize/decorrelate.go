package optimize

import (
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// decorrelate turns subqueries into joins, which follow changes of both sides: in
// WHERE, EXISTS and IN become semi joins and their negations anti joins; elsewhere
// they become outer joins with what the subquery has for each outer value. Scalar
// subqueries become joins with an aggregate, or with a row found by its key. What
// stays an Apply says why.
func decorrelate(n logical.Node) logical.Node {
	if f, ok := n.(*logical.Filter); ok {
		if a, ok := f.Input.(*logical.Apply); ok {
			return decorrelateFilter(f, a)
		}
	}
	var inputs []logical.Node
	for _, in := range n.Inputs() {
		inputs = append(inputs, decorrelate(in))
	}
	n = withInputs(n, inputs)
	if j, ok := n.(*logical.Join); ok {
		if e, ok := expandJoin(j); ok {
			return e
		}
	}
	if a, ok := n.(*logical.Apply); ok {
		if e, ok := expand(a); ok {
			return e
		}
		joined, why := joinApply(a)
		if j, ok := joined.(*logical.Project); ok && why == "" {
			joined = overUnit(j)
		}
		if why != "" {
			c := *a
			c.Why = why
			return &c
		}
		return joined
	}
	return n
}

// decorrelateFilter handles conditions over a subquery's answer.
func decorrelateFilter(f *logical.Filter, a *logical.Apply) logical.Node {
	width := len(a.Input.Fields())
	var below, here []*scalar.Expr
	var flag *scalar.Expr // the condition that is the answer or its negation
	for _, x := range scalar.Conjuncts(f.Predicate) {
		switch {
		case !reads(x, width, len(a.Out)) && isMovable(x):
			below = append(below, x)
		case flag == nil && (isColumn(x, width) || x.Op == scalar.OpNot && isColumn(x.Args[0], width)):
			flag = x
		default:
			here = append(here, x)
		}
	}
	c := *a
	c.Input, c.Sub = decorrelate(filtered(a.Input, below)), decorrelate(a.Sub)
	if e, ok := expand(&c); ok {
		if flag != nil {
			here = append(here, flag)
		}
		return filtered(e, here)
	}
	if flag != nil && len(here) == 0 {
		if n := predicateJoin(&c, flag.Op == scalar.OpNot); n != nil {
			return n
		}
	}
	if flag != nil {
		here = append(here, flag)
	}
	joined, why := joinApply(&c)
	if why != "" {
		c.Why = why
		joined = &c
	}
	return filtered(joined, here)
}

// reads reports whether x reads one of the columns from to to-1.
func reads(x *scalar.Expr, from, to int) bool {
	for _, c := range scalar.Columns(x) {
		if c >= from && c < to {
			return true
		}
	}
	return false
}

func isColumn(x *scalar.Expr, c int) bool { return x.Op == scalar.OpColumn && x.Column == c }

// predicateJoin is the semi or anti join for an EXISTS, ANY or ALL that must be
// true, or, negated, must be false. Its columns are those of a, the answer being
// constant. It is nil where there is none.
func predicateJoin(a *logical.Apply, negated bool) logical.Node {
	if a.Kind != logical.ExistsApply && a.Kind != logical.AnyApply && a.Kind != logical.AllApply {
		return nil
	}
	sub, conds, why := subquery(a)
	if why != "" {
		return nil
	}
	return semiOrAnti(a, sub, conds, negated)
}

// semiOrAnti is predicateJoin with a subquery of which the conditions say which
// rows are those for the outer values.
func semiOrAnti(a *logical.Apply, sub logical.Node, conds []*scalar.Expr, negated bool) logical.Node {
	kind := logical.SemiJoin
	compare := a.Compare
	// Of x op ALL (S), false is for some row, and true is for none not to be true.
	switch {
	case a.Kind == logical.AllApply && negated:
		compare = not(compare)
	case a.Kind == logical.AllApply:
		kind, compare = logical.AntiJoin, caseOf(compare, constant(false), constant(true))
	case negated:
		kind = logical.AntiJoin
	}
	if a.Kind == logical.AnyApply && negated {
		if n := notIn(a, sub, conds); n != nil {
			return answered(a, n, false)
		}
		compare = caseOf(not(compare), constant(false), constant(true)) // null counts as equal
	}
	cond := scalar.And(append(conds, compare)...)
	j := semiJoin(kind, a.Input, sub, cond)
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	return answered(a, j, a.Kind == logical.AllApply != (kind == logical.SemiJoin))
}

// answered adds the subquery's answer, which is known, to the columns of n.
func answered(a *logical.Apply, n logical.Node, answer bool) logical.Node {
	p := &logical.Project{Input: n, Out: a.Out}
	for i, f := range a.Input.Fields() {
		p.Exprs = append(p.Exprs, columnOf(i, f.Type, f.Name))
	}
	p.Exprs = append(p.Exprs, constant(answer))
	return p
}

func semiJoin(kind logical.JoinKind, left, right logical.Node, cond *scalar.Expr) *logical.Join {
	return &logical.Join{Kind: kind, Left: left, Right: right, Condition: cond, Out: left.Fields()}
}

// notIn is x NOT IN (S): rows for which S has x go; if x is null, rows for which S
// has rows; and rows for which S has a null. It is nil if x and S are not compared
// column by column, or rows of S cannot be grouped by the outer values.
func notIn(a *logical.Apply, sub logical.Node, conds []*scalar.Expr) logical.Node {
	width := len(a.Input.Fields())
	in, ok := equalityOf(a.Compare, width)
	by, all := equalities(conds, width)
	if !ok || !all {
		return nil
	}
	n := semiJoin(logical.AntiJoin, a.Input, sub, scalar.And(append(conds, a.Compare)...))
	n.ID = a.ID
	xNull := nullable(a.Input, in.outer)
	if !xNull && !nullable(sub, in.inner) {
		return n
	}
	g := nullsOf(sub, by, in.inner)
	when := columnOf(width+len(g.Fields())-1, types.Of(types.Bool), "has nulls")
	if xNull {
		when = or(when, isNull(in.outer))
	}
	return semiJoin(logical.AntiJoin, n, g, scalar.And(append(sameKeys(by, width), when)...))
}

// nullsOf groups sub by the inner sides of by (without any, all of it is one
// group): a row for each group that has rows, the last column being whether y is
// null in one of them.
func nullsOf(sub logical.Node, by []equality, y *scalar.Expr) logical.Node {
	g := grouped(sub, by)
	arg := isNull(y)
	g.Aggregates = []scalar.Aggregate{{Func: "bool_or(boolean)", Args: []*scalar.Expr{arg}, Type: types.Of(types.Bool), Pos: -1, Text: "bool_or(" + arg.Text + ")"}}
	g.Out = append(g.Out, logical.Field{Name: "bool_or", Type: types.Of(types.Bool), Origin: g.Aggregates[0].Text})
	return g
}

// grouped groups sub by the inner sides of by; without any, there is one group if
// there are rows.
func grouped(sub logical.Node, by []equality) *logical.Aggregate {
	g := &logical.Aggregate{Input: sub}
	for _, e := range by {
		g.Keys = append(g.Keys, e.inner)
	}
	if len(by) == 0 {
		g.Keys = append(g.Keys, constant(true))
	}
	for _, k := range g.Keys {
		g.Out = append(g.Out, logical.Field{Name: k.Text, Type: k.Type, Origin: k.Text})
	}
	return g
}

// sameKeys compares outer sides with the keys of grouped, whose columns begin at
// width.
func sameKeys(by []equality, width int) []*scalar.Expr {
	var on []*scalar.Expr
	for i, e := range by {
		on = append(on, e.with(columnOf(width+i, e.inner.Type, e.inner.Text)))
	}
	return on
}

// equality is outer = inner, in either order: outer over the columns before some
// width, inner over those from there on, counted from 0.
type equality struct {
	call         *scalar.Expr
	outer, inner *scalar.Expr
	swapped      bool
}

// with is the equality with another inner side of the same type.
func (e equality) with(inner *scalar.Expr) *scalar.Expr {
	c := *e.call
	c.Args = []*scalar.Expr{e.outer, inner}
	if e.swapped {
		c.Args = []*scalar.Expr{inner, e.outer}
	}
	return &c
}

func equalityOf(x *scalar.Expr, width int) (equality, bool) {
	if x == nil || x.Op != scalar.OpCall || !strings.HasPrefix(x.Func, "=(") || len(x.Args) != 2 {
		return equality{}, false
	}
	e := equality{call: x, outer: x.Args[0], inner: x.Args[1]}
	if above(e.outer, width) && below(e.inner, width) {
		e.outer, e.inner, e.swapped = e.inner, e.outer, true
	}
	if !below(e.outer, width) || !above(e.inner, width) {
		return equality{}, false
	}
	e.inner = scalar.Remap(e.inner, func(c int) int { return c - width })
	return e, true
}

// equalities splits conditions, and reports whether all are equalities.
func equalities(conds []*scalar.Expr, width int) (list []equality, all bool) {
	for _, c := range conds {
		e, ok := equalityOf(c, width)
		if !ok {
			return nil, false
		}
		list = append(list, e)
	}
	return list, true
}

func constant(v bool) *scalar.Expr {
	text := "false"
	if v {
		text = "true"
	}
	return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Bool), Value: &types.Value{Bool: v}, Pos: -1, Text: text}
}

func null(t types.Type) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: t, Value: &types.Value{Null: true}, Pos: -1, Text: "null"}
}

func not(x *scalar.Expr) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpNot, Type: types.Of(types.Bool), Args: []*scalar.Expr{x}, Pos: x.Pos, Text: "not (" + x.Text + ")"}
}

func or(x ...*scalar.Expr) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpOr, Type: types.Of(types.Bool), Args: x, Pos: -1, Text: x[0].Text + " or " + x[1].Text}
}

func isNull(x *scalar.Expr) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpIsNull, Type: types.Of(types.Bool), Args: []*scalar.Expr{x}, Pos: x.Pos, Text: x.Text + " is null"}
}

// caseOf is CASE WHEN a THEN b … ELSE c END.
func caseOf(args ...*scalar.Expr) *scalar.Expr {
	text := "case"
	for i := 0; i+1 < len(args); i += 2 {
		text += " when " + args[i].Text + " then " + args[i+1].Text
	}
	return &scalar.Expr{Op: scalar.OpCase, Type: args[1].Type, Args: args, Pos: -1, Text: text + " else " + args[len(args)-1].Text + " end"}
}
