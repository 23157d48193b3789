package table

import (
	"slices"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

// renamed is a definition with another name for its second column, which may not be
// null.
func renamed(t *testing.T, s *Store, id string) Def {
	t.Helper()
	d, err := s.Def(id)
	must(t, err)
	d.Columns = slices.Clone(d.Columns)
	d.Columns[1].Name, d.Columns[1].NotNull = "other", true
	return d
}

func TestDefinitionsSurviveRestartAndCompaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), uniqueTable("a")))
	_, err := apply(s, "a", Insert, "1 x", "2 y")
	must(t, err)
	x := s.Begin(ReadCommitted)
	must(t, x.Alter(renamed(t, s, "a")))
	if _, err := x.Add(Change{Table: "a", Action: Insert, Rows: rowsOf("3 ~")}); code(err) != pgerr.NotNullViolation {
		t.Fatalf("the transaction's own rows are not held to its definition: %v", err)
	}
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("3 z")})
	must(t, x.Commit(bg()))
	x.Close()
	for n := range 3 {
		d, err := s.Def("a")
		must(t, err)
		if d.Columns[1].Name != "other" || !d.Columns[1].NotNull || len(d.Unique) != 1 {
			t.Fatalf("%d: the definition is %+v", n, d)
		}
		if _, err := apply(s, "a", Insert, "9 ~"); code(err) != pgerr.NotNullViolation {
			t.Fatalf("%d: a null is taken: %v", n, err)
		}
		if _, err := apply(s, "a", Insert, "9 x"); code(err) != pgerr.UniqueViolation {
			t.Fatalf("%d: a key is taken twice: %v", n, err)
		}
		expect(t, s, "a", "1 x, 2 y, 3 z")
		if n == 1 {
			must(t, s.Compact(bg()))
		}
		must(t, s.Close())
		s = open(t, dir)
	}
}

func TestAlteredTablesRefuseWhatBeganBefore(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	before, rolledBack, alter, after := s.Begin(ReadCommitted), s.Begin(ReadCommitted), s.Begin(ReadCommitted), s.Begin(ReadCommitted)
	add(t, before, Change{Table: "a", Action: Insert, Rows: rowsOf("1 ~")})
	must(t, rolledBack.Alter(renamed(t, s, "a")))
	rolledBack.RollbackTo(TxnMark{})
	add(t, rolledBack, Change{Table: "a", Action: Insert, Rows: rowsOf("2 ~")})
	must(t, rolledBack.Commit(bg()))
	expect(t, s, "a", "2 ~")
	must(t, alter.Alter(renamed(t, s, "a")))
	must(t, alter.Commit(bg()))
	if err := before.Commit(bg()); code(err) != pgerr.SerializationFailure {
		t.Fatalf("a row from before the ALTER is taken: %v", err)
	}
	after.Snapshot().Close() // it reads the table as it is now
	add(t, after, Change{Table: "a", Action: Insert, Rows: rowsOf("3 z")})
	must(t, after.Commit(bg()))
	expect(t, s, "a", "2 ~, 3 z")
}

func TestGuardsNoticeOthers(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	x := s.Begin(ReadCommitted)
	x.Guard("a", s.Position())
	must(t, x.Alter(renamed(t, s, "a")))
	_, err := apply(s, "a", Insert, "1 ~")
	must(t, err)
	if err := x.Commit(bg()); code(err) != pgerr.SerializationFailure {
		t.Fatalf("rows that came after they were looked at are not noticed: %v", err)
	}
	if d, err := s.Def("a"); err != nil || d.Columns[1].NotNull {
		t.Fatalf("a refused ALTER has left %+v (%v)", d, err)
	}
}

func TestReplacedTables(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 x", "2 y")
	must(t, err)
	late, x := s.Begin(ReadCommitted), s.Begin(ReadCommitted)
	add(t, late, Change{Table: "a", Action: Insert, Rows: rowsOf("7 z")})
	must(t, x.Create(keyed("b")))
	add(t, x, Change{Table: "b", Action: Insert, Rows: rowsOf("1 p", "2 q")})
	must(t, x.Replace("a"))
	must(t, x.Commit(bg()))
	for n := range 3 {
		if n == 0 {
			if err := late.Commit(bg()); code(err) != pgerr.SerializationFailure {
				t.Fatalf("a row for the table that was replaced: %v", err)
			}
		} else if _, err := s.Def("a"); code(err) != pgerr.UndefinedTable {
			t.Fatalf("the table is there again: %v", err)
		}
		expect(t, s, "b", "1 p, 2 q")
		if n == 1 {
			must(t, s.Compact(bg()))
		}
		must(t, s.Close())
		s = open(t, dir)
	}
}
