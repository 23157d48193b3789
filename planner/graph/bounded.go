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
	// Expiry says when rows, of both inputs, are late and are forgotten; nil: never.
	// Those whose time is null are neither; Timeless says that there may be such rows.
	Expiry   *Expiry `json:"expiry,omitempty"`
	Timeless bool    `json:"timeless,omitempty"`
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
	When      *scalar.Expr      `json:"when,omitempty"`
}

// Recursive gives the rows of Initial, then, until there are none, those of Step
// over the rows that came last, which Working operators of its Number in it give.
// scalar.OpOuter in either is that of the graph around it.
type Recursive struct {
	Name     string `json:"name"`
	Number   int    `json:"number"`
	Initial  *Graph `json:"initial"`
	Step     *Graph `json:"step"`
	Distinct bool   `json:"distinct,omitempty"` // rows that have come before do not count
}

// Working gives the rows that came last of the recursive query of that number.
type Working struct {
	Number int `json:"number"`
}
