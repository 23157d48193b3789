package datagen

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// mix is the finaliser of splitmix64: the random word of a number.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// below maps a random word to [0, n); n = 0 stands for all of 64 bits.
func below(r, n uint64) uint64 {
	if n == 0 {
		return r
	}
	hi, _ := bits.Mul64(r, n)
	return hi
}

// field makes the values of one column.
type field struct {
	typ      types.Type
	salt     uint64 // seed and column name
	sequence bool
	nullRate float64
	lo, hi   int64   // bounds of PhysInt layouts, of numeric coefficients, of intervals in microseconds
	flo, fhi float64 // of floats
	step     int64   // of sequences
	length   int     // of texts and arrays
	padded   bool    // length was given
	parts    []field // an array's element, a row's fields
}

// fieldOption reads fields.<column>.<what>; written tells whether it was given.
func fieldOption(s *connector.Settings, column, what string) (name, value string, written bool) {
	name = "fields." + column + "." + what
	return name, s.Text(name), s.Given(name)
}

// newField checks the options of a column.
func newField(s *connector.Settings, c connector.Column, seed uint64) (field, error) {
	f := field{typ: c.Type, salt: mix(seed)}
	for _, b := range []byte(c.Name) {
		f.salt = mix(f.salt ^ uint64(b))
	}
	if name, kind, ok := fieldOption(s, c.Name, "kind"); ok {
		if kind != "sequence" && kind != "random" {
			return f, s.Bad(name, "sequence or random")
		}
		f.sequence = kind == "sequence"
	}
	if name, rate, ok := fieldOption(s, c.Name, "null_rate"); ok {
		x, err := strconv.ParseFloat(rate, 64)
		if err != nil || !(x >= 0 && x <= 1) {
			return f, s.Bad(name, "a number from 0 to 1")
		}
		if x > 0 && c.NotNull {
			return f, s.Bad(name, "0 for a column that is NOT NULL")
		}
		f.nullRate = x
	}
	if err := f.setBounds(s, c); err != nil {
		return f, err
	}
	return f, f.setLength(s, c)
}

// defaults sets the bounds that hold when none are given.
func (f *field) defaults() {
	const day, year2020, year2030 = 86_400_000_000, 18_262 * 86_400_000_000, 21_915 * 86_400_000_000
	f.step = 1
	switch f.typ.Kind {
	case types.Int16:
		f.hi = math.MaxInt16
	case types.Int32:
		f.hi = math.MaxInt32
	case types.OID:
		f.hi = math.MaxUint32
	case types.Int64:
		f.hi = math.MaxInt64
	case types.Float32, types.Float64:
		f.fhi = 1
		if f.sequence {
			f.fhi = math.MaxFloat32
		}
	case types.Numeric:
		digits := int32(9)
		if f.typ.HasPrecision {
			digits = min(f.typ.Precision, 18)
		}
		for range digits {
			f.hi = f.hi*10 + 9
		}
		for range min(f.typ.Scale, digits-1) {
			f.step *= 10
		}
	case types.Date:
		f.lo, f.hi = year2020/day, year2030/day-1
	case types.Time:
		f.hi, f.step = day-1, 1_000_000
	case types.Timestamp, types.TimestampTZ:
		f.lo, f.hi, f.step = year2020, year2030-1, 1_000_000
	case types.IntervalK:
		f.hi, f.step = day, 1_000_000
	}
}

func (f *field) setBounds(s *connector.Settings, c connector.Column) error {
	f.defaults()
	for _, what := range []string{"min", "max"} {
		name, text, ok := fieldOption(s, c.Name, what)
		if !ok {
			continue
		}
		v, err := types.ParseText(c.Type, text, nil)
		if err != nil {
			return s.Bad(name, "a value of type "+c.Type.String())
		}
		n, x := v.Int, v.Float
		switch c.Type.Phys() {
		case types.PhysInt:
		case types.PhysFloat:
		case types.PhysDecimal:
			d, err := v.Dec.Round(f.scale())
			if err == nil && d.Special == types.DecimalFinite && d.Hi == int64(d.Lo)>>63 {
				n = int64(d.Lo)
			} else {
				return s.Bad(name, "a numeric of at most 18 digits")
			}
		default:
			return pgerr.New(pgerr.InvalidParameterValue, "option %q has no meaning for a column of type %s", name, c.Type)
		}
		if what == "min" {
			f.lo, f.flo = n, x
			if c.Type.Phys() == types.PhysFloat && f.fhi < x && !s.Given("fields."+c.Name+".max") {
				f.fhi = x + 1
			}
		} else {
			f.hi, f.fhi = n, x
		}
	}
	if f.lo > f.hi || f.flo > f.fhi {
		if name, _, ok := fieldOption(s, c.Name, "max"); ok {
			return s.Bad(name, "a value that is not below the least one")
		}
		return s.Bad("fields."+c.Name+".min", "a value that is not above the greatest one")
	}
	return nil
}

func (f *field) scale() int32 {
	if f.typ.HasPrecision {
		return max(f.typ.Scale, 0)
	}
	return 0
}

func (f *field) setLength(s *connector.Settings, c connector.Column) error {
	f.length = 10
	limit := int64(1 << 20)
	if (c.Type.Kind == types.Varchar || c.Type.Kind == types.Char) && c.Type.HasPrecision {
		limit = int64(c.Type.Precision)
	}
	switch c.Type.Kind {
	case types.Array:
		f.length = 3
		elem := field{typ: *c.Type.Elem, salt: mix(f.salt), length: 10}
		elem.defaults()
		f.parts = []field{elem}
	case types.Row:
		for i, sub := range c.Type.Fields {
			part := field{typ: sub.Type, salt: mix(f.salt + uint64(i)), length: 10}
			part.defaults()
			f.parts = append(f.parts, part)
		}
	}
	f.length = min(f.length, int(limit))
	if name, _, ok := fieldOption(s, c.Name, "length"); ok {
		if c.Type.Phys() != types.PhysBytes || c.Type.Kind == types.JSONB || c.Type.Kind == types.Row {
			return pgerr.New(pgerr.InvalidParameterValue, "option %q has no meaning for a column of type %s", name, c.Type)
		}
		n, err := s.Int(name, 0, limit)
		if err != nil {
			return err
		}
		f.length, f.padded = int(n), true
	}
	return nil
}

// value is the field's value in row n.
func (f *field) value(n uint64) types.Value {
	r := mix(f.salt ^ mix(n))
	if f.nullRate > 0 && float64(mix(r)>>11)/(1<<53) < f.nullRate {
		return types.NullValue
	}
	var v types.Value
	switch f.typ.Phys() {
	case types.PhysBool:
		v.Bool = r&1 == 1
		if f.sequence {
			v.Bool = n&1 == 1
		}
	case types.PhysInt:
		v.Int = f.number(n, r)
		if f.typ.IsTime() && f.typ.HasPrecision && f.typ.Precision < 6 {
			v.Int = types.RoundMicros(v.Int, f.typ.Precision)
		}
	case types.PhysFloat:
		v.Float = f.flo + float64(r>>11)/(1<<53)*(f.fhi-f.flo)
		if f.sequence {
			v.Float = f.flo + float64(n)
		}
		if f.typ.Kind == types.Float32 {
			v.Float = float64(float32(v.Float))
		}
	case types.PhysDecimal:
		x := f.number(n, r)
		v.Dec = types.Decimal{Hi: x >> 63, Lo: uint64(x), Scale: f.scale()}
		if f.typ.Scale < 0 {
			v.Dec, _ = v.Dec.Round(f.typ.Scale)
		}
	case types.PhysInterval:
		v.Interval.Micros = f.number(n, r)
	case types.PhysUUID:
		v.UUID = uuid(n, r, f.sequence)
	case types.PhysBytes:
		v.Bytes = f.text(n, r)
	}
	return v
}

// number is row n's whole number within the bounds; a sequence starts again at
// the lower one.
func (f *field) number(n, r uint64) int64 {
	span := uint64(f.hi) - uint64(f.lo) + 1
	if !f.sequence {
		return f.lo + int64(below(r, span))
	}
	steps := (uint64(f.hi)-uint64(f.lo))/uint64(f.step) + 1
	if steps != 0 {
		n %= steps
	}
	return f.lo + int64(n)*f.step
}

func uuid(n, r uint64, sequence bool) (u [16]byte) {
	hi, lo := r, mix(r)
	if sequence {
		hi, lo = 0, n
	}
	for i := range 8 {
		u[i], u[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
	}
	if !sequence {
		u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // version 4
	}
	return u
}

func (f *field) text(n, r uint64) string {
	switch f.typ.Kind {
	case types.JSONB:
		return `{"n": ` + strconv.FormatUint(n, 10) + `, "s": "` + letters(r, 8) + `"}`
	case types.Array:
		elems := make([]types.Value, f.length)
		for i := range elems {
			elems[i] = f.parts[0].value(mix(n) + uint64(i))
		}
		return types.EncodeList(f.parts[0].typ, elems)
	case types.Row:
		values := make([]types.Value, len(f.parts))
		for i := range values {
			values[i] = f.parts[i].value(n)
		}
		return types.EncodeRow(f.typ.Fields, values)
	}
	text := letters(r, f.length)
	if f.sequence {
		text = strconv.FormatUint(n, 10)
		if len(text) < f.length && f.padded {
			text = strings.Repeat("0", f.length-len(text)) + text
		}
		if f.typ.Phys() == types.PhysBytes && f.typ.HasPrecision && len(text) > int(f.typ.Precision) {
			text = text[len(text)-int(f.typ.Precision):]
		}
	}
	if f.typ.Kind == types.Char && f.typ.HasPrecision && len(text) < int(f.typ.Precision) {
		text += strings.Repeat(" ", int(f.typ.Precision)-len(text))
	}
	return text
}

func letters(r uint64, n int) string {
	b := make([]byte, n)
	for i := range b {
		if i%8 == 0 {
			r = mix(r)
		}
		b[i] = byte('a' + byte(r)%26)
		r >>= 8
	}
	return string(b)
}
