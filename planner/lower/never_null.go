package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// neverNull reports whether x, over op's columns, is known not to be null in any
// row. It follows columns to relations, through what passes them on.
func (b *builder) neverNull(op int, x *scalar.Expr) bool {
	switch x.Op {
	case scalar.OpConst:
		return x.Value != nil && !x.Value.Null
	case scalar.OpCast:
		return x.Func != "try" && b.neverNull(op, x.Args[0])
	case scalar.OpColumn:
		return x.Column < windowColumns && b.columnNeverNull(op, x.Column)
	}
	return false
}

func (b *builder) columnNeverNull(op, c int) bool {
	o := b.through(op)
	switch {
	case o.source != nil:
		rel, at := o.source.scan.Relation, o.source.columns[c]
		return rel.Columns[at].NotNull || slices.Contains(rel.PrimaryKey, at)
	case o.Kind == graph.ProjectKind:
		return b.neverNull(o.Inputs[0].Operator, o.Project.Exprs[c])
	case o.family != nil:
		return o.groupNeverNull(b, c)
	case o.Kind == graph.UnionKind:
		return !slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return !b.columnNeverNull(in.Operator, c) })
	case o.Join != nil:
		side, at := 0, o.Join.Output[c]
		if left := len(b.fieldsOf(o.Inputs[0].Operator)); at >= left {
			side, at = 1, at-left
		}
		kind := o.Join.Kind
		padded := kind == logical.FullJoin || kind == logical.LeftJoin && side == 1 || kind == logical.RightJoin && side == 0
		return !padded && b.columnNeverNull(o.Inputs[side].Operator, at)
	}
	return false
}

// groupNeverNull is columnNeverNull of an aggregate: its bounds of windows come
// first, then its keys.
func (o *operator) groupNeverNull(b *builder, c int) bool {
	if slices.Contains([]string{"start", "end"}, o.attrs[c].bound) {
		return true
	}
	key := slices.Index(o.spread.cols, c)
	p := o.family.project
	return key >= 0 && b.neverNull(p.Inputs[0].Operator, p.Project.Exprs[key])
}
