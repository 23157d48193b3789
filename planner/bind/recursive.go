package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// recursiveQuery binds a WITH query that refers to itself and has the form that
// recursionOf wants: the types of its columns are those of its first part.
func (b *binder) recursiveQuery(c *cteScope, e env) (logical.Node, error) {
	q := c.query
	e, err := b.withQueries(q.With, e)
	if err != nil {
		return nil, err
	}
	op := unionOf(q)
	initial, err := b.setExpr(op.L, e, queryMode{})
	if err != nil {
		return nil, err
	}
	if err := c.countColumns(initial); err != nil {
		return nil, err
	}
	added := &searched{b: b, search: c.search, cycle: c.cycle}
	if !added.none() {
		if initial, err = added.first(renamed(initial, c.columns)); err != nil {
			return nil, err
		}
	}
	b.recursions++
	n := &logical.Recursive{Name: c.name, Number: b.recursions, Distinct: !op.All, Pos: int(c.pos)}
	for i, f := range initial.Fields() {
		f = logical.Field{Name: f.Name, Type: f.Type, Origin: f.Name}
		if i < len(c.columns) {
			f.Name, f.Origin = c.columns[i].Value, c.columns[i].Value
		}
		n.Out = append(n.Out, f)
	}
	self := *c
	self.next, self.working = e.ctes, &logical.Working{Name: c.name, Number: n.Number, Out: n.Out}
	self.added = len(added.names())
	e.ctes = &self
	second := op.R
	if !added.none() {
		if second, err = added.step(op.R, c.name); err != nil {
			return nil, err
		}
	}
	step, err := b.setExpr(second, e, queryMode{keepUnknown: true})
	if err != nil {
		return nil, err
	}
	if len(step.Fields()) != len(n.Out) {
		return nil, pgerr.New(pgerr.SyntaxError, "each UNION query must have the same number of columns").At(int(firstOutput(op.R).Offset()))
	}
	want := make([]types.Type, len(n.Out))
	for i, f := range n.Out {
		first := outputExpr(initial, i)
		t, err := b.commonType([]*scalar.Expr{first, outputExpr(step, i)}, "UNION")
		if err != nil {
			return nil, err
		}
		if !t.Equal(f.Type) {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "recursive query %q column %d has type %s in non-recursive term but type %s overall", c.name, i+1, f.Type, t).
				At(first.Pos).Hint("Cast the output of the non-recursive term to the correct type.")
		}
		want[i] = f.Type
	}
	if n.Step, err = b.coerceOutput(step, want, implicit, nil); err != nil {
		return nil, err
	}
	if !added.none() {
		if n.Step, err = added.next(n.Step); err != nil {
			return nil, err
		}
		if n.Step, err = added.typed(n.Step, n.Out); err != nil {
			return nil, err
		}
	}
	n.Initial = initial
	return n, nil
}

// countColumns checks that there is a column for each name in the list after the
// WITH query's name.
func (c *cteScope) countColumns(node logical.Node) error {
	if have := len(node.Fields()); len(c.columns) > have {
		return pgerr.New(pgerr.InvalidColumnReference, "WITH query %q has %d columns available but %d columns specified", c.name, have, len(c.columns)).
			At(int(c.pos))
	}
	return nil
}
