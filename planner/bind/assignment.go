package bind

import (
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// assignments binds SET into the expressions of a new row, which hold the old
// values, and computes generated columns anew.
func (l *level) assignments(list []ast.Assignment, rel *catalog.Relation, row []*scalar.Expr) error {
	l.clause = "UPDATE"
	// whole says of the columns assigned to so far whether that was all of them.
	whole := map[int]bool{}
	for i := range list {
		a := &list[i]
		values, bound, err := l.assigned(a)
		if err != nil {
			return err
		}
		for k := range a.Targets {
			t := &a.Targets[k]
			c, err := targetColumn(rel, t.Name)
			if err != nil {
				return err
			}
			if all, ok := whole[c]; ok && (all || len(t.Parts) == 0) {
				return pgerr.New(pgerr.SyntaxError, "multiple assignments to same column %q", t.Value).At(int(t.Pos))
			}
			whole[c] = len(t.Parts) == 0
			var value ast.Expr
			var ready *scalar.Expr
			if bound != nil {
				ready = bound[k]
			} else {
				value = values[k]
			}
			if row[c], err = l.assignment(t, rel, c, row[c], value, ready); err != nil {
				return err
			}
		}
	}
	return l.b.generate(rel, row)
}

// assigned gives the values of an assignment, by target; those of a subquery are
// bound.
func (l *level) assigned(a *ast.Assignment) ([]ast.Expr, []*scalar.Expr, error) {
	want := len(a.Targets)
	if want == 1 {
		return []ast.Expr{a.X}, nil, nil
	}
	switch x := a.X.(type) {
	case *ast.RowExpr:
		if len(x.Elems) != want {
			return nil, nil, pgerr.New(pgerr.SyntaxError, "number of columns does not match number of values").At(int(x.Offset()))
		}
		return x.Elems, nil, nil
	case *ast.Subquery:
		if !x.Array {
			bound, err := l.columnsOf(x, want)
			return nil, bound, err
		}
	}
	return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression").At(int(a.X.Offset()))
}

// assignment is column c's new value: x, or ready if that is bound already, or
// what is now in the column with that in the place of a part.
func (l *level) assignment(t *ast.Target, rel *catalog.Relation, c int, now *scalar.Expr, x ast.Expr, ready *scalar.Expr) (*scalar.Expr, error) {
	col := &rel.Columns[c]
	if _, ok := x.(*ast.Default); ok {
		if len(t.Parts) > 0 {
			what := "an array element"
			if t.Parts[0].Subscript == nil {
				what = "a subfield"
			}
			return nil, pgerr.New(pgerr.FeatureNotSupported, "cannot set %s to DEFAULT", what).At(int(t.Pos))
		}
		return l.insertCell(rel, c, x)
	}
	switch {
	case col.Generated != "":
		return nil, generatedError(rel, c, t.Pos, true)
	case col.Identity != nil && col.Identity.Kind == "always":
		return nil, pgerr.New(pgerr.GeneratedAlways, "column %q can only be updated to DEFAULT", t.Value).At(int(t.Pos)).
			WithDetail("Column %q is an identity column defined as GENERATED ALWAYS.", t.Value)
	case len(t.Parts) > 0:
		p := &partAssignment{l: l, column: t.Name, x: x, ready: ready}
		return p.in(now, t.Value, t.Parts)
	case ready != nil:
		return l.b.assign(rel, c, ready)
	}
	return l.insertCell(rel, c, x)
}

// boundsOf binds the subscripts of a slice, each as whether the lower bound is
// given, the bound, and the same of the upper one. An index stands for what is up
// to it.
func (l *level) boundsOf(subscripts []*ast.Subscript, of types.Type) ([]*scalar.Expr, error) {
	number := func(given bool, pos ast.Pos) *scalar.Expr {
		n := &types.Value{}
		if given {
			n.Int = 1
		}
		return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: n, Pos: int(pos)}
	}
	var out []*scalar.Expr
	for _, s := range subscripts {
		lo, err := l.index(s.Index, of, int(s.Pos))
		if err != nil {
			return nil, err
		}
		if !s.Slice {
			out = append(out, number(true, s.Pos), number(true, s.Pos), number(true, s.Pos), lo)
			continue
		}
		hi, err := l.index(s.Upper, of, int(s.Pos))
		if err != nil {
			return nil, err
		}
		out = append(out, number(s.Index != nil, s.Pos), lo, number(s.Upper != nil, s.Pos), hi)
	}
	return out, nil
}

// members binds subscripts of jsonb as a path of texts. What comes first is
// whether the first of them is a number.
func (l *level) members(subscripts []*ast.Subscript) ([]*scalar.Expr, error) {
	out := make([]*scalar.Expr, 1, len(subscripts)+1)
	for _, s := range subscripts {
		if s.Slice {
			at := s.Upper
			if s.Index != nil {
				at = s.Index
			}
			pos := s.Pos
			if at != nil {
				pos = at.Offset()
			}
			return nil, pgerr.New(pgerr.DatatypeMismatch, "jsonb subscript does not support slices").At(int(pos))
		}
		e, err := l.expr(s.Index)
		if err != nil {
			return nil, err
		}
		isInt := e.Type.Kind != types.Unknown && l.b.canCoerce(e.Type, types.Of(types.Int32), implicit)
		if !isInt && !l.b.canCoerce(e.Type, types.Of(types.Text), implicit) {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "subscript type %s is not supported", bare(e.Type)).At(e.Pos).
				Hint("jsonb subscript must be coercible to either integer or text.")
		}
		if out[0] == nil {
			out[0] = &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Bool), Value: &types.Value{Bool: isInt}, Pos: e.Pos}
		}
		if e, err = l.b.coerce(e, types.Of(types.Text), assignment); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
