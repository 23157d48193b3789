package logical

import "github.com/millrace/millrace/planner/scalar"

// AsofJoin joins each row of Left with one row of Right at most: of those for
// which Condition and Match are true, the one whose side of Match is nearest. Match
// is <, <=, > or >= of an expression over the left columns and one over the right
// ones; Condition, equalities between the two, may be nil. Of rows that are equally
// near the other columns decide.
type AsofJoin struct {
	Outer       bool // rows of Left without a partner stay, with nulls
	Left, Right Node
	Condition   *scalar.Expr
	Match       *scalar.Expr
	Out         []Field  // left columns, then right columns
	Hidden      []bool   // as of Join
	ID          string   // pinned by a hint
	TTL         [2]int64 // graph.Input.StateTTL of both sides, by a hint
	Pos         int      // of the join in the statement
}

// Fields implements Node.
func (n *AsofJoin) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *AsofJoin) Inputs() []Node { return []Node{n.Left, n.Right} }
