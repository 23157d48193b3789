package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// fold computes what does not depend on a row, simplifies conditions, and drops
// filters that let everything pass. A folded constant keeps its text, so that
// names stay what they are.
func fold(n logical.Node, opts Options) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		n = mapExprs(n, func(x *scalar.Expr) *scalar.Expr { return scalar.Map(x, opts.simplify) })
		if f, ok := n.(*logical.Filter); ok && scalar.IsTrue(f.Predicate) {
			return f.Input
		}
		return n
	})
}

// foldedBytesMax bounds values that stand for the call that makes them: a plan is
// encoded and stored, and repeat('x', 100000000) is shorter.
const foldedBytesMax = 1 << 16

// foldedArgsMax bounds what constants are computed from: to take large ones apart is for
// who runs the query, within its memory and until it is cancelled.
const foldedArgsMax = 1 << 20

// bytesOf is how long constants are together.
func bytesOf(constants []*scalar.Expr) (n int) {
	for _, c := range constants {
		n += len(c.Value.Bytes)
	}
	return n
}

func (o Options) simplify(x *scalar.Expr) *scalar.Expr {
	switch x.Op {
	case scalar.OpAnd:
		return junction(x, false)
	case scalar.OpOr:
		return junction(x, true)
	case scalar.OpCall, scalar.OpCast, scalar.OpNot, scalar.OpIsNull, scalar.OpIn, scalar.OpCase:
	default:
		return x
	}
	if o.Evaluate == nil || scalar.VolatilityOf(x) != scalar.Immutable {
		return x
	}
	for _, a := range x.Args {
		if a.Op != scalar.OpConst {
			return x
		}
	}
	args := bytesOf(x.Args)
	if args > foldedArgsMax {
		return x
	}
	v, ok := o.Evaluate(x)
	if !ok || len(v.Bytes) > max(foldedBytesMax, 64*args) {
		return x
	}
	return &scalar.Expr{Op: scalar.OpConst, Type: x.Type, Value: &v, Pos: x.Pos, Text: x.Text}
}

// junction drops the neutral constants of AND (absorbing false) and OR
// (absorbing true).
func junction(x *scalar.Expr, absorbing bool) *scalar.Expr {
	var rest []*scalar.Expr
	for _, a := range x.Args {
		if a.Op == scalar.OpConst && a.Value != nil && !a.Value.Null {
			if a.Value.Bool == absorbing {
				return a
			}
			continue
		}
		rest = append(rest, a)
	}
	switch {
	case len(rest) == len(x.Args):
		return x
	case len(rest) == 1:
		return rest[0]
	case len(rest) == 0:
		return &scalar.Expr{Op: scalar.OpConst, Type: x.Type, Value: &types.Value{Bool: !absorbing}, Pos: x.Pos, Text: x.Text}
	}
	c := *x
	c.Args = rest
	return &c
}
