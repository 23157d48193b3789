package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// setOpModel is what a set operation whose rows expire must come to: it counts the
// copies of each row (k, v), v being its time.
type setOpModel struct {
	copies    func(left, right int) int
	shift     int64
	watermark int64
	counts    map[setOpRow]*[2]int
	total     map[setOpRow]int
	late      int
}

type setOpRow struct {
	k, v int64
	null bool // it has no v
}

func (m *setOpModel) isPast(r setOpRow) bool { return !r.null && r.v+m.shift < m.watermark }

func (m *setOpModel) change(port int, r setOpRow, by int) {
	if m.isPast(r) {
		m.late++
		return
	}
	c := m.counts[r]
	if c == nil {
		c = &[2]int{}
		m.counts[r] = c
	}
	before := m.copies(c[0], c[1])
	c[port] = max(c[port]+by, 0)
	m.total[r] += m.copies(c[0], c[1]) - before
}

// kept is how many rows of state are left.
func (m *setOpModel) kept() (n int) {
	for r, c := range m.counts {
		if *c != [2]int{} && !m.isPast(r) {
			n++
		}
	}
	return n
}

// TestSetOpModelExpiry takes rows, in time and late, with and without a time, that
// come and go, in any order: the output must be the model's, nothing may be kept
// that the watermark has passed, and nothing else may be forgotten.
func TestSetOpModelExpiry(t *testing.T) {
	seed := random.Seed(t)
	for i, c := range []struct {
		op     string
		copies func(left, right int) int
	}{
		{"intersect", func(l, r int) int { return min(min(l, r), 1) }},
		{"intersect all", func(l, r int) int { return min(l, r) }},
		{"except", func(l, r int) int {
			if r > 0 {
				return 0
			}
			return min(l, 1)
		}},
		{"except all", func(l, r int) int { return max(l-r, 0) }},
	} {
		for k, shift := range []int64{-1, 0, 999_999} {
			for round := range random.Rounds(6) {
				rng := rand.New(rand.NewPCG(seed, uint64(100*i+10*k+round)))
				m := &setOpModel{copies: c.copies, shift: shift, counts: map[setOpRow]*[2]int{}, total: map[setOpRow]int{}}
				checkSetOpExpiry(t, fmt.Sprintf("set_op %s expire v %d", c.op, shift), m, rng)
			}
		}
	}
}

func checkSetOpExpiry(t *testing.T, op string, m *setOpModel, rng *rand.Rand) {
	t.Helper()
	s, err := parseScript("left k bigint, v bigint\nright k bigint, v bigint\n" + op)
	if err != nil {
		t.Fatal(err)
	}
	const unit = 300_000 // a multiple of bucketMicros, so that no row stays too long
	s.steps = append(s.steps, step{kind: "watermark", watermark: m.watermark})
	for range 200 {
		switch rng.IntN(10) {
		case 0:
			m.watermark += int64(rng.IntN(3)) * unit
			s.steps = append(s.steps, step{kind: "watermark", watermark: m.watermark})
		case 1:
			s.steps = append(s.steps, step{kind: "barrier"})
		default:
			port, r := rng.IntN(2), setOpRow{k: int64(rng.IntN(2)), v: m.watermark + int64(rng.IntN(6)-2)*unit}
			if r.null = rng.IntN(8) == 0; r.null {
				r.v = 0
			}
			op, by := batch.Insert, 1
			if rng.IntN(3) == 0 {
				op, by = batch.Delete, -1
			}
			m.change(port, r, by)
			s.add(port, op, []types.Value{{Int: r.k}, {Int: r.v, Null: r.null}})
		}
	}
	m.watermark += unit
	s.steps = append(s.steps, step{kind: "watermark", watermark: m.watermark}, step{kind: "barrier"})
	want := map[string]int{}
	for r, n := range m.total {
		text := fmt.Sprintf("%d %d", r.k, r.v)
		if r.null {
			text = fmt.Sprintf("%d null", r.k)
		}
		if n != 0 {
			want[text] = n
		}
	}
	for _, mode := range []mode{{batch: 1, tasks: []int{1}}, {batch: 3, tasks: []int{1}, restart: true}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
		got := s.run(t, mode)
		if !maps.Equal(got.total, want) || int(got.late) != m.late {
			t.Fatalf("%s: %+v: %d rows late, want %d; the output adds up to\n%v\nwant\n%v", op, mode, got.late, m.late, show(got.total), show(want))
		}
		if got.state != m.kept() {
			t.Fatalf("%s: %+v: %d rows of state, want %d", op, mode, got.state, m.kept())
		}
	}
}
