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
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestJoinModel runs random changelogs of both sides through joins of all kinds
// and compares what comes out with a naive join of the rows that are left.
func TestJoinModel(t *testing.T) {
	seed := random.Seed(t)
	number := uint64(0)
	for _, kind := range []string{"inner", "left", "right", "full", "semi", "anti"} {
		for _, keys := range []int{0, 1, 2} {
			for _, sides := range []string{"key 1, key 1", "copies, copies", "key 0, copies", "copies, key 0", "number, number", "key 1, number", "number, copies"} {
				for _, where := range []string{"", " where v < w"} {
					op := fmt.Sprintf("join %s on %d by %s%s", kind, keys, sides, where)
					for range random.Rounds(2) {
						number++
						checkJoin(t, op, rand.New(rand.NewPCG(seed, number)))
					}
				}
			}
		}
	}
}

func checkJoin(t *testing.T, op string, rng *rand.Rand) {
	t.Helper()
	s, err := parseScript("left a bigint, b text, v bigint, d numeric\nright c bigint, e text, w bigint\n" + op)
	if err != nil {
		t.Fatal(err)
	}
	live := s.randomJoin(rng, 20+rng.IntN(150))
	want := s.modelJoin(live)
	for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 3, tasks: []int{1}, restart: true}, {batch: 1024, tasks: []int{1}},
		{batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
		got := s.run(t, m)
		if !maps.Equal(got.total, want) {
			t.Fatalf("%s: %+v: the output adds up to\n%v\nwant\n%v\nafter\n%s", op, m, show(got.total), show(want), got.text)
		}
		if rows := s.modelState(live); got.state != rows {
			t.Fatalf("%s: %+v: %d rows of state, want %d", op, m, got.state, rows)
		}
	}
}

// randomJoin fills in the steps and returns the rows of both sides in the end.
func (s *script) randomJoin(rng *rand.Rand, n int) (live [2][][]types.Value) {
	keys := len(s.op.Join.LeftKeys)
	row := func(port int) []types.Value {
		var out []types.Value
		for _, f := range s.inputs()[port] {
			v := types.Value{Int: int64(rng.IntN(4)), Bytes: string(rune('p' + rng.IntN(3)))}
			if f.Type.Kind == types.Numeric {
				v = types.Value{Dec: types.Decimal{Lo: uint64(rng.IntN(30)), Scale: 1}}
			} else if f.Type.Kind == types.Text {
				v.Int = 0
			} else {
				v.Bytes = ""
			}
			if rng.IntN(8) == 0 {
				v = types.NullValue
			}
			out = append(out, v)
		}
		return out
	}
	unique := func(port int, r []types.Value, but int) bool {
		if s.op.Join.Sides[port].Identity != graph.ByKey {
			return true
		}
		for i, o := range live[port] {
			if i != but && s.identity(port, o) == s.identity(port, r) {
				return false
			}
		}
		return true
	}
	for range n {
		port := rng.IntN(2)
		retract := s.op.Join.Sides[port].Identity != graph.ByNumber
		switch what := rng.IntN(20); {
		case what < 2:
			s.steps = append(s.steps, step{kind: "batch"})
		case what == 2:
			s.steps = append(s.steps, step{kind: "barrier"})
		case what < 9 && retract && len(live[port]) > 0:
			i := rng.IntN(len(live[port]))
			old := live[port][i]
			if rng.IntN(2) == 0 {
				live[port] = slices.Delete(live[port], i, i+1)
				s.add(port, batch.Delete, old)
				break
			}
			new := slices.Clone(old)
			fresh := row(port)
			if c := rng.IntN(len(new)); c >= keys || rng.IntN(3) == 0 {
				new[c] = fresh[c]
			}
			if !unique(port, new, i) {
				break
			}
			live[port][i] = new
			s.add(port, batch.UpdateBefore, old)
			s.add(port, batch.UpdateAfter, new)
		default:
			r := row(port)
			if unique(port, r, -1) {
				live[port] = append(live[port], r)
				s.add(port, batch.Insert, r)
			}
		}
	}
	s.steps = append(s.steps, step{kind: "barrier"}, step{kind: "end"})
	return live
}

// identity is the key columns of a row's state.
func (s *script) identity(port int, r []types.Value) string {
	var words []string
	for c := range len(s.op.Tables[port].Keys) {
		words = append(words, showValue(s.inputs()[port][c].Type, r[c]))
	}
	return strings.Join(words, " ")
}

// modelState is how many rows of state there must be: rows with a null in a key
// are not kept.
func (s *script) modelState(live [2][][]types.Value) int {
	n := 0
	for port, rows := range live {
		seen := map[string]bool{}
		for _, r := range rows {
			if slices.ContainsFunc(r[:len(s.op.Join.LeftKeys)], func(v types.Value) bool { return v.Null }) {
				continue
			}
			if s.op.Join.Sides[port].Identity == graph.ByNumber {
				n++
			} else if key := s.identity(port, r); !seen[key] {
				seen[key] = true
				n++
			}
		}
	}
	return n
}

// modelJoin is the join of finished data, row against row.
func (s *script) modelJoin(live [2][][]types.Value) map[string]int {
	j := s.op.Join
	out := map[string]int{}
	nulls := func(port int) []types.Value {
		row := make([]types.Value, len(s.inputs()[port]))
		for i := range row {
			row[i] = types.NullValue
		}
		return row
	}
	emit := func(l, r []types.Value) {
		var words []string
		for c, v := range append(slices.Clone(l), r...) {
			words = append(words, showValue(s.op.Fields[c].Type, v))
		}
		out[strings.Join(words, " ")]++
	}
	match := func(l, r []types.Value) bool {
		for c := range j.LeftKeys {
			if l[c].Null || r[c].Null || types.Compare(s.fields[c].Type, &l[c], &r[c]) != 0 {
				return false
			}
		}
		if j.Residual == nil {
			return true
		}
		v, w := l[j.Residual.Args[0].Column], r[j.Residual.Args[1].Column-len(s.fields)]
		if j.Residual.Func == ">(bigint,bigint)" {
			v, w = w, v
		}
		return !v.Null && !w.Null && v.Int < w.Int
	}
	matched := make([]bool, len(live[1]))
	for _, l := range live[0] {
		some := false
		for k, r := range live[1] {
			if match(l, r) {
				some, matched[k] = true, true
				if !j.LeftOnly() {
					emit(l, r)
				}
			}
		}
		switch {
		case j.LeftOnly():
			if some == (j.Kind == logical.SemiJoin) {
				emit(l, nil)
			}
		case !some && j.Outer(0):
			emit(l, nulls(1))
		}
	}
	for k, r := range live[1] {
		if !matched[k] && j.Outer(1) && !j.LeftOnly() {
			emit(nulls(0), r)
		}
	}
	return out
}
