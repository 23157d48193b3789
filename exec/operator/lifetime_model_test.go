package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/test/random"
)

// ttlRun is a random run: rows of small keys and values, in epochs at random times.
type ttlRun struct {
	ttl    int64
	epochs []ttlEpoch
}

type ttlEpoch struct {
	at   int64
	rows []ttlRow
}

// ttlRow is row (k, v) of a side that comes or goes.
type ttlRow struct {
	side   int
	k, v   int
	delete bool
}

func randomRun(r *rand.Rand, sides int, deletes bool) ttlRun {
	run := ttlRun{ttl: 1 + r.Int64N(12)}
	at := int64(1)
	type key struct{ side, k, v int }
	there := map[key]int{}
	for range 3 + r.IntN(8) {
		e := ttlEpoch{at: at}
		for range r.IntN(12) {
			row := ttlRow{side: r.IntN(sides), k: r.IntN(3), v: r.IntN(3)}
			at := key{row.side, row.k, row.v}
			if row.delete = deletes && there[at] > 0 && r.IntN(2) == 0; row.delete {
				there[at]--
			} else {
				there[at]++
			}
			e.rows = append(e.rows, row)
		}
		run.epochs = append(run.epochs, e)
		at += r.Int64N(8)
	}
	return run
}

// script writes the run as a script; the input's columns are k and v, or, of the
// first row on, what write says.
func (x ttlRun) script(head string, write func(ttlRow) string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "ttl %d\n%s\n", x.ttl, head)
	for i, e := range x.epochs {
		if i > 0 {
			fmt.Fprintf(&s, "barrier %d\n", e.at)
		}
		for _, row := range e.rows {
			s.WriteString(write(row) + "\n")
		}
	}
	return s.String() + "end"
}

// result is what the script's output adds up to. It must not depend on how it is
// run, and take nothing away that was not there.
func (x ttlRun) result(t *testing.T, text string) map[string]int {
	t.Helper()
	s, err := parseScript(text)
	if err != nil {
		t.Fatal(err)
	}
	straight := s.run(t, mode{batch: 1024, tasks: []int{1}, coalesce: 1})
	s.compare(t, "random run", straight)
	if t.Failed() {
		t.Fatalf("of\n%s\n%s", text, straight.text)
	}
	return straight.total
}

// each runs f for many random runs.
func eachRun(t *testing.T, sides int, deletes bool, f func(x ttlRun)) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for range random.Rounds(20) {
		f(randomRun(r, sides, deletes))
	}
}

// The model of an entry with a lifetime: it is there while it is written often
// enough.
type ttlModel[V any] struct {
	ttl int64
	at  map[string]int64
	v   map[string]V
}

func newTTLModel[V any](ttl int64) ttlModel[V] {
	return ttlModel[V]{ttl, map[string]int64{}, map[string]V{}}
}

// get is the entry of a key at a time, or a new one.
func (m ttlModel[V]) get(key string, now int64) (v V, ok bool) {
	if at, there := m.at[key]; there && now-at < m.ttl {
		return m.v[key], true
	}
	return v, false
}

func (m ttlModel[V]) put(key string, now int64, v V) { m.at[key], m.v[key] = now, v }

func expectTotal(t *testing.T, text string, got, want map[string]int) {
	t.Helper()
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	if !maps.Equal(got, want) {
		t.Fatalf("%s\nadds up to\n%s\nwant\n%s", text, show(got), show(want))
	}
}

func TestLifetimeModelAggregate(t *testing.T) {
	eachRun(t, 1, false, func(x ttlRun) {
		text := x.script("input k bigint, v bigint\naggregate by k: count(*), sum(v), count(distinct v)", func(r ttlRow) string { return fmt.Sprintf("+ %d %d", r.k, r.v) })
		groups, values := newTTLModel[[3]int](x.ttl), newTTLModel[int](x.ttl)
		want := map[string]int{}
		show := func(k int, g [3]int) string { return fmt.Sprintf("%d %d %d %d", k, g[0], g[1], g[2]) }
		for _, e := range x.epochs {
			for _, r := range e.rows {
				key := fmt.Sprint(r.k)
				g, ok := groups.get(key, e.at)
				if ok {
					want[show(r.k, g)]--
				}
				value := fmt.Sprint(r.k, r.v)
				if _, ok := values.get(value, e.at); !ok {
					g[2]++
				}
				values.put(value, e.at, 1)
				g[0], g[1] = g[0]+1, g[1]+r.v
				groups.put(key, e.at, g)
				want[show(r.k, g)]++
			}
		}
		expectTotal(t, text, x.result(t, text), want)
	})
}

func TestLifetimeModelFirst(t *testing.T) {
	eachRun(t, 1, false, func(x ttlRun) {
		text := x.script("input k bigint, v bigint\ntop_n k; v; row_number 1 1 arrival", func(r ttlRow) string { return fmt.Sprintf("+ %d %d", r.k, r.v) })
		keys := newTTLModel[int](x.ttl)
		want := map[string]int{}
		for _, e := range x.epochs {
			for _, r := range e.rows {
				if _, ok := keys.get(fmt.Sprint(r.k), e.at); !ok {
					keys.put(fmt.Sprint(r.k), e.at, 1)
					want[fmt.Sprintf("%d %d", r.k, r.v)]++
				}
			}
		}
		expectTotal(t, text, x.result(t, text), want)
	})
}

// Each pair of rows is in the output of a join of rows that only come if one was
// there when the other came.
func TestLifetimeModelJoin(t *testing.T) {
	eachRun(t, 2, false, func(x ttlRun) {
		text := x.script("left k bigint, v bigint\nright k bigint, w bigint\njoin inner on 1 by number, number",
			func(r ttlRow) string { return fmt.Sprintf("%s+ %d %d", "lr"[r.side:r.side+1], r.k, r.v) })
		type kept struct {
			ttlRow
			at int64
		}
		var rows []kept
		want := map[string]int{}
		for _, e := range x.epochs {
			for _, r := range e.rows {
				for _, o := range rows {
					if o.side == r.side || o.k != r.k || e.at-o.at >= x.ttl {
						continue
					}
					l, other := r, o.ttlRow
					if r.side == 1 {
						l, other = other, r
					}
					want[fmt.Sprintf("%d %d %d %d", l.k, l.v, other.k, other.v)]++
				}
				rows = append(rows, kept{r, e.at})
			}
		}
		expectTotal(t, text, x.result(t, text), want)
	})
}

// Whatever comes and goes, operators whose state expires take nothing away that
// they did not emit, however they are run.
func TestLifetimeTakesNothingBack(t *testing.T) {
	const sides = "left k bigint, v bigint\nright k bigint, w bigint\n"
	for _, head := range []string{
		sides + "join left on 1 by copies, copies", sides + "join full on 1 by copies, copies", sides + "join semi on 1 by copies, copies",
		sides + "join anti on 1 by copies, copies", sides + "join full on 1 by copies, copies where v < w", sides + "join left on 1 by copies, copies where v < w",
		sides + "join semi on 1 by copies, copies where v < w", sides + "join anti on 1 by copies, copies where v < w",
		sides + "asof_join left on 1 by copies, copies match v >= w", sides + "asof_join inner on 1 by copies, copies match v < w", sides + "asof_join left on 0 by copies, copies match v <= w",
		sides + "asof_join left on 1 by key 1, key 1 match v > w",
		sides + "join full on 1 by key 1, key 1", sides + "join full on 1 by key 1, key 1 where v < w", sides + "join left on 1 by key 1, copies where v < w",
		"left k bigint, v bigint\nright k bigint, v bigint\nset_op except all", "left k bigint, v bigint\nright k bigint, v bigint\nset_op intersect",
	} {
		t.Run(head[strings.LastIndex(head, "\n")+1:], func(t *testing.T) {
			eachRun(t, 2, true, func(x ttlRun) {
				x.result(t, x.script(head, func(r ttlRow) string {
					return fmt.Sprintf("%s%s %d %d", "lr"[r.side:r.side+1], map[bool]string{true: "-", false: "+"}[r.delete], r.k, r.v)
				}))
			})
		})
	}
	for _, head := range []string{"top_n k; v; row_number 1 2 retract", "over k; v; row_number(), count() rows 0 first 0 last; copies"} {
		t.Run(head, func(t *testing.T) {
			eachRun(t, 1, true, func(x ttlRun) {
				x.result(t, x.script("input k bigint, v bigint\n"+head, func(r ttlRow) string {
					return fmt.Sprintf("%s %d %d", map[bool]string{true: "-", false: "+"}[r.delete], r.k, r.v)
				}))
			})
		})
	}
}

// Rows that are taken from a group which has forgotten them leave sums that depend
// on how the rows came together, but nothing is taken back that was not emitted.
func TestLifetimeAggregateTakesNothingBack(t *testing.T) {
	eachRun(t, 1, true, func(x ttlRun) {
		text := x.script("input k bigint, v bigint\naggregate retract by k: count(*), sum(v), count(distinct v), min(v)", func(r ttlRow) string {
			return fmt.Sprintf("%s %d %d", map[bool]string{true: "-", false: "+"}[r.delete], r.k, r.v)
		})
		s, err := parseScript(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 3, tasks: []int{1}, restart: true}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
			if got := s.run(t, m); strings.HasPrefix(got.text, "error") {
				t.Fatalf("of\n%s\n%s", text, got.text)
			}
		}
	})
}

// Some time after the last row nothing is left in any table.
func TestLifetimeLeavesNothing(t *testing.T) {
	const one, two = "input k bigint, v bigint\n", "left k bigint, v bigint\nright k bigint, w bigint\n"
	for _, c := range []struct {
		head    string
		deletes bool
	}{
		{one + "aggregate by k: count(*), approx_count_distinct(v), array_agg(v), first_value(v order by v)", false},
		{one + "aggregate retract by k: count(*), count(distinct v), min(v), array_agg(v order by v)", true},
		{one + "top_n k; v; row_number 1 1 arrival", false}, {one + "top_n k; v; row_number 1 2", false}, {one + "top_n k; v; row_number 1 2 retract", true},
		{one + "over k; v; row_number(), count() rows 0 first 0 last; copies", true},
		{two + "join inner on 1 by number, number", false}, {two + "join full on 1 by copies, copies where v < w", true}, {two + "join left on 1 by key 1, copies", true},
		{"left k bigint, v bigint\nright k bigint, v bigint\nset_op except all", true}, {one + "upsert by k", false},
		{two + "lookup_join left on 1 by copies", false}, {two + "asof_join left on 1 by copies, copies match v >= w", true}, {two + "asof_join inner on 0 by number, number match v < w", false},
		{two + "temporal_join left on 1 at v", false},
	} {
		name := c.head[strings.LastIndex(c.head, "\n")+1:]
		t.Run(name, func(t *testing.T) {
			sides := 1
			if strings.HasPrefix(c.head, "left") {
				sides = 2
			}
			eachRun(t, sides, c.deletes, func(x ttlRun) {
				text := x.script(c.head, func(r ttlRow) string {
					side := ""
					if sides == 2 {
						side = "lr"[r.side : r.side+1]
					}
					return fmt.Sprintf("%s%s %d %d", side, map[bool]string{true: "-", false: "+"}[r.delete], r.k, r.v)
				})
				s, err := parseScript(strings.TrimSuffix(text, "end") + "barrier 1000\nbarrier 1001\nend")
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
					if got := s.run(t, m); got.state > 0 {
						t.Fatalf("%+v: %d rows of state are left of\n%s", m, got.state, text)
					}
				}
			})
		})
	}
}
