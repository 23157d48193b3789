package agg

import "github.com/millrace/millrace/types"

// newStringAgg joins strings, nulls left out, each but the first behind its
// separator: the constant one, or the second argument of its row.
func newStringAgg(c Call) Ordered {
	constant := len(c.Params) > 0
	return func(rows Rows) (types.Value, error) {
		var out []byte
		any := false
		for i := range rows.Len() {
			v := rows.Arg(i, 0)
			if v.Null {
				continue
			}
			var sep types.Value
			if constant {
				sep = c.Params[0]
			} else {
				sep = rows.Arg(i, 1)
			}
			for range rows.Copies(i) {
				if err := fits("string_agg", len(out), len(v.Bytes)+len(sep.Bytes)); err != nil {
					return types.NullValue, err
				}
				if any && !sep.Null {
					out = append(out, sep.Bytes...)
				}
				out = append(out, v.Bytes...)
				any = true
			}
		}
		return types.Value{Null: !any, Bytes: string(out)}, nil
	}
}
