package table

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
)

// precommit writes rows as the sinks of one job do, and returns what is to be committed.
func precommit(t *testing.T, s *Store, epoch uint64, rows map[string]*batch.Batch) (parts []connector.Part) {
	t.Helper()
	for _, table := range []string{"a", "b"} {
		if rows[table] == nil {
			continue
		}
		k, err := s.Sink(table)
		must(t, err)
		w, err := k.Open(bg(), connector.WriterID{JobID: "j", Incarnation: "run", Operator: "sink(" + table + ")"})
		must(t, err)
		must(t, w.Write(bg(), rows[table]))
		c, err := w.PreCommit(bg(), epoch)
		must(t, err)
		parts = append(parts, connector.Part{Sink: k, Committables: [][]byte{c}})
	}
	return parts
}

// commitAll commits to the sinks of a store what was pre-committed, perhaps by an earlier
// process.
func commitAll(s *Store, parts []connector.Part) error {
	var now []connector.Part
	for _, p := range parts {
		k, err := s.Sink(p.Sink.(*sink).table.def.ID)
		if err != nil {
			return err
		}
		now = append(now, connector.Part{Sink: k, Committables: p.Committables})
	}
	return now[0].Sink.(connector.Combined).CommitAll(bg(), now)
}

// TestSinksCommitTogether ends the process after every step of a commit to two tables: both
// have the rows or neither has, and what is committed again comes once.
func TestSinksCommitTogether(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), plain("b")))
	parts := precommit(t, s, 1, map[string]*batch.Batch{"a": rowsOf("1 x", "2 x"), "b": rowsOf("1 x", "1 x")})
	copied := func() string {
		to := t.TempDir()
		must(t, os.CopyFS(to, os.DirFS(dir)))
		return to
	}
	pending, before := copied(), s.Position()
	must(t, commitAll(s, parts))
	if n := s.Position() - before; n != 1 {
		t.Fatalf("it took %d transactions", n)
	}
	put := func(to string, files int) string {
		names, err := os.ReadDir(filepath.Join(pending, "pending"))
		must(t, err)
		for _, f := range names[:files] {
			data, err := os.ReadFile(filepath.Join(pending, "pending", f.Name()))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(to, "pending", f.Name()), data, 0o600))
		}
		return to
	}
	torn := put(copied(), 2)
	log := filepath.Join(torn, segmentName(1))
	data, err := os.ReadFile(log)
	must(t, err)
	must(t, os.WriteFile(log, data[:len(data)-3], 0o600))
	for _, c := range []struct {
		died string
		dir  string
		were bool
	}{
		{"before the commit", pending, false}, {"while the log was written", torn, false}, {"when it was written", put(copied(), 2), true},
		{"with one file left", put(copied(), 1), true}, {"with none left", copied(), true},
	} {
		t.Run(c.died, func(t *testing.T) {
			s := open(t, c.dir)
			then := [2]string{}
			if c.were {
				then = [2]string{"1 x, 2 x", "1 x, 1 x"}
			}
			expect(t, s, "a", then[0])
			expect(t, s, "b", then[1])
			for range 2 {
				must(t, commitAll(s, parts))
				expect(t, s, "a", "1 x, 2 x")
				expect(t, s, "b", "1 x, 1 x")
			}
			if s.Position() != before+1 {
				t.Errorf("the last transaction is %d, not %d", s.Position(), before+1)
			}
		})
	}
}

// TestSinksCommitTooMuch commits more than goes into a frame, with the rows that it
// replaces: in several transactions, once.
func TestSinksCommitTooMuch(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), plain("b")))
	var many []string
	for i := range 10 {
		many = append(many, fmt.Sprintf("%d v", i))
	}
	must(t, commitAll(s, precommit(t, s, 1, map[string]*batch.Batch{"a": rowsOf(many...)})))
	parts := precommit(t, s, 2, map[string]*batch.Batch{"a": rowsOf(many...), "b": rowsOf(many...)})
	more := precommit(t, s, 3, map[string]*batch.Batch{"a": rowsOf(many...)})
	parts[0].Committables = append(parts[0].Committables, more[0].Committables...)
	s.frameMax = 1200
	before := s.Position()
	for range 2 {
		must(t, commitAll(s, parts))
	}
	if n := s.Position() - before; n < 2 || n > 3 {
		t.Errorf("it took %d transactions", n)
	}
	for _, table := range []string{"a", "b"} {
		if n, err := s.Count(table); n != 10 || err != nil {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
	s.frameMax = 100
	if err := commitAll(s, precommit(t, s, 4, map[string]*batch.Batch{"a": rowsOf(many...), "b": rowsOf(many...)})); code(err) != pgerr.ProgramLimitExceeded {
		t.Error(err)
	}
}

// TestSinksCommitNone keeps the rows of all sinks when one of them cannot commit, and takes
// back from one table alone what was committed together.
func TestSinksCommitNone(t *testing.T) {
	s := open(t, t.TempDir())
	d := keyed("a")
	d.Unique = []Unique{{Name: "a_v_key", Columns: []int{1}}}
	must(t, s.Create(bg(), d))
	must(t, s.Create(bg(), plain("b")))
	_, err := apply(s, "a", Insert, "1 x")
	must(t, err)
	w := Written{Since: s.Mark(), Jobs: []string{"j"}, Operators: []string{"sink(a)", "sink(b)"}, Point: "j", Epoch: 0}
	parts := precommit(t, s, 1, map[string]*batch.Batch{"a": rowsOf("2 x", "3 y"), "b": rowsOf("2 x")})
	if err := commitAll(s, parts); code(err) != pgerr.UniqueViolation {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 x")
	expect(t, s, "b", "")
	_, err = apply(s, "a", Upsert, "1 w")
	must(t, err)
	must(t, commitAll(s, parts))
	expect(t, s, "a", "1 w, 2 x, 3 y")
	expect(t, s, "b", "2 x")
	b, err := s.TakeBack([]string{"a"}, w)
	must(t, err)
	defer b.Close()
	must(t, b.Commit(bg(), "next"))
	expect(t, s, "a", "1 w")
	expect(t, s, "b", "2 x")
	parts = precommit(t, s, 2, map[string]*batch.Batch{"a": rowsOf("4 z"), "b": rowsOf("4 z")})
	must(t, s.Drop(bg(), "a"))
	if err := parts[1].Sink.(connector.Combined).CommitAll(bg(), parts); code(err) != pgerr.UndefinedTable {
		t.Fatal(err)
	}
	must(t, commitAll(s, parts[1:]))
	expect(t, s, "b", "2 x, 4 z")
}
