package operator

import (
	"fmt"
	"strings"
	"testing"
)

// TestLifetimeUnswept has rows come whose entries are due, and some of them not yet found
// by the sweep, which looks at some rows at a time: they begin anew all the same.
func TestLifetimeUnswept(t *testing.T) {
	const keys, every = 4 * sweepPerBarrier, sweepPerBarrier / 3
	for _, c := range []struct {
		head, row string
		want      map[string]int
	}{
		{"input k bigint, v bigint\nupsert by k", "+ %d 2", map[string]int{"%d 1": 1, "%d 2": 1}},
		{"input k bigint, v bigint\nupsert each by k", "+ %d 2", map[string]int{"%d 1": 1, "%d 2": 1}},
		{"input k bigint, v bigint\ntop_n k; v; row_number 1 1", "+ %d 2", map[string]int{"%d 1": 1, "%d 2": 1}},
		{"input k bigint, v bigint\ntop_n k; v; row_number 1 1 arrival", "+ %d 2", map[string]int{"%d 1": 1, "%d 2": 1}},
		{"input k bigint, v bigint\naggregate by k: count(*)", "+ %d 2", map[string]int{"%d 1": 2}},
		{"left k bigint, v bigint\nright k bigint, v bigint\nset_op except", "l+ %d 1", map[string]int{"%d 1": 2}},
		{"left k bigint, v bigint\nright k bigint, v bigint\nset_op intersect", "r+ %d 1", map[string]int{}},
	} {
		t.Run(strings.ReplaceAll(c.head[strings.LastIndex(c.head, "\n")+1:], "; ", ";"), func(t *testing.T) {
			var text strings.Builder
			fmt.Fprintf(&text, "ttl 10\n%s\n", c.head)
			first := "+"
			if strings.HasPrefix(c.head, "left") {
				first = "l+"
			}
			for k := range keys {
				fmt.Fprintf(&text, "%s %d 1\n", first, k)
			}
			text.WriteString("barrier 20\n")
			for k := 0; k < keys; k += every {
				fmt.Fprintf(&text, c.row+"\n", k)
			}
			text.WriteString("barrier 21\nend")
			got := mustParse(t, text.String()).run(t, mode{batch: 1024, tasks: []int{1}, coalesce: 1})
			for k := 0; k < keys; k += every {
				for _, row := range []string{"%d 1", "%d 2"} {
					if n := got.total[fmt.Sprintf(row, k)]; n != c.want[row] {
						t.Errorf("%d times "+row+", want %d", n, k, c.want[row])
					}
				}
			}
		})
	}
}
