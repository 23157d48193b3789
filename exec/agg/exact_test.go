package agg

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// sums is a state row of what the variances and regressions are made of: the
// exact sums of y, x, y², x² and xy with their rests, and the counts.
type sums struct {
	count                  int64
	y, yRest, x, xRest     float64
	yy, yyRest, xx, xxRest float64
	xy, xyRest             float64
	yNaN, yInf, yNegInf    int64
	xNaN, xInf, xNegInf    int64
}

type field struct {
	kernel Accumulator
	off    uintptr
	col    int // 0: y, 1: x
}

// sumFields are the kernels of a sums row.
func sumFields(t *testing.T) (all []field) {
	var s sums
	exact := func(fn string, off, rest uintptr, col int) {
		k, err := NewExact(fn, types.Of(types.Float64), rest)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, field{k, off, col})
	}
	exact("sum", unsafe.Offsetof(s.y), unsafe.Offsetof(s.yRest), 0)
	exact("sum", unsafe.Offsetof(s.x), unsafe.Offsetof(s.xRest), 1)
	exact("sum_squares", unsafe.Offsetof(s.yy), unsafe.Offsetof(s.yyRest), 0)
	exact("sum_squares", unsafe.Offsetof(s.xx), unsafe.Offsetof(s.xxRest), 1)
	exact("sum_products", unsafe.Offsetof(s.xy), unsafe.Offsetof(s.xyRest), 0)
	for i, off := range []uintptr{unsafe.Offsetof(s.yNaN), unsafe.Offsetof(s.yInf), unsafe.Offsetof(s.yNegInf),
		unsafe.Offsetof(s.xNaN), unsafe.Offsetof(s.xInf), unsafe.Offsetof(s.xNegInf)} {
		all = append(all, field{newSpecialCount([]string{"count_nan", "count_inf", "count_neg_inf"}[i%3], types.Of(types.Float64)), off, i / 3})
	}
	k, err := New("count", types.Type{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, field{k, unsafe.Offsetof(s.count), 0})
}

func (s *sums) add(t *testing.T, fields []field, y, x []float64, sign []int64) {
	cols := []*batch.Column{{Phys: types.PhysFloat, Float: y}, {Phys: types.PhysFloat, Float: x}}
	in := Input{N: len(y), Sign: sign}
	for range y {
		in.Rows = append(in.Rows, unsafe.Pointer(s))
	}
	for i, f := range fields {
		in.Other = nil
		if i == 4 {
			in.Other = cols[1]
		}
		if err := f.kernel.Update(&in, f.off, cols[f.col]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExactSums takes values in and out at random and compares what is computed
// from the sums with the same over the values that are left, in 400 bits.
func TestExactSums(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 3))
	fields := sumFields(t)
	var off sums
	slot := func(fn string, o, rest uintptr) Slot {
		return Slot{Func: fn, Off: o, Rest: rest, Type: types.Of(types.Float64)}
	}
	slots := []Slot{slot("count", unsafe.Offsetof(off.count), 0), slot("sum", unsafe.Offsetof(off.y), unsafe.Offsetof(off.yRest)),
		slot("sum", unsafe.Offsetof(off.x), unsafe.Offsetof(off.xRest)), slot("sum_squares", unsafe.Offsetof(off.yy), unsafe.Offsetof(off.yyRest)),
		slot("sum_squares", unsafe.Offsetof(off.xx), unsafe.Offsetof(off.xxRest)), slot("sum_products", unsafe.Offsetof(off.xy), unsafe.Offsetof(off.xyRest))}
	bad := [2]specials{{unsafe.Offsetof(off.yNaN), unsafe.Offsetof(off.yInf), unsafe.Offsetof(off.yNegInf)},
		{unsafe.Offsetof(off.xNaN), unsafe.Offsetof(off.xInf), unsafe.Offsetof(off.xNegInf)}}
	for range 50 {
		s := &sums{}
		var live [][2]float64
		scale := math.Pow(10, float64(rng.IntN(9)))
		for range 1 + rng.IntN(80) {
			sign, pair := int64(1), [2]float64{scale + rng.NormFloat64(), rng.NormFloat64() * scale}
			switch what := rng.IntN(12); {
			case what == 0:
				pair[rng.IntN(2)] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[rng.IntN(3)]
			case what < 6 && len(live) > 0:
				i := rng.IntN(len(live))
				sign, pair = -1, live[i]
				live = append(live[:i], live[i+1:]...)
			}
			if sign > 0 {
				live = append(live, pair)
			}
			s.add(t, fields, []float64{pair[0]}, []float64{pair[1]}, []int64{sign})
		}
		for _, fn := range []string{"corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_slope", "regr_sxx", "regr_syy", "regr_sxy"} {
			dst := &batch.Column{Phys: types.PhysFloat}
			if err := newRegression(fn, slots, bad)([]unsafe.Pointer{unsafe.Pointer(s)}, dst); err != nil {
				t.Fatal(err)
			}
			want, ok := naiveRegression(fn, live)
			got := dst.Float[0]
			if ok == dst.IsNull(0) || ok && !(math.Abs(got-want) <= 1e-9*math.Abs(want) || got != got && want != want || got == want) {
				t.Errorf("%s of %v is %v (null %v), want %v (null %v)", fn, live, got, dst.IsNull(0), want, !ok)
			}
		}
	}
}

// naiveRegression computes fn over pairs (y, x) in high precision.
func naiveRegression(fn string, pairs [][2]float64) (float64, bool) {
	n := float64(len(pairs))
	if n == 0 || fn == "covar_samp" && n == 1 {
		return 0, false
	}
	var sum [2]float64
	special := [2]bool{}
	for _, p := range pairs {
		for i, v := range p {
			sum[i] += v
			special[i] = special[i] || v-v != 0
		}
	}
	high := func(f float64) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(f) }
	mean := func(i int) *big.Float {
		m := high(0)
		for _, p := range pairs {
			m.Add(m, high(p[i]))
		}
		return m.Quo(m, high(n))
	}
	products := func(i, j int) float64 {
		if special[i] || special[j] {
			return math.NaN()
		}
		total, a, b := high(0), mean(i), mean(j)
		for _, p := range pairs {
			u, v := high(p[i]), high(p[j])
			total.Add(total, u.Mul(u.Sub(u, a), v.Sub(v, b)))
		}
		f, _ := total.Float64()
		if math.Abs(f) < 1e-90 {
			return 0
		}
		return f
	}
	switch fn {
	case "regr_avgy", "regr_avgx":
		i := map[string]int{"regr_avgy": 0, "regr_avgx": 1}[fn]
		if special[i] {
			return sum[i], true
		}
		f, _ := mean(i).Float64()
		return f, true
	case "regr_syy":
		return products(0, 0), true
	case "regr_sxx":
		return products(1, 1), true
	case "regr_sxy":
		return products(0, 1), true
	case "covar_pop":
		return products(0, 1) / n, true
	case "covar_samp":
		return products(0, 1) / (n - 1), true
	case "regr_slope":
		return products(0, 1) / products(1, 1), products(1, 1) != 0
	}
	return products(0, 1) / math.Sqrt(products(0, 0)*products(1, 1)), products(0, 0) != 0 && products(1, 1) != 0
}

// TestExactSumBeyond checks that a sum beyond double precision has no value, and has
// the right one again when what was too much is taken away.
func TestExactSumBeyond(t *testing.T) {
	k, err := NewExact("sum", types.Of(types.Float64), 8)
	if err != nil {
		t.Fatal(err)
	}
	row, other := [2]float64{}, [2]float64{}
	p, q := unsafe.Pointer(&row), unsafe.Pointer(&other)
	slot := Slot{Func: "sum", Rest: 8}
	fold := func(p unsafe.Pointer, sign int64, values ...float64) {
		for _, v := range values {
			in := Input{N: 1, Rows: []unsafe.Pointer{p}, Sign: []int64{sign}}
			if err := k.Update(&in, 0, &batch.Column{Phys: types.PhysFloat, Float: []float64{v}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	const most = 0x1p1023 // of which 106 bits are enough for some and a little
	fold(p, 1, 3.25, most, most, -7, most)
	if f, err := floatAt(p, &slot); err == nil {
		t.Errorf("the sum %v is %v", row, f)
	}
	fold(p, -1, most)
	fold(q, 1, most, most, 0.5)
	if err := k.Merge([]unsafe.Pointer{p}, []unsafe.Pointer{q}, 0); err != nil {
		t.Fatal(err)
	}
	fold(p, -1, most, 3.25, most, most)
	if f, err := floatAt(p, &slot); err != nil || f != most {
		t.Errorf("the sum %v is %v, %v", row, f, err)
	}
	if fold(p, -1, most); row != [2]float64{-6.5, 0} {
		t.Errorf("what is left is %v", row)
	}
	fold(p, -1, most, most)
	if f, _ := exactAt(p, slot).Int(nil); f.Sign() >= 0 || f.BitLen() != 1025 {
		t.Errorf("a negative sum is %v", f)
	}
}
