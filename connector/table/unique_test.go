package table

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

// uniqueTable has a key and, beside it, a unique second column.
func uniqueTable(id string) Def {
	d := keyed(id)
	d.KeyName = "its_key"
	d.Unique = []Unique{{Name: "second", Columns: []int{1}}}
	return d
}

func TestUniqueConstraintsSurviveRestartAndCompaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), uniqueTable("a")))
	if _, err := apply(s, "a", Insert, "1 x", "2 y", "3 ~", "4 ~"); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		for _, c := range []struct{ row, constraint string }{{"9 x", "second"}, {"1 z", "its_key"}, {"1 x", "its_key"}} {
			_, err := apply(s, "a", Insert, c.row)
			if code(err) != pgerr.UniqueViolation || !strings.Contains(err.Error(), c.constraint) {
				t.Fatalf("%d: insert %s: %v", n, c.row, err)
			}
		}
		if _, err := apply(s, "a", Upsert, "2 x"); code(err) != pgerr.UniqueViolation {
			t.Fatal(err)
		}
		if _, err := apply(s, "a", Upsert, "2 y"); err != nil {
			t.Fatal(err)
		}
		expect(t, s, "a", "1 x, 2 y, 3 ~, 4 ~")
		if n == 1 {
			must(t, s.Compact(bg()))
		}
		must(t, s.Close())
		s = open(t, dir)
	}
}

// Two transactions that do not see each other cannot both commit a value.
func TestUniqueConstraintsHoldAcrossTransactions(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), uniqueTable("a")))
	_, err := apply(s, "a", Insert, "1 x")
	must(t, err)
	first, second, third := s.Begin(ReadCommitted), s.Begin(ReadCommitted), s.Begin(ReadCommitted)
	add(t, first, Change{Table: "a", Action: Insert, Rows: rowsOf("2 y")})
	add(t, second, Change{Table: "a", Action: Insert, Rows: rowsOf("3 y")})
	add(t, third, Change{Table: "a", Action: InsertNew, Rows: rowsOf("4 y"), Conflict: "second"})
	must(t, first.Commit(bg()))
	if err := second.Commit(bg()); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	if err := third.Commit(bg()); code(err) != pgerr.SerializationFailure {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 x, 2 y")
	x := s.Begin(ReadCommitted)
	if _, err := x.Add(Change{Table: "a", Action: InsertNew, Rows: rowsOf("1 new"), Conflict: "second"}); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	skipped, err := x.Add(Change{Table: "a", Action: InsertNew, Rows: rowsOf("1 new", "5 new", "6 new")})
	if err != nil || len(skipped) != 2 || skipped[0] != 0 || skipped[1] != 2 {
		t.Fatal(skipped, err)
	}
}
