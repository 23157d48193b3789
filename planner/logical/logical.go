// Package logical is a bound query as a tree of relational operators: names are
// resolved to column positions and every expression is typed, but nothing is
// said about how it runs. Nodes are data; rules live in planner/optimize.
package logical

import (
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Node is a relational operator.
type Node interface {
	// Fields are the output columns, in order.
	Fields() []Field
	Inputs() []Node
}

// Field is an output column. Relation is the alias it can be qualified with;
// Origin is the canonical text that operator ids and state columns use for it:
// the base column's name where there is one, else the expression's text.
type Field struct {
	Name     string
	Relation string
	Type     types.Type
	Origin   string
	// Base is the id of the relation that the column is a plain copy of column
	// number Attribute (from 1) of; "" for what is computed.
	Base      string
	Attribute int16
	// Registered is the type that shows the column's object ids by name, "" for none.
	Registered string
	// TimeAttr marks an event-time column that a watermark bounds: the
	// watermarked column itself, window_time, and copies of them.
	TimeAttr bool
	// Rises marks what is computed from such a column and never falls as that rises
	// (scalar.Rising), and copies of it.
	Rises bool
	// ProcTime marks a processing-time column: proctime(), and copies of it.
	ProcTime bool
	// WindowBound is "start", "end" or "time" for window_start, window_end and
	// window_time, and copies of them.
	WindowBound string
}

// KeepTime says whether the column of an operator's output is an event time still, if it
// was one of its input.
func (f *Field) KeepTime(kept bool) { f.TimeAttr, f.Rises = f.TimeAttr && kept, f.Rises && kept }

// Timed reports whether windows over the column can be closed by a watermark of event time.
func (f *Field) Timed() bool { return f.TimeAttr || f.Rises }

// MeetTime makes the column one of rows that have g's as well, which has a watermark
// still if both have, each computed in its own way.
func (f *Field) MeetTime(g Field) {
	f.TimeAttr, f.Rises = f.TimeAttr && g.TimeAttr, f.Timed() && g.Timed()
}

// Scan reads a relation that is a table, source or materialized view. Columns
// are the relation's columns that are read, in output order; generated columns
// and the watermark expression are bound over the relation's physical columns.
type Scan struct {
	Relation *catalog.Relation
	Alias    string
	Columns  []int
	Out      []Field
	// Generated has, for each relation column that is generated, its expression
	// over the relation's columns (by position), else nil.
	Generated []*scalar.Expr
	// Watermark is the expression over the relation's columns, nil for none.
	Watermark *scalar.Expr
	// WatermarkColumn is the relation column it is for.
	WatermarkColumn int
	ID              string // pinned by a hint
	Pos             int    // where the statement names it, -1 for nowhere
}

// Values is a constant relation.
type Values struct {
	Rows [][]*scalar.Expr // without columns; may hold parameters and stable functions
	Out  []Field
}

// Filter keeps the rows for which Predicate is true.
type Filter struct {
	Input     Node
	Predicate *scalar.Expr
}

// Project computes its columns from each row.
type Project struct {
	Input Node
	Exprs []*scalar.Expr
	Out   []Field
}

// WindowKind names a window function.
type WindowKind string

// The window kinds.
const (
	Tumble   WindowKind = "tumble"
	Hop      WindowKind = "hop"
	Cumulate WindowKind = "cumulate"
	Session  WindowKind = "session"
)

// WindowSpec is one window function's parameters, all in microseconds. Size is
// the length (of a session: the gap; of cumulate: the maximum); Slide is the
// slide of hop and the step of cumulate; Offset shifts the origin.
type WindowSpec struct {
	Kind   WindowKind `json:"kind"`
	Size   int64      `json:"size"`
	Slide  int64      `json:"slide,omitempty"`
	Offset int64      `json:"offset,omitempty"`
}

// Window adds window_start, window_end and window_time to the columns of Input,
// and repeats a row for each window it falls in.
type Window struct {
	Input       Node
	TimeColumn  int
	PartitionBy []int // session only: each combination has sessions of its own
	// ByGroup is set for the window function of a GROUP BY: sessions are then
	// those of each combination of the other group keys.
	ByGroup bool
	Spec    WindowSpec
	Out     []Field
	Pos     int // where the statement asks for it, -1 for nowhere
}

// Aggregate groups by Keys (expressions over Input) and computes Aggregates.
// Its columns are the keys, then the aggregates. Without keys it has one row,
// even over no input, unless Grouped is set (GROUP BY ()).
type Aggregate struct {
	Input      Node
	Keys       []*scalar.Expr
	Aggregates []scalar.Aggregate
	Out        []Field
	ID         string // pinned by a hint
	TTL        int64  // graph.Input.StateTTL, by a hint
}

// Union is UNION ALL; both sides have the same column types.
type Union struct {
	All []Node
	Out []Field
}

// Sort orders finished data; Limit and Skip are nil when absent. On a
// continuous query it is a top-N over the whole input.
type Sort struct {
	Input       Node
	Keys        []scalar.SortKey
	Limit, Skip *scalar.Expr
	WithTies    bool
}

// Sink is the root of a job's branch: it writes Input to a relation whose
// columns Columns are given by Input's columns in order.
type Sink struct {
	Input             Node
	Relation          *catalog.Relation
	Columns           []int
	EmitOnWindowClose bool
	EmitPos           int // where the statement says that
}

// Materialize is the root of a materialized view.
type Materialize struct {
	Input             Node
	Relation          *catalog.Relation
	EmitOnWindowClose bool
	EmitPos           int // where the statement says that
}

// Fields implements Node.
func (n *Scan) Fields() []Field        { return n.Out }
func (n *Values) Fields() []Field      { return n.Out }
func (n *Filter) Fields() []Field      { return n.Input.Fields() }
func (n *Project) Fields() []Field     { return n.Out }
func (n *Window) Fields() []Field      { return n.Out }
func (n *Aggregate) Fields() []Field   { return n.Out }
func (n *Union) Fields() []Field       { return n.Out }
func (n *Sort) Fields() []Field        { return n.Input.Fields() }
func (n *Sink) Fields() []Field        { return nil }
func (n *Materialize) Fields() []Field { return n.Input.Fields() }

// Inputs implements Node.
func (n *Scan) Inputs() []Node        { return nil }
func (n *Values) Inputs() []Node      { return nil }
func (n *Filter) Inputs() []Node      { return []Node{n.Input} }
func (n *Project) Inputs() []Node     { return []Node{n.Input} }
func (n *Window) Inputs() []Node      { return []Node{n.Input} }
func (n *Aggregate) Inputs() []Node   { return []Node{n.Input} }
func (n *Union) Inputs() []Node       { return n.All }
func (n *Sort) Inputs() []Node        { return []Node{n.Input} }
func (n *Sink) Inputs() []Node        { return []Node{n.Input} }
func (n *Materialize) Inputs() []Node { return []Node{n.Input} }
