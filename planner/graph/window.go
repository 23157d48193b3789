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
	mergeable := (w.OnClose || w.AtEnd) && w.Mergeable()
	switch {
	case w.Spec.Kind == logical.Session:
		return "session_start"
	case w.Spec.Kind == logical.Hop && mergeable:
		return "pane_start"
	case w.Spec.Kind == logical.Cumulate && mergeable:
		return "step_start"
	case w.Spec.Kind == logical.Cumulate:
		return "last_step_start"
	}
	return "window_start"
}

// Mergeable reports whether the states of two sets of rows give, slot by slot,
// the state of both together.
func (a *Aggregate) Mergeable() bool {
	if len(a.Distincts)+len(a.Lists)+len(a.Sketches) > 0 {
		return false
	}
	for _, acc := range a.Accumulators {
		if (acc.Func == "min" || acc.Func == "max") && (a.Retractable || acc.Type.Phys() == types.PhysBytes || acc.Type.Phys() == types.PhysUUID) {
			return false
		}
	}
	return true
}
