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
		end := x.boundColumn(a.window)
		if end == nil {
			continue
		}
		spec := a.window.spec
		if spec.Kind == logical.Hop {
			offset := (spec.Offset + spec.Size) % spec.Slide
			if offset < 0 {
				offset += spec.Slide
			}
			spec = logical.WindowSpec{Kind: logical.Tumble, Size: spec.Slide, Offset: offset}
		}
		x.attached = a.window
		x.window = &pendingWindow{spec: spec, time: windowTime(end), attr: a.window.attr, name: a.window.name, pos: a.window.pos}
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
	w, time := a.window, x.boundColumn(a.window)
	if w.spec.Kind == logical.Cumulate {
		time = windowTime(time)
	}
	x.attached = w
	x.window = &pendingWindow{spec: logical.WindowSpec{Kind: logical.Tumble, Size: 1}, time: time, attr: w.attr, name: w.name, pos: w.pos}
	return true
}

// byEnd reports whether attachByEnd has found the window.
func (x *aggregation) byEnd() bool {
	return x.attached != nil && (x.attached.spec.Kind == logical.Cumulate || x.attached.spec.Kind == logical.Session)
}

// keyAttr is what is known of a key.
func (x *aggregation) keyAttr(k *scalar.Expr) attr {
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
	return nil
}
