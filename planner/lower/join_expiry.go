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
	return j.intervalJoin(spec)
}

// attrOf is what is known of x, over the side's input.
func (s *joinSide) attrOf(x *scalar.Expr) attr {
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
		}
		j.windowed = true
		return true, nil
	}
	return false, nil
}

// ofWindow is what is known of a window's bound after a join within that window:
// its rows come before it closes.
func (a attr) ofWindow(mode graph.Changelog) attr {
	if a.bound == "" {
		return attr{}
	}
	a.time = a.time && mode == graph.AppendOnly
	return a
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

// intervalJoin is for conditions that bound the difference of the sides' event
// times on both ends. Rows that are taken back must still find what they were
// joined with, so that both sides must only grow.
func (j *regularJoin) intervalJoin(spec *graph.Join) error {
	for i := range j.sides {
		if j.b.modeOf(j.sides[i].s.op) != graph.AppendOnly {
			return nil
		}
	}
	var low, high *difference // left - right is at least, at most
	for _, c := range scalar.Conjuncts(j.residual) {
		d, ok := j.differenceOf(c)
		switch {
		case !ok:
		case d.atLeast && (low == nil || low.left == d.left && low.right == d.right && d.micros > low.micros):
			low = &d
		case !d.atLeast && (high == nil || high.left == d.left && high.right == d.right && d.micros < high.micros):
			high = &d
		}
	}
	if low == nil || high == nil || low.left != high.left || low.right != high.right {
		return nil
	}
	// A left row at t matches right ones from t-high to t-low, a right one at t left
	// ones from t+low to t+high.
	for i, c := range []int{low.left, low.right} {
		s := &j.sides[i]
		if err := j.b.useTime(s.s.op, s.s.attrs[c]); err != nil {
			return err
		}
		keep := -low.micros
		if i == 1 {
			keep = high.micros
		}
		spec.Sides[i].Expiry = &graph.Expiry{Column: s.place[c], Keep: keep}
	}
	return nil
}

// difference is a bound of the difference of two event times: left column less
// right column, of the sides' logical columns.
type difference struct {
	left, right int
	micros      int64
	atLeast     bool
}

// differenceOf reads x < y and the like, both being an event time, or one plus or
// less a constant interval.
func (j *regularJoin) differenceOf(x *scalar.Expr) (d difference, ok bool) {
	if x.Op != scalar.OpCall || len(x.Args) != 2 {
		return d, false
	}
	op, _, _ := strings.Cut(x.Func, "(")
	a, am, ok1 := j.eventTime(x.Args[0])
	b, bm, ok2 := j.eventTime(x.Args[1])
	width := len(j.n.Left.Fields())
	if !ok1 || !ok2 || (a < width) == (b < width) {
		return d, false
	}
	switch op { // x + am op y + bm
	case ">", ">=":
		d.atLeast = true
	case "<", "<=":
	default:
		return d, false
	}
	d.left, d.right, d.micros = a, b-width, bm-am // left - right op bm - am
	if a >= width {
		d.left, d.right, d.micros, d.atLeast = b, a-width, am-bm, !d.atLeast
	}
	return d, true
}

// eventTime is column, or column plus micros, of an event time column that has a
// watermark.
func (j *regularJoin) eventTime(x *scalar.Expr) (column int, micros int64, ok bool) {
	if x.Op == scalar.OpCall && len(x.Args) == 2 {
		op, _, _ := strings.Cut(x.Func, "(")
		c, rest, fine := j.eventTime(x.Args[0])
		n, constant := intervalMicros(x.Args[1])
		if !fine || !constant || op != "+" && op != "-" {
			return 0, 0, false
		}
		if op == "-" {
			n = -n
		}
		return c, rest + n, true
	}
	if x.Op != scalar.OpColumn {
		return 0, 0, false
	}
	i, c, width := 0, x.Column, len(j.n.Left.Fields())
	if c >= width {
		i, c = 1, c-width
	}
	a := j.sides[i].s.attrs[c]
	return x.Column, 0, a.time && !a.proc
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
