package table

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/test/random"
)

func second() Unique { return Unique{Name: "second", Columns: []int{1}} }

// rowOfTable is the reference of the row that reads so.
func refOf(t testing.TB, n *Snapshot, row string) Ref {
	t.Helper()
	defer n.Close()
	scan, err := n.Scan("a", []int{0, 1})
	must(t, err)
	b := rowsOf()
	for {
		_, err := scan.Read(bg(), b, 1)
		must(t, err)
		if b.N == 0 {
			t.Fatalf("there is no row %s", row)
		}
		if text(b, 0) == row {
			return scan.Refs()[0]
		}
	}
}

func violates(t testing.TB, err error, text string) {
	t.Helper()
	if code(err) != pgerr.UniqueViolation || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want a violation of %s", err, text)
	}
}

// TestConstraintsComeAndGo adds a constraint to a table with rows: rows that break it
// refuse it, others are held to it at once by its transaction, and by all from its
// commit on, also after a restart and a compaction.
func TestConstraintsComeAndGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 x", "2 x", "3 ~", "4 ~")
	must(t, err)
	x := s.Begin(ReadCommitted)
	violates(t, x.AddUnique("a", second()), "could not create unique index")
	_, err = x.Add(Change{Table: "a", Action: Delete, Refs: []Ref{refOf(t, x.Snapshot(), "2 x")}})
	must(t, err)
	before := x.Mark()
	must(t, x.AddUnique("a", second()))
	_, err = x.Add(Change{Table: "a", Action: Insert, Rows: rowsOf("5 x")})
	violates(t, err, "second")
	x.RollbackTo(before)
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("5 x")})
	violates(t, x.AddUnique("a", second()), "could not create unique index")
	x.RollbackTo(before)
	must(t, x.AddUnique("a", second()))
	skipped, err := x.Add(Change{Table: "a", Action: InsertNew, Rows: rowsOf("6 x", "7 y"), Conflict: "second"})
	if err != nil || len(skipped) != 1 {
		t.Fatal(skipped, err)
	}

	open1 := s.Begin(ReadCommitted) // has seen the table without it
	add(t, open1, Change{Table: "a", Action: Insert, Rows: rowsOf("8 y")})
	_, err = apply(s, "a", Insert, "9 x") // a race that the constraint loses
	must(t, err)
	violates(t, x.Commit(bg()), "could not create unique index")
	_, err = apply(s, "a", Upsert, "9 z")
	must(t, err)
	must(t, x.Commit(bg()))
	violates(t, open1.Commit(bg()), "second")
	for n := range 3 {
		_, err = apply(s, "a", Insert, "10 x")
		violates(t, err, "second")
		_, err = apply(s, "a", Insert, "1 new")
		violates(t, err, "a_pkey")
		expect(t, s, "a", "1 x, 3 ~, 4 ~, 7 y, 9 z")
		if n == 1 {
			must(t, s.Compact(bg()))
		}
		must(t, s.Close())
		s = open(t, dir)
	}

	x = s.Begin(ReadCommitted)
	must(t, x.DropUnique("a", "second"))
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("10 x")})
	must(t, x.Commit(bg()))
	for range 2 {
		_, err = apply(s, "a", Upsert, "11 x")
		must(t, err)
		violates(t, s.Begin(ReadCommitted).AddUnique("a", second()), "could not create unique index")
		must(t, s.Close())
		s = open(t, dir)
	}
}

// TestConstraintsAreTakenBack leaves no trace of a constraint whose joint transaction
// fails or dies.
func TestConstraintsAreTakenBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 x")
	must(t, err)
	for n, commits := range []bool{false, true, false} {
		x := s.Begin(ReadCommitted)
		if n < 2 {
			must(t, x.AddUnique("a", second()))
		} else {
			must(t, x.DropUnique("a", "second"))
		}
		undone := errors.New("undone")
		err := x.CommitWith(bg(), fmt.Sprint("id", n), func(string) error {
			must(t, s.Compact(bg())) // what is not decided is not in a snapshot
			if commits {
				return nil
			}
			return undone
		})
		if commits != (err == nil) {
			t.Fatal(err)
		}
		x.Close()
		for range 2 {
			_, err = apply(s, "a", Insert, fmt.Sprint(10+n, " x"))
			if n == 0 {
				must(t, err)
				_, err = apply(s, "a", Upsert, fmt.Sprint(10+n, " y", n))
				must(t, err)
				break
			}
			violates(t, err, "second")
			must(t, s.Close())
			s = open(t, dir)
		}
	}
}

// TestConstraintsOfANewTable are those of the table when its transaction commits.
func TestConstraintsOfANewTable(t *testing.T) {
	s := open(t, t.TempDir())
	x := s.Begin(ReadCommitted)
	must(t, x.Create(keyed("a")))
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("1 x")})
	must(t, x.AddUnique("a", second()))
	_, err := x.Add(Change{Table: "a", Action: Insert, Rows: rowsOf("2 x")})
	violates(t, err, "second")
	must(t, x.AddUnique("a", Unique{Name: "both", Columns: []int{1, 0}}))
	must(t, x.DropUnique("a", "both"))
	must(t, x.Commit(bg()))
	_, err = apply(s, "a", Insert, "2 x")
	violates(t, err, "second")
	if d, _ := s.Def("a"); len(d.Unique) != 1 {
		t.Fatal(d.Unique)
	}
}

// TestConstraintsAgainstAModel adds and drops constraints over the same columns among
// changes, in transactions and not, and opens the store again now and then.
func TestConstraintsAgainstAModel(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	rows, unique := map[int]string{}, map[string]bool{} // by key, by name
	doubles := func(of map[int]string) bool {
		seen := map[string]bool{}
		for _, v := range of {
			if v != "~" && seen[v] {
				return true
			}
			seen[v] = true
		}
		return false
	}
	for round := range 1500 {
		name := []string{"u", "v"}[rng.IntN(2)]
		switch rng.IntN(8) {
		case 0:
			x := s.Begin(ReadCommitted)
			err := x.AddUnique("a", Unique{Name: name, Columns: []int{1}})
			if err == nil {
				err = x.Commit(bg())
			}
			if (err == nil) != !doubles(rows) {
				t.Fatalf("round %d: %v adds %s to %v", round, err, name, rows)
			}
			if err == nil {
				unique[name] = true
			}
		case 1:
			x := s.Begin(ReadCommitted)
			must(t, x.DropUnique("a", name))
			must(t, x.Commit(bg()))
			delete(unique, name)
		case 2:
			if rng.IntN(10) == 0 {
				if rng.IntN(2) == 0 {
					must(t, s.Compact(bg()))
				}
				must(t, s.Close())
				s = open(t, dir)
			}
		default:
			k, v := rng.IntN(8), []string{"p", "q", "r", "s", "t", "~"}[rng.IntN(6)]
			was, there := rows[k]
			rows[k] = v
			_, err := apply(s, "a", Upsert, fmt.Sprint(k, " ", v))
			refuse := len(unique) > 0 && doubles(rows)
			if refuse != (err != nil) {
				t.Fatalf("round %d: %v puts %s to %v under %v", round, err, v, rows, unique)
			}
			if refuse {
				if rows[k] = was; !there {
					delete(rows, k)
				}
			}
		}
	}
}
