package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestHeldRowsModel has rows of windows come, change and go until their windows close:
// each row that is there then is emitted, once for each copy, and nothing else, and the
// state has the rows of open windows alone.
func TestHeldRowsModel(t *testing.T) {
	seed := random.Seed(t)
	for i, op := range []string{"over k, v, e; ; ; copies onclose e", "over k, v, e; ; ; copies onclose e after", "over k; ; ; key k onclose e", "over k, e; ; ; key k,e onclose e"} {
		t.Run(op, func(t *testing.T) {
			for round := range random.Rounds(20) {
				checkHeldRows(t, op, rand.New(rand.NewPCG(seed, uint64(100*i+round))))
			}
		})
	}
}

func checkHeldRows(t *testing.T, op string, rng *rand.Rand) {
	t.Helper()
	s := mustParse(t, "input k bigint, v bigint, e bigint\n"+op)
	spec := s.op.Over
	text := func(r []types.Value) string { return fmt.Sprintf("%d %d %d", r[0].Int, r[1].Int, r[2].Int) }
	mark := int64(0)
	isClosed := func(r []types.Value) bool { return r[2].Int < mark || r[2].Int == mark && !spec.Window.After }
	var live [][]types.Value
	want, late := map[string]int{}, 0
	s.steps = append(s.steps, step{kind: "watermark", watermark: mark})
	for range 150 {
		switch what := rng.IntN(12); {
		case what == 0:
			s.steps = append(s.steps, step{kind: "barrier"})
		case what == 1:
			mark += int64(rng.IntN(3))
			s.steps = append(s.steps, step{kind: "watermark", watermark: mark})
			live = slices.DeleteFunc(live, func(r []types.Value) bool {
				if isClosed(r) {
					want[text(r)]++
				}
				return isClosed(r)
			})
		case what < 6 && len(live) > 0:
			at := rng.IntN(len(live))
			s.add(0, batch.Delete, live[at])
			live = slices.Delete(live, at, at+1)
		default:
			r := []types.Value{{Int: int64(rng.IntN(6))}, {Int: int64(rng.IntN(3))}, {Int: mark + int64(rng.IntN(7)-1)}}
			if !spec.Copies { // in the place of the row of its key
				if at := slices.IndexFunc(live, func(o []types.Value) bool {
					return !slices.ContainsFunc(spec.RowKey, func(c int) bool { return o[c].Int != r[c].Int })
				}); at >= 0 {
					s.add(0, batch.Delete, live[at])
					live = slices.Delete(live, at, at+1)
				}
			}
			if s.add(0, batch.Insert, r); isClosed(r) {
				late++
			} else {
				live = append(live, r)
			}
		}
	}
	s.steps = append(s.steps, step{kind: "barrier"})
	for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 3, tasks: []int{1}, restart: true}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}, {batch: 1024, tasks: []int{1}}} {
		got := s.run(t, m)
		if !maps.Equal(got.total, want) || int(got.late) != late {
			t.Fatalf("%+v: %d rows late, want %d; the output adds up to\n%s\nwant\n%s", m, got.late, late, show(got.total), show(want))
		}
		rows := map[string]bool{}
		for _, r := range live {
			rows[text(r)] = true
		}
		if got.state != len(rows) {
			t.Fatalf("%+v: %d rows of state, want %d", m, got.state, len(rows))
		}
	}
}
