package eval

import (
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// spread makes of f, which takes any number of arguments, what takes the last ones
// as an array: f(VARIADIC array). A null array gives null, or what f gives without
// arguments if none says so.
func spread(f rowFn, none bool) rowFn {
	return func(x *row) (types.Value, error) {
		last := len(x.v) - 1
		if x.null(last) && !none {
			return types.NullValue, nil
		}
		var a types.ArrayValue
		if !x.null(last) {
			var err error
			if a, err = x.array(last); err != nil {
				return types.NullValue, err
			}
		}
		call := *x.e
		call.Args = append([]*scalar.Expr(nil), x.e.Args[:last]...)
		elem := &scalar.Expr{Op: scalar.OpColumn, Type: x.elem(last), Pos: -1}
		for range a.Elems {
			call.Args = append(call.Args, elem)
		}
		one := *x
		one.e, one.v = &call, append(append([]types.Value(nil), x.v[:last]...), a.Elems...)
		return f(&one)
	}
}

// extractPath is json[b]_extract_path[_text](json, VARIADIC array).
func extractPath(text bool) rowFn {
	return spread(func(x *row) (types.Value, error) {
		for i := range x.v {
			if x.null(i) {
				return types.NullValue, nil
			}
		}
		return jsonPath(x, x.strings(1), text)
	}, false)
}
