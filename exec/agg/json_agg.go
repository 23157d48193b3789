package agg

import "github.com/millrace/millrace/types"

// jsonAgg collects values that are JSON already into an array.
func jsonAgg(rows Rows) (types.Value, error) {
	if rows.Len() == 0 {
		return types.NullValue, nil
	}
	out := []byte{'['}
	for i := range rows.Len() {
		v := rows.Arg(i, 0)
		if v.Null {
			v.Bytes = "null"
		}
		for range rows.Copies(i) {
			if err := fits("json_agg", len(out), len(v.Bytes)+2); err != nil {
				return types.NullValue, err
			}
			if len(out) > 1 {
				out = append(out, ", "...)
			}
			out = append(out, v.Bytes...)
		}
	}
	return types.Value{Bytes: string(append(out, ']'))}, nil
}
