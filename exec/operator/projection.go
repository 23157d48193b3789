package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Projection compiles expressions over the columns in into a function from batch
// to batch, for sources, which compute generated columns and watermarks. Rows
// whose expressions fail go to env.BadRow and are not in the result. The result
// is valid until the next call.
func Projection(id string, exprs []*scalar.Expr, in []types.Field, env Env) (func(*batch.Batch) (*batch.Batch, error), error) {
	spec := &graph.Operator{ID: id, Kind: graph.ProjectKind, Project: &graph.Project{Exprs: exprs}, TimeColumn: -1}
	for _, x := range exprs {
		spec.Fields = append(spec.Fields, types.Field{Type: x.Type})
	}
	env.Inputs = [][]types.Field{in}
	made, err := New(spec, env)
	if err != nil {
		return nil, err
	}
	if p, ok := made.(*project); ok { // a batch for a batch
		p.parts.may(p.program.compiled.InParts, false)
	}
	empty := batch.New(layoutOf(spec.Fields), 0)
	c := &caught{}
	return func(b *batch.Batch) (*batch.Batch, error) {
		c.b = empty
		err := made.OnBatch(0, b, c)
		return c.b, err
	}, nil
}

// caught is an output that keeps the batch for its caller.
type caught struct{ b *batch.Batch }

// Emit implements exec.Output.
func (c *caught) Emit(b *batch.Batch) error {
	c.b = b
	return nil
}
