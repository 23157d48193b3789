package agg

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func newSum(arg types.Type) (Accumulator, error) {
	switch {
	case arg.Kind == types.Int64:
		return Accumulator{Update: sumBigint, Merge: mergeDecimal}, nil
	case arg.IsInteger():
		return Accumulator{Update: sumInt, Merge: mergeSumInt}, nil
	case arg.Kind == types.Numeric:
		return Accumulator{Update: sumDecimal, Merge: mergeDecimal}, nil
	case arg.Phys() == types.PhysFloat:
		return Accumulator{Update: sumFloat, Merge: mergeFloat}, nil
	case arg.Kind == types.IntervalK:
		return Accumulator{Update: sumInterval, Merge: mergeInterval}, nil
	}
	return refuse("sum", arg)
}

func outOfRange(t string) error {
	return pgerr.New(pgerr.NumericValueOutOfRange, "%s out of range", t)
}

// sumInt sums smallint and integer into a bigint. Overflow is gathered in the
// sign bit of one word and looked at once.
func sumInt(in *Input, off uintptr, col *batch.Column) error {
	var over int64
	vals, rows := col.Int, in.Rows
	switch {
	case in.One != nil && in.Sel == nil && in.Sign == nil:
		p := at[int64](in.One, off)
		s := *p
		for _, v := range vals[:in.N] {
			t := s + v
			over |= (s ^ t) & (v ^ t)
			s = t
		}
		*p = s
	case in.Sel == nil && in.Sign == nil:
		rows = rows[:in.N]
		for i, v := range vals[:len(rows)] {
			p := at[int64](rows[i], off)
			t := *p + v
			over |= (*p ^ t) & (v ^ t)
			*p = t
		}
	case in.Sign == nil:
		for _, i := range in.Sel {
			v, p := vals[i], at[int64](rows[i], off)
			t := *p + v
			over |= (*p ^ t) & (v ^ t)
			*p = t
		}
	default:
		for k := range in.Len() {
			i := k
			if in.Sel != nil {
				i = int(in.Sel[k])
			}
			v, p := vals[i]*in.Sign[i], at[int64](rows[i], off)
			t := *p + v
			over |= (*p ^ t) & (v ^ t)
			*p = t
		}
	}
	if over < 0 {
		return outOfRange("bigint")
	}
	return nil
}

func mergeSumInt(into, from []unsafe.Pointer, off uintptr) error {
	var over int64
	for i, r := range into {
		p, v := at[int64](r, off), *at[int64](from[i], off)
		t := *p + v
		over |= (*p ^ t) & (v ^ t)
		*p = t
	}
	if over < 0 {
		return outOfRange("bigint")
	}
	return nil
}

// addInt adds a bigint to a numeric of scale 0: 128-bit, and 2^64 rows away from
// its end.
func addInt(d *types.Decimal, v int64) {
	lo, carry := bits.Add64(d.Lo, uint64(v), 0)
	d.Lo = lo
	d.Hi += v>>63 + int64(carry)
}

func sumBigint(in *Input, off uintptr, col *batch.Column) error {
	vals, rows := col.Int, in.Rows
	switch {
	case in.One != nil && in.Sel == nil && in.Sign == nil:
		p := at[types.Decimal](in.One, off)
		hi, lo := p.Hi, p.Lo
		for _, v := range vals[:in.N] {
			var carry uint64
			lo, carry = bits.Add64(lo, uint64(v), 0)
			hi += v>>63 + int64(carry)
		}
		p.Hi, p.Lo = hi, lo
	case in.Sel == nil && in.Sign == nil:
		rows = rows[:in.N]
		for i, v := range vals[:len(rows)] {
			addInt(at[types.Decimal](rows[i], off), v)
		}
	case in.Sign == nil:
		for _, i := range in.Sel {
			addInt(at[types.Decimal](rows[i], off), vals[i])
		}
	default:
		for k := range in.Len() {
			i := k
			if in.Sel != nil {
				i = int(in.Sel[k])
			}
			p := at[types.Decimal](rows[i], off)
			if in.Sign[i] > 0 {
				addInt(p, vals[i])
			} else {
				subInt(p, vals[i])
			}
		}
	}
	return nil
}

func subInt(d *types.Decimal, v int64) {
	lo, borrow := bits.Sub64(d.Lo, uint64(v), 0)
	d.Lo = lo
	d.Hi -= v>>63 + int64(borrow)
}

// addDecimal adds v, or takes it away if sign is negative. The sum of one column
// has one scale nearly always, and then it is two adds.
func addDecimal(d, v *types.Decimal, sign int64) {
	if d.Scale == v.Scale && d.Special|v.Special == 0 {
		lo, hi := v.Lo, v.Hi
		if sign < 0 {
			var borrow uint64
			lo, borrow = bits.Sub64(0, lo, 0)
			hi = -hi - int64(borrow)
		}
		sum, carry := bits.Add64(d.Lo, lo, 0)
		top := d.Hi + hi + int64(carry)
		if (d.Hi^top)&(hi^top) >= 0 {
			d.Lo, d.Hi = sum, top
			return
		}
	}
	d.AddSum(*v, sign)
}

// 10^38, the first coefficient that a numeric cannot have.
const (
	limitHi = 0x4b3b4ca85a86c47a
	limitLo = 0x098a224000000000
)

// tooWide reports whether the coefficient has more than 38 digits.
func tooWide(hi int64, lo uint64) bool {
	if uint64(hi+limitHi) < 2*limitHi { // well inside, nearly always
		return false
	}
	if hi < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi = -hi - int64(borrow)
	}
	return hi < 0 || hi > limitHi || hi == limitHi && lo >= limitLo
}

func sumDecimal(in *Input, off uintptr, col *batch.Column) error {
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		sign := int64(1)
		if in.Sign != nil {
			sign = in.Sign[i]
		}
		addDecimal(at[types.Decimal](in.Rows[i], off), &col.Dec[i], sign)
	}
	return nil
}

func mergeDecimal(into, from []unsafe.Pointer, off uintptr) error {
	for i, r := range into {
		d, v := at[types.Decimal](r, off), at[types.Decimal](from[i], off)
		if v.IsNumeric() {
			addDecimal(d, v, 1)
		} else {
			d.AddSum(*v, 1)
		}
	}
	return nil
}

// sumFloat leaves overflowed where finite values come to an infinity: nothing that
// follows makes up for that.
func sumFloat(in *Input, off uintptr, col *batch.Column) error {
	vals, rows := col.Float, in.Rows
	if in.Sel == nil && in.Sign == nil {
		rows = rows[:in.N]
		for i, v := range vals[:len(rows)] {
			p := at[float64](rows[i], off)
			s := *p + v
			if s-s != 0 {
				s = notFinite(*p, v, s)
			}
			*p = s
		}
		return nil
	}
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		v := vals[i]
		if in.Sign != nil {
			v *= float64(in.Sign[i])
		}
		p := at[float64](rows[i], off)
		s := *p + v
		if s-s != 0 {
			s = notFinite(*p, v, s)
		}
		*p = s
	}
	return nil
}

// overflowed is a sum beyond the greatest double precision value: a NaN that no
// other sum is.
var overflowed = math.Float64frombits(0x7ff8_6f76_6572_0001)

func isOverflowed(f float64) bool { return math.Float64bits(f) == math.Float64bits(overflowed) }

// notFinite is s, the sum of p and v, where that is no finite value.
func notFinite(p, v, s float64) float64 {
	switch {
	case isOverflowed(p), v-v == 0 && p-p == 0:
		return overflowed
	case s != s:
		return math.NaN()
	}
	return s
}

func mergeFloat(into, from []unsafe.Pointer, off uintptr) error {
	for i, r := range into {
		p, v := at[float64](r, off), *at[float64](from[i], off)
		s := *p + v
		if s-s != 0 {
			if s = notFinite(*p, v, s); isOverflowed(v) {
				s = v
			}
		}
		*p = s
	}
	return nil
}

func sumInterval(in *Input, off uintptr, col *batch.Column) error {
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		sign := int64(1)
		if in.Sign != nil {
			sign = in.Sign[i]
		}
		addInterval(at[types.Interval](in.Rows[i], off), col.Interval[i], sign)
	}
	return nil
}

// lostInterval is a sum beyond the greatest interval. No interval is as small as that
// in all its fields, and none that is added to it makes it another one.
var lostInterval = types.Interval{Micros: math.MinInt64, Days: math.MinInt32, Months: math.MinInt32}

func addInterval(d *types.Interval, v types.Interval, sign int64) {
	micros := d.Micros + sign*v.Micros
	days, months := int64(d.Days)+sign*int64(v.Days), int64(d.Months)+sign*int64(v.Months)
	if *d == lostInterval || v == lostInterval ||
		(d.Micros^micros)&(sign*v.Micros^micros) < 0 || days != int64(int32(days)) || months != int64(int32(months)) {
		*d = lostInterval
		return
	}
	*d = types.Interval{Micros: micros, Days: int32(days), Months: int32(months)}
}

func mergeInterval(into, from []unsafe.Pointer, off uintptr) error {
	for i, r := range into {
		addInterval(at[types.Interval](r, off), *at[types.Interval](from[i], off), 1)
	}
	return nil
}
