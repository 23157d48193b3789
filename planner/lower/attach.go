package lower

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// attach finds out whether the rows come with a window that the keys include,
// from a window aggregate below, say. Such rows are aggregated by that window
// again, so that state goes and results come when it closes. The window is found
// by window_time, the last instant of it: tumbling windows are those below, and
// of hopping ones, which end every slide, just one ends with each slide.
func (x *aggregation) attach() {
	if x.b.bounded {
		return
	}
	for _, k := range x.n.Keys {
		a := x.keyAttr(k)
		if x.attachByEnd(a) {
			return
		}
		if a.bound != "end" && a.bound != "start" || !a.window.attr.time || a.window.spec.Kind == logical.Cumulate || a.window.spec.Kind == logical.Session {
			continue
		}
		if end := x.boundColumn(a.window); end != nil {
			x.attachTo(a.window, windowTime(end))
			return
		}
	}
	x.attachByTime()
}

// attachTo attaches the window w, whose last instant is time.
func (x *aggregation) attachTo(w *pendingWindow, time *scalar.Expr) {
	spec := w.spec
	switch spec.Kind {
	case logical.Hop:
		offset := (spec.Offset + spec.Size) % spec.Slide
		if offset < 0 {
			offset += spec.Slide
		}
		spec = logical.WindowSpec{Kind: logical.Tumble, Size: spec.Slide, Offset: offset}
	case logical.Cumulate, logical.Session:
		spec = logical.WindowSpec{Kind: logical.Tumble, Size: 1}
	}
	x.attached = w
	x.window = &pendingWindow{spec: spec, time: time, attr: w.attr, name: w.name, pos: w.pos}
}

// attachByTime is attach for window_time alone, which tells the window as its end does.
func (x *aggregation) attachByTime() {
	for _, k := range x.n.Keys {
		a := x.keyAttr(k)
		if a.bound != "time" || !a.window.attr.time || !x.b.emitOnClose {
			continue
		}
		time := scalar.Substitute(k, x.s.exprs)
		if a.window.spec.Kind == logical.Session {
			time = before(time, -1, "window_end")
		}
		x.attachTo(a.window, time)
		return
	}
}

// attachByEnd is attach for windows of which the end alone does not tell the start,
// which stays a key: all that end at one microsecond close together, those of
// cumulations at their last one, and sessions at the one after it.
func (x *aggregation) attachByEnd(a attr) bool {
	if a.bound != "end" || !a.window.attr.time || !x.b.emitOnClose || a.window.spec.Kind != logical.Cumulate && a.window.spec.Kind != logical.Session {
		return false
	}
	time := x.boundColumn(a.window)
	if a.window.spec.Kind == logical.Cumulate {
		time = windowTime(time)
	}
	x.attachTo(a.window, time)
	return true
}

// byEnd reports whether attachByEnd has found the window.
func (x *aggregation) byEnd() bool {
	return x.attached != nil && (x.attached.spec.Kind == logical.Cumulate || x.attached.spec.Kind == logical.Session)
}

// keyAttr is what is known of a key.
func (x *aggregation) keyAttr(k *scalar.Expr) attr {
	if a := merged(k, x.s.attrs); a.bound != "" {
		return a
	}
	if k.Op != scalar.OpColumn {
		return attr{rises: x.b.risesFrom(k, x.s.attrs)}
	}
	return x.s.attrs[k.Column]
}

// boundColumn is window_end of w among the keys, or among the input's columns.
func (x *aggregation) boundColumn(w *pendingWindow) *scalar.Expr {
	for i, a := range x.s.attrs {
		if a.bound == "end" && a.window == w {
			return x.s.exprs[i]
		}
	}
	for _, k := range x.n.Keys {
		if a := merged(k, x.s.attrs); a.bound == "end" && a.window == w {
			return scalar.Substitute(k, x.s.exprs)
		}
	}
	return nil
}
