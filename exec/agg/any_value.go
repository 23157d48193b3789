package agg

import "github.com/millrace/millrace/types"

// anyValue is the first value that is not null.
func anyValue(rows Rows) (types.Value, error) { return nth(rows, 0), nil }
