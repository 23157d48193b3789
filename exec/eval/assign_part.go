package eval

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// What SET makes of an array or of jsonb when a part of it is assigned to. An
// array that is null or empty gets the places that are named as its bounds, one
// with a single dimension grows to them, with nulls in between.

func errSubscript(message string) error { return pgerr.New(pgerr.ArraySubscriptError, "%s", message) }

// places gives the subscripts from argument first on, which must not be null.
func (x *row) places(first int) ([]int, error) {
	out := make([]int, 0, len(x.v)-first)
	for i := first; i < len(x.v); i++ {
		if x.null(i) {
			return nil, pgerr.New(pgerr.NullValueNotAllowed, "array subscript in assignment must not be null")
		}
		out = append(out, int(x.int(i)))
	}
	return out, nil
}

// assignElement is x with value at the index of each dimension.
func assignElement(x *row) (types.Value, error) {
	a, err := x.array(0)
	if err != nil {
		return types.NullValue, err
	}
	at, err := x.places(2)
	if err != nil {
		return types.NullValue, err
	}
	return assignTo(x, a, at, at, x.v[1:2])
}

// assignSlice is x with the elements of value between the bounds of each
// dimension; a null value changes nothing.
func assignSlice(x *row) (types.Value, error) {
	a, err := x.array(0)
	if err != nil {
		return types.NullValue, err
	}
	if len(x.v)%4 != 2 {
		return types.NullValue, errSubscript("wrong number of array subscripts")
	}
	var lo, hi []int
	for i := 2; i < len(x.v); i += 4 {
		k := (i - 2) / 4
		low, high := x.int(i) == 1, x.int(i+2) == 1
		if low && x.null(i+1) || high && x.null(i+3) {
			return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "array subscript in assignment must not be null")
		}
		bound := types.Dimension{}
		switch {
		case k < len(a.Dims):
			bound = a.Dims[k]
		case len(a.Dims) == 0 && !(low && high) && !x.null(1):
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "array slice subscript must provide both boundaries").
				WithDetail("When assigning to a slice of an empty array value, slice boundaries must be fully specified.")
		}
		from, to := bound.Lower, bound.Lower+bound.Len-1
		if low {
			from = int(x.int(i + 1))
		}
		if high {
			to = int(x.int(i + 3))
		}
		lo, hi = append(lo, from), append(hi, to)
	}
	if x.null(1) {
		if x.null(0) {
			return list(x, nil)
		}
		return x.v[0], nil
	}
	with, err := x.array(1)
	if err != nil {
		return types.NullValue, err
	}
	// Dimensions that are not named are taken whole.
	if len(lo) < len(a.Dims) && len(a.Dims) > 1 {
		for _, d := range a.Dims[len(lo):] {
			lo, hi = append(lo, d.Lower), append(hi, d.Lower+d.Len-1)
		}
	}
	return assignTo(x, a, lo, hi, with.Elems)
}

// assignTo puts values, in their order, between the bounds lo and hi of a.
func assignTo(x *row, a types.ArrayValue, lo, hi []int, values []types.Value) (types.Value, error) {
	if len(lo) == 0 || len(lo) > types.DimensionsMax {
		return types.NullValue, errSubscript("wrong number of array subscripts")
	}
	if len(a.Dims) == 0 {
		return assignEmpty(x, lo, hi, values)
	}
	if len(lo) != len(a.Dims) {
		return types.NullValue, errSubscript("wrong number of array subscripts")
	}
	size := 1
	for k, d := range a.Dims {
		if lo[k] > hi[k] {
			return types.NullValue, errSubscript("upper bound cannot be less than lower bound")
		}
		if len(a.Dims) > 1 && (lo[k] < d.Lower || hi[k] >= d.Lower+d.Len) {
			return types.NullValue, errSubscript("array subscript out of range")
		}
		if size *= hi[k] - lo[k] + 1; size > arrayElementsMax {
			return types.NullValue, errTooManyElements()
		}
	}
	if size > len(values) {
		return types.NullValue, errSubscript("source array too small")
	}
	if len(a.Dims) == 1 {
		var err error
		if a, err = x.grown(a, lo[0], hi[0]); err != nil {
			return types.NullValue, err
		}
	}
	at := slices.Clone(lo)
	for _, v := range values[:size] {
		place := 0
		for k, d := range a.Dims {
			place = place*d.Len + at[k] - d.Lower
		}
		a.Elems[place] = v
		for k := len(at) - 1; k >= 0; k-- {
			if at[k]++; at[k] <= hi[k] {
				break
			}
			at[k] = lo[k]
		}
	}
	return strValue(types.EncodeArray(x.elem(0), a)), nil
}

// assignEmpty makes an array with the bounds lo and hi of values.
func assignEmpty(x *row, lo, hi []int, values []types.Value) (types.Value, error) {
	var dims []types.Dimension
	size := 1
	for k := range lo {
		n := hi[k] - lo[k] + 1
		if n < 0 || n > arrayElementsMax || size*n > arrayElementsMax {
			return types.NullValue, errTooManyElements()
		}
		size *= n
		dims = append(dims, types.Dimension{Len: n, Lower: lo[k]})
	}
	switch {
	case size > len(values):
		return types.NullValue, errSubscript("source array too small")
	case size == 0:
		return list(x, nil)
	}
	return strValue(types.EncodeArray(x.elem(0), types.ArrayValue{Dims: dims, Elems: values[:size]})), nil
}

// grown is an array of one dimension that reaches from lo to hi at least.
func (x *row) grown(a types.ArrayValue, lo, hi int) (types.ArrayValue, error) {
	d := a.Dims[0]
	from, to := min(lo, d.Lower), max(hi, d.Lower+d.Len-1)
	if to-from+1 > arrayElementsMax {
		return a, errTooManyElements()
	}
	if to-from+1 == d.Len {
		return a, nil
	}
	if n := int64(to-from+1) * int64(unsafe.Sizeof(types.Value{})); n >= heldMin {
		if err := x.hold(n); err != nil {
			return a, err
		}
	}
	elems := make([]types.Value, to-from+1)
	for i := range elems {
		elems[i] = types.NullValue
	}
	copy(elems[d.Lower-from:], a.Elems)
	return types.ArrayValue{Dims: []types.Dimension{{Len: len(elems), Lower: from}}, Elems: elems}, nil
}

// assignMember is j with value at a path, of which it makes what is missing.
func assignMember(x *row) (types.Value, error) {
	path := make([]string, 0, len(x.v)-3)
	for i := 3; i < len(x.v); i++ {
		if x.null(i) {
			return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "jsonb subscript in assignment must not be null")
		}
		path = append(path, x.str(i))
	}
	j := &types.JSON{Kind: types.JSONObject}
	if x.v[2].Bool {
		j.Kind = types.JSONArray
	}
	value := &types.JSON{Kind: types.JSONNull}
	var err error
	if !x.null(0) {
		if j, err = x.json(0); err != nil {
			return types.NullValue, err
		}
	}
	if !x.null(1) {
		if value, err = x.json(1); err != nil {
			return types.NullValue, err
		}
	}
	if err := assignPath(j, path, value); err != nil {
		return types.NullValue, err
	}
	return jsonValue(j), nil
}

// assignPath puts value at a path below j.
func assignPath(j *types.JSON, path []string, value *types.JSON) error {
	for level, p := range path {
		rest := path[level+1:]
		at := 0
		switch j.Kind {
		case types.JSONObject:
			if at = slices.Index(j.Keys, p); at < 0 {
				below, err := missing(rest, value)
				if err == nil {
					*j = *types.NewJSONObject(append(j.Keys, p), append(j.Items, below))
				}
				return err
			}
		case types.JSONArray:
			n, err := pathIndex(p)
			if err != nil {
				return pgerr.New(pgerr.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, p)
			}
			if at = n; n < 0 {
				at += len(j.Items)
			}
			switch {
			case at < 0:
				return pgerr.New(pgerr.InvalidParameterValue, "path element at position %d is out of range: %d", level+1, n)
			case at >= arrayElementsMax:
				return errTooManyElements()
			case at >= len(j.Items):
				below, err := missing(rest, value)
				if err == nil {
					j.Items = append(padded(j.Items, at), below)
				}
				return err
			}
		default:
			return pgerr.New(pgerr.InvalidParameterValue, "cannot replace existing key").
				WithDetail("The path assumes key is a composite object, but it is a scalar value.")
		}
		if len(rest) == 0 {
			j.Items[at] = value
			return nil
		}
		j = j.Items[at]
	}
	return nil
}

// pathIndex is the place in an array that an element of a path names.
func pathIndex(p string) (int, error) {
	n, err := strconv.ParseInt(strings.TrimLeft(p, " \t\n\v\f\r"), 10, 32)
	return int(n), err
}

// padded fills items up with one null to n.
func padded(items []*types.JSON, n int) []*types.JSON {
	null := &types.JSON{Kind: types.JSONNull}
	for len(items) < n {
		items = append(items, null)
	}
	return items
}

// missing is value below arrays and objects as a path names them: a number is a
// place in an array.
func missing(path []string, value *types.JSON) (*types.JSON, error) {
	room := arrayElementsMax
	for _, p := range slices.Backward(path) {
		n, err := pathIndex(p)
		if err != nil {
			value = types.NewJSONObject([]string{p}, []*types.JSON{value})
			continue
		}
		if room -= max(n, 0); room < 0 {
			return nil, errTooManyElements()
		}
		value = &types.JSON{Kind: types.JSONArray, Items: append(padded(nil, n), value)}
	}
	return value, nil
}
