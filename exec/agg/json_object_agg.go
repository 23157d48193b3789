package agg

import (
	"unsafe"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// newJSONObjectAgg makes an object of names and values that are JSON already. Of
// values of one name the last one counts.
func newJSONObjectAgg(c Call) Ordered {
	return func(rows Rows) (types.Value, error) {
		if rows.Len() == 0 {
			return types.NullValue, nil
		}
		n := 0
		for i := range rows.Len() {
			name, v := rows.Arg(i, 0), rows.Arg(i, 1)
			if name.Null {
				return name, pgerr.New(pgerr.InvalidParameterValue, "field name must not be null")
			}
			if n += len(name.Bytes) + len(v.Bytes) + len(`"": , `); n > types.ValueBytesMax {
				return types.NullValue, errTooLong(c.Func)
			}
		}
		give, err := c.Memory.Hold(int64(n) + int64(rows.Len())*int64(unsafe.Sizeof(types.JSONPair{})))
		if err != nil {
			return types.NullValue, err
		}
		defer give()
		fields := make([]types.JSONPair, rows.Len())
		for i := range fields {
			name, v := rows.Arg(i, 0), rows.Arg(i, 1)
			if v.Null {
				v.Bytes = "null"
			}
			fields[i] = types.JSONPair{Name: name.Bytes, Value: v.Bytes}
		}
		text := types.AppendJSONObject(make([]byte, 0, n), fields)
		if len(text) > types.ValueBytesMax {
			return types.NullValue, errTooLong(c.Func)
		}
		return types.Value{Bytes: unsafe.String(&text[0], len(text))}, nil // nobody writes to it any more
	}
}
