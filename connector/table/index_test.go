package table

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// found reads what an index on v finds in a cut.
func found(t testing.TB, n *Snapshot, table string, values ...string) string {
	t.Helper()
	var keys [][]types.Value
	for _, v := range values {
		keys = append(keys, []types.Value{{Bytes: v}})
	}
	scan, err := n.Find(table, []int{0, 1}, []int{1}, keys)
	must(t, err)
	return drain(t, scan, func(string) bool { return true })
}

// scanned reads the same by looking at every row.
func scanned(t testing.TB, n *Snapshot, table string, values ...string) string {
	t.Helper()
	scan, err := n.Scan(table, []int{0, 1})
	must(t, err)
	return drain(t, scan, func(row string) bool {
		_, v, _ := strings.Cut(row, " ")
		return slices.Contains(values, v)
	})
}

func drain(t testing.TB, scan *Scan, keep func(row string) bool) string {
	t.Helper()
	var out []string
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	for {
		_, err := scan.Read(bg(), b, 2)
		must(t, err)
		if b.N == 0 {
			return strings.Join(out, ", ")
		}
		for i := range b.N {
			if row := text(b, i); keep(row) {
				out = append(out, row)
			}
		}
	}
}

// TestIndexFindsRowsWhoseEndIsUndecided looks at rows that a commit has changed and
// deleted, and that is not durable yet: an index finds them as a scan does, and after
// the commit in cuts from before it.
func TestIndexFindsRowsWhoseEndIsUndecided(t *testing.T) {
	s, err := Open(t.TempDir(), Options{NoSync: true})
	must(t, err)
	defer s.Close()
	must(t, s.Create(bg(), keyed("a")))
	_, err = apply(s, "a", Insert, "1 x", "2 y")
	must(t, err)
	expect := func(n *Snapshot, want string) {
		t.Helper()
		if by, all := found(t, n, "a", "x", "y"), scanned(t, n, "a", "x", "y"); by != want || all != want {
			t.Errorf("by index %q, by scan %q, want %q", by, all, want)
		}
	}
	before := s.Snapshot()
	defer before.Close()
	expect(before, "1 x, 2 y") // the index is there from now on
	for _, commits := range []bool{false, true} {
		x := jointly(t, s)
		undone := errors.New("undone")
		err = x.CommitWith(bg(), "id", func(string) error {
			n := s.Snapshot()
			defer n.Close()
			expect(n, "1 x, 2 y")
			expect(before, "1 x, 2 y")
			if !commits {
				return undone
			}
			return nil
		})
		if commits == (err != nil) {
			t.Fatal(err)
		}
		expect(before, "1 x, 2 y")
		x.Close()
	}
	after := s.Snapshot()
	defer after.Close()
	expect(after, "")
}

// TestIndexesEqualScans compares the two in cuts of every age, while transactions
// succeed and fail, and after the store was opened again.
func TestIndexesEqualScans(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("t")))
	values := []string{"a", "b", "c", "~"}
	row := func() string { return fmt.Sprint(rng.IntN(12), " ", values[rng.IntN(4)]) }
	var cuts []*Snapshot
	for round := range 300 {
		if rng.IntN(3) == 0 {
			cuts = append(cuts, s.Snapshot())
		}
		if len(cuts) > 5 {
			cuts[0].Close()
			cuts = cuts[1:]
		}
		switch rng.IntN(4) {
		case 0: // fails when a key is there, after it has begun
			_, _ = apply(s, "t", Insert, row(), row())
		case 1:
			_, refs := content(t, s, "t")
			for _, ref := range refs {
				_, err := s.Apply(bg(), []Change{{Table: "t", Action: Delete, Refs: []Ref{ref}}})
				must(t, err)
				break
			}
		default:
			_, err := apply(s, "t", Upsert, row(), row(), row())
			must(t, err)
		}
		now := s.Snapshot()
		for i, n := range append(slices.Clone(cuts), now) {
			for _, list := range [][]string{{"a"}, {"b", "c", "b"}, {"nothing"}} {
				if got, want := found(t, n, "t", list...), scanned(t, n, "t", list...); got != want {
					t.Fatalf("round %d, cut %d, %v: found %q, a scan has %q", round, i, list, got, want)
				}
			}
			if got, want := between(t, n, "t", rng); got != want {
				t.Fatalf("round %d, cut %d: found %q, a scan has %q", round, i, got, want)
			}
		}
		now.Close()
		if round == 150 {
			for _, n := range cuts {
				n.Close()
			}
			cuts = nil
			must(t, s.Close())
			s = open(t, dir)
		}
	}
}

// between reads what an index on v has between two values, in its order or not and from
// either end, and says what a scan has there.
func between(t testing.TB, n *Snapshot, table string, rng *rand.Rand) (got, want string) {
	t.Helper()
	columns := []LookupColumn{{Column: 1, Ordered: types.Ordered{Desc: true}}, {Column: 0}}
	order := []string{"c", "b", "a", "~"} // the last is null
	first, last := rng.IntN(4), rng.IntN(4)
	first, last = min(first, last), max(first, last)
	bound := func(i int) []byte {
		return columns[0].AppendValue(nil, types.PhysBytes, &types.Value{Bytes: order[i], Null: order[i] == "~"})
	}
	l := &Lookup{Columns: columns, Ranges: [][2][]byte{{bound(first), types.OrderedAfter(bound(last))}}, Ordered: rng.IntN(3) > 0}
	if l.Ordered {
		l.Reverse = rng.IntN(2) == 0
		l.Enough = int64(rng.IntN(8))
	}
	scan, err := n.Lookup(table, []int{0, 1}, l)
	must(t, err)
	got = drain(t, scan, func(string) bool { return true })
	var list []string
	if all := scanned(t, n, table, order[first:last+1]...); all != "" {
		list = strings.Split(all, ", ")
	}
	if !l.Ordered {
		return got, strings.Join(list, ", ")
	}
	slices.SortFunc(list, func(a, b string) int {
		i, v, _ := strings.Cut(a, " ")
		j, w, _ := strings.Cut(b, " ")
		return cmp.Or(slices.Index(order, v)-slices.Index(order, w), len(i)-len(j), strings.Compare(i, j))
	})
	if l.Reverse {
		slices.Reverse(list)
	}
	if l.Enough > 0 {
		list = list[:min(len(list), int(l.Enough))]
	}
	return got, strings.Join(list, ", ")
}

// TestOrderedLookupsGoOnWhileRowsChange reads an old cut row by row in the order of an
// index while its rows change, and the index is given up in the middle.
func TestOrderedLookupsGoOnWhileRowsChange(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("t")))
	for round := range 40 {
		for range 20 {
			_, err := apply(s, "t", Upsert, fmt.Sprint(rng.IntN(30), " ", string('a'+rune(rng.IntN(5)))))
			must(t, err)
		}
		n := s.Snapshot()
		l := &Lookup{Columns: []LookupColumn{{Column: 1}, {Column: 0}}, Ranges: [][2][]byte{{nil, nil}}, Ordered: true, Reverse: round%2 == 1}
		scan, err := n.Lookup("t", []int{0, 1}, l)
		must(t, err)
		var got []string
		b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
		for step := 0; ; step++ {
			_, err := scan.Read(bg(), b, 1+rng.IntN(3))
			must(t, err)
			if b.N == 0 {
				break
			}
			for i := range b.N {
				got = append(got, text(b, i))
			}
			_, err = apply(s, "t", Upsert, fmt.Sprint(rng.IntN(30), " ", string('a'+rune(rng.IntN(5)))))
			must(t, err)
			if _, refs := content(t, s, "t"); step%3 == 0 && len(refs) > 0 {
				for _, ref := range refs {
					_, err = s.Apply(bg(), []Change{{Table: "t", Action: Delete, Refs: []Ref{ref}}})
					must(t, err)
					break
				}
			}
			if step == 5 && round%3 == 0 {
				s.mu.Lock()
				s.tables["t"].rows.ordered = nil
				s.mu.Unlock()
			}
		}
		want := strings.Split(scanned(t, n, "t", "a", "b", "c", "d", "e"), ", ")
		slices.SortFunc(want, func(a, b string) int {
			i, v, _ := strings.Cut(a, " ")
			j, w, _ := strings.Cut(b, " ")
			return cmp.Or(strings.Compare(v, w), len(i)-len(j), strings.Compare(i, j))
		})
		if l.Reverse {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: found %q, a scan has %q", round, got, want)
		}
		n.Close()
	}
}

// TestUnusedIndexesAreGivenUp drops an index that nobody asks any more, never the
// key's.
func TestUnusedIndexesAreGivenUp(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("t")))
	_, err := apply(s, "t", Insert, "1 a", "2 b")
	must(t, err)
	write := func(times int) {
		for range times {
			rows := make([]string, 10_000)
			for i := range rows {
				rows[i] = fmt.Sprint(i%2+1, " a")
			}
			_, err := apply(s, "t", Upsert, rows...)
			must(t, err)
		}
	}
	indexes := func() int { return len(s.tables["t"].rows.indexes) }
	look := func() {
		n := s.Snapshot()
		defer n.Close()
		if got := found(t, n, "t", "a"); !strings.HasPrefix(got, "1 a") {
			t.Fatalf("found %q", got)
		}
	}
	for range 3 {
		look()
		write(6)
		if indexes() != 2 {
			t.Fatal("an index that is asked was given up")
		}
	}
	write(12)
	if indexes() != 1 {
		t.Fatal("an index that nobody asks is still there")
	}
	look()
	_, err = apply(s, "t", Insert, "1 z")
	if code(err) != "23505" {
		t.Fatalf("the key is not unique any more: %v", err)
	}
}
