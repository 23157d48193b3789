// Package graph is the contract between the planner and the engine: a
// versioned, encoded DAG of physical operators with stable ids, state schemas
// and exchanges. It is stored with each job and each savepoint; a server of a
// later version must still run it. It holds data only.
package graph

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Version is what this package writes.
const Version = 1

// Graph is a plan. Operators are in topological order: inputs come first.
type Graph struct {
	Version   int        `json:"version"`
	Operators []Operator `json:"operators"`
	// Bounded graphs read finished data: their sources give the rows of one cut
	// as inserts and end, nothing is late, and ids are unique but not stable.
	Bounded bool `json:"bounded,omitempty"`
}

// Kind names an operator; the strings are stored.
type Kind string

// The operators.
const (
	SourceKind          Kind = "source"
	ValuesKind          Kind = "values"
	FilterKind          Kind = "filter"
	ProjectKind         Kind = "project"
	WindowKind          Kind = "window"           // repeats rows per window, stateless
	AggregateKind       Kind = "aggregate"        // keyed or global
	WindowAggregateKind Kind = "window_aggregate" // keys include a window
	UnionKind           Kind = "union"
	SortKind            Kind = "sort" // finished data
	SinkKind            Kind = "sink"
	MaterializeKind     Kind = "materialize"
	TopNKind            Kind = "top_n"       // the first rows of each group
	OverKind            Kind = "over"        // window functions
	UpsertKind          Kind = "upsert"      // rows that replace those of their key, as changes
	ConsolidateKind     Kind = "consolidate" // adds changes up until a barrier
	CollectKind         Kind = "collect"     // hands rows to a bounded query's reader
	ExpandKind          Kind = "expand"      // repeats rows for those of a function
	ContendersKind      Kind = "contenders"  // rows that may have the extremum of their window
	ChallengersKind     Kind = "challengers" // rows that none like them is ahead of
	FunctionScanKind    Kind = "function_scan"
	JoinKind            Kind = "join"
	SetOpKind           Kind = "set_op"
	AsofJoinKind        Kind = "asof_join"
	TemporalJoinKind    Kind = "temporal_join" // by event time
	LookupJoinKind      Kind = "lookup_join"   // by processing time

	// In bounded graphs only.
	ApplyKind     Kind = "apply"
	RecursiveKind Kind = "recursive"
	WorkingKind   Kind = "working"
	KeysKind      Kind = "keys" // tells a source what to look up
)

// Changelog is what kinds of rows flow on an edge.
type Changelog string

// The changelog modes. An upsert stream has no update_before.
const (
	AppendOnly Changelog = "append"
	Upsert     Changelog = "upsert"
	Retract    Changelog = "retract"
)

// Operator is one vertex. Exactly one of the spec pointers is set, the one that
// Kind names; union and collect have none. Specs refer to input columns by
// position.
type Operator struct {
	// ID is unique in the graph. For an operator with state (sources and sinks
	// too) it depends only on what the operator means.
	ID string `json:"id"`
	// Role is the suffix that ID got (after a full stop) because several
	// operators of the graph mean the same; "" when it got none.
	Role      string        `json:"role,omitempty"`
	Kind      Kind          `json:"kind"`
	Inputs    []Input       `json:"inputs,omitempty"`
	Fields    []types.Field `json:"fields"`
	Mode      Changelog     `json:"mode"`
	UpsertKey []int         `json:"upsert_key,omitempty"` // output columns that identify a row; nil: the whole row
	Tables    []Table       `json:"tables,omitempty"`     // state
	// TimeColumn is the output column that carries event time, -1 for none.
	TimeColumn int `json:"time_column"`
	// Unbounded says why the state grows without bound unless it expires, "" when
	// it does not. Bounds has more.
	Unbounded string `json:"unbounded,omitempty"`
	// Pos is where the statement that is being planned asks for the operator, -1
	// for nowhere. It is not stored.
	Pos int `json:"-"`

	Source          *Source          `json:"source,omitempty"`
	Values          *Values          `json:"values,omitempty"`
	Filter          *Filter          `json:"filter,omitempty"`
	Project         *Project         `json:"project,omitempty"`
	Window          *Window          `json:"window,omitempty"`
	Aggregate       *Aggregate       `json:"aggregate,omitempty"`
	WindowAggregate *WindowAggregate `json:"window_aggregate,omitempty"`
	Sort            *Sort            `json:"sort,omitempty"`
	TopN            *TopN            `json:"top_n,omitempty"`
	Over            *Over            `json:"over,omitempty"`
	Sink            *Sink            `json:"sink,omitempty"`
	Materialize     *Materialize     `json:"materialize,omitempty"`
	Upsert          *KeyedRows       `json:"upsert,omitempty"`
	Consolidate     *Consolidate     `json:"consolidate,omitempty"`
	Join            *Join            `json:"join,omitempty"`
	SetOp           *SetOp           `json:"set_op,omitempty"`
	AsofJoin        *AsofJoin        `json:"asof_join,omitempty"`
	TemporalJoin    *TemporalJoin    `json:"temporal_join,omitempty"`
	LookupJoin      *LookupJoin      `json:"lookup_join,omitempty"`
	Apply           *Apply           `json:"apply,omitempty"`
	FunctionScan    *FunctionScan    `json:"function_scan,omitempty"`
	Expand          *Expand          `json:"expand,omitempty"`
	Contenders      *Contenders      `json:"contenders,omitempty"`
	Challengers     *Challengers     `json:"challengers,omitempty"`
	Recursive       *Recursive       `json:"recursive,omitempty"`
	Working         *Working         `json:"working,omitempty"`
	Keys            *Keys            `json:"keys,omitempty"`
}

// Input is an edge.
type Input struct {
	Operator int      `json:"operator"` // index in Graph.Operators
	Exchange Exchange `json:"exchange"`
	// StateTTL is how long what the operator keeps of this input stays after it was
	// last written, in microseconds; 0: as long as the job says; Forever.
	StateTTL int64 `json:"state_ttl,omitempty"`
}

// ExchangeKind says how rows are spread over the receiving tasks.
type ExchangeKind string

// The exchanges. Forward stays in the task where it can.
const (
	Forward   ExchangeKind = "forward"
	Hash      ExchangeKind = "hash"
	Single    ExchangeKind = "single" // all rows to task 0
	Broadcast ExchangeKind = "broadcast"
)

// Exchange is how an edge distributes its rows; Keys are columns of the sender.
type Exchange struct {
	Kind ExchangeKind `json:"kind"`
	Keys []int        `json:"keys,omitempty"`
}

// Table is the schema of one state table: key columns, then named columns.
type Table struct {
	Name    string   `json:"name"` // "" for an operator's only table
	Keys    []Column `json:"keys"`
	Columns []Column `json:"columns"`
	// Local is how many of the last keys take no part in the key group, since
	// the exchange before the operator does not hash by them: a window, a
	// distinct value. They only tell rows of one key group apart.
	Local int `json:"local,omitempty"`
	// Unindexed says that each row that comes is a new one, and none is looked up by
	// its whole key, the last part of which just numbers them.
	Unindexed bool `json:"unindexed,omitempty"`
	// Exact says that the keys are whole rows, which are the same only where every
	// value is: 1.0 and 1.00, a day and 24 hours, 0 and -0 are equal, but are two
	// rows.
	Exact bool `json:"exact,omitempty"`
}

// Column is a state column. Name is what it means, such as "sum(amount)":
// savepoints export it and upgrades match by it.
type Column struct {
	Name string     `json:"name"`
	Type types.Type `json:"type"`
}

// Source reads a relation. Columns are the physical (not generated) columns of
// the relation that the reader delivers, in that order; the output row is Exprs
// over them. Watermark, if any, is an expression over the output row.
type Source struct {
	RelationID string            `json:"relation_id"`
	Relation   string            `json:"relation"`          // schema.name, for people
	Connector  string            `json:"connector"`         // "" for an own table, "view" for a materialized view, "system" for a system relation
	Options    map[string]string `json:"options,omitempty"` // secrets excluded
	Physical   []PhysicalColumn  `json:"physical"`
	Exprs      []*scalar.Expr    `json:"exprs,omitempty"` // nil: the physical columns as they are
	Watermark  *scalar.Expr      `json:"watermark,omitempty"`
	PrimaryKey []int             `json:"primary_key,omitempty"` // positions in the relation's columns
	// ProcTime is set when windows go by a proctime() column: the watermark is
	// then the clock, and moves although no row comes.
	ProcTime bool `json:"proc_time,omitempty"`
	// Lookup is set when an index finds the rows that are wanted. The reader may
	// deliver others too: a filter follows.
	Lookup *Lookup `json:"lookup,omitempty"`
}

// PhysicalColumn is a column that a reader delivers: number Column of the
// relation, or the connector's metadata of that key.
type PhysicalColumn struct {
	Column   int        `json:"column"`
	Name     string     `json:"name"`
	Type     types.Type `json:"type"`
	NotNull  bool       `json:"not_null,omitempty"`
	Metadata string     `json:"metadata,omitempty"`
}

// Values emits constant rows once.
type Values struct {
	Rows [][]*scalar.Expr `json:"rows"`
}

// Filter keeps rows whose predicate is true.
type Filter struct {
	Predicate *scalar.Expr `json:"predicate"`
}

// Project computes columns.
type Project struct {
	Exprs []*scalar.Expr `json:"exprs"`
	// Time, if set, is the watermark that operators after it see, over a row that has
	// the watermark of its input alone: windows go by a time that is computed so.
	Time *scalar.Expr `json:"time,omitempty"`
}

// Window appends window_start, window_end, window_time (types of the time
// column) to each row, once per window.
type Window struct {
	TimeColumn int                `json:"time_column"`
	Spec       logical.WindowSpec `json:"spec"`
}

// Aggregate groups by columns of its input. Output: the keys, then Outputs.
//
// State: one table whose keys are the group keys and whose columns are the
// accumulators, plus one table per Distinct. Accumulators are primitives that
// aggregates share: avg(x) is sum(x) and count(x). An implicit accumulator
// "count(*)" is always number 0: a group whose count falls to zero vanishes.
//
// Tables, in this order: number 0, named "", has the group keys and one column
// per accumulator. Then one per Distinct, of its name: the group keys and the
// value (Local 1), one bigint count per filter. Then, if Retractable, one per
// min and max accumulator, of its name: the group keys and the value (Local 1),
// one bigint count. Then one per List and one per Sketch, as these say. A
// WindowAggregate's tables have the slice of time, called as SliceName says, as
// one more key right after the group keys (Local one higher).
type Aggregate struct {
	Keys         []int         `json:"keys"`
	Accumulators []Accumulator `json:"accumulators"`
	Distincts    []Distinct    `json:"distincts,omitempty"`
	Lists        []List        `json:"lists,omitempty"`
	Sketches     []Sketch      `json:"sketches,omitempty"`
	Outputs      []Output      `json:"outputs"`
	// Retractable is set when the input is not append-only; min and max then
	// keep their values in a table each.
	Retractable bool `json:"retractable,omitempty"`
	// Unseen is set where an edit added accumulators to groups over rows that change,
	// or let rows come that had been left out: rows may be taken away then that were
	// never seen, and are left alone.
	Unseen bool `json:"unseen,omitempty"`
	// Global aggregates have no keys and always have their one row.
	Global bool `json:"global,omitempty"`
	// AtEnd is set over finished data: each group is emitted once, as an insert,
	// when the input has ended.
	AtEnd bool `json:"at_end,omitempty"`
}

// Accumulator is one primitive over input column Arg (-1 for count(*)), for the
// rows where column Filter is true (-1: all). Nulls of Arg never count. Func and
// the type of the state column are:
//
//	count                   bigint
//	sum                     bigint for smallint and integer; numeric for bigint
//	                        and numeric; double precision for real and double
//	                        precision; interval
//	sum_squares             numeric for integers and numeric, else double precision
//	min, max                the argument's type (never distinct)
//	bool_and, bool_or       bigint: how many values were false, or true
//	bit_and, bit_or, bit_xor
//	                        the argument's type; the first two of append-only input
//	sketch_sum, sketch_used bigint: of Sketch, what the estimate is made of
//
// With List the function is any that NewOrdered of exec/agg knows; the state
// column holds its result, as of the last barrier at the least.
type Accumulator struct {
	Name   string     `json:"name"` // canonical: "count(*)", "sum(price)", "count(price) filter (price < 10)"
	Func   string     `json:"func"` // "count", "sum", "min", "max", "bool_and", "bool_or" …
	Arg    int        `json:"arg"`
	Filter int        `json:"filter"`
	Type   types.Type `json:"type"` // of the state column; sums of bigint are numeric
	// Distinct is the index in Distincts, -1 for none: the accumulator then sees
	// a value when its first copy comes and when its last one goes, and Mask is
	// which of the Distinct's filters it goes by.
	Distinct int `json:"distinct"`
	Mask     int `json:"mask,omitempty"`
	// With are columns that must not be null either for a row to count; Func
	// "sum_products" multiplies Arg by the first of them.
	With []int `json:"with,omitempty"`
	// Rest is, of an exact sum of double precision values or intervals, the number of the
	// accumulator that holds what its own column is too short for, 0 for none;
	// that one's Func is "rest". Such a sum leaves out NaN and the infinities, as
	// sum_finite and sum_squares_finite of numerics do: count_nan, count_inf and
	// count_neg_inf count them.
	Rest int `json:"rest,omitempty"`
	// List is set when the result depends on all rows of the group.
	List *ListRead `json:"list,omitempty"`
	// Sketch is one more than the index in Sketches, 0 for none.
	Sketch int `json:"sketch,omitempty"`
}

// List is a table of the rows of each group: of input columns Args, with a count
// of copies per filter. Aggregates whose result depends on all rows of a group,
// in an order, read it; those over the same columns share it. Its table has the
// group keys, then, all of them Local: with Arrival, a bigint that grows
// from row to row of the group as they come; the Args. Its columns are a bigint count per
// filter.
type List struct {
	Name    string `json:"name"` // "rows(id, name)"
	Args    []int  `json:"args"`
	Filters []int  `json:"filters"` // input columns, -1 for "all rows"
	// Arrival is for append-only input, where nothing else gives an order.
	Arrival bool `json:"arrival,omitempty"`
	// First, when set, is for append-only input whose readers want the first row
	// of an order only: no other is kept.
	First *ListOrder `json:"first,omitempty"`
}

// ListOrder orders the rows of a list: by Keys, whose columns count the list's
// Args, then by arrival (from the last row if Back), then by all Args.
type ListOrder struct {
	Keys []SortKey `json:"keys,omitempty"`
	Back bool      `json:"back,omitempty"`
}

// ListRead is how an accumulator reads a list.
type ListRead struct {
	List     int           `json:"list"`
	Mask     int           `json:"mask,omitempty"` // which of the list's filters
	Values   []int         `json:"values"`         // the function's arguments among the list's Args
	Order    ListOrder     `json:"order"`
	Distinct bool          `json:"distinct,omitempty"` // copies count once
	Params   []types.Value `json:"params,omitempty"`   // constant arguments: a separator, fractions
	Many     bool          `json:"many,omitempty"`     // the fractions of a percentile were an array
	// Dims are the dimensions of that array, if it has more than one.
	Dims []types.Dimension `json:"dims,omitempty"`
}

// Sketch estimates how many different values column Arg has in each group, over
// append-only input. Its table has the group keys and the number of a block of
// registers (Local), and one bigint column per eight registers of the block.
type Sketch struct {
	Name   string `json:"name"` // "approx_count_distinct(bidder)"
	Arg    int    `json:"arg"`
	Filter int    `json:"filter"`
	// Loose is the argument's type if equal values of it may have different bytes.
	Loose *types.Type `json:"loose,omitempty"`
}

// The registers of a Sketch: a power of two in all, so many to a block.
const (
	SketchRegisters      = 1 << 12
	SketchBlockRegisters = 64
)

// Distinct is a shared table of the values of column Arg per group with a count
// per filter mask. Filters are input columns, -1 for "all rows".
type Distinct struct {
	Name    string     `json:"name"` // "distinct(bidder)"
	Arg     int        `json:"arg"`
	Type    types.Type `json:"type"`
	Filters []int      `json:"filters"`
}

// Output is one result column: Func over the accumulators:
//
//	value                   of a count: [count]; of sum, min, max, bool_and and
//	                        bool_or: [it, count of the same argument and filter],
//	                        null when that count is 0
//	avg                     [sum, count]
//	stddev_samp, stddev_pop, var_samp, var_pop
//	                        [sum_squares, sum, count]
//	approx_count_distinct   [sketch_sum, sketch_used]
//	corr, covar_pop, covar_samp, regr_avgx, regr_avgy, regr_intercept, regr_r2,
//	regr_slope, regr_sxx, regr_sxy, regr_syy
//	                        [count, sum of y, sum of x, sum of squares of y, of x,
//	                        sum_products], of the rows that have both
type Output struct {
	Func         string     `json:"func"`
	Accumulators []int      `json:"accumulators"`
	Type         types.Type `json:"type"`
	// Specials are the accumulators that count NaN, infinity and minus infinity,
	// where the sums leave them out; of regressions those of y, then of x.
	Specials []int `json:"specials,omitempty"`
	// Scale is the accumulator of the greatest scale among numerics, 0 for none:
	// the scale of a sum that values may have been taken away from.
	Scale int `json:"scale,omitempty"`
}

// WindowAggregate is an aggregation whose keys include a window over TimeColumn.
// Output: window_start, window_end, then as Aggregate. Without OnClose it emits
// changes as it goes. Late rows, those of closed windows, are counted.
type WindowAggregate struct {
	Aggregate
	TimeColumn int                `json:"time_column"`
	Spec       logical.WindowSpec `json:"spec"`
	OnClose    bool               `json:"on_close"`
}

// Sort orders by columns; Limit and Skip are -1 and 0 when absent. Where they depend
// on outer values they are absent, and LimitBy and SkipBy say what they are.
type Sort struct {
	Keys     []SortKey    `json:"keys"`
	Limit    int64        `json:"limit"`
	Skip     int64        `json:"skip"`
	WithTies bool         `json:"with_ties,omitempty"`
	LimitBy  *scalar.Expr `json:"limit_by,omitempty"`
	SkipBy   *scalar.Expr `json:"skip_by,omitempty"`
}

// SortKey is one column of an order.
type SortKey struct {
	Column     int  `json:"column"`
	Desc       bool `json:"desc,omitempty"`
	NullsFirst bool `json:"nulls_first,omitempty"`
}

// KeyedRows are inserts of which each takes the place of the one before it with
// its Key, input columns. The operator's table has the last row of each key: the
// Key columns as keys, the others, in input order, as columns. AtEnd says that it
// gives only those, once its input has ended. Each says that somebody goes by all
// rows that a key has had: none may be passed over because the next one is there.
type KeyedRows struct {
	Key   []int `json:"key"`
	AtEnd bool  `json:"at_end,omitempty"`
	Each  bool  `json:"each,omitempty"`
}

// Tables is the operator's state over input columns with these names.
func (k *KeyedRows) Tables(in []Column) []Table { return []Table{rowTable(in, k.Key, nil, false)} }

// Consolidate adds the changes of each Key up until the next barrier, and then
// emits what is left of them, what goes before what comes: before it, the versions
// of a row may come from several tasks, in any order.
type Consolidate struct {
	Key []int `json:"key"`
}

// Sink writes to a relation; Columns are the relation's columns that the input
// gives, in order.
type Sink struct {
	RelationID string            `json:"relation_id"`
	Relation   string            `json:"relation"`
	Connector  string            `json:"connector"` // "" for an own table
	Options    map[string]string `json:"options,omitempty"`
	Schema     []types.Field     `json:"schema"` // of the relation
	Columns    []int             `json:"columns"`
	PrimaryKey []int             `json:"primary_key,omitempty"` // positions in Schema
	NotNull    []int             `json:"not_null,omitempty"`    // positions in Schema that take no nulls
}

// Materialize keeps its input as a table for readers. Key are the input columns
// that identify a row; nil: the whole row with a count of its copies. Its table
// has the Key columns as keys and the other columns, in input order, as columns;
// without Key all columns are keys, and the one column is a bigint count.
type Materialize struct {
	RelationID string `json:"relation_id"`
	Relation   string `json:"relation"`
	Key        []int  `json:"key,omitempty"`
}
