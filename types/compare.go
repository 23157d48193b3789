package types

import (
	"bytes"
	"math"
	"strings"
)

// CompareFloat orders floats with NaN above everything and equal to itself.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return cmpInt(b2i(math.IsNaN(a)), b2i(math.IsNaN(b)))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompareBytes orders PhysBytes values of type t: text by bytes (collation "C"),
// char without its trailing blanks, jsonb, arrays and rows as PostgreSQL does.
func CompareBytes(t Type, a, b string) int {
	switch t.Kind {
	case Char:
		return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
	case JSONB:
		if a == b {
			return 0
		}
		const empty = "[]" // by itself, PostgreSQL has it below everything
		if a == empty || b == empty {
			return cmpInt(b2i(b == empty), b2i(a == empty))
		}
		x, err1 := ParseJSON(a)
		y, err2 := ParseJSON(b)
		if err1 != nil || err2 != nil {
			return strings.Compare(a, b)
		}
		return CompareJSON(x, y)
	case Array:
		return compareArrays(*t.Elem, a, b)
	case Row:
		x, err1 := DecodeRow(t.Fields, a)
		y, err2 := DecodeRow(t.Fields, b)
		if err1 != nil || err2 != nil {
			return strings.Compare(a, b)
		}
		for i := range x {
			if c := CompareNullsLast(t.Fields[i].Type, &x[i], &y[i]); c != 0 {
				return c
			}
		}
		return 0
	}
	return strings.Compare(a, b)
}

func compareArrays(elem Type, a, b string) int {
	x, err1 := DecodeArray(elem, a)
	y, err2 := DecodeArray(elem, b)
	if err1 != nil || err2 != nil {
		return strings.Compare(a, b)
	}
	for i := range min(len(x.Elems), len(y.Elems)) {
		if c := CompareNullsLast(elem, &x.Elems[i], &y.Elems[i]); c != 0 {
			return c
		}
	}
	if c := cmpInt(len(x.Elems), len(y.Elems)); c != 0 {
		return c
	}
	if c := cmpInt(len(x.Dims), len(y.Dims)); c != 0 {
		return c
	}
	for i := range x.Dims {
		if c := cmpInt(x.Dims[i].Len, y.Dims[i].Len); c != 0 {
			return c
		}
		if c := cmpInt(x.Dims[i].Lower, y.Dims[i].Lower); c != 0 {
			return c
		}
	}
	return 0
}

// Compare orders two values of type t that are not null.
func Compare(t Type, a, b *Value) int {
	switch t.Phys() {
	case PhysBool:
		return cmpInt(b2i(a.Bool), b2i(b.Bool))
	case PhysInt:
		return cmpInt(a.Int, b.Int)
	case PhysFloat:
		return CompareFloat(a.Float, b.Float)
	case PhysDecimal:
		return a.Dec.Cmp(b.Dec)
	case PhysInterval:
		return a.Interval.Cmp(b.Interval)
	case PhysUUID:
		return bytes.Compare(a.UUID[:], b.UUID[:])
	}
	return CompareBytes(t, a.Bytes, b.Bytes)
}

// CompareNullsLast is Compare with nulls equal to each other and above the rest.
func CompareNullsLast(t Type, a, b *Value) int {
	if a.Null || b.Null {
		return cmpInt(b2i(a.Null), b2i(b.Null))
	}
	return Compare(t, a, b)
}
