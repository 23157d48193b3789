package table

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

// TestGroupsLargerThanAFrame queues transactions that fit into a frame alone and not
// together, and one that does not fit at all.
func TestGroupsLargerThanAFrame(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	s.frameMax = 1000
	var queued []*pendingTxn
	for i, size := range []int{600, 600, 2000, 10, 600} {
		row := fmt.Sprintf("%d %s", i+1, strings.Repeat("x", size))
		queued = append(queued, &pendingTxn{changes: []Change{{Table: "a", Action: Insert, Rows: rowsOf(row)}}, done: make(chan struct{})})
	}
	s.queue = append(s.queue, queued...)
	_, err := apply(s, "a", Insert, "6 y")
	must(t, err)
	var refused []int
	for i, q := range queued {
		<-q.done
		if q.err != nil {
			refused = append(refused, i+1)
			if pgerr.From(q.err).Code != pgerr.ProgramLimitExceeded {
				t.Fatal(q.err)
			}
		}
	}
	if len(refused) != 1 || refused[0] != 3 {
		t.Fatalf("transactions %v were refused, want 3 alone", refused)
	}
	for range 2 {
		got, _ := content(t, s, "a")
		if keys := strings.NewReplacer("x", "", " ", "").Replace(got); keys != "1,2,4,5,6y" {
			t.Fatalf("the table holds %s", keys)
		}
		must(t, s.Close())
		s = open(t, dir)
	}
}
