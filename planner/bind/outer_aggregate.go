package bind

import "slices"

// reboundMax bounds the aggregates of outer queries in a statement: each is bound
// twice, and what stands within its arguments as often again.
const reboundMax = 1000

// trial binds an expression to see which queries' columns it is over, so that it
// may be bound in another one instead.
type trial struct {
	level *level
	// reached are the levels whose columns were meant; above is the list of the
	// trial that this one is a part of.
	reached []*level
	above   *[]*level
	marks   []mark
	notices int
}

// mark is how far a level had come.
type mark struct {
	args, pending, srf, aggs int
}

// tryOut begins a trial at the level, which ends with innermost.
func (l *level) tryOut() *trial {
	t := &trial{level: l, above: l.b.reached, notices: len(l.b.notices)}
	for at := l; ; at = at.outer.from {
		m := mark{pending: len(at.pending), srf: len(at.srf)}
		if at.aggs != nil {
			m.aggs = len(at.aggs.list)
		}
		if at.outer != nil {
			m.args = len(at.outer.args)
		}
		t.marks = append(t.marks, m)
		if at.outer == nil {
			break
		}
	}
	l.b.reached = &t.reached
	return t
}

// innermost ends the trial: the innermost query from the trial's level outwards
// whose columns were meant, or that level itself.
func (t *trial) innermost() *level {
	l := t.level
	l.b.reached = t.above
	for at := l; ; at = at.outer.from {
		if at != l && slices.Contains(t.reached, at) {
			return at // which will be bound again
		}
		if at == l && slices.Contains(t.reached, at) || at.outer == nil {
			break
		}
	}
	for _, at := range t.reached {
		l.b.reach(at)
	}
	return l
}

// undo takes back what binding has left in the levels.
func (t *trial) undo() {
	at := t.level
	for i, m := range t.marks {
		at.pending, at.srf = at.pending[:m.pending], at.srf[:m.srf]
		if at.aggs != nil {
			at.aggs.list = at.aggs.list[:m.aggs]
		}
		if at.outer != nil {
			at.outer.args = at.outer.args[:m.args]
		}
		if i+1 < len(t.marks) {
			at = at.outer.from
		}
	}
	t.level.b.notices = t.level.b.notices[:t.notices]
}

// reach notes that a column of the level was meant.
func (b *binder) reach(at *level) {
	if b.reached != nil && !slices.Contains(*b.reached, at) {
		*b.reached = append(*b.reached, at)
	}
}
