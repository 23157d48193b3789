package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
)

// checkWatermark refuses CURRENT_WATERMARK where there is none: of what is no
// column with a watermark, and in clauses that are not evaluated row by row where
// the watermark passes.
func (l *level) checkWatermark(e *scalar.Expr) error {
	switch l.clause {
	case "JOIN/ON":
		return pgerr.NotSupported(e.Pos, "CURRENT_WATERMARK in a JOIN condition").
			Hint("Compare with it in WHERE, or in a subquery for one of the sides.")
	case "FROM":
		return pgerr.NotSupported(e.Pos, "CURRENT_WATERMARK in a function in FROM").Hint("Compute it in a subquery in FROM.")
	}
	x := e.Args[0]
	if x.Op == scalar.OpColumn && l.scope != nil {
		for i := range l.scope.cols {
			c := &l.scope.cols[i]
			if c.expr.Op == scalar.OpColumn && c.expr.Column == x.Column && c.field.TimeAttr {
				return nil
			}
		}
	}
	return pgerr.New(pgerr.WrongObjectType, "CURRENT_WATERMARK needs a column with a watermark").At(x.Pos).
		Hint("Name the column that WATERMARK FOR declares, in a query in which rows still come in its order.")
}
