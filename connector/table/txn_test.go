package table

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// shown is a table as a snapshot shows it, in the order of the scan.
func shown(t *testing.T, n *Snapshot, table string) (string, map[string]Ref) {
	t.Helper()
	scan, err := n.Scan(table, []int{0, 1})
	must(t, err)
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	var rows []string
	refs := map[string]Ref{}
	for {
		status, err := scan.Read(bg(), b, 2)
		must(t, err)
		for i := range b.N {
			rows = append(rows, text(b, i))
			refs[text(b, i)] = scan.Refs()[i]
		}
		if status == connector.End {
			return strings.Join(rows, ", "), refs
		}
	}
}

// view is a table as the transaction sees it now.
func view(t *testing.T, x *Txn, table string) (string, map[string]Ref) {
	t.Helper()
	n := x.Snapshot()
	defer n.Close()
	return shown(t, n, table)
}

func add(t *testing.T, x *Txn, c Change) {
	t.Helper()
	_, err := x.Add(c)
	must(t, err)
}

func TestTransactionsReadTheirOwnChanges(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 x", "2 y")
	must(t, err)
	x := s.Begin(ReadCommitted)
	defer x.Close()
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("3 z", "4 w")})
	got, refs := view(t, x, "a")
	if got != "1 x, 2 y, 3 z, 4 w" {
		t.Fatal(got)
	}
	cursor := x.Snapshot()
	defer cursor.Close()
	// Meanwhile somebody else inserts; ids and references still hold.
	_, err = apply(s, "a", Insert, "7 other")
	must(t, err)
	add(t, x, Change{Table: "a", Action: Update, Rows: rowsOf("3 zz", "1 xx"), Refs: []Ref{refs["3 z"], refs["1 x"]}})
	mark := x.Mark()
	add(t, x, Change{Table: "a", Action: Delete, Refs: []Ref{refs["4 w"], refs["2 y"]}})
	if got, _ := view(t, x, "a"); got != "1 xx, 3 zz, 7 other" {
		t.Fatal(got)
	}
	x.RollbackTo(mark)
	add(t, x, Change{Table: "a", Action: Delete, Refs: []Ref{refs["2 y"]}})
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("2 back")})
	if got, _ := view(t, x, "a"); got != "1 xx, 3 zz, 4 w, 7 other, 2 back" {
		t.Fatal(got)
	}
	if got, _ := shown(t, cursor, "a"); got != "1 x, 2 y, 3 z, 4 w" {
		t.Fatal("a snapshot sees later changes:", got)
	}
	expect(t, s, "a", "1 x, 2 y, 7 other")
	must(t, x.Commit(bg()))
	if r := x.Result(); len(r.Affected) != 4 || r.Affected[1] != 2 {
		t.Fatal(r)
	}
	for range 2 {
		expect(t, s, "a", "1 xx, 2 back, 3 zz, 4 w, 7 other")
		must(t, s.Close())
		s = open(t, dir)
	}
}

func TestTransactionsCheckAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 first")
	must(t, err)
	x := s.Begin(ReadCommitted)
	defer x.Close()
	must(t, x.Commit(bg())) // nothing
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("2 x")})
	for _, tt := range []struct {
		table string
		rows  []string
		want  pgerr.Code
	}{{"a", []string{"3 x", "2 x"}, pgerr.UniqueViolation}, {"a", []string{"3 x", "1 y"}, pgerr.UniqueViolation},
		{"a", []string{"3 x", "3 y"}, pgerr.UniqueViolation}, {"a", []string{"~ x"}, pgerr.NotNullViolation}, {"c", []string{"1 x"}, pgerr.UndefinedTable}} {
		if _, err := x.Add(Change{Table: tt.table, Action: Insert, Rows: rowsOf(tt.rows...)}); code(err) != tt.want {
			t.Errorf("%s %v: %v", tt.table, tt.rows, err)
		}
	}
	if got, _ := view(t, x, "a"); got != "1 first, 2 x" {
		t.Fatal("a refused change left something:", got)
	}
	skipped, err := x.Add(Change{Table: "a", Action: InsertNew, Rows: rowsOf("5 x", "1 y", "5 z", "6 w", "2 v")})
	if err != nil || fmt.Sprint(skipped) != "[1 2 4]" {
		t.Fatal(skipped, err)
	}
	mark := x.Mark()
	_, refs, found, err := x.Lookup("a", "a_pkey", rowsOf("1 p", "9 q", "5 r"), mark)
	if err != nil || fmt.Sprint(found) != "[0 2]" || refs[0].Version == 0 || refs[1].Version != 0 {
		t.Fatal(refs, found, err)
	}
	add(t, x, Change{Table: "a", Action: Update, Rows: rowsOf("1 p", "5 r"), Refs: refs})
	if _, _, _, err := x.Lookup("a", "a_pkey", rowsOf("1 pp"), mark); code(err) != pgerr.CardinalityViolation {
		t.Fatal(err)
	}
	// Twice in one statement, and keys that meet.
	_, refsNow := view(t, x, "a")
	if _, err := x.Add(Change{Table: "a", Action: Update, Rows: rowsOf("2 p"), Refs: []Ref{refsNow["1 p"]}}); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	if _, err := x.Add(Change{Table: "a", Action: Delete, Refs: []Ref{refs[0]}}); code(err) != pgerr.FeatureNotSupported {
		t.Fatal(err)
	}
	must(t, x.Commit(bg()))
	expect(t, s, "a", "1 p, 2 x, 5 r, 6 w")
}

// TestConflicts: the second to commit fails, whatever it did to the row.
func TestConflicts(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, x *Txn, refs map[string]Ref)
		want pgerr.Code
	}{
		{"update", func(t *testing.T, x *Txn, refs map[string]Ref) {
			add(t, x, Change{Table: "a", Action: Update, Rows: rowsOf("1 mine"), Refs: []Ref{refs["1 x"]}})
		}, pgerr.SerializationFailure},
		{"delete", func(t *testing.T, x *Txn, refs map[string]Ref) {
			add(t, x, Change{Table: "a", Action: Delete, Refs: []Ref{refs["1 x"]}})
		}, pgerr.SerializationFailure},
		{"insert", func(t *testing.T, x *Txn, _ map[string]Ref) {
			add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("9 mine")})
		}, pgerr.UniqueViolation},
		{"insert if absent", func(t *testing.T, x *Txn, _ map[string]Ref) {
			add(t, x, Change{Table: "a", Action: InsertNew, Rows: rowsOf("9 mine")})
		}, pgerr.SerializationFailure},
		{"other row", func(t *testing.T, x *Txn, refs map[string]Ref) {
			add(t, x, Change{Table: "a", Action: Delete, Refs: []Ref{refs["2 y"]}})
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			must(t, s.Create(bg(), keyed("a")))
			_, err := apply(s, "a", Insert, "1 x", "2 y")
			must(t, err)
			x := s.Begin(ReadCommitted)
			defer x.Close()
			_, refs := view(t, x, "a")
			tt.do(t, x, refs)
			_, err = s.Apply(bg(), []Change{{Table: "a", Action: Update, Rows: rowsOf("1 other"), Refs: []Ref{refs["1 x"]}},
				{Table: "a", Action: Insert, Rows: rowsOf("9 other")}})
			must(t, err)
			if err := x.Commit(bg()); code(err) != tt.want {
				t.Fatal(err)
			}
			if _, err := s.Begin(ReadCommitted).Add(Change{Table: "a", Action: Delete, Refs: []Ref{refs["1 x"]}}); code(err) != pgerr.SerializationFailure {
				t.Fatal("an old reference is taken:", err)
			}
		})
	}
}

func TestIsolation(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), keyed("b")))
	levels := []*Txn{s.Begin(ReadCommitted), s.Begin(RepeatableRead), s.Begin(Serializable)}
	for _, x := range levels {
		defer x.Close()
		view(t, x, "a")
		view(t, x, "b")
	}
	_, err := apply(s, "a", Insert, "1 new")
	must(t, err)
	for i, x := range levels {
		want := []string{"1 new", "", ""}[i]
		if got, _ := view(t, x, "a"); got != want {
			t.Errorf("level %d sees %q", i, got)
		}
		add(t, x, Change{Table: "b", Action: Insert, Rows: rowsOf(fmt.Sprintf("%d x", i))})
		if err := x.Commit(bg()); code(err) != []pgerr.Code{"", "", pgerr.SerializationFailure}[i] {
			t.Errorf("level %d: %v", i, err)
		}
	}
	// What it did not read does not matter.
	x := s.Begin(Serializable)
	defer x.Close()
	view(t, x, "b")
	_, err = apply(s, "a", Insert, "2 new")
	must(t, err)
	add(t, x, Change{Table: "b", Action: Insert, Rows: rowsOf("7 x")})
	must(t, x.Commit(bg()))
}

func TestTransactionsMakeTables(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	x := s.Begin(ReadCommitted)
	must(t, x.Create(keyed("a")))
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("1 x", "2 y")})
	_, refs := view(t, x, "a")
	add(t, x, Change{Table: "a", Action: Update, Rows: rowsOf("1 xx"), Refs: []Ref{refs["1 x"]}})
	mark := x.Mark()
	must(t, x.Create(plain("b")))
	add(t, x, Change{Table: "b", Action: Insert, Rows: rowsOf("5 p")})
	if _, err := x.Def("b"); err != nil {
		t.Fatal(err)
	}
	x.RollbackTo(mark)
	if _, err := x.Def("b"); code(err) != pgerr.UndefinedTable {
		t.Fatal(err)
	}
	if got, _ := view(t, x, "a"); got != "1 xx, 2 y" {
		t.Fatal(got)
	}
	if _, err := s.Def("a"); code(err) != pgerr.UndefinedTable {
		t.Fatal("others see it already:", err)
	}
	must(t, x.Commit(bg()))
	// One that fails makes no table.
	y := s.Begin(ReadCommitted)
	must(t, y.Create(plain("c")))
	add(t, y, Change{Table: "a", Action: Insert, Rows: rowsOf("3 z")})
	_, err := apply(s, "a", Insert, "3 other")
	must(t, err)
	if err := y.Commit(bg()); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	for range 2 {
		expect(t, s, "a", "1 xx, 2 y, 3 other")
		if got := len(s.Tables()); got != 1 {
			t.Fatal(got, "tables")
		}
		must(t, s.Close())
		s = open(t, dir)
	}
}

// TestTransactionModel runs random transactions against a map: what they see,
// what they refuse, what is left after savepoints and commits.
func TestTransactionModel(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	committed := map[int64]string{}
	for round := range 150 {
		x := s.Begin(ReadCommitted)
		model, marks := copyRowsOf(committed), map[TxnMark]map[int64]string{}
		for step := range r.IntN(12) {
			k := r.Int64N(6)
			switch r.IntN(6) {
			case 0, 1:
				row := fmt.Sprintf("%d r%d-%d", k, round, step)
				_, err := x.Add(Change{Table: "a", Action: Insert, Rows: rowsOf(row)})
				if _, there := model[k]; there != (code(err) == pgerr.UniqueViolation) {
					t.Fatalf("seed %d: insert %d: %v", seed, k, err)
				} else if !there {
					model[k] = fmt.Sprintf("r%d-%d", round, step)
				}
			case 2, 3:
				_, refs := view(t, x, "a")
				for row, ref := range refs {
					var old int64
					fmt.Sscan(row, &old)
					_, err := x.Add(Change{Table: "a", Action: Update, Rows: rowsOf(fmt.Sprintf("%d u%d-%d", k, round, step)), Refs: []Ref{ref}})
					if _, there := model[k]; (there && k != old) != (code(err) == pgerr.UniqueViolation) {
						t.Fatalf("seed %d: update %d to %d: %v", seed, old, k, err)
					} else if err == nil {
						delete(model, old)
						model[k] = fmt.Sprintf("u%d-%d", round, step)
					}
					break
				}
			case 4:
				_, refs := view(t, x, "a")
				for row, ref := range refs {
					var old int64
					fmt.Sscan(row, &old)
					add(t, x, Change{Table: "a", Action: Delete, Refs: []Ref{ref}})
					delete(model, old)
					break
				}
			case 5:
				if len(marks) == 0 {
					marks[x.Mark()] = copyRowsOf(model)
					break
				}
				for m, then := range marks {
					x.RollbackTo(m)
					model = copyRowsOf(then)
				}
			}
			got, _ := view(t, x, "a")
			if parts := strings.Split(got, ", "); lines(model) != sorted(parts) {
				t.Fatalf("seed %d: sees %q, want %q", seed, got, lines(model))
			}
		}
		if r.IntN(3) > 0 {
			must(t, x.Commit(bg()))
			committed = model
		}
		x.Close()
		expect(t, s, "a", lines(committed))
	}
}

func copyRowsOf(m map[int64]string) map[int64]string {
	out := map[int64]string{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func lines(m map[int64]string) string {
	out := []string{}
	for k, v := range m {
		out = append(out, fmt.Sprintf("%d %s", k, v))
	}
	return sorted(out)
}

func sorted(list []string) string {
	sort.Strings(list)
	return strings.Join(list, ", ")
}

// TestConcurrentTransfers keeps a sum while many transactions move amounts, and
// loses no increment of a counter.
func TestConcurrentTransfers(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	const accounts, writers, moves = 5, 8, 60
	var start []string
	for i := range accounts {
		start = append(start, fmt.Sprintf("%d 1000", i))
	}
	_, err := apply(s, "a", Insert, append(start, "99 0")...)
	must(t, err)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for done := 0; done < moves; {
				if err := transfer(t, s, r.IntN(accounts), r.IntN(accounts), r.IntN(50)); err == nil {
					done++
				} else if code(err) != pgerr.SerializationFailure {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	x := s.Begin(ReadCommitted)
	got, _ := view(t, x, "a")
	sum := 0
	for _, row := range strings.Split(got, ", ") {
		var k, v int
		fmt.Sscan(row, &k, &v)
		if k == 99 {
			if v != writers*moves {
				t.Errorf("the counter is %d after %d increments", v, writers*moves)
			}
			continue
		}
		sum += v
	}
	if sum != accounts*1000 {
		t.Error("the sum is", sum)
	}
}

// transfer moves an amount and counts itself, in three changes.
func transfer(t *testing.T, s *Store, from, to, amount int) error {
	x := s.Begin(ReadCommitted)
	defer x.Close()
	for _, step := range [][2]int{{from, -amount}, {to, amount}, {99, 1}} {
		rows := x.Snapshot()
		got, refs := shown(t, rows, "a")
		rows.Close()
		found := false
		for _, row := range strings.Split(got, ", ") {
			var k, v int
			fmt.Sscan(row, &k, &v)
			if k != step[0] {
				continue
			}
			found = true
			if _, err := x.Add(Change{Table: "a", Action: Update, Rows: rowsOf(fmt.Sprintf("%d %d", k, v+step[1])), Refs: []Ref{refs[row]}}); err != nil {
				return err
			}
		}
		if !found {
			return errors.New("an account is gone")
		}
	}
	return x.Commit(bg())
}
