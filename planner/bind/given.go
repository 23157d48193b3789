package bind

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// givenRows are rows that whoever runs the plan has, under a number. A last column
// counts them, so that what is made of them can be put in their order.
func givenRows(number int64, fields []logical.Field) *logical.FunctionScan {
	n := &logical.FunctionScan{Func: logical.GivenRows, Pos: -1, Args: []*scalar.Expr{constantExpr(types.Int64, types.Value{Int: number}, "")}}
	for _, f := range fields {
		if f.Type.Kind == types.Unknown {
			f.Type = types.Of(types.Text)
		}
		n.Out = append(n.Out, logical.Field{Name: f.Name, Type: f.Type, Origin: f.Name})
	}
	return numbered(n)
}

// overGiven computes expressions over given rows and the answers of subqueries
// that node has: in the rows' order, with their number in the last column.
func overGiven(node logical.Node, width int, exprs []*scalar.Expr, out []logical.Field) logical.Node {
	number := node.Fields()[width]
	p := &logical.Project{Input: node, Exprs: append(append([]*scalar.Expr(nil), exprs...), columnExpr(width, number)),
		Out: append(append([]logical.Field(nil), out...), number)}
	return &logical.Sort{Input: p, Keys: []scalar.SortKey{{X: columnExpr(len(out), number)}}}
}
