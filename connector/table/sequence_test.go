package table

import (
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

func TestSequencesGoOnAfterRestartAndCompaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	q := &Sequence{Name: "q", Start: 5, Increment: 2, Min: 1, Max: 100}
	next := func(want int64) {
		t.Helper()
		if v, err := s.NextValue("a", 0, q); err != nil || v != want {
			t.Fatal(v, err, want)
		}
	}
	reopen := func() {
		t.Helper()
		must(t, s.Close())
		s = open(t, dir)
	}
	next(5)
	next(7)
	_, err := apply(s, "a", Insert, "7 x") // takes it along
	must(t, err)
	reopen()
	next(9)
	reopen() // nobody has written it, or been told for good
	next(9)
	must(t, s.LogSequences(bg(), "a"))
	position := s.Position()
	must(t, s.LogSequences(bg(), "a"))
	if s.Position() != position {
		t.Fatal("written twice")
	}
	must(t, s.Compact(bg()))
	reopen()
	next(11)
	must(t, s.SetValue(bg(), "a", 0, 50, false))
	reopen()
	next(50)
	must(t, s.SetValue(bg(), "a", 0, 99, true))
	reopen()
	if _, err := s.NextValue("a", 0, q); code(err) != pgerr.SequenceLimitExceeded {
		t.Fatal(err)
	}
	must(t, s.Drop(bg(), "a"))
	must(t, s.Create(bg(), keyed("b")))
	if v, err := s.NextValue("b", 0, q); err != nil || v != 5 {
		t.Fatal(v, err)
	}
}
