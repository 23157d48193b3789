package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// followHint ends the hints of what EMIT ON WINDOW CLOSE cannot be over.
const followHint = " Or emit the windows in a materialized view of their own, and read that without EMIT ON WINDOW CLOSE: the result then follows them."

// tells reports whether a is a bound that says when a window closes.
func (a attr) tells() bool {
	if a.bound == "" || !a.window.attr.time {
		return false
	}
	kind := a.window.spec.Kind
	return a.bound != "start" || kind == logical.Tumble || kind == logical.Hop
}

// within is the window that partitions by these columns are of, nil for none.
func (s *stream) within(by []*scalar.Expr) *pendingWindow {
	for _, x := range by {
		if x.Op == scalar.OpColumn && s.attrs[x.Column].tells() {
			return s.attrs[x.Column].window
		}
	}
	return nil
}

// inTimeOrder reports whether rows only come, and in the order of a time that says when
// their window closes: one that comes later has none of a closed window after it.
func (o *operator) inTimeOrder(order []graph.SortKey) bool {
	if o.Mode != graph.AppendOnly || len(order) == 0 || order[0].Desc {
		return false
	}
	a := o.attrs[order[0].Column]
	return a.time && !a.proc || a.tells()
}

// endsAtRow reports whether a window function says nothing of rows after its own.
func endsAtRow(w *scalar.WindowCall) bool {
	switch name, _, _ := strings.Cut(w.Func, "("); {
	case scalar.ReadsFrame(w):
		return w.Frame.End.Kind == scalar.CurrentRow || w.Frame.End.Kind == scalar.OffsetPreceding
	case name == "lag":
		return len(w.Args) < 2 || w.Args[1].Op == scalar.OpConst && !w.Args[1].Value.Null && w.Args[1].Value.Int >= 0
	default:
		return name == "row_number" || name == "rank" || name == "dense_rank"
	}
}

// needsWindow refuses what, over rows of windows below n, which is not by a window: rows
// of later windows would change it for those that have closed.
func (b *builder) needsWindow(n logical.Node, pos int, what, hint string) error {
	if !b.emitOnClose || !hasWindow(n) {
		return nil
	}
	return pgerr.New(pgerr.FeatureNotSupported, "EMIT ON WINDOW CLOSE needs every %s by a window", what).At(pos).
		WithDetail("Rows that come later would change it for windows that have closed.").Hint("%s", hint+followHint)
}

// firstRowsInWindow checks that the first rows that n takes of rows of windows are those of
// a window, or those of the least times.
func (b *builder) firstRowsInWindow(n *logical.TopN, s *stream, in *operator, order []graph.SortKey) error {
	if s.within(n.PartitionBy) != nil || in.inTimeOrder(order) {
		return nil
	}
	return b.needsWindow(n.Input, n.Pos, "choice of first rows (LIMIT, DISTINCT ON, row_number()) to be",
		"Take them with row_number() OVER (PARTITION BY window_start, window_end ORDER BY …).")
}

// overWindows keeps what is known of the windows of rows whose window functions look at
// no row of a later one, so that these are final as windows close, and refuses others.
func (b *builder) overWindows(o *operator, n *logical.Over, s *stream, in *operator) error {
	w := s.within(n.PartitionBy)
	if w == nil && (!in.inTimeOrder(o.Over.Order) || slices.ContainsFunc(n.Calls, func(c scalar.WindowCall) bool { return !endsAtRow(&c) })) {
		return b.needsWindow(n.Input, n.Calls[0].Pos, "window function to be partitioned",
			"PARTITION BY window_start and window_end, or ORDER BY window_end, ascending, with frames that end at the row.")
	}
	for i, a := range in.attrs {
		if b.emitOnClose && a.bound != "" && (w == nil || a.window == w) {
			a.time = false
			o.attrs[i] = a
		}
	}
	return nil
}

// grows reports whether rows of op are never taken back, as the different ones of rows that
// are not.
func (b *builder) grows(op int) bool {
	o := b.ops[op]
	switch {
	case o.Kind == graph.FilterKind, o.Kind == graph.ProjectKind, o.Kind == graph.ExpandKind, o.Kind == graph.UnionKind,
		o.Aggregate != nil && len(o.Fields) == len(o.Aggregate.Keys):
		return !slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return !b.grows(in.Operator) })
	}
	return o.Mode == graph.AppendOnly
}

// checkFinal refuses EMIT ON WINDOW CLOSE where windows close below op, but the rows of
// op may be changed after that: nothing says of them when their window has closed.
func (b *builder) checkFinal(op, pos int) error {
	if b.grows(op) {
		return nil
	}
	o := b.ops[op]
	lost := func(in graph.Input) bool { // further below
		from := b.ops[in.Operator]
		return !b.grows(in.Operator) && b.waits(in.Operator) && !slices.ContainsFunc(from.attrs, attr.tells)
	}
	for at := slices.IndexFunc(o.Inputs, lost); at >= 0; at = slices.IndexFunc(o.Inputs, lost) {
		o = b.ops[o.Inputs[at].Operator]
	}
	if o.pos >= 0 {
		pos = o.pos
	}
	what, hint := "operation to be within a window", "Keep window_end through all of the query."
	switch o.Kind {
	case graph.JoinKind, graph.AsofJoinKind:
		what = "join to be within a window or an interval of time"
		hint = "Compare window_end of windows on both sides, or join before the rows are put in windows, by a condition that says how far the times of both sides may be apart."
	case graph.AggregateKind:
		what, hint = "aggregation to be grouped by a window", "Group by window_start and window_end."
	case graph.SetOpKind:
		what, hint = "INTERSECT and EXCEPT to be of rows with their window", "Select window_start and window_end, in the same places, on both sides."
	case graph.UnionKind:
		what, hint = "UNION to be of windows of one kind", "Select window_start and window_end, in the same places, in all branches."
	}
	err := pgerr.New(pgerr.FeatureNotSupported, "EMIT ON WINDOW CLOSE needs every %s", what).At(pos)
	if o.Kind == graph.JoinKind && b.lost != "" {
		return err.WithDetail("Windows end at a join: %s.", b.lost).Hint("%s", b.regain+followHint)
	}
	return err.WithDetail("Rows that come later would change it for windows that have closed.").Hint("%s", hint+followHint)
}
