package logical

import "github.com/millrace/millrace/planner/scalar"

// TemporalJoin joins each row of Left with the rows of Right as they were at one
// time, and never again: FOR SYSTEM_TIME AS OF. Condition is over the left columns
// followed by the right ones. LeftTime is the column of Left that says at which
// time, RightTime the column of Right from which on a version of a row counts. For
// processing time, when a row is joined with what is there as it comes, both are -1.
type TemporalJoin struct {
	Outer               bool // rows of Left without a partner stay, with nulls
	Left, Right         Node
	Condition           *scalar.Expr
	LeftTime, RightTime int
	Out                 []Field  // left columns, then right columns
	Hidden              []bool   // as of Join
	ID                  string   // pinned by a hint
	TTL                 [2]int64 // graph.Input.StateTTL of both sides, by a hint
	Pos                 int      // of the time in the statement
}

// Fields implements Node.
func (n *TemporalJoin) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *TemporalJoin) Inputs() []Node { return []Node{n.Left, n.Right} }

// Processing reports whether the join goes by processing time.
func (n *TemporalJoin) Processing() bool { return n.LeftTime < 0 }
