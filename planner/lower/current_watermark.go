package lower

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// currentWatermarks makes the sources keep the watermarks that CURRENT_WATERMARK
// asks for, and refuses it where it has no meaning: whether a row that changes
// passes would depend on when it came and when it went, and what it had let through
// could not be taken back. Filters and projections know the watermark of their
// input; nothing else computes what is written row by row.
func (b *builder) currentWatermarks() error {
	if b.bounded {
		return nil
	}
	for _, o := range b.ops {
		var exprs []*scalar.Expr
		switch o.Kind {
		case graph.FilterKind:
			exprs = []*scalar.Expr{o.Filter.Predicate}
		case graph.ProjectKind:
			exprs = o.Project.Exprs
		}
		for _, x := range exprs {
			if err := b.currentWatermark(o.Inputs[0].Operator, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// currentWatermark does that for an expression over the columns of operator op.
func (b *builder) currentWatermark(op int, x *scalar.Expr) (err error) {
	scalar.Walk(x, func(e *scalar.Expr) {
		if err != nil || !scalar.IsCurrentWatermark(e) {
			return
		}
		in := b.through(op)
		a := attr{}
		if c := e.Args[0]; c.Op == scalar.OpColumn && c.Column < len(in.attrs) {
			a = in.attrs[c.Column]
		}
		switch {
		case b.modeOf(op) != graph.AppendOnly:
			err = pgerr.New(pgerr.FeatureNotSupported, "CURRENT_WATERMARK is not possible over rows that change").At(e.Pos).
				Hint("What a row gave when it came could not be taken back when it goes. Use it over a relation that is APPEND ONLY, before rows are aggregated or joined.")
		case !a.time || a.proc:
			err = pgerr.New(pgerr.WrongObjectType, "CURRENT_WATERMARK needs a column with a watermark, in whose order rows still come").At(e.Pos)
		default:
			err = b.useTime(op, a)
		}
	})
	return err
}
