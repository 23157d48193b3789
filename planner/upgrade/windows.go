package upgrade

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
)

// window is one that rows come with, and what its time is computed by, "" for a column
// that has the watermark itself.
type window struct {
	graph.Window
	time string
}

// windows are those that rows are given on their way from the operators with state above
// o to it.
func windows(g *graph.Graph, o *graph.Operator) (list []window) {
	for _, in := range o.Inputs {
		from := &g.Operators[in.Operator]
		if len(from.Tables) > 0 {
			continue
		}
		if from.Window != nil {
			list = append(list, window{Window: graph.Window{Spec: from.Window.Spec}, time: timeOf(g, from)})
		}
		list = append(list, windows(g, from)...)
	}
	return list
}

// timeOf is by what the time of a window's rows is computed.
func timeOf(g *graph.Graph, w *graph.Operator) string {
	for from := &g.Operators[w.Inputs[0].Operator]; from.Project != nil; from = &g.Operators[from.Inputs[0].Operator] {
		if from.Project.Time != nil {
			return from.Project.Time.Text
		}
	}
	return ""
}

// otherWindows reports whether the rows that o kept and those that n gets are of windows
// that have nothing to do with each other. A view's rows stay what they were, and a
// window aggregate knows its own.
func (c *comparison) otherWindows(o, n *graph.Operator) bool {
	was, is := c.old.windows[o.ID], c.new.windows[n.ID]
	return n.Kind != graph.MaterializeKind && len(was) > 0 && len(is) > 0 &&
		!slices.ContainsFunc(was, func(w window) bool { return slices.Contains(is, w) })
}
