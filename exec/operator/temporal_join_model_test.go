package operator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/types"
)

// TestTemporalJoinModel runs random versions and rows through temporal joins and
// compares with versions that are kept for ever.
func TestTemporalJoinModel(t *testing.T) {
	var heads []string
	for _, kind := range []string{"inner", "left"} {
		for _, where := range []string{"", " where v < w"} {
			heads = append(heads,
				fmt.Sprintf("left a text, b bigint, t ts, v bigint\nright c text, d bigint, u ts, e text, w bigint\ntemporal_join %s on 2 at t%s", kind, where),
				fmt.Sprintf("left a text, t ts, v bigint\nright c text, u ts, w bigint\ntemporal_join %s on 1 at t%s", kind, where),
				fmt.Sprintf("left t ts, v bigint\nright u ts, w bigint\ntemporal_join %s on 0 at t%s", kind, where),
				fmt.Sprintf("bounded\nleft a text, t ts, v bigint\nright c text, u ts, w bigint\ntemporal_join %s on 1 at t%s", kind, where))
		}
	}
	eachNearest(t, heads, func(t *testing.T, head string, rng *rand.Rand) {
		x := newNearestRun(t, head, rng)
		x.keyed[1] = x.keys
		x.fill(20 + rng.IntN(200))
		m := &versionModel{nearestRun: x, versions: map[string][]version{}, want: map[string]int{}, watermark: exec.WatermarkMin}
		for _, st := range x.steps {
			m.step(st)
		}
		state := 0
		for _, list := range m.versions {
			state += len(list)
		}
		if x.bounded {
			state += m.kept
		}
		x.check(t, head, m.want, m.late, state)
	})
}

// versionModel is the naive temporal join.
type versionModel struct {
	*nearestRun
	versions  map[string][]version // by key, in the order of their times
	waiting   [][]types.Value
	want      map[string]int
	watermark int64
	late      int64
	kept      int
}

type version struct {
	at   int64
	ends bool
	row  []types.Value
}

func (m *versionModel) step(st step) {
	switch {
	case st.kind == "watermark":
		m.advance(st.watermark)
	case st.kind == "end":
		m.advance(exec.WatermarkMax)
	}
	for i, row := range st.rows {
		switch {
		case st.port == 0:
			m.left(row)
		case st.ops[i] == batch.UpdateBefore && m.replaces(row, st.rows[i+1]):
		default:
			m.version(row, st.ops[i].Retracts())
		}
	}
}

// replaces reports whether the row after an update is a version of the same thing.
func (m *versionModel) replaces(old, new []types.Value) bool {
	return m.text(1, old[:m.keys]) == m.text(1, new[:m.keys])
}

func (m *versionModel) left(row []types.Value) {
	switch at := row[m.op.TemporalJoin.LeftTime]; {
	case !at.Null && at.Int < m.watermark:
		m.late++
	case !at.Null && !m.hasNullKey(row):
		m.waiting = append(m.waiting, row)
	case m.op.TemporalJoin.Outer:
		m.want[m.pair(row, nil)]++
	}
}

func (m *versionModel) version(row []types.Value, ends bool) {
	at := row[m.keys]
	if at.Null || m.hasNullKey(row) {
		return
	}
	key := m.text(1, row[:m.keys])
	list := m.versions[key]
	if at.Int < m.watermark && slices.ContainsFunc(list, func(v version) bool { return v.at > at.Int && v.at <= m.watermark }) {
		if !ends {
			m.late++
		}
		return
	}
	list = slices.DeleteFunc(list, func(v version) bool { return v.at == at.Int })
	list = append(list, version{at.Int, ends, row})
	slices.SortFunc(list, func(a, b version) int { return int(a.at - b.at) })
	if at.Int < m.watermark {
		list = slices.DeleteFunc(list, func(v version) bool { return v.at < at.Int || v.at == at.Int && v.ends })
	}
	m.versions[key] = list
}

// advance joins what is behind the watermark, and forgets versions that are before the
// last one behind it, and that one too if it is an end.
func (m *versionModel) advance(w int64) {
	if m.bounded && w != exec.WatermarkMax {
		return
	}
	m.watermark = w
	m.waiting = slices.DeleteFunc(m.waiting, func(l []types.Value) bool {
		at := l[m.op.TemporalJoin.LeftTime].Int
		if at >= w && w != exec.WatermarkMax {
			return false
		}
		var match []types.Value
		for _, v := range m.versions[m.text(0, l[:m.keys])] {
			if v.at <= at {
				if match = v.row; v.ends {
					match = nil
				}
			}
		}
		if match != nil && !m.holds(m.op.TemporalJoin.Residual != nil, l, match) {
			match = nil
		}
		if match != nil || m.op.TemporalJoin.Outer {
			m.want[m.pair(l, match)]++
		}
		return true
	})
	if w == exec.WatermarkMax {
		return
	}
	for key, list := range m.versions {
		for len(list) > 0 && floorDiv(list[0].at, bucketMicros) < floorDiv(w, bucketMicros) {
			passed := len(list) > 1 && floorDiv(list[1].at, bucketMicros) < floorDiv(w, bucketMicros)
			if !passed && !list[0].ends {
				break
			}
			list = list[1:]
		}
		m.versions[key] = list
	}
}
