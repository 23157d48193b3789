package graph

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// SliceName is the name of the state key that tells a window aggregate's slices
// of time apart. It says what a row of state is, since that depends on whether
// states of smaller slices can be merged into windows: a change of it is a
// change of what the state means.
func (w *WindowAggregate) SliceName() string {
	mergeable := (w.OnClose || w.AtEnd) && len(w.Distincts) == 0
	for _, a := range w.Accumulators {
		if a.Func == "min" || a.Func == "max" {
			mergeable = mergeable && !w.Retractable && a.Type.Phys() != types.PhysBytes
		}
	}
	switch {
	case w.Spec.Kind == logical.Hop && mergeable:
		return "pane_start"
	case w.Spec.Kind == logical.Cumulate && mergeable:
		return "step_start"
	case w.Spec.Kind == logical.Cumulate:
		return "last_step_start"
	}
	return "window_start"
}
