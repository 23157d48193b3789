package types

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/test/random"
)

// TestOrderedKeysCompareAsValues compares random values of each layout with their
// keys, in both orders, and as the last of two columns.
func TestOrderedKeysCompareAsValues(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	ints := []int64{0, 1, -1, math.MinInt64, math.MaxInt64, 255, 256}
	floats := []float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, -1e300}
	texts := []string{"", "a", "ab", "a\x00", "a\x00\x01", "a\xff", "\x00", "abcdefgh", "abcdefghi", "ä"}
	draw := map[Kind]func() Value{
		Int64:   func() Value { return Value{Int: ints[rng.IntN(len(ints))] + rng.Int64N(3)} },
		Bool:    func() Value { return Value{Bool: rng.IntN(2) == 0} },
		Float64: func() Value { return Value{Float: floats[rng.IntN(len(floats))]} },
		Text:    func() Value { return Value{Bytes: texts[rng.IntN(len(texts))]} },
		Numeric: func() Value {
			d := Decimal{Special: int32(max(rng.IntN(30)-26, 0))}
			if d.Special == 0 {
				n := int64(rng.IntN(2001) - 1000)
				for range rng.IntN(4) {
					n *= 10
				}
				d = DecimalFromInt(n)
				d.Scale = int32(rng.IntN(12))
				if rng.IntN(4) == 0 {
					if wide, err := d.Mul(DecimalFromInt(1e18)); err == nil {
						d = wide
					}
				}
			}
			return Value{Dec: d}
		},
		IntervalK: func() Value {
			return Value{Interval: Interval{Months: int32(rng.IntN(3) - 1), Days: int32(rng.IntN(90) - 45), Micros: int64(rng.IntN(5)-2) * 86_400_000_000 / 2}}
		},
		UUID: func() Value { return Value{UUID: [16]byte{byte(rng.IntN(3)), 15: byte(rng.IntN(256))}} },
	}
	for kind, next := range draw {
		typ := Of(kind)
		for range 20_000 {
			a, b := next(), next()
			a.Null, b.Null = rng.IntN(10) == 0, rng.IntN(10) == 0
			o := Ordered{Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0}
			want := 0
			switch {
			case a.Null && b.Null:
			case a.Null || b.Null:
				if want = 1; a.Null == o.NullsFirst {
					want = -1
				}
			default:
				if want = cmp.Compare(Compare(typ, &a, &b), 0); o.Desc {
					want = -want
				}
			}
			first := Ordered{}.AppendBytes(nil, []byte("x"))
			x, y := o.AppendValue(bytes.Clone(first), typ.Phys(), &a), o.AppendValue(bytes.Clone(first), typ.Phys(), &b)
			if got := bytes.Compare(x, y); got != want {
				t.Fatalf("%v and %v of %v, %+v: keys %x and %x compare as %d, want %d", a, b, typ, o, x, y, got, want)
			}
			if want != 0 && (bytes.HasPrefix(x, y) || bytes.HasPrefix(y, x)) {
				t.Fatalf("%v and %v of %v: one of the keys %x and %x begins with the other", a, b, typ, x, y)
			}
		}
	}
}

func TestOrderedAfter(t *testing.T) {
	for _, c := range [][2]string{{"a", "b"}, {"a\xff\xff", "b"}, {"", ""}, {"\xff", ""}} {
		if got := OrderedAfter([]byte(c[0])); string(got) != c[1] || c[1] == "" && got != nil {
			t.Errorf("after %q: %q, want %q", c[0], got, c[1])
		}
	}
}
