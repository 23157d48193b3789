package eval

import (
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// columnSize is pg_column_size: how many bytes PostgreSQL keeps a value in. What
// is no constant has the short header of stored rows; of JSON it is the text.
func columnSize(x *row) (types.Value, error) {
	t := x.typ(0)
	if n := fixedSize(t.Kind); n > 0 {
		return intValue(n), nil
	}
	var n int64
	switch t.Kind {
	case types.Numeric:
		n = numericSize(x.dec(0))
	case types.Array:
		a, err := x.array(0)
		if err != nil {
			return types.NullValue, err
		}
		n = arraySize(*t.Elem, a)
	default:
		n = int64(len(x.text(0)))
		if t.Phys() == types.PhysBytes && t.Kind != types.Row {
			n = int64(len(x.str(0)))
		}
	}
	if x.e.Args[0].Op != scalar.OpConst && n <= 126 {
		return intValue(n + 1), nil
	}
	return intValue(n + 4), nil
}

// fixedSize is the size of a type whose values are all of one size, else 0.
func fixedSize(k types.Kind) int64 {
	switch k {
	case types.Bool:
		return 1
	case types.Int16:
		return 2
	case types.Int32, types.Float32, types.Date, types.OID:
		return 4
	case types.Int64, types.Float64, types.Time, types.Timestamp, types.TimestampTZ:
		return 8
	case types.IntervalK, types.UUID:
		return 16
	case types.Name:
		return 64
	}
	return 0
}

// numericSize is that of a header and of digits to the base 10,000.
func numericSize(d types.Decimal) int64 {
	s := d.String()
	whole, fraction, point := "", "", false
	for _, c := range s {
		switch {
		case c == '.':
			point = true
		case c < '0' || c > '9':
		case point:
			fraction += string(c)
		default:
			whole += string(c)
		}
	}
	for len(whole)%4 != 0 {
		whole = "0" + whole
	}
	for len(fraction)%4 != 0 {
		fraction += "0"
	}
	digits := whole + fraction
	for len(digits) > 0 && digits[:4] == "0000" {
		digits = digits[4:]
	}
	for len(digits) > 0 && digits[len(digits)-4:] == "0000" {
		digits = digits[:len(digits)-4]
	}
	return 2 + int64(len(digits)/2)
}

// arraySize is that of a header, the bounds and the elements, each where its
// alignment lets it be.
func arraySize(elem types.Type, a types.ArrayValue) int64 {
	n := int64(12 + 8*len(a.Dims))
	nulls := false
	for i := range a.Elems {
		nulls = nulls || a.Elems[i].Null
	}
	if nulls {
		n = (n+4+int64(len(a.Elems)+7)/8+7)/8*8 - 4
	}
	fixed := fixedSize(elem.Kind)
	align := min(max(fixed, 1), 8)
	if fixed == 0 {
		align = 4
	}
	at := (n + 4 + align - 1) / align * align // the header of the whole value counts
	for i := range a.Elems {
		if a.Elems[i].Null {
			continue
		}
		switch {
		case fixed > 0:
			at += fixed
		case elem.Kind == types.Numeric:
			at += 4 + numericSize(a.Elems[i].Dec)
		default:
			at += 4 + int64(len(a.Elems[i].Bytes))
		}
		at = (at + align - 1) / align * align
	}
	return at - 4
}
