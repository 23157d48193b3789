package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// opDirect stands around a direct argument, which is null in the grouping sets that it
// is not in, where the rows of a group are not. It never leaves this package.
const opDirect scalar.Op = "bind.direct"

// directArg is a direct argument as a part of what a call stands for.
type directArg struct{ ast.Expr }

// directArg binds one.
func (l *level) directArg(x directArg) (*scalar.Expr, error) {
	e, err := l.expr(x.Expr)
	if err != nil || e.Op == scalar.OpConst {
		return e, err
	}
	return l.b.withText(&scalar.Expr{Op: opDirect, Args: []*scalar.Expr{e}, Type: e.Type, Pos: e.Pos}, e.Text, l.b.precOf(e)), nil
}

// withDirect is an aggregate with its direct arguments for groups in which the missing
// group keys are null.
func (b *binder) withDirect(call scalar.Aggregate, missing []*scalar.Expr) scalar.Aggregate {
	call.Filter, _ = b.rewrite(call.Filter, func(x *scalar.Expr) (*scalar.Expr, error) {
		if x.Op != opDirect {
			return nil, nil
		}
		return b.rewrite(x.Args[0], func(x *scalar.Expr) (*scalar.Expr, error) {
			if !slices.ContainsFunc(missing, func(k *scalar.Expr) bool { return exprEqual(k, x) }) {
				return nil, nil
			}
			return b.nullOf(x.Type, x.Pos), nil
		})
	})
	return call
}

// isHypothetical reports whether WITHIN GROUP makes a hypothetical-set aggregate
// of a window function: what it would be for a row that the group does not have.
func isHypothetical(name string) bool {
	return name == "rank" || name == "dense_rank" || name == "percent_rank" || name == "cume_dist"
}

// hypothetical binds rank(a, …) WITHIN GROUP (ORDER BY k, …) and the like. They are
// computed from counts of the rows that come before (a, …), which follow changes
// without keeping the rows.
func (l *level) hypothetical(name string, x *ast.Call) (*scalar.Expr, error) {
	if err := l.hypotheticalArgs(name, x); err != nil {
		return nil, err
	}
	h := hypothesis{at: x.At, x: x, inSub: l.outer != nil}
	return l.expr(h.value(name))
}

// hypotheticalArgs checks the form of such a call.
func (l *level) hypotheticalArgs(name string, x *ast.Call) error {
	pos := int(x.Pos)
	switch {
	case x.Distinct:
		return pgerr.New(pgerr.SyntaxError, "cannot use DISTINCT with WITHIN GROUP").At(pos)
	case len(x.OrderBy) > 0:
		return pgerr.New(pgerr.SyntaxError, "cannot use multiple ORDER BY clauses with WITHIN GROUP").At(int(x.WithinGroup[0].Pos))
	case x.Variadic:
		return pgerr.NotSupported(pos, "VARIADIC")
	}
	args, err := l.exprs(x.Args)
	if err != nil {
		return err
	}
	if len(args) != len(x.WithinGroup) {
		for i := range x.WithinGroup {
			k, err := l.expr(x.WithinGroup[i].X)
			if err != nil {
				return err
			}
			args = append(args, k)
		}
		return pgerr.New(pgerr.UndefinedFunction, "function %s(%s) does not exist", name, typeList(args)).At(pos).
			Hint("To use the hypothetical-set aggregate %s, the number of hypothetical direct arguments (here %d) must match the number of ordering columns (here %d).",
				name, len(x.Args), len(x.WithinGroup))
	}
	if l.aggs != nil {
		l.aggs.direct = append(l.aggs.direct, args...)
	}
	return nil
}

// hypothesis builds what a call stands for.
type hypothesis struct {
	at    ast.At
	x     *ast.Call
	inSub bool
}

// value is the call in terms of counts.
func (h hypothesis) value(name string) ast.Expr {
	one := h.literal(ast.IntegerLiteral, "1")
	switch name {
	case "rank":
		return h.infix("+", one, h.count(h.before(0, false)))
	case "dense_rank":
		c := h.count(h.before(0, false))
		row := &ast.RowExpr{Explicit: true}
		row.At = h.at
		for i := range h.x.WithinGroup {
			row.Elems = append(row.Elems, h.x.WithinGroup[i].X)
		}
		c.Star, c.Distinct, c.Args = false, true, []ast.Expr{row}
		return h.infix("+", one, c)
	case "percent_rank":
		none := h.call("nullif", h.count(nil), h.literal(ast.IntegerLiteral, "0"))
		part := h.infix("/", h.float(h.count(h.before(0, false))), none)
		return h.call("coalesce", part, h.literal(ast.IntegerLiteral, "0"))
	}
	return h.infix("/", h.float(h.infix("+", one, h.count(h.before(0, true)))), h.infix("+", one, h.count(nil)))
}

// before tells that a row comes before the hypothetical one by the keys from i on;
// with equal, that it may also be its equal in all of them.
func (h hypothesis) before(i int, equal bool) ast.Expr {
	it := &h.x.WithinGroup[i]
	k, a, op := it.X, ast.Expr(directArg{h.x.Args[i]}), "<"
	if it.Desc {
		op = ">"
	}
	first := it.Desc
	if it.NullsFirst != nil {
		first = *it.NullsFirst
	}
	less := h.infix(op, k, a)
	if first {
		less = h.infix("and", h.null(a, true), h.infix("or", h.null(k, false), less))
	} else {
		less = h.infix("and", h.null(k, true), h.infix("or", h.null(a, false), less))
	}
	same := h.infix("is not distinct from", k, a)
	switch last := i == len(h.x.WithinGroup)-1; {
	case last && equal:
		return h.infix("or", less, same)
	case last:
		return less
	}
	return h.infix("or", less, h.infix("and", same, h.before(i+1, equal)))
}

// count counts the rows of the group for which the condition holds, nil for all. It
// reads what the rows are ordered by in any case, for that says which query the
// aggregate is of.
func (h hypothesis) count(cond ast.Expr) *ast.Call {
	c := h.call("count")
	c.Star, c.Filter = true, cond
	if cond == nil && h.inSub {
		c.Filter = h.null(h.null(h.x.WithinGroup[0].X, false), true)
	}
	if h.x.Filter != nil {
		c.Filter = h.x.Filter
		if cond != nil {
			c.Filter = h.infix("and", h.x.Filter, cond)
		}
	}
	return c
}

func (h hypothesis) infix(op string, l, r ast.Expr) ast.Expr {
	e := &ast.Binary{Op: op, L: l, R: r}
	e.At = h.at
	return e
}

func (h hypothesis) null(x ast.Expr, not bool) ast.Expr {
	e := &ast.IsTest{X: x, Test: "null", Not: not}
	e.At = h.at
	return e
}

func (h hypothesis) call(name string, args ...ast.Expr) *ast.Call {
	c := &ast.Call{Name: ast.Path{{At: h.at, Value: name}}, Args: args}
	c.At = h.at
	return c
}

func (h hypothesis) float(x ast.Expr) ast.Expr {
	c := &ast.Cast{X: x, Type: ast.TypeName{At: h.at, Name: "double precision"}}
	c.At = h.at
	return c
}

func (h hypothesis) literal(kind ast.LiteralKind, text string) ast.Expr {
	e := &ast.Literal{Kind: kind, Text: text}
	e.At = h.at
	return e
}
