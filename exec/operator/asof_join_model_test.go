package operator

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/types"
)

// TestAsofJoinModel runs random changelogs of both sides through ASOF joins, which must
// come to what a naive one makes of the rows that are left.
func TestAsofJoinModel(t *testing.T) {
	var heads []string
	for _, kind := range []string{"inner", "left"} {
		for _, match := range []string{"<", "<=", ">", ">="} {
			for _, sides := range []string{"key 1, key 1", "copies, copies", "number, key 1", "key 1, number", "number, number", "copies, key 0"} {
				for keys := range 3 {
					heads = append(heads, fmt.Sprintf("left a bigint, b text, t bigint\nright c bigint, e text, u bigint, w text\nasof_join %s on %d by %s match t %s u", kind, keys, sides, match))
				}
			}
			heads = append(heads, fmt.Sprintf("bounded\nleft a bigint, t bigint\nright c bigint, u bigint, w text\nasof_join %s on 1 by number, number match t %s u", kind, match))
			for _, shifts := range []string{"0 0", "200000 -100000"} {
				heads = append(heads, fmt.Sprintf("left a text, t ts\nright c text, u ts, w text\nasof_join %s on 1 by number, number match t %s u expire %s", kind, match, shifts))
			}
		}
	}
	eachNearest(t, heads, func(t *testing.T, head string, rng *rand.Rand) {
		x := newNearestRun(t, head, rng)
		x.fill(20 + rng.IntN(150))
		spec := x.op.AsofJoin
		live, late := x.onTime()
		want := map[string]int{}
		var unmatched [][]types.Value
		for _, l := range live[0] {
			var best []types.Value
			for _, r := range live[1] {
				if x.sameKey(l, r) && x.fits(l, r) && (best == nil || x.nearer(r, best)) {
					best = r
				}
			}
			if best != nil || spec.Outer {
				want[x.pair(l, best)]++
			}
			if best == nil {
				unmatched = append(unmatched, l)
			}
		}
		x.check(t, head, want, late, x.asofState(live, unmatched))
	})
}

// asofState is how many rows of state there must be. The end of the input lets the
// watermark pass everything: then there is one right row of each key, or left ones that
// nothing came after.
func (x *nearestRun) asofState(live [2][][]types.Value, unmatched [][]types.Value) (n int) {
	spec := x.op.AsofJoin
	switch {
	case x.watermarks && spec.Back():
		live[0] = nil
	case x.watermarks:
		live = [2][][]types.Value{unmatched, nil}
	}
	for port, rows := range live {
		seen := map[string]bool{}
		for i, r := range rows {
			alone := port == 0 && spec.Outer && x.retract[0]
			if (x.hasNullKey(r) || r[spec.Times[port]].Null) && !alone {
				continue
			}
			key := x.text(port, r)
			switch {
			case port == 1 && x.watermarks:
				key = x.text(port, r[:x.keys])
			case !x.retract[port]:
				key = fmt.Sprint(i)
			}
			seen[key] = true
		}
		n += len(seen)
	}
	return n
}

// onTime is the rows that are there in the end, without those that were late.
func (x *nearestRun) onTime() (live [2][][]types.Value, late int64) {
	if !x.watermarks {
		return x.live, 0
	}
	watermark := exec.WatermarkMin
	for _, st := range x.steps {
		if st.kind == "watermark" {
			watermark = st.watermark
		}
		for _, row := range st.rows {
			at := row[x.op.AsofJoin.Times[st.port]]
			if !at.Null && at.Int+x.op.AsofJoin.Sides[st.port].Expiry.Shift < watermark {
				late++
				continue
			}
			live[st.port] = append(live[st.port], row)
		}
	}
	return live, late
}

func (x *nearestRun) fits(l, r []types.Value) bool {
	t, u := l[x.op.AsofJoin.Times[0]], r[x.op.AsofJoin.Times[1]]
	switch {
	case t.Null || u.Null:
		return false
	case x.op.AsofJoin.Match == "<":
		return t.Int < u.Int
	case x.op.AsofJoin.Match == "<=":
		return t.Int <= u.Int
	case x.op.AsofJoin.Match == ">":
		return t.Int > u.Int
	}
	return t.Int >= u.Int
}

// nearer reports whether right row a is nearer than b: by time, then by the columns,
// null being the greatest.
func (x *nearestRun) nearer(a, b []types.Value) bool {
	c := compareNulls(types.Of(types.Int64), a[x.op.AsofJoin.Times[1]], b[x.op.AsofJoin.Times[1]])
	for i := 0; i < len(a) && c == 0; i++ {
		c = compareNulls(x.right[i].Type, a[i], b[i])
	}
	if x.op.AsofJoin.Back() {
		return c > 0
	}
	return c < 0
}

func compareNulls(t types.Type, a, b types.Value) int {
	switch {
	case a.Null && b.Null:
		return 0
	case a.Null:
		return 1
	case b.Null:
		return -1
	}
	return types.Compare(t, &a, &b)
}
