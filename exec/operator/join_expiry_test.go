package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// TestJoinExpiry joins rows that come on time while rows are forgotten: nothing may
// be missing, and what is forgotten must be gone.
func TestJoinExpiry(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	const ever = 1_000_000_000_000
	for i, kind := range []string{"inner", "left", "right", "full", "semi", "anti"} {
		for k, sides := range []string{
			fmt.Sprintf("number expire v %d, number expire w 0 where v < w", ever),
			fmt.Sprintf("number expire v 0, number expire w %d where v > w", ever),
		} {
			for round := range 4 {
				rng := rand.New(rand.NewPCG(seed, uint64(100*i+10*k+round)))
				checkExpiry(t, fmt.Sprintf("join %s on 1 by %s", kind, sides), k == 0, rng)
			}
		}
	}
}

func checkExpiry(t *testing.T, op string, rightGoes bool, rng *rand.Rand) {
	t.Helper()
	s, err := parseScript("left a bigint, b text, v bigint, d numeric\nright c bigint, e text, w bigint\n" + op)
	if err != nil {
		t.Fatal(err)
	}
	const unit = 250_000 // more than rows stay too long
	var live [2][][]types.Value
	watermark, kept := int64(0), 0
	for range 120 {
		switch rng.IntN(8) {
		case 0:
			watermark += int64(rng.IntN(3)) * unit
			s.steps = append(s.steps, step{kind: "watermark", watermark: watermark})
		case 1:
			s.steps = append(s.steps, step{kind: "barrier"})
		default:
			port := rng.IntN(2)
			row := []types.Value{{Int: int64(rng.IntN(3))}, {Bytes: "x"}, {Int: watermark + int64(rng.IntN(4))*unit}}
			if port == 0 {
				row = append(row, types.NullValue)
			}
			live[port] = append(live[port], row)
			s.add(port, batch.Insert, row)
		}
	}
	watermark += unit
	s.steps = append(s.steps, step{kind: "watermark", watermark: watermark}, step{kind: "barrier"})
	for port, rows := range live {
		for _, r := range rows {
			if (port == 1) != rightGoes || r[2].Int >= watermark {
				kept++
			}
		}
	}
	want := s.modelJoin(live)
	for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 3, tasks: []int{1}, restart: true}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
		got := s.run(t, m)
		if !maps.Equal(got.total, want) || got.late != 0 {
			t.Fatalf("%s: %+v: %d rows late; the output adds up to\n%v\nwant\n%v", op, m, got.late, show(got.total), show(want))
		}
		if got.state != kept {
			t.Fatalf("%s: %+v: %d rows of state, want %d", op, m, got.state, kept)
		}
	}
}
