package eval

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Random is a session's random numbers: after setseed those that PostgreSQL gives
// after it, before that any. It may be shared.
type Random struct {
	mu     sync.Mutex
	seeded bool
	s0, s1 uint64
}

// seed begins the sequence of a seed between -1 and 1.
func (r *Random) seed(seed float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := uint64(int64(float64(1<<52-1) * seed))
	r.s0, r.s1 = splitMix(&state), splitMix(&state)
	r.seeded = true
}

// splitMix is the generator that spreads a seed.
func splitMix(state *uint64) uint64 {
	*state += 0x9E3779B97f4A7C15
	v := *state
	v = (v ^ v>>30) * 0xBF58476D1CE4E5B9
	v = (v ^ v>>27) * 0x94D049BB133111EB
	return v ^ v>>31
}

// float gives the next number from 0 to 1, by xoroshiro128**.
func (r *Random) float() float64 {
	if r == nil {
		return rand.Float64()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.seeded {
		return rand.Float64()
	}
	rotate := func(x uint64, n int) uint64 { return x<<n | x>>(64-n) }
	s0, sx := r.s0, r.s1^r.s0
	v := rotate(s0*5, 7) * 9
	r.s0 = rotate(s0, 24) ^ sx ^ sx<<16
	r.s1 = rotate(sx, 37)
	return math.Ldexp(float64(v>>12), -52)
}

func setSeed(x *row) (types.Value, error) {
	seed := x.float(0)
	if math.IsNaN(seed) || seed < -1 || seed > 1 {
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "setseed parameter %s is out of allowed range [-1,1]", types.AppendFloat(nil, seed, 64))
	}
	if x.f.ctx.Random == nil {
		return types.NullValue, pgerr.NotSupported(-1, "setseed in a continuous query")
	}
	x.f.ctx.Random.seed(seed)
	return strValue(""), nil
}
