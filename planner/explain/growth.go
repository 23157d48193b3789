package explain

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Growth is a warning of state that grows for ever, or of results that do.
type Growth struct {
	// Severe says that rows are kept, and not only something per key, of which
	// there may be few.
	Severe  bool
	Message string
	Detail  string
	Hint    string
	Pos     int // where the statement asks for it, -1 for nowhere
}

// Growths lists what in a plan grows without bound, with an estimate, if the job's
// state_ttl is that many microseconds. What only grows with the number of keys is
// one entry, the last.
func Growths(g *graph.Graph, ttl int64) []Growth {
	var out []Growth
	var keyed []string
	pos := -1
	for i := range g.Operators {
		o := &g.Operators[i]
		x := unkeyed(g, o)
		freed := slices.ContainsFunc(g.Bounds(i, ttl), func(b graph.Bound) bool { return b.Kind == graph.ByWatermark })
		switch {
		case x != nil && !freed:
			out = append(out, compared(g, o, x))
		case g.Crosses(o):
			out = append(out, cross(o))
			continue
		case g.Pairs(o):
			out = append(out, pairs(g, o))
		case g.Compares(o) && !freed:
			out = append(out, comparison(g, o))
		}
		if n := o.Multiplies(); n > 0 {
			out = append(out, Growth{Severe: true, Message: fmt.Sprintf("each row that comes to %s becomes %.0f rows", o.ID, n),
				Detail: "Rows behind it, and checkpoints, wait until all of them are through, also if a condition drops most of them.",
				Hint:   "Compute what the series is for from the row itself, such as k BETWEEN 1 AND 10 for k IN (SELECT generate_series(1, 10)).", Pos: o.Pos})
		}
		perRow, perKey := 0, 0
		why := ""
		for t, b := range g.Bounds(i, ttl) {
			if b.Kind != graph.NoBound {
				continue
			}
			if keepsRows(g, o) || o.Aggregate != nil && o.Aggregate.KeepsRows(t) {
				perRow += o.Tables[t].RowBytes()
			} else {
				perKey += o.Tables[t].RowBytes()
			}
			if why = b.Why; o.Join != nil && o.Unbounded != "" && sides(g, i, ttl) == 2 {
				why = o.Unbounded
			}
		}
		switch {
		case perRow > 0:
			out = append(out, Growth{Severe: true, Message: fmt.Sprintf("the state of %s grows without bound: %s", o.ID, why),
				Detail: fmt.Sprintf("It takes about %d bytes per row, %s per million input rows.", perRow, megabytes(perRow)),
				Hint:   bounding(g, i), Pos: o.Pos})
		case perKey > 0:
			keyed = append(keyed, fmt.Sprintf("%s, about %d bytes each", o.ID, perKey))
			if pos < 0 {
				pos = o.Pos
			}
		}
	}
	if len(keyed) == 0 {
		return out
	}
	return append(out, Growth{Message: "the state grows with the number of different keys, which nothing bounds",
		Detail: "Keys of " + strings.Join(keyed, "; of ") + ".",
		Hint:   "If keys go out of use, set state_ttl, so that what is not written any more is forgotten, or group by a window.", Pos: pos})
}

// sides is how many tables of an operator grow without bound.
func sides(g *graph.Graph, i int, ttl int64) (n int) {
	for _, b := range g.Bounds(i, ttl) {
		if b.Kind == graph.NoBound {
			n++
		}
	}
	return n
}

// keepsRows reports whether an operator keeps input rows rather than something per
// key of them.
func keepsRows(g *graph.Graph, o *graph.Operator) bool {
	switch o.Kind {
	case graph.JoinKind, graph.LookupJoinKind, graph.OverKind, graph.WindowAggregateKind:
		return true
	case graph.AsofJoinKind:
		return o.AsofJoin.Sides[0].Expiry == nil || !o.AsofJoin.Back()
	case graph.TopNKind:
		return o.TopN.Retractable || g.Ties(o)
	}
	return false
}

// cross warns of a join without a condition that keeps its sides apart.
func cross(o *graph.Operator) Growth {
	bytes := max(o.Tables[0].RowBytes(), o.Tables[1].RowBytes())
	return Growth{Severe: true, Message: "the join of two streams has no equality in its condition: every row meets every row of the other side, for ever",
		Detail: fmt.Sprintf("A million rows on each side are 1000000000000 pairs. The state of %s grows by about %d bytes per row, %s per million input rows.", o.ID, bytes, megabytes(bytes)),
		Hint:   "Join by an equality, or within an interval: a.ts BETWEEN b.ts - INTERVAL '1 hour' AND b.ts.", Pos: o.Pos}
}

// pairs warns of a join without a condition of sides that may have many rows.
func pairs(g *graph.Graph, o *graph.Operator) Growth {
	many := "A million rows on each side are 1000000000000 pairs."
	for i, in := range o.Inputs {
		if n := g.RowsMax(in.Operator); !math.IsInf(n, 1) {
			many = fmt.Sprintf("Each row of %s is paired with %.0f rows.", g.Operators[o.Inputs[1-i].Operator].ID, n)
		}
	}
	return Growth{Severe: true, Message: fmt.Sprintf("the join %s has no condition: every row of one side is paired with every row of the other", o.ID),
		Detail: many, Hint: "Join by an equality.", Pos: o.Pos}
}

// unkeyed is an equality between the sides in the condition of a join that has no key: one
// that holds for values of different bytes, or for nulls.
func unkeyed(g *graph.Graph, o *graph.Operator) *scalar.Expr {
	if !g.Compares(o) {
		return nil
	}
	width := len(g.Operators[o.Inputs[0].Operator].Fields)
	for _, x := range scalar.Conjuncts(o.Join.Residual) {
		if x.Op == scalar.OpCall && (strings.HasPrefix(x.Func, "=(") || strings.HasPrefix(x.Func, notDistinct)) && len(x.Args) == 2 &&
			scalar.SideOf(x.Args[0], width)*scalar.SideOf(x.Args[1], width) < 0 {
			return x
		}
	}
	return nil
}

const notDistinct = "is not distinct from("

// sidesOf are the columns of both sides of a join.
func sidesOf(g *graph.Graph, o *graph.Operator) []types.Field {
	return append(of("left", g.Operators[o.Inputs[0].Operator].Fields), of("right", g.Operators[o.Inputs[1].Operator].Fields)...)
}

// comparison warns of a join by a condition without any equality.
func comparison(g *graph.Graph, o *graph.Operator) Growth {
	hint := "Join by an equality too."
	if !changing(g, o) {
		hint = "Join by an equality too, or within an interval of event time: a.ts BETWEEN b.ts - INTERVAL '1 hour' AND b.ts."
	}
	return Growth{Severe: true, Message: fmt.Sprintf("the join %s compares every row of one side with every row of the other: %s has no equality", o.ID, Expr(withoutText(o.Join.Residual), sidesOf(g, o))),
		Detail: "A million rows on each side are 1000000000000 pairs to compare.",
		Hint:   hint, Pos: o.Pos}
}

// compared warns of such an equality.
func compared(g *graph.Graph, o *graph.Operator, x *scalar.Expr) Growth {
	l, r := x.Args[0].Type, x.Args[1].Type
	hint := "Join by an equality of values that are never null, such as coalesce(a.k, x) = coalesce(b.k, x) with an x that no k is."
	if !strings.HasPrefix(x.Func, notDistinct) {
		as := max(l.Kind, r.Kind) // date, timestamp, timestamptz; real, double precision
		if l.Kind == types.Char || r.Kind == types.Char {
			as = types.Text
		}
		hint = fmt.Sprintf("Cast both sides to %s.", types.Of(as))
	}
	return Growth{Severe: true, Message: fmt.Sprintf("the join %s compares every row of one side with every row of the other: %s, of %s and %s, makes no key", o.ID, Expr(withoutText(x), sidesOf(g, o)), l, r),
		Detail: "A million rows on each side are 1000000000000 pairs to compare.", Hint: hint, Pos: x.Pos}
}

// openSessions reports whether operator i reads rows of sessions, or puts rows in them, that
// change as rows come, and so are kept when they have closed.
func openSessions(g *graph.Graph, i int) bool {
	o := &g.Operators[i]
	if o.Over != nil && len(o.Over.Calls) > 0 && o.Over.Calls[0].Func == "session_start" {
		return o.Over.Window == nil
	}
	return slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return openSessions(g, in.Operator) })
}

// changing reports whether rows that an operator reads are taken back.
func changing(g *graph.Graph, o *graph.Operator) bool {
	return slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return g.Operators[in.Operator].Mode != graph.AppendOnly })
}

// byWindow reports whether o, an Over, looks back a bounded way in the order of windows, by
// another bound of theirs than the one that is their event time.
func byWindow(g *graph.Graph, o *graph.Operator) bool {
	if len(o.Over.Order) != 1 || o.Over.Order[0].Desc {
		return false
	}
	switch g.Operators[o.Inputs[0].Operator].Fields[o.Over.Order[0].Column].Name {
	case "window_start", "window_end":
	default:
		return false
	}
	near := func(b scalar.Bound) bool { return b.Kind == scalar.CurrentRow || b.Kind == scalar.OffsetPreceding }
	return !slices.ContainsFunc(o.Over.Calls, func(c graph.WindowCall) bool {
		return !(c.Func == "lag" && !c.IgnoreNulls || near(c.Frame.Start) && near(c.Frame.End))
	})
}

// bounding says how the state of operator i can be bounded.
func bounding(g *graph.Graph, i int) string {
	o := &g.Operators[i]
	switch {
	case (o.TopN != nil || o.Over != nil) && openSessions(g, i):
		return "End the query with EMIT ON WINDOW CLOSE: the rows of a session are kept until it closes then. Or set state_ttl."
	case o.Over != nil && byWindow(g, o):
		return "Order by window_time, with EMIT ON WINDOW CLOSE: a row is kept until the watermark has passed it, and the rows that look back at it, then. Or set state_ttl."
	case o.Join != nil && changing(g, o):
		return "Join rows that only come, within an interval of event time (write a subquery that depends on outer values as a join with GROUP BY, or with EXISTS), join within windows, or set state_ttl."
	case o.Join != nil && o.Join.Residual != nil && graph.Months(o.Join.Residual):
		return "Bound the join by days too, which have a fixed length: a.ts >= b.ts - INTERVAL '31 days' beside months. Or set state_ttl."
	case o.Join != nil && o.Join.Kind != logical.SemiJoin && o.Join.Kind != logical.AntiJoin:
		return "Bound the join by an interval of event time, of columns with watermarks (a.ts BETWEEN b.ts - INTERVAL '1 hour' AND b.ts), join within windows, or set state_ttl."
	case o.AsofJoin != nil && o.AsofJoin.Sides[0].Expiry == nil:
		return "Compare event times of both sides, which have watermarks, in the inequality, or set state_ttl."
	case o.Kind == graph.WindowAggregateKind:
		return "Declare a watermark for the column that the windows go by."
	case o.Aggregate != nil:
		return "Group by a window that closes. With state_ttl, groups that are not written any more are forgotten, whole."
	case o.TopN != nil, o.Over != nil:
		return "Partition by a window that closes, or set state_ttl."
	}
	return "Set state_ttl."
}

// megabytes is how much a million times n bytes are.
func megabytes(n int) string { return fmt.Sprintf("%d MB", n) }
