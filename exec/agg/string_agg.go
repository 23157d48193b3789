package agg

import "github.com/millrace/millrace/types"

// newStringAgg joins strings, nulls left out, each but the first behind its
// separator: the constant one, or the second argument of its row.
func newStringAgg(c Call) Ordered {
	separator := func(rows Rows, i int) types.Value { return rows.Arg(i, 1) }
	if len(c.Params) > 0 {
		separator = func(Rows, int) types.Value { return c.Params[0] }
	}
	return func(rows Rows) (types.Value, error) {
		out, give, err := c.text(rows, func(i int) int {
			v := rows.Arg(i, 0)
			if v.Null {
				return 0
			}
			sep := separator(rows, i)
			return len(v.Bytes) + len(sep.Bytes)
		})
		if err != nil {
			return types.NullValue, err
		}
		defer give()
		any := false
		for i := range rows.Len() {
			v := rows.Arg(i, 0)
			if v.Null {
				continue
			}
			sep := separator(rows, i)
			for range rows.Copies(i) {
				if any && !sep.Null {
					out.WriteString(sep.Bytes)
				}
				out.WriteString(v.Bytes)
				any = true
			}
		}
		return types.Value{Null: !any, Bytes: out.String()}, nil
	}
}
