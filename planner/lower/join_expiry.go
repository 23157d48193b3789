package lower

import (
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// expire finds out how long rows must be kept: until their window closes, if both
// sides' windows end together, or as long as an interval of event time says.
func (j *regularJoin) expire(spec *graph.Join) error {
	if j.b.bounded {
		return nil
	}
	if found, err := j.windowJoin(spec); found || err != nil {
		return err
	}
	if j.timed >= 0 {
		return j.changingJoin(spec)
	}
	changing := -1
	for i := range j.sides {
		switch s := &j.sides[i]; {
		case !j.b.hasWatermark(s.s.op):
			return nil
		case j.b.modeOf(s.s.op) == graph.AppendOnly:
		case j.b.apart && changing < 0 && j.b.modeOf(s.s.op) == graph.Retract && j.shows(i) && s.s.hasWindow(): // which are only until it closes
			changing = i
		default:
			return nil // rows that are taken back must still find what they were joined with
		}
	}
	if changing >= 0 {
		return j.changingInterval(spec, changing)
	}
	found, err := j.momentJoin(spec)
	if !found && err == nil {
		err = j.intervalJoin(spec)
	}
	if err != nil || !j.b.apart {
		return err
	}
	for i := range j.sides {
		if e := spec.Sides[i].Expiry; e != nil && !e.Forever && j.shows(i) {
			column, plus := e.End()
			j.open[i] = j.sides[i].opens(column, plus)
		}
	}
	return nil
}

// attrOf is what is known of x, over the side's input. A bound of a window is one
// too where a null would be made something else: it is none.
func (s *joinSide) attrOf(x *scalar.Expr) attr {
	if x.Op == scalar.OpCase && len(x.Args) == 3 && x.Args[0].Op == scalar.OpIsNull && exprKey(x.Args[0].Args[0]) == exprKey(x.Args[2]) {
		if a := s.attrOf(x.Args[2]); a.bound != "" {
			return a
		}
		return attr{}
	}
	for i, e := range s.s.exprs {
		if s.s.attrs[i] != (attr{}) && exprKey(e) == exprKey(x) {
			return s.s.attrs[i]
		}
	}
	return attr{}
}

// windowJoin is for a key that is window_end on both sides.
func (j *regularJoin) windowJoin(spec *graph.Join) (found bool, err error) {
	l, r := &j.sides[0], &j.sides[1]
	for i := range l.keys {
		a, b := l.attrOf(l.in.exprs[i]), r.attrOf(r.in.exprs[i])
		if a.bound != "end" || b.bound != "end" || !a.window.attr.time || !b.window.attr.time {
			continue
		}
		for side, w := range []*pendingWindow{a.window, b.window} {
			if err := j.b.useTime(j.sides[side].s.op, w.attr); err != nil {
				return false, err
			}
			spec.Sides[side].Expiry = &graph.Expiry{Column: i, Shift: -1} // the window's last instant
			if w.spec.Kind == logical.Session {                           // whose rows come once the watermark is past their end
				spec.Sides[side].Expiry.Shift = 0
			}
		}
		j.windows, j.end = [2]*pendingWindow{a.window, b.window}, i
		return true, nil
	}
	return j.windowJoinByOther(spec)
}

// windowJoinByOther is windowJoin for a key that is window_time or window_start, which
// tells the same where rows come as windows close.
func (j *regularJoin) windowJoinByOther(spec *graph.Join) (found bool, err error) {
	l, r := &j.sides[0], &j.sides[1]
	for i := range l.keys {
		a, b := l.attrOf(l.in.exprs[i]), r.attrOf(r.in.exprs[i])
		if sameWindow(a, b) == (attr{}) || !j.b.emitOnClose || j.n.Kind == logical.FullJoin {
			continue
		}
		shift := int64(0)
		switch w := a.window.spec; {
		case a.bound == "start" && (w.Kind == logical.Tumble || w.Kind == logical.Hop):
			shift = w.Size - 1
		case a.bound != "time":
			continue
		case w.Kind == logical.Session:
			shift = 1
		}
		for side, w := range []*pendingWindow{a.window, b.window} {
			if err := j.b.useTime(j.sides[side].s.op, w.attr); err != nil {
				return false, err
			}
			spec.Sides[side].Expiry = &graph.Expiry{Column: i, Shift: shift}
		}
		j.windows, j.end = [2]*pendingWindow{a.window, b.window}, i
		return true, nil
	}
	return false, nil
}

// filled reports whether the join fills the side's columns with nulls.
func (j *regularJoin) filled(side int) bool {
	switch j.n.Kind {
	case logical.FullJoin:
		return true
	case logical.LeftJoin:
		return side == 1
	case logical.RightJoin:
		return side == 0
	}
	return false
}

// intervalJoin is for conditions that bound the event time of one side by a time of
// the other, "bid.ts <= auction.expires": an auction then matches no bid that comes
// once the watermark is past its expires. A bound of both sides' event times, from
// either end, frees both.
func (j *regularJoin) intervalJoin(spec *graph.Join) error {
	bounds := j.bounds()
	for i := range j.sides {
		s, e := &j.sides[i], graph.Expiry{Column: -1}
		if other := bounds[1-i]; other != nil { // rows of this side are not to be late
			e.Column, e.Shift = s.place[other.time], other.shift
		}
		if b := bounds[i]; b == nil {
			e.Forever = true
		} else {
			e.KeepUntil(s.place[b.until], b.micros)
		}
		if e.Column < 0 && e.Forever {
			continue
		}
		spec.Sides[i].Expiry = &e
		if err := j.useTimes(); err != nil {
			return err
		}
	}
	return nil
}

// bounds are the tightest bounds of both sides.
func (j *regularJoin) bounds() (bounds [2]*timeBound) {
	for _, c := range scalar.Conjuncts(j.residual) {
		b, ok := j.boundOf(c)
		if ok && (bounds[b.side] == nil || j.tighter(&b, bounds[b.side])) {
			bounds[b.side] = &b
		}
	}
	return bounds
}

// momentJoin is for a key that is the event time of both sides.
func (j *regularJoin) momentJoin(spec *graph.Join) (found bool, err error) {
	for i := range spec.LeftKeys {
		l, r := &j.sides[0], &j.sides[1]
		a, b := l.attrOf(l.in.exprs[i]), r.attrOf(r.in.exprs[i])
		if a.time && !a.proc && b.time && !b.proc {
			spec.Sides[0].Expiry, spec.Sides[1].Expiry = &graph.Expiry{Column: i}, &graph.Expiry{Column: i}
			return true, j.useTimes()
		}
	}
	return false, nil
}

// useTimes asks both sides for watermarks: the join's is that of the side that is
// behind.
func (j *regularJoin) useTimes() error {
	for i := range j.sides {
		if err := j.b.useTime(j.sides[i].s.op, attr{time: true}); err != nil {
			return err
		}
	}
	return nil
}

// timeBound says that a row of a side matches none of the other whose event time,
// its column time plus shift, is more than column until of the row plus micros.
type timeBound struct {
	side, until, time int
	micros, shift     int64
	derived           bool // the event time is none of the column's own
}

// tighter reports whether a is to be preferred to b: a bound from the row's own
// event time to one from another column, which may be far ahead, then the shorter.
func (j *regularJoin) tighter(a, b *timeBound) bool {
	if a.derived != b.derived {
		return b.derived
	}
	attrs := j.sides[a.side].s.attrs
	if x, y := attrs[a.until].time, attrs[b.until].time; x != y {
		return x
	}
	return a.until == b.until && a.time == b.time && a.micros < b.micros
}

// boundOf reads x < y and the like, x being an event time of one side, or the end of its
// window, and y a time of the other, or one of these plus or less a constant interval.
func (j *regularJoin) boundOf(x *scalar.Expr) (b timeBound, ok bool) {
	if x.Op != scalar.OpCall || len(x.Args) != 2 {
		return b, false
	}
	low, high := x.Args[0], x.Args[1]
	switch op, _, _ := strings.Cut(x.Func, "("); op {
	case "<", "<=":
	case ">", ">=":
		low, high = high, low
	default:
		return b, false
	}
	c, cm, ok1 := timeOf(low)
	d, dm, ok2 := timeOf(high)
	if !ok1 || !ok2 { // c + cm <= d + dm
		return b, false
	}
	from, time := j.sideOf(c)
	side, until := j.sideOf(d)
	if from == side {
		return b, false
	}
	b = timeBound{side: side, until: until, time: time, micros: dm - cm}
	if a := j.sides[from].s.attrs[time]; !a.ahead() {
		b.derived = true
		if b.shift, ok = j.derived(from, a); !ok {
			return b, false
		}
		b.micros += b.shift
	}
	return b, true
}

// derived reports whether a column of a side that has no event time of its own tells one
// of its rows, so many microseconds later: the start of a window, whose end is its size
// later, or before that, or the end of a session that has closed.
func (j *regularJoin) derived(side int, a attr) (later int64, ok bool) {
	if a.bound == "" || !a.window.attr.time || a.window.attr.proc {
		return 0, false
	}
	if w := a.window.spec; w.Kind != logical.Session {
		return w.Size, a.bound == "start"
	}
	return 0, a.bound == "end" && j.b.settled(j.sides[side].s.op)
}

// ahead reports whether no row of an append-only stream has less in a column than what
// the watermark was before it came, or it is late: an event time, or the end of a window,
// whose rows come before the watermark passes it.
func (a attr) ahead() bool {
	if a.bound == "end" && a.window.spec.Kind != logical.Session {
		a = a.window.attr
	}
	return a.time && !a.proc
}

// sideOf splits the number of a column of both sides.
func (j *regularJoin) sideOf(c int) (side, column int) {
	if width := len(j.n.Left.Fields()); c >= width {
		return 1, c - width
	}
	return 0, c
}

// timeOf reads a column that is a point in time, or one plus or less a constant
// interval.
func timeOf(x *scalar.Expr) (column int, micros int64, ok bool) {
	if x.Op == scalar.OpColumn {
		return x.Column, 0, x.Type.Kind == types.Timestamp || x.Type.Kind == types.TimestampTZ
	}
	if x.Op != scalar.OpCall || len(x.Args) != 2 {
		return 0, 0, false
	}
	op, _, _ := strings.Cut(x.Func, "(")
	c, rest, fine := timeOf(x.Args[0])
	n, constant := intervalMicros(x.Args[1])
	if !fine || !constant || op != "+" && op != "-" {
		return 0, 0, false
	}
	if op == "-" {
		n = -n
	}
	return c, rest + n, true
}

// intervalMicros is the length of a constant interval without months.
func intervalMicros(x *scalar.Expr) (int64, bool) {
	if x.Op != scalar.OpConst || x.Type.Kind != types.IntervalK || x.Value == nil || x.Value.Null || x.Value.Interval.Months != 0 {
		return 0, false
	}
	const day = 86_400_000_000
	v := x.Value.Interval
	if v.Days > 100_000 || v.Days < -100_000 || v.Micros > 100_000*day || v.Micros < -100_000*day {
		return 0, false
	}
	return int64(v.Days)*day + v.Micros, true
}
