package agg

import (
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// newPercentile computes a percentile for each fraction: one, or an array
// of them.
func newPercentile(c Call, one func(rows Rows, n int64, p float64) (types.Value, error)) Ordered {
	at := func(rows Rows, n int64, p types.Value) (types.Value, error) {
		switch {
		case p.Null:
			return types.NullValue, nil
		case !(p.Float >= 0 && p.Float <= 1):
			return p, pgerr.New(pgerr.NumericValueOutOfRange, "percentile value %s is not between 0 and 1", strconv.FormatFloat(p.Float, 'g', 6, 64))
		case n == 0:
			return types.NullValue, nil
		}
		return one(rows, n, p.Float)
	}
	if !c.Many {
		return func(rows Rows) (types.Value, error) { return at(rows, total(rows), c.Params[0]) }
	}
	return func(rows Rows) (types.Value, error) {
		n := total(rows)
		if n == 0 {
			return types.NullValue, nil
		}
		list := make([]types.Value, len(c.Params))
		for i, p := range c.Params {
			v, err := at(rows, n, p)
			if err != nil {
				return v, err
			}
			list[i] = v
		}
		if c.Dims != nil {
			return types.Value{Bytes: types.EncodeArray(*c.Type.Elem, types.ArrayValue{Dims: c.Dims, Elems: list})}, nil
		}
		return types.Value{Bytes: types.EncodeList(*c.Type.Elem, list)}, nil
	}
}

// nth is value number k, from 0, among those that are not null.
func nth(rows Rows, k int64) types.Value {
	for i := range rows.Len() {
		v := rows.Arg(i, 0)
		if v.Null {
			continue
		}
		if k -= rows.Copies(i); k < 0 {
			return v
		}
	}
	return types.NullValue
}
