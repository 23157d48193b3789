package graph

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// Join pairs the rows of inputs 0 (left) and 1 (right) whose LeftKeys and
// RightKeys are equal, null being equal to nothing, and for which Residual (over
// the left columns followed by the right ones; nil: true) is true. Without keys
// every pair is looked at. Output: the left columns, then, except for semi and
// anti joins, the right ones.
type Join struct {
	Kind      logical.JoinKind `json:"kind"`
	LeftKeys  []*scalar.Expr   `json:"left_keys,omitempty"`  // over the left columns
	RightKeys []*scalar.Expr   `json:"right_keys,omitempty"` // over the right columns
	Residual  *scalar.Expr     `json:"residual,omitempty"`
}

// SetOp is INTERSECT or EXCEPT of inputs 0 and 1; nulls are equal to each other.
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
