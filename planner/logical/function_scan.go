package logical

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/scalar"
)

// GivenRows is the function whose rows are those that whoever runs the plan has
// under the number that is its argument.
const GivenRows = "given rows"

// FunctionScan is a set-returning function in FROM, such as generate_series or
// unnest. Args have no columns; inside an Apply they may have scalar.OpOuter.
type FunctionScan struct {
	Func string // a lower-case name: "generate_series", "unnest", "savepoint" …
	Args []*scalar.Expr
	// Beside are functions whose columns stand beside those of this one, row by
	// row; the shorter ones are filled up with nulls. Each has its own columns in
	// Out and nothing else.
	Beside     []*FunctionScan
	Ordinality bool // a last column counts the rows from 1
	Out        []Field
	Pos        int // where the statement calls it, -1 for nowhere
}

// Expand repeats each row of Input for the rows that a set-returning function
// gives for it, whose arguments are over Input's columns. Its columns are those of
// Input, then the function's. With Left a row for which there are none is kept,
// with nulls.
type Expand struct {
	Input    Node
	Function *FunctionScan
	Left     bool
	Out      []Field
}

// Outside reports whether the rows lie outside of the query, or those of a
// function beside it, and may change without its being told.
func (n *FunctionScan) Outside() bool {
	return n.Func == "savepoint" || n.Func == GivenRows || strings.HasPrefix(n.Func, "pg_") || slices.ContainsFunc(n.Beside, (*FunctionScan).Outside)
}

// Own is how many of the columns are of the function itself: those of the ones
// beside it, and the number, follow.
func (n *FunctionScan) Own() int {
	own := len(n.Out)
	if n.Ordinality {
		own--
	}
	for _, f := range n.Beside {
		own -= len(f.Out)
	}
	return own
}

// MapArgs returns n with f applied to the arguments.
func (n *FunctionScan) MapArgs(f func(*scalar.Expr) *scalar.Expr) *FunctionScan {
	c := *n
	c.Args, c.Beside = nil, nil
	for _, a := range n.Args {
		c.Args = append(c.Args, f(a))
	}
	for _, b := range n.Beside {
		c.Beside = append(c.Beside, b.MapArgs(f))
	}
	return &c
}

// Fields implements Node.
func (n *FunctionScan) Fields() []Field { return n.Out }
func (n *Expand) Fields() []Field       { return n.Out }

// Inputs implements Node.
func (n *FunctionScan) Inputs() []Node { return nil }
func (n *Expand) Inputs() []Node       { return []Node{n.Input} }
