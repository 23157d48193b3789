package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// carry finds out whether rows with an event time, or of a window, are joined with
// rows that have none, of a table, say. In a query that emits as windows close the
// time then goes on: the result has what the table had when the window closed, and
// what changes in it later is late. Where both sides have times, the condition must
// say how far they may be apart, or pairs would be late that belong together.
func (j *regularJoin) carry() {
	if !j.b.emitOnClose || j.b.bounded || j.n.Kind == logical.FullJoin {
		return
	}
	for i := range j.sides {
		if i == 1 && (j.n.Kind == logical.SemiJoin || j.n.Kind == logical.AntiJoin) {
			return // of whose right side nothing goes on
		}
		if !j.filled(i) && j.sides[i].hasTime() && !j.moves(1-i) && !j.follows(1-i) {
			j.timed = i
			return
		}
	}
}

// hasTime reports whether the side's rows have an event time or are of a window.
func (s *joinSide) hasTime() bool {
	return slices.ContainsFunc(s.s.attrs, func(a attr) bool { return a.time && !a.proc || a.bound != "" && a.window.attr.time })
}

// moves reports whether a side goes on by times of its own.
func (j *regularJoin) moves(side int) bool {
	s := &j.sides[side].s
	return j.b.modeOf(s.op) == graph.AppendOnly && j.b.hasWatermark(s.op) || s.hasWindow()
}

// follows reports whether rows of the other side find those of this one by the event time
// of a stream that this side alone reads, or by later ones, as in a correlated subquery:
// what belongs to a window may come after the other side's watermark has closed it.
func (j *regularJoin) follows(side int) bool {
	b, op, other := j.b, j.sides[side].s.op, j.sides[1-side].s.op
	return j.byTime(side) && !b.reads(other, op) || b.anyBelow(op, func(o *operator) bool {
		for i, is := range o.byTime {
			if !is {
				continue
			}
			from, found := o.Inputs[1-i].Operator, o.Inputs[i].Operator
			if b.reads(other, from) && (!b.reads(other, found) || o.later[i] && b.distinct(from)) {
				return true
			}
		}
		return false
	})
}

// distinct reports whether op is the different ones of rows.
func (b *builder) distinct(op int) bool {
	o := b.through(op)
	for o.Kind == graph.ProjectKind {
		o = b.through(o.Inputs[0].Operator)
	}
	return o.Aggregate != nil && len(o.Fields) == len(o.Aggregate.Keys)
}

// later reports whether rows of a side may match whose event time is later than any time of
// the other side's.
func (j *regularJoin) later(side int) bool {
	b := j.bounds()[1-side]
	return j.byTime(side) && (b == nil || b.micros > 0)
}

// byTime reports whether the condition compares an event time of a side, or a bound of a
// window, with the other side.
func (j *regularJoin) byTime(side int) bool {
	s, width := &j.sides[side], len(j.n.Left.Fields())
	tells := func(a attr) bool {
		return a.time && !a.proc || a.bound != "" && a.window.attr.time && !a.window.attr.proc
	}
	for _, k := range s.in.exprs[:s.keys] {
		if tells(s.attrOf(k)) {
			return true
		}
	}
	for _, c := range scalar.Conjuncts(j.residual) {
		own, others := false, false
		for _, at := range scalar.Columns(c) {
			if of := at >= width; of == (side == 1) {
				own = own || tells(s.s.attrs[at-side*width])
			} else {
				others = true
			}
		}
		if own && others {
			return true
		}
	}
	return false
}

// anyBelow reports whether is says so of op or of an operator below it.
func (b *builder) anyBelow(op int, is func(*operator) bool) bool {
	return is(b.ops[op]) || slices.ContainsFunc(b.ops[op].Inputs, func(in graph.Input) bool { return b.anyBelow(in.Operator, is) })
}

// hasWindow reports whether rows are of a window.
func (s *stream) hasWindow() bool {
	return slices.ContainsFunc(s.attrs, func(a attr) bool { return a.bound != "" && a.window.attr.time })
}

// changingJoin lets the watermark of one side alone go on, and frees the rows of that
// side whose window has closed: nobody would hear of what they are joined with later.
func (j *regularJoin) changingJoin(spec *graph.Join) error {
	s := &j.sides[j.timed]
	if !j.b.reads(s.s.op, j.sides[1-j.timed].s.op) {
		spec.Timeless = []int{1 - j.timed}
	}
	for c, a := range s.s.attrs {
		if a.bound == "" || !a.window.attr.time || s.place[c] < 0 {
			continue
		}
		if err := j.b.useTime(s.s.op, a.window.attr); err != nil {
			return err
		}
		if a.bound == "end" {
			spec.Sides[j.timed].Expiry = &graph.Expiry{Column: s.place[c], Shift: -1} // the window's last instant
			if a.window.spec.Kind == logical.Session {
				spec.Sides[j.timed].Expiry.Shift = 0
			}
			return nil
		}
	}
	return nil
}

// reads reports whether op reads all that other does, and that comes with watermarks: what
// other makes of a row is there then when the watermark that follows it comes from other.
func (b *builder) reads(op, other int) bool {
	from := b.sourcesOf(op, nil)
	for _, i := range b.sourcesOf(other, nil) {
		if !slices.Contains(from, i) || !b.hasWatermark(i) {
			return false
		}
	}
	return true
}

// sourcesOf adds the operators below op that have no inputs to those found.
func (b *builder) sourcesOf(op int, found []int) []int {
	if len(b.ops[op].Inputs) == 0 && !slices.Contains(found, op) {
		return append(found, op)
	}
	for _, in := range b.ops[op].Inputs {
		found = b.sourcesOf(in.Operator, found)
	}
	return found
}

// carried is what is known of a column of the side whose time goes on.
func (j *regularJoin) carried(a attr) attr {
	if a.bound != "" {
		return a
	}
	return attr{time: a.time && !a.proc, by: a.by}
}

// timeless reports whether the watermark of an input of o does not count.
func (o *operator) timeless(input int) bool {
	return input > 0 && (o.LookupJoin != nil || o.AsofJoin != nil && o.AsofJoin.Timeless) || o.Join != nil && slices.Contains(o.Join.Timeless, input)
}
