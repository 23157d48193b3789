package graph

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/planner/scalar"
)

// FunctionScan gives the rows of a set-returning function, once.
type FunctionScan struct {
	Func string         `json:"func"`
	Args []*scalar.Expr `json:"args,omitempty"`
	// Beside are functions whose columns stand beside those of this one, row by
	// row, the shorter ones filled up with nulls. Columns is then how many columns
	// each has, this one first.
	Beside     []FunctionScan `json:"beside,omitempty"`
	Columns    []int          `json:"columns,omitempty"`
	Ordinality bool           `json:"ordinality,omitempty"` // a last column numbers the rows
	// Pos is where the statement calls it, for messages while that runs.
	Pos int `json:"-"`
}

// Call is the call of the function as it is written.
func (f *FunctionScan) Call() string {
	args := make([]string, len(f.Args))
	for i, a := range f.Args {
		args[i] = a.Text
	}
	return f.Func + "(" + strings.Join(args, ", ") + ")"
}

// Expand repeats each row for the rows of a function whose arguments are over it,
// and adds the function's columns. With Left a row for which there are none stays,
// with nulls. An update becomes deletes and inserts.
type Expand struct {
	Function FunctionScan `json:"function"`
	Left     bool         `json:"left,omitempty"`
}

// functionScan checks a function over width columns that gives some of o's.
func (c *checker) functionScan(f *FunctionScan, width, columns int) error {
	if err := c.exprs(f.Args, width, len(f.Args)); err != nil {
		return err
	}
	if f.Ordinality {
		columns--
	}
	if len(f.Beside) > 0 {
		if len(f.Columns) != len(f.Beside)+1 {
			return errors.New("functions stand beside one another without their number of columns")
		}
		for _, n := range f.Columns {
			if n <= 0 {
				return errors.New("a function has no columns")
			}
			columns -= n
		}
		if columns != 0 {
			return errors.New("the columns of functions beside one another do not add up")
		}
	}
	for i := range f.Beside {
		if err := c.exprs(f.Beside[i].Args, width, len(f.Beside[i].Args)); err != nil {
			return err
		}
	}
	if columns < 0 {
		return errors.New("a function has no columns")
	}
	return nil
}
