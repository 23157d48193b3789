package agg

import "github.com/millrace/millrace/types"

// firstValue and lastValue are the argument of the first and of the last row,
// null or not.
func firstValue(rows Rows) (types.Value, error) {
	if rows.Len() == 0 {
		return types.NullValue, nil
	}
	return rows.Arg(0, 0), nil
}

func lastValue(rows Rows) (types.Value, error) {
	if rows.Len() == 0 {
		return types.NullValue, nil
	}
	return rows.Arg(rows.Len()-1, 0), nil
}
