package agg

import (
	"math"
	"math/big"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// An exact sum of double precision values is kept in two slots, the sum and what
// its 53 bits are too short for, 106 bits in all. So taking values away leaves
// what there was before they came, and the small difference of two large sums
// that a variance is has digits left. NaN and the infinities, which nothing can
// be taken away from, are not added: they are counted beside it.
//
// Adding never fails. A sum beyond the greatest double precision value is kept 2^-64
// times as large, and in the other order: what the slot rest has is then the larger of
// the two, which it never is otherwise. Values whose square is beyond it are not added
// to sums of squares and products, but counted too.

// term is what an exact sum adds for a row: value and error.
type term func(x, y float64) (float64, float64)

func itself(x, _ float64) (float64, float64) { return x, 0 }

func square(x, _ float64) (float64, float64) { return multiply(x, x) }

func product(x, y float64) (float64, float64) {
	if hasNoSquare(x) || hasNoSquare(y) {
		return math.Inf(1), 0
	}
	return multiply(x, y)
}

func multiply(x, y float64) (float64, float64) {
	p := x * y
	return p, math.FMA(x, y, -p)
}

// hasNoSquare reports whether the square of a finite value is not finite.
func hasNoSquare(x float64) bool { return x*x > math.MaxFloat64 }

// newExact sums terms into the slot, and what does not fit into the slot rest.
func newExact(of term, rest uintptr) Accumulator {
	return Accumulator{
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			other := col
			if in.Other != nil {
				other = in.Other
			}
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				x, y := col.Float[i], other.Float[i]
				if x-x != 0 || y-y != 0 { // NaN or infinite
					continue
				}
				v, e := of(x, y)
				if v-v != 0 {
					continue
				}
				if in.Sign != nil && in.Sign[i] < 0 {
					v, e = -v, -e
				}
				addExact(at[float64](in.Rows[i], off), at[float64](in.Rows[i], rest), v, e)
			}
			return nil
		},
		Merge: func(into, from []unsafe.Pointer, off uintptr) error {
			for i, r := range into {
				addExact(at[float64](r, off), at[float64](r, rest), *at[float64](from[i], off), *at[float64](from[i], rest))
			}
			return nil
		},
	}
}

func floatOverflow() error {
	return pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: overflow")
}

// addExact adds v and its error e to a sum.
func addExact(sum, rest *float64, v, e float64) {
	s := *sum + v
	if s-s != 0 || isLarge(*sum, *rest) || isLarge(v, e) {
		addLarge(sum, rest, v, e)
		return
	}
	b := s - *sum
	r := e + (*sum - (s - b)) + (v - b) + *rest
	t := s + r
	if t-t != 0 {
		addLarge(sum, rest, v, e)
		return
	}
	*sum = t
	*rest = r - (t - s)
}

// largeShift is how many binary digits a sum is shortened by that is too large.
const largeShift = 64

func isLarge(sum, rest float64) bool { return math.Abs(rest) > math.Abs(sum) }

// addLarge is addExact where a sum is large, or may become or cease to be.
func addLarge(sum, rest *float64, v, e float64) {
	hi, lo := shortened(*sum, *rest)
	v, e = shortened(v, e)
	s := hi + v
	b := s - hi
	lo += (hi - (s - b)) + (v - b) + e
	hi = s + lo
	lo -= hi - s
	if up := math.Ldexp(hi, largeShift); up-up == 0 {
		*sum, *rest = up, math.Ldexp(lo, largeShift)
		return
	}
	*sum, *rest = lo, hi
}

func shortened(sum, rest float64) (hi, lo float64) {
	if isLarge(sum, rest) {
		return rest, sum
	}
	return math.Ldexp(sum, -largeShift), math.Ldexp(rest, -largeShift)
}

// exactAt is an exact sum of a state row.
func exactAt(r unsafe.Pointer, s Slot) *big.Float {
	sum, rest := *at[float64](r, s.Off), *at[float64](r, s.Rest)
	x := new(big.Float).SetPrec(exactBits).SetFloat64(sum)
	x.Add(x, new(big.Float).SetFloat64(rest))
	if isLarge(sum, rest) {
		x.SetMantExp(x, largeShift)
	}
	return x
}

// floatAt is a sum of double precision values of a state row.
func floatAt(r unsafe.Pointer, s *Slot) (float64, error) {
	sum := *at[float64](r, s.Off)
	if s.Rest > 0 && isLarge(sum, *at[float64](r, s.Rest)) || isOverflowed(sum) && s.Func == "sum" {
		return 0, floatOverflow()
	}
	return sum, nil
}

// exactBits holds the product of two exact sums, and a count times one.
const exactBits = 256

// deviations is n·Σxy − Σx·Σy, which is n times the sum of the products of the
// deviations, and 0 where the sums' own errors are all that there is.
func deviations(n int64, products, x, y *big.Float) *big.Float {
	a := new(big.Float).SetPrec(exactBits).SetInt64(n)
	a.Mul(a, products)
	b := new(big.Float).SetPrec(exactBits).Mul(x, y)
	d := new(big.Float).SetPrec(exactBits).Sub(a, b)
	if d.Sign() != 0 && b.Sign() != 0 && d.MantExp(nil) < max(a.MantExp(nil), b.MantExp(nil))-95 {
		return new(big.Float)
	}
	return d
}

// quotient is d over n and, unless it is 1, over m.
func quotient(d *big.Float, n, m int64) (float64, error) {
	f, _ := d.Float64()
	if f-f != 0 { // though the quotient may be finite
		by := new(big.Float).SetPrec(exactBits).SetInt64(n)
		f, _ = by.Quo(d, by.Mul(by, new(big.Float).SetInt64(m))).Float64()
		if f-f != 0 {
			return 0, floatOverflow()
		}
		return f, nil
	}
	if f /= float64(n); m == 1 {
		return f, nil
	}
	return f / float64(m), nil
}

// squarelessShift is where in a count of infinities the count begins of the double
// precision values whose square is infinite.
const squarelessShift = 40

// newSpecialCount counts the values that fn names, of floats and numerics.
func newSpecialCount(fn string, arg types.Type) Accumulator {
	is := map[string]func(f float64) bool{
		"count_nan":     func(f float64) bool { return f != f },
		"count_inf":     func(f float64) bool { return f > math.MaxFloat64 },
		"count_neg_inf": func(f float64) bool { return f < -math.MaxFloat64 },
	}[fn]
	special := map[string]int32{"count_nan": types.DecimalNaN, "count_inf": types.DecimalInf, "count_neg_inf": types.DecimalNegInf}[fn]
	numeric, infinities := arg.Kind == types.Numeric, fn == "count_inf"
	return Accumulator{
		Merge: mergeInt,
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				sign := int64(1)
				switch {
				case numeric && col.Dec[i].Special == special, !numeric && is(col.Float[i]):
				case !numeric && infinities && hasNoSquare(col.Float[i]) && col.Float[i] >= -math.MaxFloat64:
					sign <<= squarelessShift
				default:
					continue
				}
				if in.Sign != nil {
					sign *= in.Sign[i]
				}
				*at[int64](in.Rows[i], off) += sign
			}
			return nil
		},
	}
}

// specials are the counts of NaN, infinity and minus infinity of one argument.
type specials [3]uintptr

// of gives the value that specials make of a sum, and whether there are any.
func (s *specials) of(r unsafe.Pointer) (float64, bool) {
	nan, inf, neg := *at[int64](r, s[0]) > 0, *at[int64](r, s[1])&(1<<squarelessShift-1) != 0, *at[int64](r, s[2]) > 0
	switch {
	case nan || inf && neg:
		return math.NaN(), true
	case inf:
		return math.Inf(1), true
	case neg:
		return math.Inf(-1), true
	}
	return 0, false
}

// squareless reports whether there are values that sums of squares and products leave
// out, though they are finite.
func (s *specials) squareless(r unsafe.Pointer) bool {
	return *at[int64](r, s[1])>>squarelessShift != 0
}

// withSpecials puts right what out computed without NaN and the infinities.
// spread says that the result measures deviations, which those have none of; count is
// then the slot of the number of values.
func withSpecials(out Output, s specials, spread bool, count uintptr) Output {
	one := new(batch.Column)
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		if out(rows, dst) != nil {
			if err := singly(out, s, rows, dst, one); err != nil {
				return err
			}
		}
		for i, r := range rows {
			if dst.IsNull(i) {
				continue
			}
			f, any := s.of(r)
			switch {
			case any:
			case spread && s.squareless(r) && *at[int64](r, count) > 1:
				return floatOverflow()
			default:
				continue
			}
			if spread {
				f = math.NaN()
			}
			setSpecial(dst, i, f)
		}
		return nil
	}
}

// singly computes results row by row, of which those fail that specials decide.
func singly(out Output, s specials, rows []unsafe.Pointer, dst, one *batch.Column) error {
	one.Phys = dst.Phys
	start(dst, len(rows))
	for i, r := range rows {
		if err := out(rows[i:i+1], one); err != nil {
			if _, any := s.of(r); !any {
				return err
			}
			continue
		}
		switch {
		case one.IsNull(0):
			setNull(dst, i, len(rows))
		case dst.Phys == types.PhysFloat:
			dst.Float[i] = one.Float[0]
		default:
			dst.Dec[i] = one.Dec[0]
		}
	}
	return nil
}

// setSpecial makes row i NaN or an infinity.
func setSpecial(dst *batch.Column, i int, f float64) {
	switch {
	case dst.Phys == types.PhysFloat:
		dst.Float[i] = f
	case f != f:
		dst.Dec[i] = types.Decimal{Special: types.DecimalNaN}
	case f > 0:
		dst.Dec[i] = types.Decimal{Special: types.DecimalInf}
	default:
		dst.Dec[i] = types.Decimal{Special: types.DecimalNegInf}
	}
}
