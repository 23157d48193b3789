package table

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func bg() context.Context { return context.Background() }

func keyed(id string) Def {
	return Def{ID: id, Name: "public." + id, Key: []int{0}, Columns: []connector.Column{
		{Name: "k", Type: types.Of(types.Int64)}, {Name: "v", Type: types.Of(types.Text)}}}
}

func plain(id string) Def {
	d := keyed(id)
	d.Key = nil
	return d
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rowsOf makes a batch of rows "k v"; a v of ~ is null.
func rowsOf(rows ...string) *batch.Batch {
	var values [][]types.Value
	for _, r := range rows {
		var k int64
		key, v, _ := strings.Cut(r, " ")
		fmt.Sscan(key, &k)
		value := types.Value{Bytes: v}
		if v == "~" {
			value = types.NullValue
		}
		first := types.Value{Int: k}
		if key == "~" {
			first = types.NullValue
		}
		values = append(values, []types.Value{first, value})
	}
	return batch.FromValues([]types.Type{types.Of(types.Int64), types.Of(types.Text)}, values)
}

func text(b *batch.Batch, i int) string {
	v := "~"
	if !b.Cols[1].IsNull(i) {
		v = b.Cols[1].Str(i)
	}
	return fmt.Sprintf("%d %s", b.Cols[0].Int[i], v)
}

func apply(s *Store, table string, action Action, rows ...string) (Result, error) {
	return s.Apply(bg(), []Change{{Table: table, Action: action, Rows: rowsOf(rows...)}})
}

// content is a table's rows by an ordinary scan, and their refs.
func content(t testing.TB, s *Store, table string) (string, map[string]Ref) {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	scan, err := snap.Scan(table, []int{0, 1})
	must(t, err)
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	var rows []string
	refs := map[string]Ref{}
	for {
		status, err := scan.Read(bg(), b, 3)
		must(t, err)
		for i := range b.N {
			rows = append(rows, text(b, i))
			refs[text(b, i)] = scan.Refs()[i]
		}
		if status == connector.End {
			sort.Strings(rows)
			return strings.Join(rows, ", "), refs
		}
	}
}

func expect(t testing.TB, s *Store, table, want string) {
	t.Helper()
	if got, _ := content(t, s, table); got != want {
		t.Fatalf("table %s holds %q, want %q", table, got, want)
	}
}

func code(err error) pgerr.Code {
	var e *pgerr.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestActions(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), plain("b")))
	if err := s.Create(bg(), keyed("a")); code(err) != pgerr.DuplicateTable {
		t.Fatal(err)
	}
	r, err := apply(s, "a", Insert, "1 x", "2 ~")
	if err != nil || r.Affected[0] != 2 || r.Position != 3 {
		t.Fatal(r, err)
	}
	_, err = apply(s, "a", Insert, "3 y", "1 z")
	var e *pgerr.Error
	if !errors.As(err, &e) || e.Code != pgerr.UniqueViolation || e.Message != `duplicate key value violates unique constraint "a_pkey"` || e.Detail != "Key (k)=(1) already exists." {
		t.Fatalf("%v %+v", err, e)
	}
	expect(t, s, "a", "1 x, 2 ~")
	if _, err = apply(s, "a", Insert, "~ y"); code(err) != pgerr.NotNullViolation {
		t.Fatal(err)
	}
	if _, err = apply(s, "a", Insert, "7 y", "7 z"); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	if r, err = apply(s, "a", InsertNew, "1 z", "4 q"); err != nil || r.Affected[0] != 1 || fmt.Sprint(r.Skipped) != "[[0]]" {
		t.Fatal(r, err)
	}
	if _, err = apply(s, "a", Upsert, "1 up", "5 five", "5 cinq"); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 up, 2 ~, 4 q, 5 cinq")
	_, refs := content(t, s, "a")
	if _, err := s.Apply(bg(), []Change{{Table: "a", Action: Update, Rows: rowsOf("2 two", "6 four"), Refs: []Ref{refs["2 ~"], refs["4 q"]}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(bg(), []Change{{Table: "a", Action: Delete, Refs: []Ref{refs["5 cinq"], refs["4 q"]}}}); code(err) != pgerr.SerializationFailure {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 up, 2 two, 5 cinq, 6 four")
	if _, err := s.Apply(bg(), []Change{{Table: "a", Action: Delete, Refs: []Ref{refs["5 cinq"]}}}); err != nil {
		t.Fatal(err)
	}
	_, refs = content(t, s, "a")
	if _, err := s.Apply(bg(), []Change{{Table: "a", Action: Update, Rows: rowsOf("1 clash"), Refs: []Ref{refs["2 two"]}}}); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	// Without a key rows may repeat, and a Merge takes one of them away.
	if _, err = apply(s, "b", Insert, "1 x", "1 x", "~ ~"); err != nil {
		t.Fatal(err)
	}
	m := rowsOf("1 x", "9 new", "8 gone")
	m.Ops = []batch.Op{batch.Delete, batch.Insert, batch.Delete}
	if _, err := s.Apply(bg(), []Change{{Table: "b", Action: Merge, Rows: m}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		expect(t, s, "a", "1 up, 2 two, 6 four")
		expect(t, s, "b", "0 ~, 1 x, 9 new")
		must(t, s.Close())
		s = open(t, dir)
	}
	x := s.Begin(ReadCommitted)
	if _, _, _, err := x.Lookup("b", "b_pkey", rowsOf("1 x"), x.Mark()); code(err) != pgerr.InvalidColumnReference {
		t.Fatal(err)
	}
	existing, refs2, found, err := x.Lookup("a", "a_pkey", rowsOf("3 ", "6 ", "1 "), x.Mark())
	if err != nil || fmt.Sprint(found) != "[1 2]" || text(existing, 0) != "6 four" || text(existing, 1) != "1 up" || len(refs2) != 2 {
		t.Fatal(found, refs2, err)
	}
}

func TestTransactionsSpanTablesAndAreAllOrNothing(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), keyed("b")))
	_, err := s.Apply(bg(), []Change{{Table: "a", Action: Insert, Rows: rowsOf("1 x")}, {Table: "b", Action: Upsert, Rows: rowsOf("1 y", "1 z")},
		{Table: "a", Action: Upsert, Rows: rowsOf("1 again")}, {Table: "b", Action: Insert, Rows: rowsOf("1 clash")}})
	if code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	expect(t, s, "a", "")
	expect(t, s, "b", "")
	if _, err := s.Apply(bg(), []Change{{Table: "a", Action: Insert, Rows: rowsOf("1 x")}, {Table: "gone", Action: Insert, Rows: rowsOf("1 x")}}); code(err) != pgerr.UndefinedTable {
		t.Fatal(err)
	}
	expect(t, s, "a", "")
	must(t, s.Drop(bg(), "a"))
	must(t, s.Drop(bg(), "a"))
	if len(s.Tables()) != 1 {
		t.Fatal(s.Tables())
	}
}

func TestSnapshotsDoNotSeeLaterChanges(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	_, _ = apply(s, "a", Insert, "1 x", "2 y", "3 z")
	snap := s.Snapshot()
	scan, err := snap.Scan("a", []int{1, 0})
	must(t, err)
	for i := range 50 {
		_, err := apply(s, "a", Upsert, fmt.Sprintf("%d changed", i))
		must(t, err)
	}
	b := batch.New([]types.Phys{types.PhysBytes, types.PhysInt}, 0)
	_, err = scan.Read(bg(), b, 10)
	must(t, err)
	if b.N != 3 || b.Cols[0].Str(0) != "x" || b.Cols[0].Str(2) != "z" || b.Cols[1].Int[1] != 2 {
		t.Fatal(b.N)
	}
	snap.Close()
}

func TestTwoProcessesCannotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := Open(dir, Options{}); code(err) != pgerr.ObjectInUse {
		t.Fatal(err)
	}
}

func TestFailedWritesStopTheStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, _ = apply(s, "a", Insert, "1 x")
	s.log.file.Close()
	if _, err := apply(s, "a", Insert, "2 y"); code(err) != pgerr.IOError {
		t.Fatal(err)
	}
	if _, err := apply(s, "a", Insert, "3 z"); code(err) != pgerr.IOError {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 x")
	s.Close()
	expect(t, open(t, dir), "a", "1 x")
}

// TestDamageIsReported flips every byte of a log in turn: what is not a torn end
// is an error, and a torn end loses the last transactions only.
func TestDamageIsReported(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	for i := range 3 {
		_, err := apply(s, "a", Insert, fmt.Sprintf("%d x", i))
		must(t, err)
	}
	must(t, s.Close())
	path := filepath.Join(dir, segmentName(1))
	whole, err := os.ReadFile(path)
	must(t, err)
	starts := frameStarts(t, whole)
	for i := range whole {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 0x40
		must(t, os.WriteFile(path, damaged, 0o600))
		s, err := Open(dir, Options{NoSync: true})
		if err == nil {
			got, _ := content(t, s, "a")
			s.Close()
			inTail := i >= starts[len(starts)-1]
			inSpare := i > 8 && i < fileHeader
			if !(inTail && got == "0 x, 1 x") && !(inSpare && got == "0 x, 1 x, 2 x") {
				t.Fatalf("byte %d flipped: opened with %q", i, got)
			}
			continue
		}
		if code(err) != pgerr.DataCorrupted || !strings.Contains(err.Error(), segmentName(1)) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
}

// frameStarts lists where the frames of a log file begin.
func frameStarts(t testing.TB, data []byte) []int {
	var out []int
	for at := fileHeader; at < len(data); {
		out = append(out, at)
		_, n, err := openFrame(data[at:])
		must(t, err)
		at += n
	}
	return out
}
