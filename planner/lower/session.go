package lower

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

// session checks that the aggregation's groups are the sessions of its window,
// since it is the aggregation that finds them.
func (x *aggregation) session() error {
	w := x.window
	if w == nil || w.spec.Kind != logical.Session {
		return nil
	}
	if !x.b.bounded && x.b.modeOf(x.s.op) != graph.AppendOnly {
		return pgerr.NotSupported(w.pos, "SESSION over rows that change").
			Hint("Declare the table APPEND ONLY if its rows never change.")
	}
	if w.byGroup {
		return nil
	}
	keys, parts := map[string]bool{}, map[string]bool{}
	for _, e := range x.exprs {
		keys[exprKey(e)] = true
	}
	for _, e := range w.partition {
		parts[exprKey(e)] = true
		if !keys[exprKey(e)] {
			return otherGroups(w)
		}
	}
	if len(keys) != len(parts) {
		return otherGroups(w)
	}
	return nil
}

func otherGroups(w *pendingWindow) error {
	return pgerr.NotSupported(w.pos, "SESSION whose rows are grouped by other columns than its PARTITION BY").
		Hint("Write GROUP BY window_start, window_end and the columns of SESSION(TABLE … PARTITION BY …, …).")
}

// sessionRows refuses sessions that are not aggregated.
func sessionRows(w *pendingWindow) error {
	return pgerr.NotSupported(w.pos, "SESSION other than directly below a GROUP BY of its windows").
		Hint("Filter the rows in a subquery before SESSION, and write GROUP BY window_start, window_end and its PARTITION BY columns.")
}
