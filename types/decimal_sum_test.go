package types

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/test/random"
)

// TestDecimalSum adds and takes away random numerics up to the greatest, and compares
// the sum, its text and what it is made of with big integers.
func TestDecimalSum(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, scale := range []int32{0, 2, 9} {
		var sum Decimal
		var in []Decimal
		want, beyond := new(big.Int), int64(0)
		for step := range 4000 {
			at, sign := r.IntN(len(in)+1), int64(1)
			if len(in) > 0 && r.IntN(5) < 2 || len(in) > 600 {
				sign, at = -1, r.IntN(len(in))
			} else {
				in = append(in, Decimal{})
				at = len(in) - 1
				in[at] = makeDecimal(randomU128(r), r.IntN(3) == 0, scale)
				for in[at].inRange() == false {
					in[at] = makeDecimal(randomU128(r), r.IntN(3) == 0, scale)
				}
			}
			v := in[at]
			if sign < 0 {
				in = append(in[:at], in[at+1:]...)
			}
			x, _, _ := v.Sum()
			if r.IntN(9) == 0 {
				part := Decimal{}
				part.AddSum(v, 1)
				part.AddBeyond(1)
				beyond += sign
				sum.AddSum(part, sign)
			} else {
				sum.AddSum(v, sign)
			}
			want.Add(want, x.Mul(x, big.NewInt(sign)))
			got, s, n := sum.Sum()
			if got.Cmp(want) != 0 || s > scale || n != beyond {
				t.Fatalf("step %d: the sum is %v, scale %d, %d beyond; want %v and %d", step, got, s, n, want, beyond)
			}
			again, err := ParseSum(string(sum.AppendSum(nil)))
			if err != nil || again != sum {
				t.Fatalf("step %d: %v is written as %s and read as %v, %v", step, sum, sum.AppendSum(nil), again, err)
			}
			total, err := sum.Total()
			if fits := new(big.Int).Quo(want, bigPower(scale+DecimalDigitsMax)).Sign() == 0; (err == nil) != (fits && n == 0) {
				t.Fatalf("step %d: the total of %s is %s, %v", step, sum.AppendSum(nil), total, err)
			}
			if f := total.Float64(); err == nil && (f-sumFloat(want, scale) > 1e-12*max(f, -f) || sumFloat(want, scale)-f > 1e-12*max(f, -f)) {
				t.Fatalf("step %d: the total of %s is %s", step, sum.AppendSum(nil), total)
			}
		}
		for _, v := range in {
			sum.AddSum(v, -1)
		}
		sum.AddBeyond(-beyond)
		if sum != (Decimal{Scale: scale}) {
			t.Errorf("%s is left", sum.AppendSum(nil))
		}
	}
}

func sumFloat(x *big.Int, scale int32) float64 {
	f, _ := new(big.Rat).SetFrac(x, bigPower(scale)).Float64()
	return f
}

// TestDecimalSumSpecial checks sums of NaN and the infinities, and sums that no text is.
func TestDecimalSumSpecial(t *testing.T) {
	var most, sum Decimal
	most, _ = ParseDecimal("99999999999999999999999999999999999999")
	for range 5 {
		sum.AddSum(most, -1)
	}
	if s := sum.Shown(); s.Special != DecimalNegInf || sum.Special == DecimalNegInf {
		t.Errorf("%s is shown as %s", sum.AppendSum(nil), s)
	}
	if sum.AddSum(Decimal{Special: DecimalInf}, 1); sum != (Decimal{Special: DecimalInf}) {
		t.Errorf("a sum with Infinity is %v", sum)
	}
	if sum.AddSum(Decimal{Special: DecimalInf}, -1); sum != NaN {
		t.Errorf("the sum of both infinities is %v", sum)
	}
	for _, s := range []string{"", "-", ".", "1 x", "1 99999999999", "+1 1", "1_0 1", "1.2.3 1", "- 1", "1e5 3", "9999999999999999999999999999999999999999999999999999 1"} {
		if d, err := ParseSum(s); err == nil {
			t.Errorf("%q is read as %v", s, d)
		}
	}
}
