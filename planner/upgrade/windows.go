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

// windows are those that the rows of each input of o are given on their way from the
// operators with state above.
func windows(g *graph.Graph, o *graph.Operator) (inputs [][]window) {
	for _, in := range o.Inputs {
		var list []window
		if from := &g.Operators[in.Operator]; len(from.Tables) == 0 {
			if from.Window != nil {
				list = append(list, window{Window: graph.Window{Spec: from.Window.Spec}, time: timeOf(g, from)})
			}
			list = append(list, slices.Concat(windows(g, from)...)...)
		}
		inputs = append(inputs, list)
	}
	return inputs
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
	if n.Kind == graph.MaterializeKind {
		return false
	}
	is := c.new.windows[n.ID]
	for i, was := range c.old.windows[o.ID] {
		if i < len(is) && len(was) > 0 && len(is[i]) > 0 && !slices.ContainsFunc(was, func(w window) bool { return slices.Contains(is[i], w) }) {
			return true
		}
	}
	return false
}
