package bind

import (
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// CopyWhere binds the condition of COPY … FROM … WHERE over a relation's columns.
// Generated ones have no value yet.
func CopyWhere(rel *catalog.Relation, x ast.Expr, opts Options) (*scalar.Expr, error) {
	b := newBinder(opts)
	l := &level{b: b, scope: tableScope(rel, nil), clause: "COPY FROM WHERE conditions"}
	e, err := l.expr(x)
	if err != nil {
		return nil, err
	}
	if len(l.pending) > 0 {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "cannot use subquery in COPY FROM WHERE condition").At(int(x.Offset()))
	}
	if e, err = b.boolean(e, "WHERE"); err != nil {
		return nil, err
	}
	if err := b.refuseParams("COPY"); err != nil {
		return nil, err
	}
	for _, c := range scalar.Columns(e) {
		if rel.Columns[c].Generated != "" {
			return nil, pgerr.New(pgerr.InvalidColumnReference, "generated columns are not supported in COPY FROM WHERE conditions").At(int(x.Offset())).
				WithDetail("Column %q is a generated column.", rel.Columns[c].Name)
		}
	}
	return e, nil
}
