package scalar

import (
	"strings"

	"github.com/millrace/millrace/types"
)

// WindowCall is one call with an OVER clause: of a WindowFunction or, when
// Aggregate is set, of an AggregateFunction. Partition and order belong to the
// operator that carries calls out.
type WindowCall struct {
	Func      string  `json:"func"` // the function's key
	Aggregate bool    `json:"aggregate,omitempty"`
	Args      []*Expr `json:"args,omitempty"`
	Filter    *Expr   `json:"filter,omitempty"`
	Frame     Frame   `json:"frame"`
	// IgnoreNulls, of lag, lead, first_value, last_value and nth_value, counts only
	// the rows whose first argument is not null.
	IgnoreNulls bool       `json:"ignore_nulls,omitempty"`
	Type        types.Type `json:"type"`
	Pos         int        `json:"pos,omitempty"`
	Text        string     `json:"text,omitempty"` // canonical, such as "lag(price)"
}

// FrameUnit says what a frame's offsets count.
type FrameUnit string

// The units: rows, values of the one order key, groups of peers.
const (
	RowsFrame   FrameUnit = "rows"
	RangeFrame  FrameUnit = "range"
	GroupsFrame FrameUnit = "groups"
)

// BoundKind is where a frame begins or ends.
type BoundKind string

// The bounds, from the first row of the partition to the last.
const (
	UnboundedPreceding BoundKind = "unbounded preceding"
	OffsetPreceding    BoundKind = "preceding"
	CurrentRow         BoundKind = "current row"
	OffsetFollowing    BoundKind = "following"
	UnboundedFollowing BoundKind = "unbounded following"
)

// Frame is the rows of a partition that a call sees from one row. The zero
// Frame is none: the call looks at the whole partition.
type Frame struct {
	Unit    FrameUnit `json:"unit,omitempty"`
	Start   Bound     `json:"start"`
	End     Bound     `json:"end"`
	Exclude string    `json:"exclude,omitempty"` // "", "current row", "group", "ties"
}

// Text is the frame in canonical form, "" for the one that is not written.
func (f *Frame) Text() string {
	if f.Unit == "" || f.Unit == RangeFrame && f.Start.Kind == UnboundedPreceding && f.End.Kind == CurrentRow && f.Exclude == "" {
		return ""
	}
	s := string(f.Unit) + " between " + f.Start.text() + " and " + f.End.text()
	if f.Exclude != "" {
		s += " exclude " + f.Exclude
	}
	return s
}

func (b *Bound) text() string {
	if b.Offset != nil {
		return b.Offset.Text + " " + string(b.Kind)
	}
	return string(b.Kind)
}

// Bound is one end of a frame. Offset has no columns: bigint for rows and groups,
// else what is added to or taken from the order key.
type Bound struct {
	Kind   BoundKind `json:"kind,omitempty"`
	Offset *Expr     `json:"offset,omitempty"`
}

// ReadsFrame reports whether the call's result depends on its frame: the others
// look at the whole partition.
func ReadsFrame(w *WindowCall) bool {
	name, _, _ := strings.Cut(w.Func, "(")
	return w.Aggregate || name == "first_value" || name == "last_value" || name == "nth_value"
}

// Map returns w with f applied to each of its expressions.
func (w WindowCall) Map(f func(*Expr) *Expr) WindowCall {
	var args []*Expr
	for _, a := range w.Args {
		args = append(args, f(a))
	}
	w.Args = args
	if w.Filter != nil {
		w.Filter = f(w.Filter)
	}
	for _, b := range []*Bound{&w.Frame.Start, &w.Frame.End} {
		if b.Offset != nil {
			b.Offset = f(b.Offset)
		}
	}
	return w
}
