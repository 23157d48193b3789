package agg

import "github.com/millrace/millrace/types"

// newJSONAgg collects values that are JSON already into an array.
func newJSONAgg(c Call) Ordered {
	return func(rows Rows) (types.Value, error) {
		if rows.Len() == 0 {
			return types.NullValue, nil
		}
		value := func(i int) string {
			v := rows.Arg(i, 0)
			if v.Null {
				return "null"
			}
			return v.Bytes
		}
		out, give, err := c.text(rows, func(i int) int { return len(value(i)) + len(", ") })
		if err != nil {
			return types.NullValue, err
		}
		defer give()
		out.WriteByte('[')
		for i := range rows.Len() {
			v := value(i)
			for range rows.Copies(i) {
				if out.Len() > 1 {
					out.WriteString(", ")
				}
				out.WriteString(v)
			}
		}
		out.WriteByte(']')
		return types.Value{Bytes: out.String()}, nil
	}
}
