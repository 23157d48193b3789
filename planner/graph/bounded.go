package graph

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// SetOp is INTERSECT or EXCEPT of inputs 0 and 1; nulls are equal to each other.
// Over finished data it has no table and emits at the end. Otherwise its table has
// all columns as keys, and a bigint count of copies for each side.
type SetOp struct {
	Kind logical.SetOpKind `json:"kind"`
	All  bool              `json:"all,omitempty"`
}

// Apply runs Sub for each row of its input, as logical.Apply says. In Sub's
// expressions, outside of nested Applies, scalar.OpOuter with Column i stands
// for Args[i] over the input row; without Args Sub need run only once. The last
// operator of Sub collects its rows.
type Apply struct {
	Kind      logical.ApplyKind `json:"kind"`
	Sub       *Graph            `json:"sub"`
	Args      []*scalar.Expr    `json:"args,omitempty"`
	Compare   *scalar.Expr      `json:"compare,omitempty"`
	Condition *scalar.Expr      `json:"condition,omitempty"`
}

// FunctionScan gives the rows of a set-returning function.
type FunctionScan struct {
	Func       string         `json:"func"`
	Args       []*scalar.Expr `json:"args,omitempty"`
	Ordinality bool           `json:"ordinality,omitempty"`
}
