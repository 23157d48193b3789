package agg

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/planner/graph"
)

// TestSketchPlace freezes where hashes go: registers are state.
func TestSketchPlace(t *testing.T) {
	for _, c := range []struct {
		hash     uint64
		register int
		rank     int64
	}{
		{0, 0, rankMax}, {1, 2860, 3}, {2, 999, 4}, {1 << 40, 758, 1}, {math.MaxUint64, 3873, 1}, {0x9e3779b97f4a7c15, 3818, 2},
	} {
		register, rank := SketchPlace(c.hash)
		if register != c.register || rank != c.rank {
			t.Errorf("hash %#x goes to register %d with rank %d, not to %d with %d", c.hash, register, rank, c.register, c.rank)
		}
	}
}

// TestEstimate checks that estimates of many different hashes are within five
// standard errors, and those of few exact or nearly so.
func TestEstimate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 10, 100, 1000, 5000, 20_000, 100_000, 1_000_000} {
		var registers [graph.SketchRegisters]int64
		fallen, used := int64(0), int64(0)
		for range n {
			r, rank := SketchPlace(rng.Uint64())
			if rank <= registers[r] {
				continue
			}
			fallen += SketchStep(registers[r], rank)
			if registers[r] == 0 {
				used++
			}
			registers[r] = rank
		}
		got := estimate(fallen, used)
		if limit := 5*1.04/64*float64(n) + 0.5; math.Abs(float64(got)-float64(n)) > limit {
			t.Errorf("%d different values are estimated as %d", n, got)
		}
	}
}
