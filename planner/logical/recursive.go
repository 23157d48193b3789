package logical

// Recursive is a WITH RECURSIVE query that reads itself: the rows of Initial,
// then, again and again until there are none, those that Step makes of the rows
// that came last, which the Working nodes of the same Number in it stand for.
// With Distinct a row that has come before does not count.
type Recursive struct {
	Name          string
	Number        int // unique in the statement
	Initial, Step Node
	Distinct      bool
	Out           []Field
	Pos           int // of the name in the statement
}

// Working is the reference of a recursive query to itself.
type Working struct {
	Name   string
	Number int
	Out    []Field
}

// Fields implements Node.
func (n *Recursive) Fields() []Field { return n.Out }
func (n *Working) Fields() []Field   { return n.Out }

// Inputs implements Node.
func (n *Recursive) Inputs() []Node { return []Node{n.Initial, n.Step} }
func (n *Working) Inputs() []Node   { return nil }
