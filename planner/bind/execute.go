package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Arguments binds what EXECUTE gives for parameters of the types that are wanted: the
// node has one row of the values. A type that is not known takes what there is.
func Arguments(args []ast.Expr, want []types.Type, opts Options) (logical.Node, error) {
	b := newBinder(opts)
	l := &level{b: b, clause: "EXECUTE parameters"}
	p := &logical.Project{Input: &logical.Values{Rows: [][]*scalar.Expr{{}}}}
	for i, x := range args {
		t := want[i]
		e, err := l.plain(x, t)
		if err != nil {
			return nil, err
		}
		if t.Kind == types.Invalid || t.Kind == types.Unknown {
			if t = e.Type; t.Kind == types.Unknown {
				t = types.Of(types.Text)
			}
		}
		if !b.canCoerce(e.Type, t, assignment) {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "parameter $%d of type %s cannot be coerced to the expected type %s", i+1, bare(e.Type), bare(t)).At(e.Pos).
				Hint("You will need to rewrite or cast the expression.")
		}
		if e, err = b.coerce(e, t, assignment); err != nil {
			return nil, err
		}
		p.Exprs, p.Out = append(p.Exprs, e), append(p.Out, logical.Field{Type: e.Type, Origin: e.Text})
	}
	return p, nil
}
