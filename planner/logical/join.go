package logical

import "github.com/millrace/millrace/planner/scalar"

// JoinKind names a join.
type JoinKind string

// The join kinds. A cross join is an inner join without a condition. Semi and
// anti joins give the left side's columns only.
const (
	InnerJoin JoinKind = "inner"
	LeftJoin  JoinKind = "left"
	RightJoin JoinKind = "right"
	FullJoin  JoinKind = "full"
	SemiJoin  JoinKind = "semi"
	AntiJoin  JoinKind = "anti"
)

// Join pairs rows of Left and Right for which Condition is true; outer kinds
// add the rows without a partner, with nulls for the other side. Condition is
// over the left columns followed by the right ones; nil is true.
type Join struct {
	Kind        JoinKind
	Left, Right Node
	Condition   *scalar.Expr
	Out         []Field // left columns, then right columns
	// Hidden marks the columns of Out that nothing above reads: they are there
	// for Condition alone. Pruning sets it; nil: none.
	Hidden []bool
	ID     string // pinned by a hint
	// TTL is graph.Input.StateTTL of both sides, by a hint.
	TTL [2]int64
}

// Fields implements Node.
func (n *Join) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }
