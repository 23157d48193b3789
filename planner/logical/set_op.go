package logical

// SetOpKind names a set operation other than UNION ALL.
type SetOpKind string

// The set operations; UNION is an Aggregate over a Union.
const (
	Intersect SetOpKind = "intersect"
	Except    SetOpKind = "except"
)

// SetOp is INTERSECT or EXCEPT; both sides have the same column types, and nulls
// are equal to each other. With All copies are counted.
type SetOp struct {
	Kind        SetOpKind
	All         bool
	Left, Right Node
	Out         []Field
	TTL         int64 // graph.Input.StateTTL, by a view that this is a part of
}

// Fields implements Node.
func (n *SetOp) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *SetOp) Inputs() []Node { return []Node{n.Left, n.Right} }
