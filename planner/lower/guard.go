package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// An aggregate with FILTER does not ask for its arguments where the filter is not
// true: what cannot be computed there is no error.

// guardArguments has columns that may fail computed only for rows that pass a filter
// of somebody who reads them. Their names, and so the state's, stay what they are.
func (f *family) guardArguments() {
	exprs := f.project.Project.Exprs
	for at, filters := range f.readers {
		if slices.Contains(filters, -1) {
			continue
		}
		slices.Sort(filters)
		cond := &scalar.Expr{Op: scalar.OpOr, Type: types.Of(types.Bool), Pos: -1}
		for _, c := range slices.Compact(filters) {
			cond.Args = append(cond.Args, exprs[c])
		}
		if len(cond.Args) == 1 {
			cond = cond.Args[0]
		}
		exprs[at] = guarded(exprs[at], cond)
	}
}

// argument is include for what a call reads of rows that pass a filter, -1 for all.
func (s *stream) argument(x *scalar.Expr, filter int) int {
	if filter >= 0 {
		x = guarded(x, s.exprs[filter])
	}
	return s.include(x)
}

// guarded is x where the filter is true. A volatile filter would say something else
// when it is asked again.
func guarded(x, filter *scalar.Expr) *scalar.Expr {
	if cannotFail(x) || scalar.VolatilityOf(filter) == scalar.Volatile {
		return x
	}
	null := &scalar.Expr{Op: scalar.OpConst, Type: x.Type, Value: &types.Value{Null: true}, Pos: -1}
	return &scalar.Expr{Op: scalar.OpCase, Type: x.Type, Args: []*scalar.Expr{filter, x, null}, Pos: x.Pos, Text: x.Text}
}
