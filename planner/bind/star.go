package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// starLevel finds the level that has the relation of t.*, nil for none.
func (l *level) starLevel(x *ast.Star) (at *level, schema, relation string) {
	if n := len(x.Qualifier); n > 1 {
		schema = x.Qualifier[n-2].Value
	}
	relation = x.Qualifier.Last().Value
	for at = l; !at.scope.hasRelation(schema, relation); at = at.outer.from {
		if at.outer == nil {
			return nil, schema, relation
		}
	}
	return at, schema, relation
}

// starItems are the columns of t, or the fields of a row t, for t.*.
func (l *level) starItems(x *ast.Star) ([]item, error) {
	at, schema, relation := l.starLevel(x)
	if at == nil {
		e, err := l.resolvePath(x.Qualifier)
		if err == nil && e != nil && e.Type.Kind == types.Row {
			return l.rowFields(e)
		}
		return nil, l.noStar(x)
	}
	var items []item
	for i := range at.scope.cols {
		c := &at.scope.cols[i]
		if c.relation == relation && !c.merged && !c.system && c.name != "" && (schema == "" || c.schema == schema) {
			items = append(items, item{expr: l.carryIn(at, c.at(x.Pos)), name: c.name})
		}
	}
	return items, nil
}

func (l *level) noStar(x *ast.Star) error {
	return l.undefinedColumn(append(append(ast.Path(nil), x.Qualifier...), ast.Name{At: x.At, Value: "*"}))
}

func (l *level) rowFields(e *scalar.Expr) ([]item, error) {
	var items []item
	for _, f := range e.Type.Fields {
		v, err := l.b.fieldOf(e, ast.Name{Value: f.Name})
		if err != nil {
			return nil, err
		}
		items = append(items, item{expr: v, name: f.Name})
	}
	return items, nil
}

// starValue is t.* where one value is wanted: the whole row.
func (l *level) starValue(x *ast.Star) (*scalar.Expr, error) {
	if len(x.Qualifier) == 0 {
		return nil, pgerr.New(pgerr.SyntaxError, "\"*\" is not allowed in this context").At(int(x.Pos))
	}
	at, _, relation := l.starLevel(x)
	if at == nil {
		return nil, l.noStar(x)
	}
	return l.carryIn(at, at.wholeRow(relation, x.Pos)), nil
}

// rowElems binds what stands between the parentheses of a row, where t.* is its
// columns.
func (l *level) rowElems(list []ast.Expr) ([]*scalar.Expr, error) {
	return l.rowElemsAs(list, nil, implicit)
}

// rowElemsAs does so where values for fields are wanted, as far as there are any.
func (l *level) rowElemsAs(list []ast.Expr, fields []types.Field, ctx castContext) ([]*scalar.Expr, error) {
	var out []*scalar.Expr
	for _, x := range list {
		if s, ok := x.(*ast.Star); ok && len(s.Qualifier) > 0 {
			items, err := l.starItems(s)
			if err != nil {
				return nil, err
			}
			for _, i := range items {
				out = append(out, i.expr)
			}
			continue
		}
		var want types.Type
		if len(out) < len(fields) {
			want = fields[len(out)].Type
		}
		e, err := l.exprAs(x, want, ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
