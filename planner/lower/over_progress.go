package lower

import (
	"math"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// progress decides whether each row's results are final once the watermark has
// passed it, and how far later rows look back: over append-only input in order of
// event time, with frames that begin a bounded way back and end at the row. Views
// show rows at once unless they say EMIT ON WINDOW CLOSE.
func (b *builder) progress(p *partition, calls []scalar.WindowCall) *graph.OverProgress {
	in := b.ops[p.op]
	if b.view && !b.emitOnClose || in.Mode != graph.AppendOnly || len(p.order) != 1 || p.order[0].Desc || !in.attrs[p.order[0].Column].time {
		return nil
	}
	out := &graph.OverProgress{Time: p.order[0].Column}
	for i := range calls {
		if !looksBack(&calls[i], out) {
			return nil
		}
	}
	return out
}

// looksBack adds how far a call looks back, and reports false if that is not
// bounded, or if it looks forward.
func looksBack(w *scalar.WindowCall, out *graph.OverProgress) bool {
	if name, _, _ := strings.Cut(w.Func, "("); name == "lag" && !w.Aggregate {
		if w.IgnoreNulls { // over any number of rows
			return false
		}
		rows := int64(1)
		if len(w.Args) > 1 {
			by := w.Args[1]
			if by.Op != scalar.OpConst || by.Value.Null || by.Value.Int < 0 {
				return false
			}
			rows = by.Value.Int
		}
		out.Rows = max(out.Rows, rows)
		return true
	}
	f := &w.Frame
	if f.End.Kind != scalar.CurrentRow && f.End.Kind != scalar.OffsetPreceding || f.Start.Kind != scalar.CurrentRow && f.Start.Kind != scalar.OffsetPreceding {
		return false
	}
	if f.Exclude != "" && f.Exclude != "current row" {
		return false
	}
	for _, bound := range []scalar.Bound{f.Start, f.End} {
		x := bound.Offset
		switch {
		case x == nil:
			continue
		case x.Op != scalar.OpConst || x.Value == nil || x.Value.Null:
			return false
		case f.Unit == scalar.RowsFrame:
			if x.Value.Int < 0 || x.Value.Int > math.MaxInt32 {
				return false
			}
			out.Rows = max(out.Rows, x.Value.Int)
		case f.Unit == scalar.RangeFrame && x.Type.Kind == types.IntervalK:
			v := x.Value.Interval
			if v.Months != 0 || v.Days < 0 || v.Micros < 0 {
				return false
			}
			out.Micros = max(out.Micros, int64(v.Days)*86_400_000_000+v.Micros)
		default:
			return false
		}
	}
	return f.Unit == scalar.RowsFrame || f.Unit == scalar.RangeFrame
}
