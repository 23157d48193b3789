package types

import (
	"encoding/binary"
	"math"
)

// Ordered is how a column takes part in keys that are compared byte by byte: their
// order is that of the columns' values, and equal values have equal bytes. No key is
// the beginning of another one of the same columns. The form is not durable.
type Ordered struct {
	Desc       bool
	NullsFirst bool
	Char       bool // spaces at the end mean nothing
}

// What a column's part begins with.
const (
	orderedNullFirst = iota
	orderedValue
	orderedNullLast
)

// AppendNull appends null.
func (o Ordered) AppendNull(dst []byte) []byte {
	if o.NullsFirst {
		return append(dst, orderedNullFirst)
	}
	return append(dst, orderedNullLast)
}

// AppendValues appends what all values begin with and nulls do not.
func (o Ordered) AppendValues(dst []byte) []byte { return append(dst, orderedValue) }

// AppendInt appends an integer, or what is one inside.
func (o Ordered) AppendInt(dst []byte, v int64) []byte {
	from := len(dst) + 1
	dst = binary.BigEndian.AppendUint64(append(dst, orderedValue), uint64(v)^1<<63)
	return o.turn(dst, from)
}

// AppendBool appends a boolean.
func (o Ordered) AppendBool(dst []byte, v bool) []byte {
	n := byte(0)
	if v != o.Desc {
		n = 1
	}
	return append(dst, orderedValue, n)
}

// AppendFloat appends a float: not-a-number is above the others, and minus zero is
// zero.
func (o Ordered) AppendFloat(dst []byte, v float64) []byte {
	switch {
	case v == 0:
		v = 0
	case v != v:
		v = math.NaN()
	}
	n := math.Float64bits(v)
	if n>>63 != 0 {
		n = ^n
	} else {
		n |= 1 << 63
	}
	from := len(dst) + 1
	dst = binary.BigEndian.AppendUint64(append(dst, orderedValue), n)
	return o.turn(dst, from)
}

// AppendBytes appends a string that orders by its bytes.
func (o Ordered) AppendBytes(dst []byte, v []byte) []byte {
	if o.Char {
		for len(v) > 0 && v[len(v)-1] == ' ' {
			v = v[:len(v)-1]
		}
	}
	from := len(dst) + 1
	dst = append(appendEscaped(append(dst, orderedValue), v), 0, 1)
	return o.turn(dst, from)
}

// AppendStart appends what all strings that begin like this one begin with.
func (o Ordered) AppendStart(dst []byte, v string) []byte {
	from := len(dst) + 1
	return o.turn(appendEscaped(append(dst, orderedValue), []byte(v)), from)
}

func appendEscaped(dst, v []byte) []byte {
	for _, c := range v {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// AppendUUID appends a UUID.
func (o Ordered) AppendUUID(dst []byte, v *[16]byte) []byte {
	from := len(dst) + 1
	return o.turn(append(append(dst, orderedValue), v[:]...), from)
}

// AppendInterval appends an interval.
func (o Ordered) AppendInterval(dst []byte, v Interval) []byte {
	days, micros := v.span()
	from := len(dst) + 1
	dst = binary.BigEndian.AppendUint64(append(dst, orderedValue), uint64(days)^1<<63)
	return o.turn(binary.BigEndian.AppendUint64(dst, uint64(micros)^1<<63), from)
}

// A numeric's part begins with what it is; a number that is not zero goes on with
// its exponent and its digits, two a byte.
const (
	orderedMinusInfinity = iota
	orderedNegative
	orderedZero
	orderedPositive
	orderedInfinity
	orderedNaN
)

// AppendDecimal appends a numeric.
func (o Ordered) AppendDecimal(dst []byte, d Decimal) []byte {
	from := len(dst) + 1
	dst = append(dst, orderedValue)
	switch {
	case d.Special == DecimalNaN:
		return o.turn(append(dst, orderedNaN), from)
	case d.Special != 0 && d.Sign() < 0:
		return o.turn(append(dst, orderedMinusInfinity), from)
	case d.Special != 0:
		return o.turn(append(dst, orderedInfinity), from)
	case d.IsZero():
		return o.turn(append(dst, orderedZero), from)
	}
	u, negative := d.abs()
	var digits [DecimalDigitsMax + 3]byte
	n := len(digits)
	for rest := u; !rest.isZero(); {
		var r uint64
		if rest.hi == 0 {
			rest.lo, r = rest.lo/10, rest.lo%10
		} else {
			rest, r = rest.div64(10)
		}
		n--
		digits[n] = byte(r)
	}
	exponent := len(digits) - n - int(d.Scale)
	end := len(digits)
	for digits[end-1] == 0 {
		end--
	}
	kind := byte(orderedPositive)
	if negative {
		kind = orderedNegative
	}
	dst = append(dst, kind)
	at := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(exponent+1<<15))
	for ; n < end; n += 2 {
		pair := digits[n] * 10
		if n+1 < end {
			pair += digits[n+1]
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if negative {
		flip(dst[at:])
	}
	return o.turn(dst, from)
}

// AppendValue appends a value of a layout.
func (o Ordered) AppendValue(dst []byte, p Phys, v *Value) []byte {
	if v.Null {
		return o.AppendNull(dst)
	}
	switch p {
	case PhysBool:
		return o.AppendBool(dst, v.Bool)
	case PhysFloat:
		return o.AppendFloat(dst, v.Float)
	case PhysDecimal:
		return o.AppendDecimal(dst, v.Dec)
	case PhysBytes:
		return o.AppendBytes(dst, []byte(v.Bytes))
	case PhysInterval:
		return o.AppendInterval(dst, v.Interval)
	case PhysUUID:
		return o.AppendUUID(dst, &v.UUID)
	}
	return o.AppendInt(dst, v.Int)
}

// turn reverses the order of a part that is appended from there on.
func (o Ordered) turn(dst []byte, from int) []byte {
	if o.Desc {
		flip(dst[from:])
	}
	return dst
}

func flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// OrderedAfter is the first key that is behind all that begin with this one; nil if
// there is none. It writes to key.
func OrderedAfter(key []byte) []byte {
	for n := len(key); n > 0; n-- {
		if key[n-1]++; key[n-1] != 0 {
			return key[:n]
		}
	}
	return nil
}
