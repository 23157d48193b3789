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

// expiryCase is a join some of whose rows are forgotten: late says which sides' rows
// must be on time, goes when a row of a side is out of time by a watermark.
type expiryCase struct {
	sides string
	late  [2]bool
	goes  func(port int, row []types.Value, watermark int64) bool
}

// TestJoinExpiry joins rows that come on time while rows are forgotten: nothing may
// be missing, and what is forgotten must be gone.
func TestJoinExpiry(t *testing.T) {
	seed := random.Seed(t)
	const ever = 1_000_000_000_000
	byTime := func(side int) func(int, []types.Value, int64) bool {
		return func(port int, row []types.Value, w int64) bool { return port == side && row[2].Int < w }
	}
	byBound := func(port int, row []types.Value, w int64) bool {
		return port == 0 && (row[4].Null || row[4].Int < w)
	}
	cases := []expiryCase{
		{fmt.Sprintf("number expire v %d, number expire w 0 where v < w", ever), [2]bool{true, true}, byTime(1)},
		{fmt.Sprintf("number expire v 0, number expire w %d where v > w", ever), [2]bool{true, true}, byTime(0)},
		{"number expire v, number expire - 0 until w where v < w", [2]bool{true, false}, byTime(1)},
		{"number expire - 0 until v, number expire w where v > w", [2]bool{false, true}, byTime(0)},
		{"number expire - 0 until x, number expire w where x > w", [2]bool{false, true}, byBound},
		{"number expire v 0 until x, number expire w where x > w", [2]bool{true, true}, byBound},
	}
	for i, kind := range []string{"inner", "left", "right", "full", "semi", "anti"} {
		for k, c := range cases {
			for round := range random.Rounds(4) {
				rng := rand.New(rand.NewPCG(seed, uint64(100*i+10*k+round)))
				checkExpiry(t, fmt.Sprintf("join %s on 1 by %s", kind, c.sides), c, rng)
			}
		}
	}
}

func checkExpiry(t *testing.T, op string, c expiryCase, rng *rand.Rand) {
	t.Helper()
	s, err := parseScript("left a bigint, b text, v bigint, d numeric, x bigint\nright c bigint, e text, w bigint\n" + op)
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
			at := int64(rng.IntN(4))
			if !c.late[port] {
				at -= 2
			}
			row := []types.Value{{Int: int64(rng.IntN(3))}, {Bytes: "x"}, {Int: watermark + at*unit}}
			if port == 0 {
				row = append(row, types.NullValue, types.Value{Int: watermark + int64(rng.IntN(5)-1)*unit})
				row[4].Null = rng.IntN(8) == 0
			}
			live[port] = append(live[port], row)
			s.add(port, batch.Insert, row)
		}
	}
	watermark += unit
	s.steps = append(s.steps, step{kind: "watermark", watermark: watermark}, step{kind: "barrier"})
	for port, rows := range live {
		for _, r := range rows {
			if !c.goes(port, r, watermark) {
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
