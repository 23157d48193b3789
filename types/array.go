package types

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

// The encoding of arrays: the number of dimensions, then for each its length
// and lower bound, then the elements in order; all numbers are varints. An
// element, and a row's field, is a byte (0 null, 1 not) and its value: 1 byte
// for a boolean, 8 for integers and floats, 24 for numerics, 16 for intervals
// and UUIDs, length and bytes for the rest, little endian. An empty array has
// no dimensions. A row is the number of fields and the fields.

// Dimension is one dimension of an array.
type Dimension struct{ Len, Lower int }

// ArrayValue is a decoded array: its elements in row-major order.
type ArrayValue struct {
	Dims  []Dimension
	Elems []Value
}

// AppendValue appends a value in the encoding of elements.
func AppendValue(dst []byte, t Type, v *Value) []byte {
	if v.Null {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch t.Phys() {
	case PhysBool:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	case PhysInt:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Int))
	case PhysFloat:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float))
	case PhysDecimal:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Dec.Hi))
		dst = binary.LittleEndian.AppendUint64(dst, v.Dec.Lo)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Dec.Scale))
		return binary.LittleEndian.AppendUint32(dst, uint32(v.Dec.Special))
	case PhysInterval:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Interval.Micros))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Interval.Days))
		return binary.LittleEndian.AppendUint32(dst, uint32(v.Interval.Months))
	case PhysUUID:
		return append(dst, v.UUID[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.Bytes)))
	return append(dst, v.Bytes...)
}

type valueReader struct {
	s   string
	bad bool
}

func (r *valueReader) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		if r.s == "" {
			break
		}
		c := r.s[0]
		r.s = r.s[1:]
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *valueReader) take(n int) string {
	if n < 0 || n > len(r.s) {
		r.bad = true
		r.s = ""
		return strings.Repeat("\x00", min(max(n, 0), 24))
	}
	t := r.s[:n]
	r.s = r.s[n:]
	return t
}

func u64(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func u32(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func (r *valueReader) value(t Type) (v Value) {
	if r.take(1) == "\x00" || r.bad {
		return NullValue
	}
	switch t.Phys() {
	case PhysBool:
		v.Bool = r.take(1) == "\x01"
	case PhysInt:
		v.Int = int64(u64(r.take(8)))
	case PhysFloat:
		v.Float = math.Float64frombits(u64(r.take(8)))
	case PhysDecimal:
		b := r.take(24)
		v.Dec = Decimal{Hi: int64(u64(b)), Lo: u64(b[8:]), Scale: int32(u32(b[16:])), Special: int32(u32(b[20:]))}
		if v.Dec.Scale < 0 || v.Dec.Scale > DecimalDigitsMax || v.Dec.Special < 0 || v.Dec.Special > DecimalNegInf {
			r.bad, v.Dec = true, Decimal{}
		}
	case PhysInterval:
		b := r.take(16)
		v.Interval = Interval{Micros: int64(u64(b)), Days: int32(u32(b[8:])), Months: int32(u32(b[12:]))}
	case PhysUUID:
		copy(v.UUID[:], r.take(16))
	default:
		n := r.uvarint()
		if n > uint64(len(r.s)) {
			r.bad = true
			return NullValue
		}
		v.Bytes = r.take(int(n))
	}
	return v
}

// EncodeArray encodes an array of elements of type elem.
func EncodeArray(elem Type, a ArrayValue) string {
	dst := binary.AppendUvarint(nil, uint64(len(a.Dims)))
	for _, d := range a.Dims {
		dst = binary.AppendUvarint(dst, uint64(d.Len))
		dst = binary.AppendUvarint(dst, uint64(uint32(int32(d.Lower))))
	}
	for i := range a.Elems {
		dst = AppendValue(dst, elem, &a.Elems[i])
	}
	return string(dst)
}

// EncodeList encodes a one-dimensional array.
func EncodeList(elem Type, elems []Value) string {
	a := ArrayValue{Elems: elems}
	if len(elems) > 0 {
		a.Dims = []Dimension{{len(elems), 1}}
	}
	return EncodeArray(elem, a)
}

func errCorrupt(what string) error {
	return pgerr.New(pgerr.DataCorrupted, "damaged %s value", what)
}

// DimensionsMax is how many dimensions an array may have.
const DimensionsMax = 6

// DecodeArray decodes an array of elements of type elem. The elements share s's memory.
func DecodeArray(elem Type, s string) (ArrayValue, error) {
	r := valueReader{s: s}
	var a ArrayValue
	n, total := r.uvarint(), 1
	if n > DimensionsMax || r.bad {
		return a, errCorrupt("array")
	}
	for range n {
		l, low := r.uvarint(), r.uvarint()
		if l == 0 || l > uint64(len(s)) || uint64(total)*l > uint64(len(s)) {
			return a, errCorrupt("array")
		}
		total *= int(l)
		a.Dims = append(a.Dims, Dimension{int(l), int(int32(uint32(low)))})
	}
	if n == 0 {
		total = 0
	}
	a.Elems = make([]Value, 0, total)
	for range total {
		a.Elems = append(a.Elems, r.value(elem))
	}
	if r.bad || r.s != "" {
		return a, errCorrupt("array")
	}
	return a, nil
}

// EncodeRow encodes a row's fields.
func EncodeRow(fields []Field, vals []Value) string {
	dst := binary.AppendUvarint(nil, uint64(len(fields)))
	for i := range fields {
		dst = AppendValue(dst, fields[i].Type, &vals[i])
	}
	return string(dst)
}

// DecodeRow decodes a row. The fields share s's memory.
func DecodeRow(fields []Field, s string) ([]Value, error) {
	r := valueReader{s: s}
	if r.uvarint() != uint64(len(fields)) {
		return nil, errCorrupt("record")
	}
	vals := make([]Value, len(fields))
	for i := range fields {
		vals[i] = r.value(fields[i].Type)
	}
	if r.bad || r.s != "" {
		return nil, errCorrupt("record")
	}
	return vals, nil
}

// appendArray appends an array's text: {1,2,NULL,"a b"}.
// appendVector writes the elements with spaces in between.
func appendVector(dst []byte, elem Type, s string) []byte {
	a, err := DecodeArray(elem, s)
	if err != nil {
		return dst
	}
	for i := range a.Elems {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = AppendInt(dst, a.Elems[i].Int)
	}
	return dst
}

func appendArray(dst []byte, elem Type, s string, z *Zone) []byte {
	a, err := DecodeArray(elem, s)
	if err != nil || len(a.Dims) == 0 {
		return append(dst, "{}"...)
	}
	for _, d := range a.Dims {
		if d.Lower != 1 {
			for _, d := range a.Dims {
				dst = AppendInt(append(dst, '['), int64(d.Lower))
				dst = AppendInt(append(dst, ':'), int64(d.Lower+d.Len-1))
				dst = append(dst, ']')
			}
			dst = append(dst, '=')
			break
		}
	}
	next := 0
	var level func(dst []byte, dim int) []byte
	level = func(dst []byte, dim int) []byte {
		dst = append(dst, '{')
		for i := range a.Dims[dim].Len {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dim+1 < len(a.Dims) {
				dst = level(dst, dim+1)
				continue
			}
			if v := &a.Elems[next]; v.Null {
				dst = append(dst, "NULL"...)
			} else {
				from := len(dst)
				dst = AppendText(dst, elem, v, z)
				dst = quoteElement(dst, from)
			}
			next++
		}
		return append(dst, '}')
	}
	return level(dst, 0)
}

// quoteElement puts dst[from:] in quotes if an array needs them.
func quoteElement(dst []byte, from int) []byte {
	e := dst[from:]
	need := len(e) == 0 || len(e) == 4 && strings.EqualFold(string(e), "null")
	for _, c := range e {
		if c == '"' || c == '\\' || c == '{' || c == '}' || c == ',' || isSpace(c) {
			need = true
			break
		}
	}
	if !need {
		return dst
	}
	return appendQuoted(dst[:from], string(e), '\\')
}

func appendQuoted(dst []byte, s string, escape byte) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			if escape == '"' {
				dst = append(dst, s[i])
			} else {
				dst = append(dst, '\\')
			}
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// appendRow appends a row's text: (1,,"a b").
func appendRow(dst []byte, fields []Field, s string, z *Zone) []byte {
	vals, err := DecodeRow(fields, s)
	if err != nil {
		return append(dst, "()"...)
	}
	dst = append(dst, '(')
	for i := range vals {
		if i > 0 {
			dst = append(dst, ',')
		}
		if vals[i].Null {
			continue
		}
		from := len(dst)
		dst = AppendText(dst, fields[i].Type, &vals[i], z)
		need := len(dst) == from
		for _, c := range dst[from:] {
			if c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || isSpace(c) {
				need = true
				break
			}
		}
		if need {
			dst = appendQuoted(dst[:from], string(dst[from:]), '"')
		}
	}
	return append(dst, ')')
}

type arrayParser struct {
	s    string
	i    int
	elem Type
	opt  *ParseOptions
	a    ArrayValue
}

// parseArray reads {…}, nested, with quotes and [lo:hi]= bounds.
func parseArray(s string, elem Type, opt *ParseOptions) (string, error) {
	p := &arrayParser{s: s, elem: elem, opt: opt}
	bad := func(detail string) (string, error) {
		return "", pgerr.New(pgerr.InvalidTextRepresentation, "malformed array literal: %q", s).WithDetail("%s", detail)
	}
	p.space()
	var bounds []Dimension
	for p.i < len(s) && s[p.i] == '[' {
		end := strings.IndexByte(s[p.i:], ']')
		if end < 0 {
			return bad("Missing \"]\" after array dimensions.")
		}
		lo, hi, both := strings.Cut(s[p.i+1:p.i+end], ":")
		l, err1 := strconv.ParseInt(lo, 10, 32)
		h := l
		var err2 error
		if both {
			h, err2 = strconv.ParseInt(hi, 10, 32)
		} else {
			l = 1
		}
		if err1 != nil || err2 != nil || h < l || len(bounds) == DimensionsMax {
			return bad("Specified array dimensions are wrong.")
		}
		bounds = append(bounds, Dimension{int(h - l + 1), int(l)})
		p.i += end + 1
	}
	if bounds != nil {
		p.space()
		if p.i >= len(s) || s[p.i] != '=' {
			return bad("Missing \"=\" after array dimensions.")
		}
		p.i++
		p.space()
	}
	if p.i >= len(s) || s[p.i] != '{' {
		return bad("Array value must start with \"{\" or dimension information.")
	}
	msg, err := p.level(0)
	if err != nil {
		return "", err
	}
	p.space()
	if msg == "" && p.i != len(s) {
		msg = "Junk after closing right brace."
	}
	if msg != "" {
		return bad(msg)
	}
	if len(p.a.Elems) == 0 {
		p.a.Dims = nil
	} else if bounds != nil {
		if len(bounds) != len(p.a.Dims) {
			return bad("Specified array dimensions do not match array contents.")
		}
		for i := range bounds {
			if bounds[i].Len != p.a.Dims[i].Len {
				return bad("Specified array dimensions do not match array contents.")
			}
		}
		p.a.Dims = bounds
	}
	return EncodeArray(elem, p.a), nil
}

func (p *arrayParser) space() {
	for p.i < len(p.s) && isSpace(p.s[p.i]) {
		p.i++
	}
}

// level reads one {…}; msg is what is wrong with its form.
func (p *arrayParser) level(dim int) (msg string, err error) {
	const ragged = "Multidimensional arrays must have sub-arrays with matching dimensions."
	if dim == DimensionsMax {
		return "The number of array dimensions exceeds the maximum allowed.", nil
	}
	p.i++
	p.space()
	n := 0
	if len(p.a.Dims) == dim {
		if len(p.a.Elems) > 0 {
			return ragged, nil
		}
		p.a.Dims = append(p.a.Dims, Dimension{-1, 1})
	}
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		if dim > 0 {
			return ragged, nil
		}
		return "", nil
	}
	for {
		p.space()
		if p.i >= len(p.s) {
			return "Unexpected end of input.", nil
		}
		if p.s[p.i] == '{' {
			if msg, err = p.level(dim + 1); msg != "" || err != nil {
				return msg, err
			}
		} else {
			if len(p.a.Dims) > dim+1 {
				return ragged, nil
			}
			if msg, err = p.element(); msg != "" || err != nil {
				return msg, err
			}
		}
		n++
		p.space()
		if p.i >= len(p.s) {
			return "Unexpected end of input.", nil
		}
		p.i++
		switch p.s[p.i-1] {
		case ',':
			continue
		case '}':
			if d := &p.a.Dims[dim]; d.Len < 0 {
				d.Len = n
			} else if d.Len != n {
				return ragged, nil
			}
			return "", nil
		}
		return "Unexpected array element.", nil
	}
}

func (p *arrayParser) element() (msg string, err error) {
	var text []byte
	quoted := false
	if p.s[p.i] == '"' {
		quoted = true
		for p.i++; ; p.i++ {
			if p.i >= len(p.s) {
				return "Unexpected end of input.", nil
			}
			if p.s[p.i] == '"' {
				p.i++
				break
			}
			if p.s[p.i] == '\\' {
				p.i++
				if p.i >= len(p.s) {
					return "Unexpected end of input.", nil
				}
			}
			text = append(text, p.s[p.i])
		}
	} else {
		keep := 0
		for p.i < len(p.s) && p.s[p.i] != ',' && p.s[p.i] != '}' {
			c := p.s[p.i]
			if c == '{' || c == '"' {
				return "Unexpected \"" + string(c) + "\" character.", nil
			}
			if c == '\\' {
				p.i++
				if p.i >= len(p.s) {
					return "Unexpected end of input.", nil
				}
				c = p.s[p.i]
				keep, quoted = len(text)+1, true
			} else if !isSpace(c) {
				keep = len(text) + 1
			}
			text = append(text, c)
			p.i++
		}
		text = text[:keep]
		if len(text) == 0 {
			return "Unexpected \"" + p.s[min(p.i, len(p.s)-1):min(p.i+1, len(p.s))] + "\" character.", nil
		}
		if !quoted && strings.EqualFold(string(text), "null") {
			p.a.Elems = append(p.a.Elems, NullValue)
			return "", nil
		}
	}
	v, err := ParseText(p.elem, string(text), p.opt)
	p.a.Elems = append(p.a.Elems, v)
	return "", err
}
