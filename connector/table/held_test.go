package table

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
)

// TestHeld has a transaction change rows until it holds more than its account may: it is
// over then, commits nothing, and holds nothing.
func TestHeld(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(t.Context(), keyed("people")))
	pool := memory.NewPool(memory.Options{})
	x := s.Begin(RepeatableRead)
	defer x.Close()
	full := pgerr.New(pgerr.OutOfMemory, "full")
	account := pool.Open(memory.AccountOptions{Kind: memory.Transaction, Budget: 1000 * heldPerRow, Stop: x.Abandon,
		Over: func(int64) *pgerr.Error { return full }})
	x.Count(account)
	add := func(i int) error {
		_, err := x.Add(Change{Table: "people", Action: Insert, Rows: rowsOf(fmt.Sprintf("%d x", i))})
		return err
	}
	early := x.Mark()
	for i := range 100 {
		if err := add(i); err != nil {
			t.Fatal(err)
		}
	}
	if held := account.Held(); held < 100*heldPerRow {
		t.Errorf("it holds %d bytes, want more", held)
	}
	x.RollbackTo(early)
	if held := account.Held(); held != 0 {
		t.Errorf("it holds %d bytes after all was taken back", held)
	}
	var err error
	i := 0
	for ; err == nil && i < 2000; i++ {
		err = add(i)
	}
	if !errors.Is(err, full) || i < 500 {
		t.Fatalf("after %d rows: %v, want that it is full", i, err)
	}
	x.RollbackTo(early)
	_, scanned := x.Snapshot().Scan("people", []int{0})
	for what, err := range map[string]error{"add": add(1), "scan": scanned, "commit": x.Commit(t.Context())} {
		if !errors.Is(err, full) {
			t.Errorf("%s afterwards: %v, want that it was full", what, err)
		}
	}
	if held := account.Held(); held != 0 {
		t.Errorf("it still holds %d bytes", held)
	}
}

// TestSize is that a table takes memory while it has rows, about as much as they.
func TestSize(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(t.Context(), keyed("a")))
	for i, want := range []int64{0, 10_000} {
		rows, bytes, err := s.Size("a")
		if must(t, err); rows != int64(i) || bytes < want || bytes > want+2*chunkSize {
			t.Errorf("%d rows take %d bytes, want %d or somewhat more", rows, bytes, want)
		}
		_, err = apply(s, "a", Insert, "1 "+strings.Repeat("x", 10_000))
		if i == 0 {
			must(t, err)
		}
	}
}
