package table

import (
	"context"
	"errors"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// asJob commits rows as a job's sink does.
func asJob(t *testing.T, s *Store, table, job string, epoch uint64, ops []batch.Op, rows ...string) {
	t.Helper()
	k, err := s.Sink(table)
	must(t, err)
	w, err := k.Open(bg(), connector.WriterID{JobID: job, Incarnation: "run", Operator: "sink(" + table + ")"})
	must(t, err)
	b := rowsOf(rows...)
	b.Ops = ops
	must(t, w.Write(bg(), b))
	c, err := w.PreCommit(bg(), epoch)
	must(t, err)
	must(t, k.Commit(bg(), [][]byte{c}))
}

func decided(forget string) error { return nil }

// TestTakeBack takes back what a job was the last to change, and leaves the rest.
func TestTakeBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), plain("b")))
	asJob(t, s, "a", "j", 1, nil, "1 before", "2 before", "3 before", "4 before")
	asJob(t, s, "b", "j", 1, nil, "1 before", "1 before", "2 before")
	w := Written{Since: s.Mark(), Jobs: []string{"j", "older"}, Operators: []string{"sink(a)", "sink(b)"}, Point: "j", Epoch: 2}
	must(t, s.Retain("savepoint", w.Since))
	asJob(t, s, "a", "j", 2, nil, "5 of the point") // committed after the mark was made
	ins, del := batch.Insert, batch.Delete
	asJob(t, s, "a", "j", 3, []batch.Op{ins, del, ins, ins, ins, ins}, "1 after", "2 before", "6 after", "7 after", "3 after", "8 after")
	asJob(t, s, "b", "j", 3, []batch.Op{ins, del, ins, del, ins}, "1 before", "2 before", "3 after", "1 before", "2 before")
	asJob(t, s, "a", "other", 4, []batch.Op{ins, ins}, "3 of another", "7 of another")
	asJob(t, s, "b", "j", 4, nil, "4 of both")
	asJob(t, s, "b", "other", 4, []batch.Op{ins, del}, "4 of both", "4 of both") // j's copy goes, as it was the first
	_, err := apply(s, "a", Upsert, "9 by hand", "8 by hand")
	must(t, err)
	asJob(t, s, "a", "older", 9, nil, "8 again")
	b, err := s.TakeBack([]string{"a", "b"}, w)
	must(t, err)
	_, err = apply(s, "a", Upsert, "6 by hand") // meanwhile
	must(t, err)
	if err := b.CommitWith(bg(), "next", "id1", decided); code(err) != pgerr.SerializationFailure {
		t.Fatal(err)
	}
	must(t, b.Read())
	refused := errors.New("refused")
	if err := b.CommitWith(bg(), "next", "id1", func(string) error { return refused }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	must(t, b.CommitWith(bg(), "next", "id1", decided))
	b.Close()
	const want, bag = "1 before, 2 before, 3 of another, 4 before, 5 of the point, 6 by hand, 7 of another, 8 by hand, 9 by hand", "1 before, 1 before, 2 before"
	expect(t, s, "a", want)
	expect(t, s, "b", bag)
	must(t, s.Close())
	s = open(t, dir)
	expect(t, s, "a", want)
	// What was taken back is nothing that could be taken back again, but comes again
	// with a point before it.
	w.Jobs = append(w.Jobs, "next")
	b, err = s.TakeBack([]string{"a", "b"}, w)
	must(t, err)
	if left := b.Tables(); left != nil {
		t.Errorf("there is more to take back in %v", left)
	}
	b.Close()
	must(t, s.Release("savepoint"))
	must(t, s.Compact(context.Background()))
	_, err = apply(s, "a", Upsert, "9 once more")
	must(t, err)
	must(t, s.Compact(context.Background()))
	if _, err = s.TakeBack([]string{"a"}, w); !errors.As(err, new(*connector.GoneError)) {
		t.Errorf("the log is gone: %v", err)
	}
}

// TestTakeBackConstraints refuses rows that the table does not take any more, and
// lets rows swap what is unique about them.
func TestTakeBackConstraints(t *testing.T) {
	s := open(t, t.TempDir())
	d := keyed("a")
	d.Unique = []Unique{{Name: "a_v_key", Columns: []int{1}}}
	must(t, s.Create(bg(), d))
	asJob(t, s, "a", "j", 1, nil, "1 x", "2 y", "3 ~")
	w := Written{Since: s.Mark(), Jobs: []string{"j"}, Operators: []string{"sink(a)"}, Point: "j", Epoch: 1}
	ins, del := batch.Insert, batch.Delete
	asJob(t, s, "a", "j", 2, []batch.Op{del, del, ins, ins, ins}, "1 x", "2 y", "1 y", "2 x", "3 z")
	x := s.Begin(ReadCommitted)
	defer x.Close()
	strict := d
	strict.Columns = append([]connector.Column(nil), d.Columns...)
	strict.Columns[1] = connector.Column{Name: "v", Type: types.Of(types.Text), NotNull: true}
	must(t, x.Alter(strict))
	must(t, x.Commit(bg()))
	b, err := s.TakeBack([]string{"a"}, w)
	must(t, err)
	defer b.Close()
	if err := b.CommitWith(bg(), "k", "id", decided); code(err) != pgerr.NotNullViolation {
		t.Fatal(err)
	}
	y := s.Begin(ReadCommitted)
	defer y.Close()
	must(t, y.Alter(d))
	must(t, y.Commit(bg()))
	must(t, b.Read())
	must(t, b.CommitWith(bg(), "k", "id", decided))
	expect(t, s, "a", "1 x, 2 y, 3 ~")
}
