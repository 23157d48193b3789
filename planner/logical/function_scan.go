package logical

import "github.com/millrace/millrace/planner/scalar"

// FunctionScan is a set-returning function in FROM, such as generate_series or
// unnest. Args have no columns; inside an Apply they may have scalar.OpOuter.
type FunctionScan struct {
	Func       string // a lower-case name: "generate_series", "unnest", "savepoint" …
	Args       []*scalar.Expr
	Ordinality bool // a last column counts the rows from 1
	Out        []Field
	Pos        int // where the statement calls it, -1 for nowhere
}

// Fields implements Node.
func (n *FunctionScan) Fields() []Field { return n.Out }

// Inputs implements Node.
func (n *FunctionScan) Inputs() []Node { return nil }
