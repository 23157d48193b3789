package types

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/test/random"
)

func randomU128(r *rand.Rand) u128 {
	u := u128{r.Uint64(), r.Uint64()}
	switch r.IntN(4) {
	case 0:
		u.hi = 0
	case 1:
		u.hi >>= r.IntN(64)
	case 2:
		u = u128{0, u.lo >> r.IntN(64)}
	}
	return u
}

func TestUint128AgainstBig(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 50_000 {
		a, b := randomU128(r), randomU128(r)
		if b.isZero() {
			continue
		}
		q, m := a.divMod(b)
		wq, wm := new(big.Int).QuoRem(a.big(), b.big(), new(big.Int))
		if q.big().Cmp(wq) != 0 || m.big().Cmp(wm) != 0 {
			t.Fatalf("seed %d: %v / %v = %v rest %v", seed, a, b, q, m)
		}
		if n := len(a.big().String()); a.digits() != n {
			t.Fatalf("seed %d: %v has %d digits, not %d", seed, a.big(), n, a.digits())
		}
		w := a.mulWide(b)
		d := randomU128(r)
		if d.isZero() {
			continue
		}
		got, ok := w.divRound(d)
		x := new(big.Int).Mul(a.big(), b.big())
		want, rem := new(big.Int).QuoRem(x, d.big(), new(big.Int))
		if rem.Lsh(rem, 1).Cmp(d.big()) >= 0 {
			want.Add(want, big.NewInt(1))
		}
		if ok != (want.BitLen() <= 128) || ok && got.big().Cmp(want) != 0 {
			t.Fatalf("seed %d: %v·%v / %v = %v %v, want %v", seed, a, b, d, got.big(), ok, want)
		}
	}
}

func mustDecimal(t *testing.T, s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecimalLimits(t *testing.T) {
	big38 := "99999999999999999999999999999999999999"
	for _, c := range []struct {
		op, a, b, want string
	}{
		{"+", big38, "1", ""}, {"*", big38, "10", ""}, {"-", "-" + big38, "1", ""},
		{"+", big38, "-1", "99999999999999999999999999999999999998"},
		{"*", "1234567890123456789.123456789012345678", "1", "1234567890123456789.123456789012345678"},
		// fractional digits that do not fit are rounded away
		{"*", "1234567890123456789.5", "1.0000000000000000000000001", "1234567890123456789.5000001234567890123"},
		{"/", big38, "3", "33333333333333333333333333333333333333"},
		{"/", "1", big38, "0.00000000000000000000000000000000000001"},
	} {
		a, b := mustDecimal(t, c.a), mustDecimal(t, c.b)
		op := map[string]func(Decimal) (Decimal, error){"+": a.Add, "-": a.Sub, "*": a.Mul, "/": a.Div}[c.op]
		got, err := op(b)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s %s %s = %s, want an overflow", c.a, c.op, c.b, got)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s %s %s = %s, %v, want %s", c.a, c.op, c.b, got, err, c.want)
		}
	}
	if _, err := ParseDecimal("1" + big38); err == nil {
		t.Error("39 digits were taken")
	}
	if d := mustDecimal(t, "1.500"); d.Normalize() != mustDecimal(t, "1.5") || d.Float64() != 1.5 {
		t.Error("normalize")
	}
}

func TestDecimalOrder(t *testing.T) {
	order := []string{"-Infinity", "-10", "-1.01", "-1", "0", "0.001", "0.01", "1", "1.5", "2", "10", "Infinity", "NaN"}
	for i, a := range order {
		for j, b := range order {
			if got := mustDecimal(t, a).Cmp(mustDecimal(t, b)); got != cmpInt(i, j) {
				t.Errorf("%s compared with %s is %d", a, b, got)
			}
		}
	}
}

func BenchmarkDecimalAdd(b *testing.B) {
	x, y := Decimal{Lo: 12345, Scale: 2}, Decimal{Lo: 678, Scale: 2}
	for range b.N {
		x, _ = x.Add(y)
	}
}

func BenchmarkDecimalMul(b *testing.B) {
	x, y := Decimal{Lo: 12345, Scale: 2}, Decimal{Lo: 908, Scale: 3}
	for range b.N {
		_, _ = x.Mul(y)
	}
}

func BenchmarkAppendTimestamp(b *testing.B) {
	var buf []byte
	for i := range b.N {
		buf = AppendTimestamp(buf[:0], 1_700_000_000_123_456+int64(i))
	}
}
