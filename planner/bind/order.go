package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// outputOrder binds an ORDER BY that can only name output columns.
func (b *binder) outputOrder(items []ast.OrderItem, n logical.Node) ([]scalar.SortKey, error) {
	var keys []scalar.SortKey
	for i := range items {
		it := &items[i]
		c := -1
		switch x := it.X.(type) {
		case *ast.Literal:
			k, err := ordinal(x, len(n.Fields()), "ORDER BY")
			if err != nil {
				return nil, err
			}
			c = k
		case *ast.ColumnRef:
			if len(x.Path) == 1 {
				for k, f := range n.Fields() {
					if f.Name != x.Path[0].Value {
						continue
					}
					if c >= 0 {
						return nil, pgerr.New(pgerr.AmbiguousColumn, "ORDER BY %q is ambiguous", f.Name).At(int(x.Pos))
					}
					c = k
				}
			}
			if c < 0 {
				l := &level{b: b, scope: scopeOf(n, "", "")}
				return nil, l.undefinedColumn(x.Path)
			}
		}
		if c < 0 {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").At(int(it.X.Offset())).
				WithDetail("Only result column names can be used, not expressions or functions.").
				Hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
		}
		keys = append(keys, sortKey(columnExpr(c, n.Fields()[c]), it))
	}
	return keys, nil
}

func sortKey(x *scalar.Expr, it *ast.OrderItem) scalar.SortKey {
	k := scalar.SortKey{X: x, Desc: it.Desc, NullsFirst: it.Desc}
	if it.NullsFirst != nil {
		k.NullsFirst = *it.NullsFirst
	}
	return k
}

// sortAndLimit adds ORDER BY, LIMIT and OFFSET to a node. A continuous query has
// no order to keep, so that an ORDER BY alone falls away, unless it is that of an
// array.
func (b *binder) sortAndLimit(n logical.Node, keys []scalar.SortKey, q *ast.Query, e env, own *scope, mode queryMode) (logical.Node, error) {
	l := &level{b: b, ctes: e.ctes, outer: e.outer, scope: own}
	_, setOp := q.Body.(*ast.SetOp)
	limit, err := l.rowCount(q.Limit, "LIMIT", setOp)
	if err != nil {
		return nil, err
	}
	skip, err := l.rowCount(q.Skip, "OFFSET", setOp)
	if err != nil {
		return nil, err
	}
	if q.WithTies && len(keys) == 0 {
		return nil, pgerr.New(pgerr.SyntaxError, "WITH TIES cannot be specified without ORDER BY clause").At(int(q.Pos))
	}
	if limit == nil && skip == nil && (len(keys) == 0 || b.opts.Continuous && !mode.keepOrder) {
		if len(keys) > 0 && len(b.viewing) == 0 && !mode.picked {
			b.warn(q.OrderBy[0].Pos, "ORDER BY has no effect in a continuous query")
		}
		return n, nil
	}
	for _, k := range keys {
		if err := orderable(k.X); err != nil {
			return nil, err
		}
	}
	return &logical.Sort{Input: n, Keys: keys, Limit: limit, Skip: skip, WithTies: q.WithTies}, nil
}

func orderable(x *scalar.Expr) error {
	if _, ok := scalar.Comparison("<", x.Type); !ok && x.Type.Kind != types.Row {
		return pgerr.New(pgerr.UndefinedFunction, "could not identify an ordering operator for type %s", x.Type).At(x.Pos).
			Hint("Use an explicit ordering operator or modify the query.")
	}
	return nil
}

// rowCount binds the argument of LIMIT or OFFSET, nil for none. The columns of a set
// operation are not there for it.
func (l *level) rowCount(x ast.Expr, clause string, setOp bool) (*scalar.Expr, error) {
	if x == nil {
		return nil, nil
	}
	if lit, ok := x.(*ast.Literal); ok && lit.Kind == ast.NullLiteral {
		return nil, nil
	}
	l.clause = clause
	e, err := l.expr(x)
	if err != nil {
		return nil, err
	}
	var column *scalar.Expr
	scalar.Walk(e, func(x *scalar.Expr) {
		if x.Op == scalar.OpColumn && column == nil {
			column = x
		}
	})
	if column != nil && setOp {
		return nil, pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", column.Text).At(column.Pos)
	}
	if column != nil {
		return nil, pgerr.New(pgerr.InvalidColumnReference, "argument of %s must not contain variables", clause).At(column.Pos)
	}
	if !l.b.canCoerce(e.Type, types.Of(types.Int64), assignment) || e.Type.Kind != types.Unknown && !e.Type.IsNumber() {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, e.Type).At(e.Pos)
	}
	e, err = l.b.coerce(e, types.Of(types.Int64), assignment)
	if err != nil {
		return nil, err
	}
	if e.Op == scalar.OpConst && !e.Value.Null && e.Value.Int < 0 {
		code := pgerr.InvalidRowCountInLimit
		if clause == "OFFSET" {
			code = pgerr.InvalidRowCountInOffset
		}
		return nil, pgerr.New(code, "%s must not be negative", clause).At(e.Pos)
	}
	return e, nil
}
