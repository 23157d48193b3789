package agg

import "github.com/millrace/millrace/types"

// mode is the value that is there most often, the first of several.
func mode(rows Rows) (types.Value, error) {
	best, most := types.NullValue, int64(0)
	for i := range rows.Len() {
		if v, n := rows.Arg(i, 0), rows.Copies(i); !v.Null && n > most {
			best, most = v, n
		}
	}
	return best, nil
}
