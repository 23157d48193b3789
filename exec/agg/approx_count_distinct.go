package agg

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
)

// approx_count_distinct is a HyperLogLog: a value's hash picks one of the
// registers, which keeps the highest rank it has seen, the rank of a hash being
// how many zeros the rest of it ends in, plus one. The group's row has what the
// estimate needs of them, kept up to date: how many registers are in use, and by
// how much the sum of 2^-rank over all registers has fallen, in units of
// 2^-rankMax. The standard error is 1.04/√4096, 1.6 %. The registers and their
// ranks are state: none of this may change.

// rankMax is where ranks end; values beyond it come once in 2^50.
const rankMax = 50

// SketchPlace says which register a hash goes to and with which rank.
func SketchPlace(hash uint64) (register int, rank int64) {
	hash ^= hash >> 33 // the finalizer of MurmurHash3: all bits must be good
	hash *= 0xff51afd7ed558ccd
	hash ^= hash >> 33
	hash *= 0xc4ceb9fe1a85ec53
	hash ^= hash >> 33
	register = int(hash % graph.SketchRegisters)
	rest := hash / graph.SketchRegisters
	return register, min(int64(bits.TrailingZeros64(rest|1<<52))+1, rankMax)
}

// SketchStep is by how much the sum falls as a register's rank rises.
func SketchStep(old, rank int64) int64 { return 1<<(rankMax-old) - 1<<(rankMax-rank) }

// newApproxCount is the estimate from the two slots.
func newApproxCount(slots []Slot) Output {
	fallen, used := slots[0].Off, slots[1].Off
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		start(dst, len(rows))
		for i, r := range rows {
			dst.Int[i] = estimate(*at[int64](r, fallen), *at[int64](r, used))
		}
		return nil
	}
}

func estimate(fallen, used int64) int64 {
	const m = graph.SketchRegisters
	const alpha = 0.7213 / (1 + 1.079/m)
	sum := m - float64(fallen)/(1<<rankMax)
	e := alpha * m * m / sum
	if empty := m - used; e <= 2.5*m && empty > 0 {
		e = m * math.Log(m/float64(empty))
	}
	return int64(math.Round(e))
}
