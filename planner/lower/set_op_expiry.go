package lower

import (
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

// expireSetOp finds a column of both inputs of o that says when nothing more is heard
// of a row: the time of rows that only come, or a bound of the window they are of.
// Equal rows are equal in it, so that what o has counted of a row is done with then.
func (b *builder) expireSetOp(o *operator, inputs ...int) error {
	var best attr
	at := -1
	for c := range o.Fields {
		a, ok := b.finality(inputs[0], c)
		for _, in := range inputs[1:] {
			other, final := b.finality(in, c)
			ok = ok && final && a.proc == other.proc
			a.shift, a.time = max(a.shift, other.shift), a.time || other.time
		}
		// Rows that are of a window are late with it.
		if ok && (at < 0 || best.time && !a.time || best.time == a.time && a.shift < best.shift) {
			at, best = c, a
		}
	}
	if at < 0 {
		return nil
	}
	o.SetOp.Expiry = &graph.Expiry{Column: at, Shift: best.shift}
	o.attrs[at] = attr{final: true, shift: best.shift, proc: best.proc}
	for _, in := range inputs {
		a, _ := b.finality(in, at)
		under := b.through(in)
		o.SetOp.Timeless = o.SetOp.Timeless || a.time && !b.columnNeverNull(in, at) || under.SetOp != nil && under.SetOp.Timeless
		if err := b.useTime(in, a); err != nil {
			return err
		}
	}
	return nil
}

// finality is attr.final and what goes with it of column c of an operator; time if it
// is no window's.
func (b *builder) finality(op, c int) (out attr, ok bool) {
	a := b.ops[op].attrs[c]
	switch {
	case a.final:
		return a, true
	case a.bound != "" && a.window.attr.time:
		out = attr{final: true, proc: a.window.attr.proc}
		session := a.window.spec.Kind == logical.Session
		switch {
		case a.bound == "start" && session:
			return attr{}, false
		case a.bound == "start":
			out.shift = a.window.spec.Size - 1 // the window's last instant
		case a.bound == "end" && !session:
			out.shift = -1
		case a.bound == "time" && session: // whose rows come once the watermark is past their end
			out.shift = 1
		}
		return out, true
	}
	return attr{final: true, time: true}, a.time && !a.proc && b.modeOf(op) == graph.AppendOnly && b.hasWatermark(op)
}
