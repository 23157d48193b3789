package lower

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

func (b *builder) recursive(n *logical.Recursive) (stream, error) {
	if !b.bounded {
		return stream{}, pgerr.NotSupported(n.Pos, "WITH RECURSIVE in a continuous query").
			WithDetail("What query %q has found would have to be followed backwards when a row that it began with goes.", n.Name).
			Hint("Write it in the SELECT that reads the result.")
	}
	initial, err := Bounded(n.Initial, b.opts)
	if err != nil {
		return stream{}, err
	}
	step, err := Bounded(n.Step, b.opts)
	if err != nil {
		return stream{}, err
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.RecursiveKind, Mode: graph.AppendOnly,
			Recursive: &graph.Recursive{Name: n.Name, Number: n.Number, Initial: initial, Step: step, Distinct: n.Distinct}},
		base: "recursive(" + n.Name + ")", pos: -1, called: n.Name,
	}
	return b.finished(o, n.Out), nil
}

// working is in the step of a recursive query only, which is never continuous.
func (b *builder) working(n *logical.Working) (stream, error) {
	o := &operator{
		Operator: graph.Operator{Kind: graph.WorkingKind, Mode: graph.AppendOnly, Working: &graph.Working{Number: n.Number}},
		base:     "working(" + n.Name + ")", pos: -1, called: n.Name,
	}
	return b.finished(o, n.Out), nil
}
