package types

import (
	"math"
	"strings"
)

// Loose reports whether equal values of the type may have different bytes: those
// with numbers inside, 1.0 and 1.00, and char of any length, whose blanks at the end
// mean nothing.
func (t Type) Loose() bool {
	switch t.Kind {
	case JSONB:
		return true
	case Char:
		return !t.HasPrecision
	case Array:
		return t.Elem.looseInside()
	case Row:
		for i := range t.Fields {
			if t.Fields[i].Type.looseInside() {
				return true
			}
		}
	}
	return false
}

// looseInside is Loose for elements of arrays and fields of rows.
func (t Type) looseInside() bool {
	switch t.Phys() {
	case PhysFloat, PhysDecimal, PhysInterval:
		return true
	}
	return t.Kind == Char || t.Loose()
}

// AppendEqualForm appends the form that all values share which are equal to one of
// a loose type. It is for hashing, and part of key groups.
func AppendEqualForm(dst []byte, t Type, s string) []byte {
	switch t.Kind {
	case JSONB:
		return appendEqualJSON(dst, s)
	case Char:
		return append(dst, strings.TrimRight(s, " ")...)
	case Array:
		if a, err := DecodeArray(*t.Elem, s); err == nil {
			for i := range a.Elems {
				a.Elems[i].toEqualForm(*t.Elem)
			}
			return append(dst, EncodeArray(*t.Elem, a)...)
		}
	case Row:
		if fields, err := DecodeRow(t.Fields, s); err == nil {
			for i := range fields {
				fields[i].toEqualForm(t.Fields[i].Type)
			}
			return append(dst, EncodeRow(t.Fields, fields)...)
		}
	}
	return append(dst, s...)
}

// toEqualForm makes a value the one that all equal values share.
func (v *Value) toEqualForm(t Type) {
	if v.Null {
		return
	}
	switch t.Phys() {
	case PhysFloat:
		if v.Float == 0 {
			v.Float = 0 // and not minus zero
		} else if v.Float != v.Float {
			v.Float = math.NaN()
		}
	case PhysDecimal:
		v.Dec = v.Dec.Normalize()
	case PhysInterval:
		v.Interval = v.Interval.Normalize()
	case PhysBytes:
		if t.Kind == Char || t.Loose() {
			v.Bytes = string(AppendEqualForm(nil, t, v.Bytes))
		}
	}
}

// appendEqualJSON appends canonical JSON with its numbers as short as they can be.
func appendEqualJSON(dst []byte, s string) []byte {
	for {
		point := nextPoint(s)
		if point < 0 {
			return append(dst, s...)
		}
		end := point + 1
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		dst = append(dst, strings.TrimRight(s[:end], "0")...)
		if dst[len(dst)-1] == '.' {
			dst = dst[:len(dst)-1]
		}
		s = s[end:]
	}
}

// nextPoint is where the first number of canonical JSON with a fraction has its
// point, or negative.
func nextPoint(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '.':
			return i
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		}
	}
	return -1
}
