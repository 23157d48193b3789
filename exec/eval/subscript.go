package eval

import "github.com/millrace/millrace/types"

// jsonItem is j[n], which j -> n is too, but a scalar has no elements here.
func jsonItem(j string, n int64) (string, bool) {
	if j == "" || j[0] != '[' {
		return "", false
	}
	return types.JSONElement(j, n)
}

// jsonMember is j[p]: a member of an object, or the element of an array whose
// place p is.
func jsonMember(j, p string) (string, bool) {
	if m, ok := types.JSONField(j, p); ok {
		return m, true
	}
	n, err := pathIndex(p)
	if err != nil {
		return "", false
	}
	return jsonItem(j, int64(n))
}

// subscripts is x[i]… with an index per dimension; null if they are more or fewer
// than the array has, or outside of it.
func subscripts(x *row, a types.ArrayValue) (types.Value, error) {
	if len(a.Dims) != len(x.v)-1 {
		return types.NullValue, nil
	}
	at := 0
	for k, d := range a.Dims {
		i := x.int(k+1) - int64(d.Lower)
		if i < 0 || i >= int64(d.Len) {
			return types.NullValue, nil
		}
		at = at*d.Len + int(i)
	}
	return a.Elems[at], nil
}

// sliced is x[lo:hi]…, of the first dimensions; null bounds are open. What lies
// outside of the array, or has more dimensions than it, is empty.
func sliced(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	a, err := x.array(0)
	n := (len(x.v) - 1) / 2
	if err != nil || n > len(a.Dims) || len(a.Dims) == 0 {
		return list(x, nil)
	}
	out := types.ArrayValue{Dims: append([]types.Dimension{}, a.Dims...), Elems: a.Elems}
	for k := range out.Dims {
		from, to := 0, a.Dims[k].Len
		if k < n {
			from, to = x.within(a.Dims[k], 2*k+1)
		}
		if from >= to {
			return list(x, nil)
		}
		out.Elems = cut(out.Elems, out.Dims, k, from, to)
		out.Dims[k] = types.Dimension{Len: to - from, Lower: 1}
	}
	return strValue(types.EncodeArray(x.elem(0), out)), nil
}

// within is the part of a dimension from bound arg to the one after it.
func (x *row) within(d types.Dimension, arg int) (from, to int) {
	lo, hi := int64(d.Lower), int64(d.Lower+d.Len-1)
	if !x.null(arg) {
		lo = max(lo, x.int(arg))
	}
	if !x.null(arg + 1) {
		hi = min(hi, x.int(arg+1))
	}
	if lo > hi {
		return 0, 0
	}
	return int(lo) - d.Lower, int(hi) - d.Lower + 1
}

// cut keeps the elements from..to of dimension k.
func cut(elems []types.Value, dims []types.Dimension, k, from, to int) []types.Value {
	step := 1
	for _, d := range dims[k+1:] {
		step *= d.Len
	}
	var out []types.Value
	for row := dims[k].Len * step; len(elems) > 0; elems = elems[row:] {
		out = append(out, elems[from*step:to*step]...)
	}
	return out
}
