package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Over adds to each row the results of window functions over the rows with equal
// Keys in Order; where Order does not decide, the other columns do, in their
// order, ascending, nulls last. Output: the input's columns, then one per call.
//
// State: unless AtEnd, one table without a name, of all rows of the input, as a
// TopN's over a changelog: told apart by RowKey, or, with Copies, by all columns.
type Over struct {
	Keys  []int        `json:"keys,omitempty"`
	Order []SortKey    `json:"order,omitempty"`
	Calls []WindowCall `json:"calls"`
	// RowKey and Copies are as in TopN.
	RowKey []int `json:"row_key,omitempty"`
	Copies bool  `json:"copies,omitempty"`
	// AtEnd is set over finished data: rows are emitted once, when the input has
	// ended.
	AtEnd bool `json:"at_end,omitempty"`
	// Progress is set over append-only input in order of event time whose calls
	// look back a bounded way.
	Progress *OverProgress `json:"progress,omitempty"`
	// Window is set where each row is of a window that closes.
	Window *OverWindow `json:"window,omitempty"`
}

// OverWindow says that rows are done with when the watermark reaches the value of
// column End, the end of their window, or, if it is After, when it has passed that.
// OnClose rows are emitted then and not before; without Calls that is all that
// is done, else End is one of the keys. Late rows, those of closed windows, are
// counted. An End beyond the input's columns is the result of a session_end: the
// rows of closed sessions are forgotten, and nothing is emitted then.
type OverWindow struct {
	End     int  `json:"end"`
	After   bool `json:"after,omitempty"`
	OnClose bool `json:"on_close,omitempty"`
}

// OverProgress says that a row is emitted once, when the watermark has passed its
// Time, the column of the one order key, and is kept as long as later rows look
// back at it: while fewer than Rows rows have passed since, and until the
// watermark is more than Micros microseconds past it. Late rows, those behind the
// watermark, are counted. RowKey and Copies are not used: the table's Local key is
// "row", a bigint that means nothing else, and its last column, "emitted", tells
// whether the row has been.
type OverProgress struct {
	Time   int   `json:"time"`
	Rows   int64 `json:"rows,omitempty"`
	Micros int64 `json:"micros,omitempty"`
}

// WindowCall is one result column. Func is a window function's name and Args its
// input columns; or, with Accumulators, an Output's function over these, which
// read the rows of the frame; or, with List, an aggregate of exec/agg's NewOrdered
// over all rows of the frame, in their order. The second argument of lag, lead and
// nth_value and the third of lag and lead are columns too.
type WindowCall struct {
	Func         string        `json:"func"`
	Args         []int         `json:"args,omitempty"`
	Accumulators []Accumulator `json:"accumulators,omitempty"`
	// Output and Specials say which of the Accumulators are what an Output has
	// under these names; without Output all of them are.
	Output   []int        `json:"output,omitempty"`
	Specials []int        `json:"specials,omitempty"`
	List     *WindowList  `json:"list,omitempty"`
	Frame    scalar.Frame `json:"frame"`
	Type     types.Type   `json:"type"`
	// Gap is, of session_start and session_end, in microseconds, how far the rows
	// of a session, in order of the argument, may lie apart.
	Gap int64 `json:"gap,omitempty"`
	// IgnoreNulls is as in scalar.WindowCall.
	IgnoreNulls bool `json:"ignore_nulls,omitempty"`
}

// WindowList says which rows of a frame an aggregate of all of them reads: those
// where column Filter is true (-1: all). Params are as in ListRead.
type WindowList struct {
	Filter int           `json:"filter"`
	Params []types.Value `json:"params,omitempty"`
}

// Tables is the operator's state over input columns with these names.
func (o *Over) Tables(in []Column) []Table {
	if o.AtEnd {
		return nil
	}
	if o.Progress == nil {
		return []Table{rowTable(in, o.Keys, o.RowKey, o.Copies)}
	}
	t := rowTable(in, o.Keys, nil, false)
	t.Keys, t.Local = append(t.Keys, Column{Name: unusedName(t.Keys, rowName), Type: bigint}), 1
	t.Columns = append(t.Columns, Column{Name: unusedName(t.Columns, "emitted"), Type: types.Of(types.Bool)})
	return []Table{t}
}

// windowArity is how many arguments a window function takes at least and at most.
var windowArity = map[string][2]int{"row_number": {}, "rank": {}, "dense_rank": {}, "percent_rank": {}, "cume_dist": {}, "ntile": {1, 1},
	"lag": {1, 3}, "lead": {1, 3}, "first_value": {1, 1}, "last_value": {1, 1}, "nth_value": {2, 2},
	"session_start": {1, 1}, "session_end": {1, 1}}

func (c *checker) over(o *Over) error {
	width := c.width(0)
	if err := errors.Join(columns(o.Keys, width), columns(o.RowKey, width), c.order(o.Order)); err != nil {
		return err
	}
	if p := o.Progress; p != nil {
		if err := columns([]int{p.Time}, width); err != nil {
			return err
		}
		if len(o.Order) != 1 || o.Order[0].Column != p.Time || o.Order[0].Desc || c.fields(0)[p.Time].Type.Phys() != types.PhysInt {
			return errors.New("rows that pass in another order than that of time")
		}
	}
	if w := o.Window; w != nil {
		if err := columns([]int{w.End}, len(c.o.Fields)); err != nil {
			return err
		}
		if w.End < width && len(o.Calls) > 0 && !slices.Contains(o.Keys, w.End) {
			return errors.New("the end of a window is no key")
		}
		if w.End >= width && (w.OnClose || o.Calls[w.End-width].Func != "session_end") {
			return errors.New("the end of a window is no session's")
		}
		if c.o.Fields[w.End].Type.Phys() != types.PhysInt {
			return errors.New("the end of a window is no time")
		}
	}
	if len(c.o.Fields) != width+len(o.Calls) {
		return fmt.Errorf("%d columns for %d calls", len(c.o.Fields), len(o.Calls))
	}
	for i := range o.Calls {
		if err := c.windowCall(o, &o.Calls[i]); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	return c.tablesLike(o.Tables(c.inputColumns()))
}

func (c *checker) windowCall(o *Over, w *WindowCall) error {
	if err := errors.Join(columns(w.Args, c.width(0)), checkType(w.Type, 0), c.frame(o, &w.Frame)); err != nil {
		return err
	}
	switch {
	case w.List != nil:
		return errors.Join(c.flag(w.List.Filter), checkListCall(w.Func, &ListRead{Values: w.Args, Params: w.List.Params}, w.Type))
	case len(w.Accumulators) == 0:
		n, ok := windowArity[w.Func]
		if !ok || len(w.Args) < n[0] || len(w.Args) > n[1] {
			return fmt.Errorf("window function %q of %d arguments", w.Func, len(w.Args))
		}
		return nil
	}
	return c.windowAggregate(w)
}

func (c *checker) windowAggregate(w *WindowCall) error {
	out := w.Output
	if out == nil {
		out = sequence(len(w.Accumulators))
	}
	n, ok := outputArity[w.Func]
	if !ok || w.Func == "approx_count_distinct" || n != 0 && len(out) != n || n == 0 && len(out) > 2 {
		return fmt.Errorf("output %q of %d accumulators", w.Func, len(out))
	}
	if s := len(w.Specials); n == 6 && s != 6 || n != 6 && s != 0 && s != 3 {
		return fmt.Errorf("output %q with %d counts of special values", w.Func, s)
	}
	if err := errors.Join(columns(out, len(w.Accumulators)), columns(w.Specials, len(w.Accumulators))); err != nil {
		return err
	}
	whole := &Aggregate{Accumulators: w.Accumulators}
	for _, a := range w.Accumulators {
		if a.Distinct != -1 || a.List != nil || a.Sketch != 0 {
			return errors.New("an accumulator that keeps more than a value")
		}
		if err := c.accumulator(whole, a); err != nil {
			return fmt.Errorf("accumulator %q: %w", a.Name, err)
		}
	}
	return nil
}

func sequence(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

func (c *checker) frame(o *Over, f *scalar.Frame) error {
	switch f.Unit {
	case "":
		return nil
	case scalar.RowsFrame, scalar.RangeFrame, scalar.GroupsFrame:
	default:
		return fmt.Errorf("frame of %q", f.Unit)
	}
	switch f.Exclude {
	case "", "current row", "group", "ties":
	default:
		return fmt.Errorf("frame excludes %q", f.Exclude)
	}
	for _, b := range []scalar.Bound{f.Start, f.End} {
		offset := b.Kind == scalar.OffsetPreceding || b.Kind == scalar.OffsetFollowing
		switch {
		case offset != (b.Offset != nil):
			return fmt.Errorf("frame bound %q with or without an offset", b.Kind)
		case !offset && b.Kind != scalar.UnboundedPreceding && b.Kind != scalar.CurrentRow && b.Kind != scalar.UnboundedFollowing:
			return fmt.Errorf("frame bound %q", b.Kind)
		case offset && f.Unit == scalar.RangeFrame && len(o.Order) != 1:
			return errors.New("a range frame without one key")
		case offset:
			if err := checkExpr(b.Offset, 0, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
