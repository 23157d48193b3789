package explain

import (
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

func (p *printer) over(o *graph.Operator, add func(string, ...any)) {
	w, in := o.Over, p.input(o, 0).Fields
	if len(w.Keys) > 0 {
		add("keys: %s", p.names(in, w.Keys))
	}
	if len(w.Order) > 0 {
		add("by: %s", p.order(w.Order, in))
	}
	if w.Progress != nil {
		add("emits: once the watermark has passed %s", p.names(in, []int{w.Progress.Time}))
	}
	if w.Window != nil {
		add("window: %s", closing(o.Fields[w.Window.End].Name, w.Window.After, w.Window.OnClose))
	}
	for i, c := range w.Calls {
		s := o.Fields[len(in)+i].Name
		if c.Frame.Unit != "" {
			s += ", frame: " + frame(&c.Frame)
		}
		add("computes: %s", s)
	}
}

// closing says when a window closes and what happens then.
func closing(end string, after, onClose bool) string {
	s := "ends at " + end
	if after {
		s = "ends after " + end
	}
	if onClose {
		return s + ", emits on close"
	}
	return s + ", forgets a window when it closes"
}

func frame(f *scalar.Frame) string {
	bound := func(b scalar.Bound) string {
		if b.Offset != nil {
			return Expr(b.Offset, nil) + " " + string(b.Kind)
		}
		return string(b.Kind)
	}
	s := string(f.Unit) + " between " + bound(f.Start) + " and " + bound(f.End)
	if f.Exclude != "" {
		s += " exclude " + f.Exclude
	}
	return strings.TrimSpace(s)
}
