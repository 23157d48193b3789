package logical

import "github.com/millrace/millrace/planner/scalar"

// Over adds to each row the results of window functions that share a partition
// and an order: its columns are Input's, then one per call. Among rows that the
// order does not tell apart, the other columns decide, so that the result depends
// on the rows alone.
type Over struct {
	Input       Node
	PartitionBy []*scalar.Expr
	OrderBy     []scalar.SortKey
	Calls       []scalar.WindowCall
	Out         []Field
	ID          string // pinned by a hint
	TTL         int64  // graph.Input.StateTTL, by a hint
}

// Fields implements Node.
func (n *Over) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *Over) Inputs() []Node { return []Node{n.Input} }
