package logical

import "github.com/millrace/millrace/planner/scalar"

// ApplyKind says what an Apply makes of a subquery's rows.
type ApplyKind string

// The kinds of Apply.
const (
	// ScalarApply adds the one column of the one row; null without a row; two
	// rows are an error (21000).
	ScalarApply ApplyKind = "scalar"
	// ExistsApply adds whether there is a row.
	ExistsApply ApplyKind = "exists"
	// AnyApply adds whether Compare is true for some row, AllApply whether for
	// each row, both three-valued as SQL's ANY and ALL.
	AnyApply ApplyKind = "any"
	AllApply ApplyKind = "all"
	// ArrayApply adds an array of the one column's values.
	ArrayApply ApplyKind = "array"
	// CrossApply and LeftApply pair each row with the subquery's rows; left
	// keeps a row without any, with nulls. These are LATERAL joins.
	CrossApply ApplyKind = "cross"
	LeftApply  ApplyKind = "left"
)

// Apply evaluates Sub for each row of Input. Within Sub, outside of nested
// Applies, scalar.OpOuter with Column i stands for Args[i], an expression over
// Input's columns; without Args Sub need run only once. The output is Input's
// columns and one result column, or all of Sub's for cross and left.
type Apply struct {
	Kind  ApplyKind
	Input Node
	Sub   Node
	Args  []*scalar.Expr
	// Compare, for any and all, is over Input's columns followed by Sub's.
	Compare *scalar.Expr
	// When, not for cross and left, is over Input's columns: for rows for which it is not
	// true nobody asks for the result, and it is not computed. Nil is always.
	When *scalar.Expr
	// Condition, for cross and left, is over Input's columns followed by Sub's;
	// nil is true.
	Condition *scalar.Expr
	Out       []Field
	ID        string // pinned by a hint: that of the join it becomes
	TTL       int64  // graph.Input.StateTTL, by a view that this is a part of
	// Why says why it could not be made a join, which a continuous query needs.
	Why string
	Pos int // of the subquery in the statement, -1 for none
}

// SeveralRows is Why of a scalar subquery of which it is not known that it has one row.
const SeveralRows = "it may have more than one row: it is no aggregate, has no LIMIT 1, and does not name a primary key"

// Fields implements Node.
func (n *Apply) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *Apply) Inputs() []Node { return []Node{n.Input, n.Sub} }
