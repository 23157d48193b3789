package types

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// AppendBinary appends a value that is not null in PostgreSQL's binary format,
// without a length before it.
func AppendBinary(dst []byte, t Type, v *Value) []byte {
	be := binary.BigEndian
	switch t.Kind {
	case Bool:
		return append(dst, byte(b2i(v.Bool)))
	case Int16:
		return be.AppendUint16(dst, uint16(v.Int))
	case Int32, OID:
		return be.AppendUint32(dst, uint32(v.Int))
	case Int64, Time:
		return be.AppendUint64(dst, uint64(v.Int))
	case Float32:
		if v.Float != v.Float {
			return be.AppendUint32(dst, 0x7fc00000)
		}
		return be.AppendUint32(dst, math.Float32bits(float32(v.Float)))
	case Float64:
		if v.Float != v.Float {
			return be.AppendUint64(dst, 0x7ff8<<48)
		}
		return be.AppendUint64(dst, math.Float64bits(v.Float))
	case Numeric:
		return appendBinaryNumeric(dst, v.Dec)
	case Date:
		switch v.Int {
		case TimeInfinity:
			return be.AppendUint32(dst, math.MaxInt32)
		case TimeNegInfinity:
			return be.AppendUint32(dst, 1<<31)
		}
		return be.AppendUint32(dst, uint32(v.Int-pgEpochDays))
	case Timestamp, TimestampTZ:
		if IsInfinite(v.Int) {
			return be.AppendUint64(dst, uint64(v.Int))
		}
		return be.AppendUint64(dst, uint64(v.Int-pgEpochMicros))
	case IntervalK:
		dst = be.AppendUint64(dst, uint64(v.Interval.Micros))
		dst = be.AppendUint32(dst, uint32(v.Interval.Days))
		return be.AppendUint32(dst, uint32(v.Interval.Months))
	case UUID:
		return append(dst, v.UUID[:]...)
	case JSONB, JSONPathK:
		return append(append(dst, 1), v.Bytes...)
	case Array:
		return appendBinaryArray(dst, *t.Elem, v.Bytes)
	case Row:
		return appendBinaryRow(dst, t.Fields, v.Bytes)
	}
	return append(dst, v.Bytes...)
}

// appendBinaryNumeric writes base-10000 digits.
func appendBinaryNumeric(dst []byte, d Decimal) []byte {
	be := binary.BigEndian
	switch d.Special {
	case DecimalNaN:
		return append(dst, 0, 0, 0, 0, 0xc0, 0, 0, 0)
	case DecimalInf:
		return append(dst, 0, 0, 0, 0, 0xd0, 0, 0, 0x20)
	case DecimalNegInf:
		return append(dst, 0, 0, 0, 0, 0xf0, 0, 0, 0x20)
	}
	u, neg := d.abs()
	var digits [24]uint16 // least significant first
	n := 0
	groups := (d.Scale + 3) / 4
	if pad := groups*4 - d.Scale; pad > 0 { // the lowest group is incomplete
		p := uint64(pow10Table[4-pad].lo)
		var r uint64
		u, r = u.div64(p)
		digits[0] = uint16(r * pow10Table[pad].lo)
		n = 1
	}
	for !u.isZero() {
		var r uint64
		u, r = u.div64(10000)
		digits[n] = uint16(r)
		n++
	}
	weight := n - 1 - int(groups)
	low := 0
	for low < n && digits[low] == 0 {
		low++
	}
	for n > low && digits[n-1] == 0 {
		n--
		weight--
	}
	if n == low {
		weight = 0
	}
	dst = be.AppendUint16(dst, uint16(n-low))
	dst = be.AppendUint16(dst, uint16(int16(weight)))
	sign := uint16(0)
	if neg {
		sign = 0x4000
	}
	dst = be.AppendUint16(dst, sign)
	dst = be.AppendUint16(dst, uint16(d.Scale))
	for i := n - 1; i >= low; i-- {
		dst = be.AppendUint16(dst, digits[i])
	}
	return dst
}

func appendSized(dst []byte, t Type, v *Value) []byte {
	if v.Null {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	at := len(dst)
	dst = AppendBinary(append(dst, 0, 0, 0, 0), t, v)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendBinaryArray(dst []byte, elem Type, s string) []byte {
	be := binary.BigEndian
	a, _ := DecodeArray(elem, s)
	nulls := uint32(0)
	for i := range a.Elems {
		if a.Elems[i].Null {
			nulls = 1
		}
	}
	dst = be.AppendUint32(dst, uint32(len(a.Dims)))
	dst = be.AppendUint32(dst, nulls)
	dst = be.AppendUint32(dst, elem.OID())
	for _, d := range a.Dims {
		dst = be.AppendUint32(dst, uint32(d.Len))
		dst = be.AppendUint32(dst, uint32(int32(d.Lower)))
	}
	for i := range a.Elems {
		dst = appendSized(dst, elem, &a.Elems[i])
	}
	return dst
}

func appendBinaryRow(dst []byte, fields []Field, s string) []byte {
	vals, _ := DecodeRow(fields, s)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(vals)))
	for i := range vals {
		dst = binary.BigEndian.AppendUint32(dst, fields[i].Type.OID())
		dst = appendSized(dst, fields[i].Type, &vals[i])
	}
	return dst
}

func errBinary(t Type) error {
	return pgerr.New(pgerr.InvalidBinaryRepresentation, "incorrect binary data format for type %s", t)
}

// ParseBinary reads PostgreSQL's binary format; modifiers apply as in ParseText.
func ParseBinary(t Type, b []byte) (v Value, err error) {
	be := binary.BigEndian
	if n := t.Size(); n > 0 && t.Kind != Name && len(b) != int(n) {
		return v, errBinary(t)
	}
	switch t.Kind {
	case Bool:
		v.Bool = b[0] != 0
	case Int16:
		v.Int = int64(int16(be.Uint16(b)))
	case Int32:
		v.Int = int64(int32(be.Uint32(b)))
	case OID:
		v.Int = int64(be.Uint32(b))
	case Int64:
		v.Int = int64(be.Uint64(b))
	case Time:
		v.Int = int64(be.Uint64(b))
		if v.Int < 0 || v.Int > MicrosPerDay {
			return v, pgerr.New(pgerr.DatetimeFieldOverflow, "time out of range")
		}
	case Float32:
		v.Float = float64(math.Float32frombits(be.Uint32(b)))
	case Float64:
		v.Float = math.Float64frombits(be.Uint64(b))
	case Numeric:
		if v.Dec, err = parseBinaryNumeric(b); err == nil && t.HasPrecision {
			v.Dec, err = v.Dec.WithTypmod(t.Precision, t.Scale)
		}
	case Date:
		switch d := int32(be.Uint32(b)); d {
		case math.MaxInt32:
			v.Int = TimeInfinity
		case math.MinInt32:
			v.Int = TimeNegInfinity
		default:
			v.Int = int64(d) + pgEpochDays
			if v.Int < dateMin || v.Int > dateMax {
				return v, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range")
			}
		}
	case Timestamp, TimestampTZ:
		if v.Int = int64(be.Uint64(b)); !IsInfinite(v.Int) {
			if v.Int > tsMax-pgEpochMicros || v.Int < tsMin-pgEpochMicros {
				return v, errTimestampRange()
			}
			v.Int += pgEpochMicros
		}
	case IntervalK:
		v.Interval = Interval{Micros: int64(be.Uint64(b)), Days: int32(be.Uint32(b[8:])), Months: int32(be.Uint32(b[12:]))}
	case UUID:
		copy(v.UUID[:], b)
	case JSONB, JSONPathK:
		if len(b) > 0 && b[0] == 1 {
			b = b[1:]
		}
		if err := validText(b); err != nil {
			return v, err
		}
		if t.Kind == JSONB {
			v.Bytes, err = CanonicalJSON(string(b))
		} else {
			v.Bytes, err = CanonicalJSONPath(string(b))
		}
	case Bytea:
		v.Bytes = string(b)
	case Array:
		v.Bytes, err = parseBinaryArray(t, b)
	case Row:
		v.Bytes, err = parseBinaryRow(t, b)
	default:
		if err := validText(b); err != nil {
			return v, err
		}
		return ParseText(t, string(b), nil)
	}
	if t.HasPrecision && err == nil && t.Phys() == PhysInt {
		v.Int = RoundMicros(v.Int, t.Precision)
	}
	return v, err
}

// validText refuses what no text may consist of.
func validText(b []byte) error {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
	}
	return nil
}

func parseBinaryNumeric(b []byte) (Decimal, error) {
	be := binary.BigEndian
	if len(b) < 8 {
		return Decimal{}, errBinary(Of(Numeric))
	}
	n, weight, sign, scale := int(be.Uint16(b)), int32(int16(be.Uint16(b[2:]))), be.Uint16(b[4:]), int32(be.Uint16(b[6:]))
	switch sign {
	case 0xc000:
		return NaN, nil
	case 0xd000:
		return Decimal{Special: DecimalInf}, nil
	case 0xf000:
		return Decimal{Special: DecimalNegInf}, nil
	}
	if len(b) != 8+2*n || sign != 0 && sign != 0x4000 || scale > 0x3fff {
		return Decimal{}, errBinary(Of(Numeric))
	}
	// Through text: it knows all about digits that do not fit.
	text := make([]byte, 0, n*4+8)
	if sign != 0 {
		text = append(text, '-')
	}
	text = append(text, '0')
	for i := range n {
		g := be.Uint16(b[8+2*i:])
		if g > 9999 {
			return Decimal{}, errBinary(Of(Numeric))
		}
		text = append(text, byte('0'+g/1000), byte('0'+g/100%10), byte('0'+g/10%10), byte('0'+g%10))
	}
	exp := (weight - int32(n) + 1) * 4
	d, err := ParseDecimal(string(AppendInt(append(text, 'e'), int64(exp))))
	if err != nil {
		return d, err
	}
	return d.Round(min(scale, DecimalDigitsMax))
}

type binaryReader struct {
	b   []byte
	bad bool
}

func (r *binaryReader) u32() uint32 {
	if len(r.b) < 4 {
		r.bad, r.b = true, nil
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *binaryReader) sized(t Type) (Value, error) {
	n := int32(r.u32())
	if n == -1 {
		return NullValue, nil
	}
	if n < 0 || int(n) > len(r.b) {
		r.bad = true
		return NullValue, errBinary(t)
	}
	v, err := ParseBinary(t, r.b[:n])
	r.b = r.b[n:]
	return v, err
}

func parseBinaryArray(t Type, b []byte) (string, error) {
	r := binaryReader{b: b}
	n, _, oid := r.u32(), r.u32(), r.u32()
	if r.bad || n > DimensionsMax {
		return "", errBinary(t)
	}
	if want := t.Elem.OID(); oid != want && !(t.Elem.IsString() && isStringOID(oid)) {
		return "", pgerr.New(pgerr.DatatypeMismatch, "binary data has array element type %d instead of expected %d", oid, want)
	}
	var a ArrayValue
	total := 1
	for range n {
		l, low := int64(r.u32()), int32(r.u32())
		if l < 0 || l > int64(len(b)) || int64(total)*l > int64(len(b)) {
			return "", errBinary(t)
		}
		total *= int(l)
		a.Dims = append(a.Dims, Dimension{int(l), int(low)})
	}
	if n == 0 || total == 0 {
		a.Dims, total = nil, 0
	}
	for range total {
		v, err := r.sized(*t.Elem)
		if err != nil {
			return "", err
		}
		a.Elems = append(a.Elems, v)
	}
	if r.bad || len(r.b) != 0 {
		return "", errBinary(t)
	}
	return EncodeArray(*t.Elem, a), nil
}

func isStringOID(oid uint32) bool {
	t, ok := TypeOfOID(oid)
	return ok && t.IsString()
}

func parseBinaryRow(t Type, b []byte) (string, error) {
	r := binaryReader{b: b}
	if n := r.u32(); int(n) != len(t.Fields) {
		return "", errBinary(t)
	}
	var vals []Value
	for _, f := range t.Fields {
		r.u32()
		v, err := r.sized(f.Type)
		if err != nil {
			return "", err
		}
		vals = append(vals, v)
	}
	if r.bad || len(r.b) != 0 {
		return "", errBinary(t)
	}
	return EncodeRow(t.Fields, vals), nil
}
