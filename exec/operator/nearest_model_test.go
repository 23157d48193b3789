package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// nearestModes are the ways that a random run of a join must not differ in.
var nearestModes = []mode{{batch: 1, tasks: []int{1}}, {batch: 3, tasks: []int{1}, restart: true}, {batch: 1024, tasks: []int{1}},
	{batch: 1, tasks: []int{1, 3, 2}, restart: true}, {batch: 1024, tasks: []int{1, 3, 2}, restart: true}}

// nearestRun makes random runs of a join that chooses among the right side's rows.
type nearestRun struct {
	*script
	rng        *rand.Rand
	keys       int
	keyed      [2]int // how many columns a side's rows are told apart by; -1: any may be there twice
	retract    [2]bool
	watermarks bool
	unit       int64 // of time
	now        int64 // the watermark, in units
	live       [2][][]types.Value
}

// row is a random row of a side. Times lie around the watermark.
func (x *nearestRun) row(port int) []types.Value {
	var out []types.Value
	for _, f := range x.inputs()[port] {
		var v types.Value
		switch f.Type.Kind {
		case types.Text:
			v.Bytes = string(rune('p' + x.rng.IntN(3)))
		case types.Timestamp:
			v.Int = (x.now - 3 + int64(x.rng.IntN(12))) * x.unit
		default:
			v.Int = int64(x.rng.IntN(5))
		}
		if x.rng.IntN(9) == 0 {
			v = types.NullValue
		}
		out = append(out, v)
	}
	return out
}

// isNew reports whether a row, which takes the place of row but (-1: none), is not of
// the key of another one.
func (x *nearestRun) isNew(port int, r []types.Value, but int) bool {
	if x.keyed[port] < 0 {
		return true
	}
	for i, o := range x.live[port] {
		if i != but && x.text(port, o[:x.keyed[port]]) == x.text(port, r[:x.keyed[port]]) {
			return false
		}
	}
	return true
}

func (x *nearestRun) text(port int, r []types.Value) string {
	var words []string
	for c, v := range r {
		words = append(words, showValue(x.inputs()[port][c].Type, v))
	}
	return strings.Join(words, " ")
}

// fill makes up the steps.
func (x *nearestRun) fill(n int) {
	for range n {
		port := x.rng.IntN(2)
		what := x.rng.IntN(24)
		switch {
		case what < 2:
			x.steps = append(x.steps, step{kind: "batch"})
		case what == 2:
			x.steps = append(x.steps, step{kind: "barrier"})
		case what < 5 && x.watermarks:
			x.now += int64(x.rng.IntN(4))
			x.steps = append(x.steps, step{kind: "watermark", watermark: x.now * x.unit})
		case what < 12 && x.retract[port] && len(x.live[port]) > 0:
			x.change(port)
		default:
			if r := x.row(port); x.isNew(port, r, -1) {
				x.live[port] = append(x.live[port], r)
				x.add(port, batch.Insert, r)
			}
		}
	}
	x.steps = append(x.steps, step{kind: "barrier"}, step{kind: "end"})
}

// change takes a row away or replaces it.
func (x *nearestRun) change(port int) {
	i := x.rng.IntN(len(x.live[port]))
	old := x.live[port][i]
	if x.rng.IntN(2) == 0 {
		x.live[port] = slices.Delete(x.live[port], i, i+1)
		x.add(port, batch.Delete, old)
		return
	}
	new := slices.Clone(old)
	for c, v := range x.row(port) {
		if x.rng.IntN(2) == 0 && (c >= x.keys || x.rng.IntN(3) == 0) {
			new[c] = v
		}
	}
	if x.isNew(port, new, i) {
		x.live[port][i] = new
		x.add(port, batch.UpdateBefore, old)
		x.add(port, batch.UpdateAfter, new)
	}
}

func (x *nearestRun) sameKey(l, r []types.Value) bool {
	for c := range x.keys {
		if l[c].Null || r[c].Null || types.Compare(x.fields[c].Type, &l[c], &r[c]) != 0 {
			return false
		}
	}
	return true
}

func (x *nearestRun) hasNullKey(r []types.Value) bool {
	return slices.ContainsFunc(r[:x.keys], func(v types.Value) bool { return v.Null })
}

// pair is an output row; without a right row the columns of that side are null.
func (x *nearestRun) pair(l, r []types.Value) string {
	if r == nil {
		r = slices.Repeat([]types.Value{types.NullValue}, len(x.right))
	}
	return x.text(0, l) + " " + x.text(1, r)
}

// check runs the script in all modes and compares what comes out, what is late and
// how many rows of state are left.
func (x *nearestRun) check(t *testing.T, op string, want map[string]int, late int64, state int) {
	t.Helper()
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	for _, m := range nearestModes {
		got := x.run(t, m)
		switch {
		case !maps.Equal(got.total, want):
			t.Fatalf("%s: %+v: the output adds up to\n%v\nwant\n%v\nafter\n%s\nof\n%s", op, m, show(got.total), show(want), got.text, x.script)
		case got.late != late:
			t.Fatalf("%s: %+v: %d late rows, want %d of\n%s", op, m, got.late, late, x.script)
		case got.state != state:
			t.Fatalf("%s: %+v: %d rows of state, want %d of\n%s", op, m, got.state, state, x.script)
		case t.Failed():
			t.Fatalf("%s: of\n%s", op, x.script)
		}
	}
}

// String is the steps as a script has them.
func (s *script) String() string {
	var b strings.Builder
	for _, st := range s.steps {
		switch st.kind {
		case "rows":
			for i, row := range st.rows {
				var words []string
				for c, v := range row {
					words = append(words, showValue(s.inputs()[st.port][c].Type, v))
				}
				side := ""
				if s.right != nil {
					side = "lr"[st.port : st.port+1]
				}
				fmt.Fprintf(&b, "%s%s %s\n", side, [...]string{"+", "-", "<", ">"}[st.ops[i]], strings.Join(words, " "))
			}
		case "watermark":
			fmt.Fprintf(&b, "watermark %d\n", st.watermark)
		default:
			b.WriteString(st.kind + "\n")
		}
	}
	return b.String()
}

// newNearestRun reads the head of a script.
func newNearestRun(t *testing.T, head string, rng *rand.Rand) *nearestRun {
	t.Helper()
	s, err := parseScript(head)
	if err != nil {
		t.Fatal(err)
	}
	x := &nearestRun{script: s, rng: rng, unit: 1, keyed: [2]int{-1, -1}}
	switch {
	case s.op.TemporalJoin != nil:
		x.keys, x.retract, x.watermarks = s.op.TemporalJoin.Keys, [2]bool{false, true}, !s.bounded
	case s.op.LookupJoin != nil:
		x.keys = s.op.LookupJoin.Keys
		x.tell(1, &s.op.LookupJoin.Right, &s.op.Tables[0])
	default:
		x.keys, x.watermarks = s.op.AsofJoin.Keys, s.op.AsofJoin.Sides[0].Expiry != nil
		for i := range s.op.Tables {
			x.tell(i, &s.op.AsofJoin.Sides[i], &s.op.Tables[i])
		}
	}
	if rng.IntN(2) == 0 {
		x.unit = bucketMicros
	}
	return x
}

// tell says what the rows of a side are told apart by.
func (x *nearestRun) tell(port int, side *graph.JoinSide, t *graph.Table) {
	x.retract[port] = side.Identity != graph.ByNumber
	if side.Identity == graph.ByKey {
		x.keyed[port] = len(t.Keys)
	}
}

// eachNearest runs f for some seeds of each head.
func eachNearest(t *testing.T, heads []string, f func(t *testing.T, head string, rng *rand.Rand)) {
	seed := random.Seed(t)
	rounds := random.Rounds(max(2, 120/len(heads)))
	for i, head := range heads {
		t.Run(head[strings.LastIndex(head, "\n")+1:], func(t *testing.T) {
			for round := range rounds {
				f(t, head, rand.New(rand.NewPCG(seed, uint64(i*100+round))))
			}
		})
	}
}
