// Package scalar is typed scalar expressions as data, and the table of the
// functions, operators and aggregates they may call. It evaluates nothing.
package scalar

import "github.com/millrace/millrace/types"

// Op tells expression nodes apart. The strings are stored in job graphs.
type Op string

// The expression nodes.
const (
	OpColumn Op = "column" // Column: index into the input row
	OpConst  Op = "const"  // Value
	OpCall   Op = "call"   // Func: a Function's key; Args
	OpCast   Op = "cast"   // Args[0] to Type, with PostgreSQL's rules; Func is "", "try", or "assign" (too long a string is an error)
	OpAnd    Op = "and"    // Args, three-valued, two or more
	OpOr     Op = "or"     // Args, three-valued, two or more
	OpNot    Op = "not"    // Args[0]
	OpIsNull Op = "isnull" // Args[0]; IS NOT NULL is not(isnull)
	OpCase   Op = "case"   // Args: cond, then, cond, then, …, else (always odd in number)
	OpParam  Op = "param"  // Column: the parameter's number from 0; replaced by a const before execution
	OpIn     Op = "in"     // Args[0] in (Args[1:]), all constants of one type
	OpOuter  Op = "outer"  // Column: index into the enclosing logical.Apply's Args; only below one
)

// Expr is a typed expression. Pos and Text serve messages and names only and
// take no part in comparisons.
type Expr struct {
	Op     Op           `json:"op"`
	Type   types.Type   `json:"type"`
	Column int          `json:"column,omitempty"`
	Value  *types.Value `json:"value,omitempty"`
	Func   string       `json:"func,omitempty"`
	Args   []*Expr      `json:"args,omitempty"`
	// Pos is the byte offset in the statement, -1 for none.
	Pos int `json:"pos,omitempty"`
	// Text is how a user would write the expression, in canonical form: lower
	// case, names without qualifiers, minimal parentheses. It becomes part of
	// state column names and of row errors.
	Text string `json:"text,omitempty"`
}

// Aggregate is one aggregate call over the columns of an aggregation's input.
type Aggregate struct {
	Func     string     `json:"func"` // key of an AggregateFunction
	Args     []*Expr    `json:"args,omitempty"`
	Distinct bool       `json:"distinct,omitempty"`
	Filter   *Expr      `json:"filter,omitempty"`
	OrderBy  []SortKey  `json:"order_by,omitempty"`
	Type     types.Type `json:"type"`
	Pos      int        `json:"pos,omitempty"`
	Text     string     `json:"text,omitempty"` // canonical, such as "sum(amount)"
}

// SortKey is one ORDER BY key.
type SortKey struct {
	X          *Expr `json:"x"`
	Desc       bool  `json:"desc,omitempty"`
	NullsFirst bool  `json:"nulls_first,omitempty"`
}
