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

// term is what an exact sum adds for a row: value and error.
type term func(x, y float64) (float64, float64)

func itself(x, _ float64) (float64, float64) { return x, 0 }

func square(x, _ float64) (float64, float64) { return product(x, x) }

func product(x, y float64) (float64, float64) {
	p := x * y
	return p, math.FMA(x, y, -p)
}

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
				if in.Sign != nil && in.Sign[i] < 0 {
					v, e = -v, -e
				}
				if !addExact(at[float64](in.Rows[i], off), at[float64](in.Rows[i], rest), v, e) {
					return floatOverflow()
				}
			}
			return nil
		},
		Merge: func(into, from []unsafe.Pointer, off uintptr) error {
			for i, r := range into {
				if !addExact(at[float64](r, off), at[float64](r, rest), *at[float64](from[i], off), *at[float64](from[i], rest)) {
					return floatOverflow()
				}
			}
			return nil
		},
	}
}

func floatOverflow() error {
	return pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: overflow")
}

// addExact adds v and its error e to a sum, unless that overflows.
func addExact(sum, rest *float64, v, e float64) bool {
	s := *sum + v
	if s-s != 0 {
		return false
	}
	b := s - *sum
	e += (*sum - (s - b)) + (v - b) + *rest
	*sum = s + e
	*rest = e - (*sum - s)
	return true
}

// exactAt is an exact sum of a state row.
func exactAt(r unsafe.Pointer, s Slot) *big.Float {
	x := new(big.Float).SetPrec(exactBits).SetFloat64(*at[float64](r, s.Off))
	return x.Add(x, new(big.Float).SetFloat64(*at[float64](r, s.Rest)))
}

// exactBits holds the product of two exact sums, and a count times one.
const exactBits = 256

// deviations is n·Σxy − Σx·Σy, which is n times the sum of the products of the
// deviations, and 0 where the sums' own errors are all that there is.
func deviations(n int64, products, x, y *big.Float) float64 {
	a := new(big.Float).SetPrec(exactBits).SetInt64(n)
	a.Mul(a, products)
	b := new(big.Float).SetPrec(exactBits).Mul(x, y)
	d := new(big.Float).SetPrec(exactBits).Sub(a, b)
	if d.Sign() != 0 && b.Sign() != 0 && d.MantExp(nil) < max(a.MantExp(nil), b.MantExp(nil))-95 {
		return 0
	}
	f, _ := d.Float64()
	return f
}

// newSpecialCount counts the values that fn names, of floats and numerics.
func newSpecialCount(fn string, arg types.Type) Accumulator {
	is := map[string]func(f float64) bool{
		"count_nan":     func(f float64) bool { return f != f },
		"count_inf":     func(f float64) bool { return f > math.MaxFloat64 },
		"count_neg_inf": func(f float64) bool { return f < -math.MaxFloat64 },
	}[fn]
	special := map[string]int32{"count_nan": types.DecimalNaN, "count_inf": types.DecimalInf, "count_neg_inf": types.DecimalNegInf}[fn]
	numeric := arg.Kind == types.Numeric
	return Accumulator{
		Merge: mergeInt,
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				if numeric && col.Dec[i].Special != special || !numeric && !is(col.Float[i]) {
					continue
				}
				sign := int64(1)
				if in.Sign != nil {
					sign = in.Sign[i]
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
	nan, inf, neg := *at[int64](r, s[0]) != 0, *at[int64](r, s[1]) != 0, *at[int64](r, s[2]) != 0
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

// withSpecials puts right what out computed without NaN and the infinities.
// spread says that the result measures deviations, which those have none of.
func withSpecials(out Output, s specials, spread bool) Output {
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		if err := out(rows, dst); err != nil {
			return err
		}
		for i, r := range rows {
			f, any := s.of(r)
			if !any || dst.IsNull(i) {
				continue
			}
			if spread {
				f = math.NaN()
			}
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
		return nil
	}
}
