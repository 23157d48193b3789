package table

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// view is a table as a source shows it.
func view(t *testing.T, src connector.Source) (string, map[string]Ref) {
	t.Helper()
	r, err := src.Open(bg(), connector.Split{ID: SplitID}, nil, []int{0, 1})
	must(t, err)
	defer r.Close()
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	var rows []string
	refs := map[string]Ref{}
	for {
		status, err := r.Read(bg(), b, 2)
		must(t, err)
		for i := range b.N {
			rows = append(rows, text(b, i))
			refs[text(b, i)] = r.(*Scan).Refs()[i]
		}
		if status == connector.End {
			return strings.Join(rows, ", "), refs
		}
	}
}

func TestTransactionsReadTheirOwnChanges(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 x", "2 y")
	must(t, err)
	x := s.Begin()
	in := rowsOf("3 z", "4 w")
	must(t, x.Add(Change{Table: "a", Action: Insert, Rows: in}))
	in.Cols[0].Int[0] = 99 // the batch is the caller's again
	src, err := x.Scan("a")
	must(t, err)
	got, refs := view(t, src)
	if got != "1 x, 2 y, 3 z, 4 w" {
		t.Fatal(got)
	}
	// Meanwhile somebody else inserts; ids and references still hold.
	_, err = apply(s, "a", Insert, "7 other")
	must(t, err)
	must(t, x.Add(Change{Table: "a", Action: Update, Rows: rowsOf("3 zz", "1 xx"), Refs: []Ref{refs["3 z"], refs["1 x"]}}))
	mark := x.Mark()
	must(t, x.Add(Change{Table: "a", Action: Delete, Refs: []Ref{refs["4 w"]}}))
	x.RollbackTo(mark)
	must(t, x.Add(Change{Table: "a", Action: Delete, Refs: []Ref{refs["2 y"]}}))
	must(t, x.Check())
	src, err = x.Scan("a")
	must(t, err)
	if got, _ := view(t, src); got != "1 xx, 3 zz, 4 w, 7 other" {
		t.Fatal(got)
	}
	expect(t, s, "a", "1 x, 2 y, 7 other")
	must(t, x.Commit(bg()))
	if r := x.Result(); len(r.Affected) != 3 || r.Affected[1] != 2 {
		t.Fatal(r)
	}
	for range 2 {
		expect(t, s, "a", "1 xx, 3 zz, 4 w, 7 other")
		must(t, s.Close())
		s = open(t, dir)
	}
}

func TestCheckFindsWhatCommitWould(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	x := s.Begin()
	must(t, x.Commit(bg()))
	must(t, x.Add(Change{Table: "a", Action: Insert, Rows: rowsOf("1 x")}))
	must(t, x.Add(Change{Table: "later", Action: Insert, Rows: rowsOf("1 x", "1 x")}))
	must(t, x.Check())
	if err := x.Add(Change{Table: "a", Action: Insert, Rows: rowsOf("~ x")}); code(err) != pgerr.NotNullViolation {
		t.Fatal(err)
	}
	_, err := apply(s, "a", Insert, "1 first")
	must(t, err)
	if err := x.Check(); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	if err := x.Commit(bg()); code(err) != pgerr.UndefinedTable {
		t.Fatal(err)
	}
	x.RollbackTo(1)
	if err := x.Commit(bg()); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 first")
	// A table made by the same transaction is there by the time of Commit.
	x = s.Begin()
	must(t, x.Add(Change{Table: "later", Action: Insert, Rows: rowsOf("1 x")}))
	must(t, s.Create(bg(), keyed("later")))
	must(t, x.Commit(bg()))
	expect(t, s, "later", "1 x")
}

func TestCheckNew(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), plain("b")))
	_, err := apply(s, "a", Insert, "1 x")
	must(t, err)
	for _, tt := range []struct {
		table string
		rows  []string
		want  pgerr.Code
	}{{"a", []string{"2 x", "3 x"}, ""}, {"a", []string{"2 x", "1 y"}, pgerr.UniqueViolation}, {"a", []string{"2 x", "2 y"}, pgerr.UniqueViolation},
		{"a", []string{"~ x"}, pgerr.NotNullViolation}, {"b", []string{"~ x", "~ x"}, ""}, {"c", []string{"1 x"}, pgerr.UndefinedTable}} {
		if err := s.CheckNew(tt.table, rowsOf(tt.rows...)); code(err) != tt.want {
			t.Errorf("%s %v: %v", tt.table, tt.rows, err)
		}
	}
}
