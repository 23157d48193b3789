package lower

import (
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

// openWindow is the window of one side's rows that goes on through a join by times that
// are apart: what the join says of a row comes before a watermark that is lag
// microseconds behind passes the window's end.
type openWindow struct {
	window *pendingWindow // nil for none
	lag    int64
}

// shows reports whether each row of the join is, or has, a row of the side.
func (j *regularJoin) shows(side int) bool {
	return !j.filled(side) && (side == 0 || j.n.Kind != logical.SemiJoin && j.n.Kind != logical.AntiJoin)
}

// opens finds the window of rows of which the join says nothing any more once the
// watermark is past a column of the projection plus some microseconds: a time in the
// window, or a bound of it.
func (s *joinSide) opens(column int, plus int64) openWindow {
	a := s.attrOf(s.in.exprs[column])
	w, lag := a.window, plus
	switch {
	case a.by != nil:
		w = a.by
	case a.bound == "end":
		lag = plus + 1
	case a.bound == "start" && (w.spec.Kind == logical.Tumble || w.spec.Kind == logical.Hop):
		lag = plus + 1 - w.spec.Size
	case a.bound != "time":
		return openWindow{}
	}
	if !w.attr.time || w.attr.proc || s.closes(w) == nil {
		return openWindow{}
	}
	return openWindow{window: w, lag: max(lag, 0)}
}

// closes is the column that tells when the rows' window w closes, and how far from its
// last instant that is; nil if nobody reads such a column.
func (s *joinSide) closes(w *pendingWindow) *graph.Expiry {
	shifts := map[string]int64{"end": -1, "time": 0}
	switch w.spec.Kind {
	case logical.Session: // closes a microsecond later
		shifts = map[string]int64{"end": 0, "time": 1}
	case logical.Tumble, logical.Hop:
		shifts["start"] = w.spec.Size - 1
	}
	for _, bound := range []string{"end", "time", "start"} {
		shift, tells := shifts[bound]
		for c, a := range s.s.attrs {
			if tells && a.window == w && a.bound == bound && s.place[c] >= 0 {
				return &graph.Expiry{Column: s.place[c], Shift: shift}
			}
		}
	}
	return nil
}

// changingInterval is intervalJoin where the rows of one side, which are of windows, may
// change until these close: as late as the watermark of the output allows. The other
// side's rows only come, and are kept until the windows have closed that they may match
// rows of, if the condition says which those are.
func (j *regularJoin) changingInterval(spec *graph.Join, side int) error {
	s := &j.sides[side]
	bounds := j.placedBounds(side)
	b := bounds[side]
	if b == nil {
		return nil
	}
	open := s.opens(b.until, b.micros)
	if open.window == nil {
		return nil
	}
	j.open[side] = open
	own := s.closes(open.window)
	own.Shift += open.lag
	rest := &graph.Expiry{Column: b.time, Shift: b.shift, Forever: true}
	if b := bounds[1-side]; b != nil && open.window.spec.Kind != logical.Session {
		switch a := s.attrOf(s.in.exprs[b.time]); {
		case a.by == open.window:
			rest.Forever = false
			rest.KeepUntil(b.until, b.micros+open.window.spec.Size-1+open.lag)
		case a.window == open.window && a.bound != "time": // by the end of the window
			rest.Forever = false
			rest.KeepUntil(b.until, b.micros-1+open.lag)
		}
	}
	spec.Sides[side].Expiry, spec.Sides[1-side].Expiry = own, rest
	return j.useTimes()
}

// placedBounds are the bounds of a side whose windows' rows may change, and of the other,
// by columns of the projections: those of a key too that is a time of both.
func (j *regularJoin) placedBounds(side int) [2]*timeBound {
	for k := range j.sides[side].keys {
		s, other := &j.sides[side], &j.sides[1-side]
		if a := s.attrOf(s.in.exprs[k]); (a.by != nil || a.bound == "end") && other.attrOf(other.in.exprs[k]).ahead() {
			return [2]*timeBound{{side: 0, until: k, time: k}, {side: 1, until: k, time: k}}
		}
	}
	bounds := j.bounds()
	for i, b := range bounds {
		if b != nil {
			b.until, b.time = j.sides[i].place[b.until], j.sides[1-i].place[b.time]
		}
	}
	return bounds
}

// lose notes why the windows of a side's rows do not go on, and what to do.
func (j *regularJoin) lose() {
	b := j.b
	for i := range j.sides {
		s, other := &j.sides[i].s, j.sides[1-i].s.op
		if !b.apart || b.lost != "" || !s.hasWindow() || j.open[i].window != nil || j.timed == i || j.windows[i] != nil {
			continue
		}
		switch rows, others := "rows of "+b.ops[s.op].called, "rows of "+b.ops[other].called; {
		case j.filled(i):
			b.lost = others + " are in the result of the join by themselves too, and of no window then"
			b.regain = "Read from TUMBLE by the time of a side all of whose rows are in the result, the left one of a LEFT JOIN."
		case !j.shows(i):
		case b.modeOf(other) != graph.AppendOnly && j.follows(1-i):
			b.lost = others + " are found by their time, and may come or change after the windows of " + rows + " have closed"
			b.regain = "Join an APPEND ONLY relation as it is, by a condition that says how far the times may be apart, as in b.ts BETWEEN a.ts - INTERVAL '1 minute' AND a.ts, and group the result by window_start and window_end."
		case b.modeOf(other) != graph.AppendOnly:
			b.lost, b.regain = others+" that match may change at any time", "Join equal windows, by window_start and window_end, or an APPEND ONLY relation."
		default:
			b.lost = "the condition does not say how much later than " + rows + " the " + others + " may be that match"
			b.regain = "Bound the times, as in b.ts BETWEEN a.ts - INTERVAL '1 minute' AND a.ts, or join first, in a subquery, and read from TUMBLE over that."
		}
	}
}
