package agg

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// newArrayAgg collects values, nulls too, into an array; of arrays it makes one
// with a dimension more.
func newArrayAgg(c Call) Ordered {
	elem := *c.Type.Elem
	if c.Args[0].Kind == types.Array {
		return func(rows Rows) (types.Value, error) { return arrayOfArrays(c, elem, rows) }
	}
	return func(rows Rows) (types.Value, error) {
		n := int64(0)
		for i := range rows.Len() {
			n += rows.Copies(i)
		}
		if n > types.ValueBytesMax/arrayElementBytesMin {
			return types.NullValue, errTooLong("array_agg")
		}
		give, err := c.Memory.Hold(n * valueBytes)
		if err != nil {
			return types.NullValue, err
		}
		defer give()
		list := make([]types.Value, 0, n)
		bytes := 0
		for i := range rows.Len() {
			v := rows.Arg(i, 0)
			if bytes += len(v.Bytes) * int(rows.Copies(i)); bytes > types.ValueBytesMax {
				return types.NullValue, errTooLong("array_agg")
			}
			for range rows.Copies(i) {
				list = append(list, v)
			}
		}
		if n == 0 {
			return types.NullValue, nil
		}
		return types.Value{Bytes: types.EncodeList(elem, list)}, nil
	}
}

// valueBytes is what a value takes in memory, without what it refers to, and
// arrayElementBytesMin what an element takes in an array at the least.
const (
	valueBytes           = int64(unsafe.Sizeof(types.Value{}))
	arrayElementBytesMin = 1
)

func arrayOfArrays(c Call, elem types.Type, rows Rows) (types.Value, error) {
	var all types.ArrayValue
	n, bytes, elems := 0, 0, int64(0)
	for i := range rows.Len() {
		v := rows.Arg(i, 0)
		if bytes += len(v.Bytes) * int(rows.Copies(i)); bytes > types.ValueBytesMax {
			return types.NullValue, errTooLong("array_agg")
		}
		elems += types.ListBytes(v.Bytes) * rows.Copies(i)
	}
	give, err := c.Memory.Hold(elems)
	if err != nil {
		return types.NullValue, err
	}
	defer give()
	for i := range rows.Len() {
		v := rows.Arg(i, 0)
		if v.Null {
			return v, pgerr.New(pgerr.NullValueNotAllowed, "cannot accumulate null arrays")
		}
		a, err := types.DecodeArray(elem, v.Bytes)
		switch {
		case err != nil:
			return v, err
		case len(a.Dims) == 0:
			return v, pgerr.New(pgerr.ArraySubscriptError, "cannot accumulate empty arrays")
		case n > 0 && !slices.Equal(a.Dims, all.Dims):
			return v, pgerr.New(pgerr.ArraySubscriptError, "cannot accumulate arrays of different dimensionality")
		}
		all.Dims = a.Dims
		for range rows.Copies(i) {
			all.Elems = append(all.Elems, a.Elems...)
			n++
		}
	}
	if n == 0 {
		return types.NullValue, nil
	}
	all.Dims = append([]types.Dimension{{Len: n, Lower: 1}}, all.Dims...)
	return types.Value{Bytes: types.EncodeArray(elem, all)}, nil
}
