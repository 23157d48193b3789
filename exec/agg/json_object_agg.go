package agg

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// jsonObjectAgg makes an object of names and values that are JSON already. Of
// values of one name the last one counts.
func jsonObjectAgg(rows Rows) (types.Value, error) {
	if rows.Len() == 0 {
		return types.NullValue, nil
	}
	var names []string
	var items []*types.JSON
	bytes := 0
	for i := range rows.Len() {
		name, v := rows.Arg(i, 0), rows.Arg(i, 1)
		if name.Null {
			return name, pgerr.New(pgerr.InvalidParameterValue, "field name must not be null")
		}
		if v.Null {
			v.Bytes = "null"
		}
		if err := fits("json_object_agg", bytes, len(name.Bytes)+len(v.Bytes)+6); err != nil {
			return types.NullValue, err
		}
		bytes += len(name.Bytes) + len(v.Bytes) + 6
		item, err := types.ParseJSON(v.Bytes)
		if err != nil {
			return v, err
		}
		names, items = append(names, name.Bytes), append(items, item)
	}
	return types.Value{Bytes: types.NewJSONObject(names, items).String()}, nil
}
