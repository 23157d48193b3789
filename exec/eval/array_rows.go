package eval

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// elem is the element type of argument i.
func (x *row) elem(i int) types.Type {
	if t := x.typ(i); t.Elem != nil {
		return *t.Elem
	}
	if x.e.Type.Elem != nil {
		return *x.e.Type.Elem
	}
	return types.Of(types.Text)
}

func (x *row) array(i int) (types.ArrayValue, error) {
	if x.null(i) {
		return types.ArrayValue{}, nil
	}
	return x.list(x.elem(i), x.str(i))
}

// withArray calls fn with the first argument decoded.
func withArray(fn func(x *row, a types.ArrayValue) (types.Value, error)) rowFn {
	return func(x *row) (types.Value, error) {
		a, err := x.array(0)
		if err != nil {
			return types.NullValue, err
		}
		return fn(x, a)
	}
}

func list(x *row, elems []types.Value) (types.Value, error) {
	return strValue(types.EncodeList(*x.e.Type.Elem, elems)), nil
}

var arrayRows = map[string]rowFn{
	"array":     arrayOf,
	"subscript": withArray(subscripts), "subscripts": withArray(subscripts), "slice": sliced, "slices": sliced,
	"assign_element": assignElement, "assign_slice": assignSlice, "assign_member": assignMember,
	"row": func(x *row) (types.Value, error) { return strValue(types.EncodeRow(x.e.Type.Fields, x.v)), nil },
	"field": func(x *row) (types.Value, error) {
		vals, err := types.DecodeRow(x.typ(0).Fields, x.str(0))
		if n := x.int(1); err == nil && (n < 1 || n > int64(len(vals))) {
			return types.NullValue, pgerr.New(pgerr.InternalError, "field %d of a record with %d fields", n, len(vals))
		}
		if err != nil {
			return types.NullValue, err
		}
		return vals[x.int(1)-1], nil
	},
	"array_length": withArray(dimension(func(d types.Dimension) int { return d.Len })),
	"array_lower":  withArray(dimension(func(d types.Dimension) int { return d.Lower })),
	"array_upper":  withArray(dimension(func(d types.Dimension) int { return d.Lower + d.Len - 1 })),
	"array_ndims": withArray(func(_ *row, a types.ArrayValue) (types.Value, error) {
		if len(a.Dims) == 0 {
			return types.NullValue, nil
		}
		return intValue(int64(len(a.Dims))), nil
	}),
	"array_dims": withArray(func(_ *row, a types.ArrayValue) (types.Value, error) {
		if len(a.Dims) == 0 {
			return types.NullValue, nil
		}
		s := ""
		for _, d := range a.Dims {
			s += fmt.Sprintf("[%d:%d]", d.Lower, d.Lower+d.Len-1)
		}
		return strValue(s), nil
	}),
	"cardinality":                          withArray(func(_ *row, a types.ArrayValue) (types.Value, error) { return intValue(int64(len(a.Elems))), nil }),
	"array_append":                         func(x *row) (types.Value, error) { return appendElem(x, 0, 1, false) },
	"||(anycompatiblearray,anycompatible)": func(x *row) (types.Value, error) { return appendElem(x, 0, 1, false) },
	"array_prepend":                        func(x *row) (types.Value, error) { return appendElem(x, 1, 0, true) },
	"||(anycompatible,anycompatiblearray)": func(x *row) (types.Value, error) { return appendElem(x, 1, 0, true) },
	"array_cat":                            arrayCat, "||(anycompatiblearray,anycompatiblearray)": arrayCat,
	"array_remove": arrayRemove, "array_replace": arrayReplace,
	"array_to_string": arrayToString,
	"array_position":  arrayPosition, "array_positions": arrayPositions,
	"array_contains": func(x *row) (types.Value, error) {
		if x.null(0) {
			return types.NullValue, nil
		}
		v, err := arrayPosition(x)
		return boolValue(!v.Null), err
	},
	"array_fill": arrayFill,
	"array_reverse": withArray(func(x *row, a types.ArrayValue) (types.Value, error) {
		for i, j := 0, len(a.Elems)-1; i < j; i, j = i+1, j-1 {
			a.Elems[i], a.Elems[j] = a.Elems[j], a.Elems[i]
		}
		return list(x, a.Elems)
	}),
	"array_distinct": withArray(func(x *row, a types.ArrayValue) (types.Value, error) {
		var out []types.Value
		for i := range a.Elems {
			if indexOf(x.elem(0), out, &a.Elems[i], 0) < 0 {
				out = append(out, a.Elems[i])
			}
		}
		return list(x, out)
	}),
	"array_sort": withArray(func(x *row, a types.ArrayValue) (types.Value, error) {
		t := x.elem(0)
		sort.SliceStable(a.Elems, func(i, j int) bool { return types.CompareNullsLast(t, &a.Elems[i], &a.Elems[j]) < 0 })
		return list(x, a.Elems)
	}),
	"trim_array": withArray(func(x *row, a types.ArrayValue) (types.Value, error) {
		n, length := x.int(1), 0
		if len(a.Dims) > 0 {
			length = a.Dims[0].Len
		}
		if n < 0 || n > int64(length) {
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "number of elements to trim must be between 0 and %d", length)
		}
		return firstOf(x, a, length-int(n))
	}),
	"string_to_array":       stringToArray,
	"@>(anyarray,anyarray)": func(x *row) (types.Value, error) { return arrayContains(x, 0, 1) },
	"<@(anyarray,anyarray)": func(x *row) (types.Value, error) { return arrayContains(x, 1, 0) },
	"&&": func(x *row) (types.Value, error) {
		a, b, err := twoArrays(x)
		for i := range b.Elems {
			if !b.Elems[i].Null && indexOf(x.elem(0), a.Elems, &b.Elems[i], 0) >= 0 {
				return boolValue(true), err
			}
		}
		return boolValue(false), err
	},
	"any =": quantified("=", false), "any <>": quantified("<>", false), "any <": quantified("<", false),
	"any <=": quantified("<=", false), "any >": quantified(">", false), "any >=": quantified(">=", false),
	"all =": quantified("=", true), "all <>": quantified("<>", true), "all <": quantified("<", true),
	"all <=": quantified("<=", true), "all >": quantified(">", true), "all >=": quantified(">=", true),
	"any ~~": quantifiedText(matchLike(false, false), false), "any !~~": quantifiedText(matchLike(false, true), false),
	"any ~~*": quantifiedText(matchLike(true, false), false), "any !~~*": quantifiedText(matchLike(true, true), false),
	"all ~~": quantifiedText(matchLike(false, false), true), "all !~~": quantifiedText(matchLike(false, true), true),
	"all ~~*": quantifiedText(matchLike(true, false), true), "all !~~*": quantifiedText(matchLike(true, true), true),
	"any ~": quantifiedText(matchRegexp("", false), false), "any !~": quantifiedText(matchRegexp("", true), false),
	"any ~*": quantifiedText(matchRegexp("i", false), false), "any !~*": quantifiedText(matchRegexp("i", true), false),
	"all ~": quantifiedText(matchRegexp("", false), true), "all !~": quantifiedText(matchRegexp("", true), true),
	"all ~*": quantifiedText(matchRegexp("i", false), true), "all !~*": quantifiedText(matchRegexp("i", true), true),
}

// firstOf is an array's first n elements in its first dimension.
func firstOf(x *row, a types.ArrayValue, n int) (types.Value, error) {
	if n == 0 {
		return list(x, nil)
	}
	a.Elems = a.Elems[:len(a.Elems)/a.Dims[0].Len*n]
	a.Dims[0].Len = n
	for i := range a.Dims {
		a.Dims[i].Lower = 1
	}
	return strValue(types.EncodeArray(x.elem(0), a)), nil
}

// arrayOf is ARRAY[…]; arrays as elements make one more dimension.
func arrayOf(x *row) (types.Value, error) {
	elem := *x.e.Type.Elem
	if len(x.v) == 0 || x.typ(0).Kind != types.Array {
		return list(x, x.v)
	}
	var out types.ArrayValue
	for i := range x.v {
		a, err := x.array(i)
		if err != nil {
			return types.NullValue, err
		}
		if i == 0 {
			out.Dims = append([]types.Dimension{{Len: len(x.v), Lower: 1}}, a.Dims...)
		} else if fmt.Sprint(out.Dims[1:]) != fmt.Sprint(a.Dims) {
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "multidimensional arrays must have array expressions with matching dimensions")
		}
		out.Elems = append(out.Elems, a.Elems...)
	}
	if len(out.Elems) == 0 {
		out.Dims = nil
	}
	return strValue(types.EncodeArray(elem, out)), nil
}

func dimension(pick func(types.Dimension) int) func(x *row, a types.ArrayValue) (types.Value, error) {
	return func(x *row, a types.ArrayValue) (types.Value, error) {
		n := x.int(1)
		if n < 1 || n > int64(len(a.Dims)) {
			return types.NullValue, nil
		}
		return intValue(int64(pick(a.Dims[n-1]))), nil
	}
}

func appendElem(x *row, arr, el int, front bool) (types.Value, error) {
	a, err := x.array(arr)
	if err != nil {
		return types.NullValue, err
	}
	if len(a.Dims) > 1 {
		return types.NullValue, pgerr.New("22000", "argument must be empty or one-dimensional array")
	}
	lower := 1
	if len(a.Dims) == 1 {
		lower = a.Dims[0].Lower
	}
	if front {
		a.Elems = append([]types.Value{x.v[el]}, a.Elems...)
	} else {
		a.Elems = append(a.Elems, x.v[el])
	}
	a.Dims = []types.Dimension{{Len: len(a.Elems), Lower: lower}}
	return strValue(types.EncodeArray(x.elem(arr), a)), nil
}

func twoArrays(x *row) (a, b types.ArrayValue, err error) {
	if a, err = x.array(0); err != nil {
		return
	}
	b, err = x.array(1)
	return
}

func arrayCat(x *row) (types.Value, error) {
	a, b, err := twoArrays(x)
	switch {
	case err != nil:
		return types.NullValue, err
	case x.null(0) && x.null(1):
		return types.NullValue, nil
	case x.null(0), len(a.Dims) == 0:
		if x.null(1) {
			return x.v[0], nil
		}
		return x.v[1], nil
	case x.null(1), len(b.Dims) == 0:
		return x.v[0], nil
	}
	mismatch := pgerr.New(pgerr.ArraySubscriptError, "cannot concatenate incompatible arrays")
	dims := append([]types.Dimension{}, a.Dims...)
	switch len(a.Dims) - len(b.Dims) {
	case 0:
		dims[0].Len += b.Dims[0].Len
	case 1:
		dims[0].Len++
	case -1:
		dims = append([]types.Dimension{}, b.Dims...)
		dims[0].Len++
	default:
		return types.NullValue, mismatch
	}
	elems := append(append([]types.Value{}, a.Elems...), b.Elems...)
	n := 1
	for _, d := range dims {
		n *= d.Len
	}
	if n != len(elems) {
		return types.NullValue, mismatch
	}
	return strValue(types.EncodeArray(x.elem(0), types.ArrayValue{Dims: dims, Elems: elems})), nil
}

// indexOf finds a value, null among nulls, from position from on.
func indexOf(t types.Type, in []types.Value, v *types.Value, from int) int {
	for i := max(from, 0); i < len(in); i++ {
		if types.CompareNullsLast(t, &in[i], v) == 0 {
			return i
		}
	}
	return -1
}

func arrayRemove(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	a, err := x.flat(0, "removing elements from")
	if err != nil {
		return types.NullValue, err
	}
	a.Elems = slices.DeleteFunc(a.Elems, func(v types.Value) bool { return types.CompareNullsLast(x.elem(0), &v, &x.v[1]) == 0 })
	if len(a.Elems) == 0 {
		return list(x, nil)
	}
	a.Dims[0].Len = len(a.Elems)
	return strValue(types.EncodeArray(x.elem(0), a)), nil
}

// flat is the array that argument i is, which has one dimension at the most.
func (x *row) flat(i int, doing string) (types.ArrayValue, error) {
	a, err := x.array(i)
	if err == nil && len(a.Dims) > 1 {
		err = pgerr.New(pgerr.FeatureNotSupported, "%s multidimensional arrays is not supported", doing)
	}
	return a, err
}

func arrayReplace(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	a, err := x.array(0)
	if err != nil {
		return types.NullValue, err
	}
	for i := range a.Elems {
		if types.CompareNullsLast(x.elem(0), &a.Elems[i], &x.v[1]) == 0 {
			a.Elems[i] = x.v[2]
		}
	}
	return strValue(types.EncodeArray(x.elem(0), a)), nil
}

func arrayToString(x *row) (types.Value, error) {
	if x.null(0) || x.null(1) {
		return types.NullValue, nil
	}
	a, err := x.array(0)
	var parts []string
	size := 0
	for i := range a.Elems {
		switch {
		case !a.Elems[i].Null:
			parts = append(parts, x.textOf(x.elem(0), &a.Elems[i]))
		case len(x.v) > 2 && !x.null(2):
			parts = append(parts, x.str(2))
		default:
			continue
		}
		if size += len(parts[len(parts)-1]) + len(x.str(1)); size > stringBytesMax {
			return types.NullValue, errTooLong()
		}
	}
	return strValue(strings.Join(parts, x.str(1))), err
}

func arrayPosition(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	a, err := x.flat(0, "searching for elements in")
	if err != nil || len(a.Dims) == 0 {
		return types.NullValue, err
	}
	from := 0
	if len(x.v) > 2 {
		from = int(x.int(2)) - a.Dims[0].Lower
	}
	i := indexOf(x.elem(0), a.Elems, &x.v[1], from)
	if i < 0 {
		return types.NullValue, nil
	}
	return intValue(int64(i + a.Dims[0].Lower)), nil
}

func arrayPositions(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	a, err := x.flat(0, "searching for elements in")
	var out []types.Value
	for i := range a.Elems {
		if types.CompareNullsLast(x.elem(0), &a.Elems[i], &x.v[1]) == 0 {
			out = append(out, intValue(int64(i+a.Dims[0].Lower)))
		}
	}
	if err != nil {
		return types.NullValue, err
	}
	return list(x, out)
}

const arrayElementsMax = 1 << 24

func errTooManyElements() error {
	return pgerr.New(pgerr.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayElementsMax)
}

func arrayFill(x *row) (types.Value, error) {
	if x.null(1) {
		return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "dimension array or low bound array cannot be null")
	}
	dims, err := x.array(1)
	if err != nil {
		return types.NullValue, err
	}
	if len(dims.Dims) > 1 {
		return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "wrong number of array subscripts").WithDetail("Dimension array must be one dimensional.")
	}
	lower := types.ArrayValue{}
	if len(x.v) > 2 {
		if x.null(2) {
			return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "dimension array or low bound array cannot be null")
		}
		if lower, err = x.array(2); err != nil {
			return types.NullValue, err
		}
		if len(lower.Elems) != len(dims.Elems) {
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "wrong number of array subscripts").
				WithDetail("Low bound array has different size than dimensions array.")
		}
	}
	var out types.ArrayValue
	n := int64(1)
	for i, d := range dims.Elems {
		if d.Null || len(lower.Elems) > 0 && lower.Elems[i].Null {
			return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "dimension values cannot be null")
		}
		if n *= d.Int; d.Int < 0 || n > arrayElementsMax {
			return types.NullValue, errTooManyElements()
		}
		from := int64(1)
		if len(lower.Elems) > 0 {
			from = lower.Elems[i].Int
		}
		out.Dims = append(out.Dims, types.Dimension{Len: int(d.Int), Lower: int(from)})
	}
	if len(out.Dims) == 0 || n == 0 {
		return list(x, nil)
	}
	for range n {
		out.Elems = append(out.Elems, x.v[0])
	}
	return strValue(types.EncodeArray(*x.e.Type.Elem, out)), nil
}

func arrayContains(x *row, big, small int) (types.Value, error) {
	a, err := x.array(big)
	if err != nil {
		return types.NullValue, err
	}
	b, err := x.array(small)
	for i := range b.Elems {
		if b.Elems[i].Null || indexOf(x.elem(big), a.Elems, &b.Elems[i], 0) < 0 {
			return boolValue(false), err
		}
	}
	return boolValue(true), err
}

func stringToArray(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	s := x.str(0)
	var parts []string
	switch {
	case s == "":
	case x.null(1) && len(s) > arrayElementsMax, !x.null(1) && x.str(1) != "" && strings.Count(s, x.str(1)) >= arrayElementsMax:
		return types.NullValue, errTooManyElements()
	case x.null(1):
		for _, r := range s {
			parts = append(parts, string(r))
		}
	case x.str(1) == "":
		parts = []string{s}
	default:
		parts = strings.Split(s, x.str(1))
	}
	var elems []types.Value
	for _, p := range parts {
		if len(x.v) > 2 && !x.null(2) && p == x.str(2) {
			elems = append(elems, types.NullValue)
		} else {
			elems = append(elems, strValue(p))
		}
	}
	return list(x, elems)
}

// fold combines the answers of x op ANY|ALL: null when undecided and some were null.
func fold(x *row, all bool, test func(v *types.Value) (bool, error)) (types.Value, error) {
	if x.null(1) {
		return types.NullValue, nil
	}
	a, err := x.array(1)
	if err != nil {
		return types.NullValue, err
	}
	unknown := false
	for i := range a.Elems {
		if x.null(0) || a.Elems[i].Null {
			unknown = true
			continue
		}
		ok, err := test(&a.Elems[i])
		if err != nil {
			return types.NullValue, err
		}
		if ok != all {
			return boolValue(!all), nil
		}
	}
	if unknown {
		return types.NullValue, nil
	}
	return boolValue(all), nil
}

func quantified(op string, all bool) rowFn {
	c := comparisons[op]
	return func(x *row) (types.Value, error) {
		t := x.elem(1)
		return fold(x, all, func(v *types.Value) (bool, error) {
			r := types.Compare(t, &x.v[0], v)
			if c.swap {
				r = -r
			}
			return (c.equal && r == 0 || !c.equal && r < 0) != c.negate, nil
		})
	}
}

type textTest func(x *row, s, pattern string) (bool, error)

func quantifiedText(test textTest, all bool) rowFn {
	return func(x *row) (types.Value, error) {
		return fold(x, all, func(v *types.Value) (bool, error) { return test(x, x.str(0), v.Bytes) })
	}
}

func matchLike(foldCase, not bool) textTest {
	return func(x *row, s, pattern string) (bool, error) {
		m := x.likes[pattern]
		if m == nil {
			m = compileLike(pattern, foldCase)
			if len(x.likes) >= regexpCacheMax {
				clear(x.likes)
			}
			x.likes[strings.Clone(pattern)] = m
		}
		ok, err := m.like(s)
		return ok != not, err
	}
}

func matchRegexp(flags string, not bool) textTest {
	return func(x *row, s, pattern string) (bool, error) {
		re, err := x.regexp(pattern, flags)
		if err != nil {
			return false, err
		}
		return re.MatchString(s) != not, nil
	}
}
