package logical

import (
	"math"

	"github.com/millrace/millrace/planner/scalar"
)

// Unlimited is the To of a TopN without an upper end.
const Unlimited = math.MaxInt64

// TopN keeps, of the rows of each partition, those that number From to To, from
// 1, by the function Func: row_number, rank or dense_rank. WithTies adds the rows
// that the order does not tell apart from the last of these. With Numbered its
// last column is the number. Among rows that the order does not tell apart, the
// other columns decide.
type TopN struct {
	Input       Node
	PartitionBy []*scalar.Expr
	OrderBy     []scalar.SortKey
	Func        string
	From, To    int64
	WithTies    bool
	Numbered    bool
	Out         []Field
	Pos         int    // where the statement asks for it, -1 for nowhere
	ID          string // pinned by a hint
	TTL         int64  // graph.Input.StateTTL, by a hint
}

// Fields implements Node.
func (n *TopN) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *TopN) Inputs() []Node { return []Node{n.Input} }
