package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// windowOf finds out whether the rows come with a window that the partition is
// of, so that groups are done with when it closes. It returns the window and its
// end, which is made part of the partition.
func (b *builder) windowOf(s *stream, by []*scalar.Expr) (*pendingWindow, *scalar.Expr) {
	for _, x := range by {
		if x.Op != scalar.OpColumn {
			continue
		}
		a := s.attrs[x.Column]
		if a.bound != "start" && a.bound != "end" || a.window == nil || !a.window.attr.time ||
			a.bound == "start" && (a.window.spec.Kind == logical.Cumulate || a.window.spec.Kind == logical.Session) {
			continue
		}
		for i, other := range s.attrs {
			if other.bound == "end" && other.window == a.window {
				return a.window, column(i, s.exprs[i].Type, s.names[i])
			}
		}
	}
	return nil, nil
}

// closesTop decides whether the first rows of windows are emitted once, on close.
func (b *builder) closesTop(mode graph.Changelog) bool {
	if !b.view && !b.emitOnClose {
		return mode == graph.AppendOnly
	}
	return b.emitOnClose // whatever the changes are: those of a window end with it
}

// windowed makes o the first rows of windows.
func (o *operator) windowed(w *pendingWindow, p *partition, end int, onClose bool) {
	o.TopN.Window = &graph.TopNWindow{End: end, After: w.spec.Kind == logical.Session, OnClose: onClose}
	if onClose {
		o.Mode, o.onClose = graph.AppendOnly, true
	}
	var by []string
	for _, k := range p.keys {
		if o.attrs[k].window != w || o.attrs[k].bound == "" {
			by = append(by, o.origins[k])
		}
	}
	text := windowText(w.spec, w.name)
	under := o.under
	if strings.HasSuffix(under, text) {
		text = "same window"
	}
	o.base = asText("top_n", under, prefix("by ", strings.Join(by, ", ")), text)
	if len(by) == 0 {
		o.base = "top_n(" + under + ", " + text + ")"
	}
	o.called = "top of " + under
	if !strings.HasSuffix(under, windowText(w.spec, w.name)) {
		o.called += " per " + strings.Join(append(slices.Clone(by), text), ", ")
	}
}
