package agg

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestDivCount compares the short way with types' division.
func TestDivCount(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 100_000 {
		d := types.DecimalFromInt(int64(rng.Uint64() >> rng.IntN(64)))
		if rng.IntN(2) == 0 {
			d = d.Neg()
		}
		d.Scale = int32(rng.IntN(5) * rng.IntN(5))
		n := int64(rng.Uint64()>>(1+rng.IntN(63))) | 1
		want, wantErr := d.Div(types.DecimalFromInt(n))
		got, err := divCount(d, n)
		if (err == nil) != (wantErr == nil) || err == nil && got != want {
			t.Fatalf("%+v / %d: %+v, %v, want %+v, %v", d, n, got, err, want, wantErr)
		}
	}
}
