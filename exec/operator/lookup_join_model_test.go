package operator

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// TestLookupJoinModel runs random changelogs through lookup joins: each left row meets
// the right rows that are there when it comes.
func TestLookupJoinModel(t *testing.T) {
	var heads []string
	for _, kind := range []string{"inner", "left"} {
		for keys := range 3 {
			for _, side := range []string{"key 1", "key 0", "copies", "number"} {
				for _, where := range []string{"", " where v < w"} {
					heads = append(heads, fmt.Sprintf("left a bigint, b text, v bigint\nright c bigint, e text, w bigint\nlookup_join %s on %d by %s%s", kind, keys, side, where))
				}
			}
		}
	}
	eachNearest(t, heads, func(t *testing.T, head string, rng *rand.Rand) {
		x := newNearestRun(t, head, rng)
		x.fill(20 + rng.IntN(150))
		want, there := map[string]int{}, map[string]int{}
		rows := map[string][]types.Value{}
		for _, st := range x.steps {
			for i, row := range st.rows {
				if st.port == 1 {
					text := x.text(1, row)
					if rows[text] = row; st.ops[i].Retracts() {
						there[text]--
					} else {
						there[text]++
					}
					continue
				}
				found := false
				for text, n := range there {
					if r := rows[text]; n > 0 && x.sameKey(row, r) && x.holds(x.op.LookupJoin.Residual != nil, row, r) {
						found = true
						want[x.pair(row, r)] += n
					}
				}
				if !found && x.op.LookupJoin.Outer {
					want[x.pair(row, nil)]++
				}
			}
		}
		state := 0
		for text, n := range there {
			switch {
			case n <= 0 || x.hasNullKey(rows[text]):
			case x.op.LookupJoin.Right.Identity == graph.ByNumber:
				state += n
			default:
				state++
			}
		}
		x.check(t, head, want, 0, state)
	})
}

// holds evaluates "v < w", the last columns of both sides, if there is a condition.
func (x *nearestRun) holds(condition bool, l, r []types.Value) bool {
	v, w := l[len(l)-1], r[len(r)-1]
	return !condition || !v.Null && !w.Null && v.Int < w.Int
}
