// Package random gives the tests that make their input up their random numbers.
package random

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed is the seed of a test, in its log too. It is the same in every run, so
// that a run can be repeated and a change is judged by what it changes;
// MILLRACE_SEED=any asks for one that nobody has tried, MILLRACE_SEED=n for n.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(1)
	switch s := os.Getenv("MILLRACE_SEED"); s {
	case "":
	case "any":
		seed = rand.Uint64()
	default:
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("MILLRACE_SEED is neither a number nor any: %v", err)
		}
	}
	t.Logf("seed %d: set MILLRACE_SEED to repeat", seed)
	return seed
}

// New is a source of random numbers of a test's seed.
func New(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(Seed(t), 0))
}

// Rounds is how often a test of made-up input goes on of the n times it does: a
// fifth of them with -short, which is how tests run where each step is slow, as
// under the race detector.
func Rounds(n int) int {
	if testing.Short() {
		return max(1, n/5)
	}
	return n
}
