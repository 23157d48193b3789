package operator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sided writes a row of a run over two inputs.
func sided(r ttlRow) string {
	return fmt.Sprintf("%s%s %d %d", "lr"[r.side:r.side+1], map[bool]string{true: "-", false: "+"}[r.delete], r.k, r.v)
}

const ttlSides = "left k bigint, v bigint\nright k bigint, w bigint\n"

// A left row meets the right rows that were written not too long ago.
func TestLifetimeModelLookupJoin(t *testing.T) {
	eachRun(t, 2, false, func(x ttlRun) {
		text := x.script(ttlSides+"lookup_join left on 1 by number", sided)
		rights := map[ttlRow][]int64{}
		want := map[string]int{}
		for _, e := range x.epochs {
			for _, r := range e.rows {
				if r.side == 1 {
					rights[r] = append(rights[r], e.at)
					continue
				}
				found := false
				for o, times := range rights {
					for _, at := range times {
						if o.k == r.k && e.at-at < x.ttl {
							want[fmt.Sprintf("%d %d %d %d", r.k, r.v, o.k, o.v)]++
							found = true
						}
					}
				}
				if !found {
					want[fmt.Sprintf("%d %d null null", r.k, r.v)]++
				}
			}
		}
		expectTotal(t, text, x.result(t, text), want)
	})
}

// Over a keyed right side, writing a row again lets it live on, and one that is due
// begins anew.
func TestLifetimeModelLookupJoinByKey(t *testing.T) {
	eachRun(t, 2, false, func(x ttlRun) {
		text := x.script("left k bigint, v bigint\nright k bigint, w bigint\nlookup_join inner on 1 by key 0", sided)
		rights := newTTLModel[int](x.ttl)
		want := map[string]int{}
		for _, e := range x.epochs {
			for _, r := range e.rows {
				if key := fmt.Sprint(r.k); r.side == 1 {
					rights.put(key, e.at, r.v)
				} else if w, ok := rights.get(key, e.at); ok {
					want[fmt.Sprintf("%d %d %d %d", r.k, r.v, r.k, w)]++
				}
			}
		}
		expectTotal(t, text, x.result(t, text), want)
	})
}

// Versions of a key are there while one of them is written often enough.
func TestLifetimeModelTemporalJoin(t *testing.T) {
	eachRun(t, 2, false, func(x ttlRun) {
		text := x.script("left k bigint, t ts\nright k bigint, u ts\ntemporal_join left on 1 at t", sided)
		keys := newTTLModel[[]int](x.ttl)
		want := map[string]int{}
		var lefts []ttlRow
		for _, e := range x.epochs {
			for _, r := range e.rows {
				if r.side == 0 {
					lefts = append(lefts, r)
					continue
				}
				list, _ := keys.get(fmt.Sprint(r.k), e.at)
				keys.put(fmt.Sprint(r.k), e.at, append(slices.Clone(list), r.v))
			}
		}
		end := x.epochs[len(x.epochs)-1].at
		for _, l := range lefts {
			list, _ := keys.get(fmt.Sprint(l.k), end)
			match := "null null"
			best := -1
			for _, v := range list {
				if v <= l.v && v > best {
					best, match = v, fmt.Sprintf("%d %d", l.k, v)
				}
			}
			want[fmt.Sprintf("%d %d %s", l.k, l.v, match)]++
		}
		expectTotal(t, text, x.result(t, text), want)
	})
}

// ttlAsof is an ASOF join whose rows are forgotten one by one: a left row goes with the
// right row that it matches.
type ttlAsof struct {
	ttl   [2]int64
	back  bool
	rows  [2][]ttlAsofRow
	want  map[string]int
	outer bool
}

type ttlAsofRow struct {
	ttlRow
	at int64
}

func (m *ttlAsof) match(l ttlRow) *ttlAsofRow {
	var best *ttlAsofRow
	for i := range m.rows[1] {
		r := &m.rows[1][i]
		switch {
		case r.k != l.k || m.back && r.v > l.v || !m.back && r.v < l.v:
		case best == nil || m.back && r.v >= best.v || !m.back && r.v < best.v:
			best = r
		}
	}
	return best
}

func (m *ttlAsof) isDue(side int, r *ttlAsofRow, now int64) bool { return now-r.at >= m.ttl[side] }

func (m *ttlAsof) add(l ttlRow, by int) {
	if r := m.match(l); r != nil {
		m.want[fmt.Sprintf("%d %d %d %d", l.k, l.v, r.k, r.v)] += by
	} else if m.outer {
		m.want[fmt.Sprintf("%d %d null null", l.k, l.v)] += by
	}
}

func (m *ttlAsof) row(r ttlRow, now int64) {
	m.rows[0] = slices.DeleteFunc(m.rows[0], func(l ttlAsofRow) bool {
		match := m.match(l.ttlRow)
		return m.isDue(0, &l, now) || match != nil && m.isDue(1, match, now)
	})
	m.rows[1] = slices.DeleteFunc(m.rows[1], func(r ttlAsofRow) bool { return m.isDue(1, &r, now) })
	for _, l := range m.rows[0] {
		m.add(l.ttlRow, -1)
	}
	m.rows[r.side] = append(m.rows[r.side], ttlAsofRow{r, now})
	slices.SortStableFunc(m.rows[1], func(a, b ttlAsofRow) int { return cmp.Compare(a.v, b.v) })
	for _, l := range m.rows[0] {
		m.add(l.ttlRow, 1)
	}
}

// Rows that expire and rows that the watermark frees do not get in each other's way:
// what comes out does not depend on how the join is run, and nothing is taken back that
// was not emitted.
func TestLifetimeAsofJoinByEventTime(t *testing.T) {
	for _, match := range []string{">=", ">", "<=", "<"} {
		t.Run(match, func(t *testing.T) {
			eachRun(t, 2, false, func(x ttlRun) {
				text := x.script("left k bigint, t ts\nright k bigint, u ts\nasof_join left on 1 by number, number match t "+match+" u expire 0 0", func(r ttlRow) string {
					return fmt.Sprintf("%s+ %d %d", "lr"[r.side:r.side+1], r.k, int64(r.v)*bucketMicros)
				})
				// The watermark goes on with each epoch, by less than rows lie ahead.
				var s strings.Builder
				for i, line := range strings.Split(text, "\n") {
					s.WriteString(line + "\n")
					if strings.HasPrefix(line, "barrier") {
						fmt.Fprintf(&s, "watermark %d\n", int64(i)*bucketMicros/16)
					}
				}
				x.result(t, s.String())
			})
		})
	}
}

func TestLifetimeModelAsofJoin(t *testing.T) {
	for _, match := range []string{">=", "<="} {
		for _, kind := range []string{"inner", "left"} {
			t.Run(kind+match, func(t *testing.T) {
				eachRun(t, 2, false, func(x ttlRun) {
					text := x.script(ttlSides+"asof_join "+kind+" on 1 by number, number match v "+match+" w", sided)
					m := &ttlAsof{ttl: [2]int64{x.ttl, x.ttl}, back: match == ">=", outer: kind == "left", want: map[string]int{}}
					for _, e := range x.epochs {
						for _, r := range e.rows {
							m.row(r, e.at)
						}
					}
					expectTotal(t, text, x.result(t, text), m.want)
				})
			})
		}
	}
}
