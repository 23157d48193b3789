package handler

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// evaluateConstant computes an expression without columns for the optimizer,
// which asks for immutable ones only.
func evaluateConstant(x *scalar.Expr) (types.Value, bool) {
	p, err := eval.Compile(x, eval.Options{})
	if err != nil {
		return types.Value{}, false
	}
	c, err := p.Eval(&batch.Batch{N: 1})
	if err != nil {
		return types.Value{}, false
	}
	return c.Value(0), true
}

// parsedType is a type as the syntax tree has it.
func parsedType(t types.Type) (ast.TypeName, error) {
	switch {
	case t.Kind == types.Char && !t.HasPrecision:
		return ast.TypeName{Name: "bpchar"}, nil // not character, which is character(1)
	case t.Kind == types.Array && !t.Vector:
		n, err := parsedType(*t.Elem)
		n.ArrayDims++
		return n, err
	case t.Kind == types.Row && len(t.Fields) > 0:
		n := ast.TypeName{Name: "row"}
		for _, f := range t.Fields {
			of, err := parsedType(f.Type)
			if err != nil {
				return n, err
			}
			n.Fields = append(n.Fields, ast.RowField{Name: ast.Name{Value: f.Name}, Type: of})
		}
		return n, nil
	}
	return parse.Type(t.String())
}
