package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// mergeProjects makes one projection of two, and removes those that change
// nothing but names nobody sees: the root keeps its own.
func mergeProjects(root logical.Node) logical.Node {
	n := transform(root, func(n logical.Node) logical.Node {
		if p, ok := n.(*logical.Project); ok {
			return mergeProject(p)
		}
		return n
	})
	if p, ok := n.(*logical.Project); ok && isIdentity(p) && sameNames(p) {
		return p.Input
	}
	return transformBelow(n, func(n logical.Node) logical.Node {
		if p, ok := n.(*logical.Project); ok && isIdentity(p) {
			return p.Input
		}
		return n
	})
}

// transformBelow is transform without the root, whose names are the result's,
// and without the roots of branches, whose types are.
func transformBelow(n logical.Node, f func(logical.Node) logical.Node) logical.Node {
	var inputs []logical.Node
	for _, in := range n.Inputs() {
		inputs = append(inputs, transform(in, f))
	}
	return withInputs(n, inputs)
}

func mergeProject(p *logical.Project) logical.Node {
	inner, ok := p.Input.(*logical.Project)
	if !ok {
		return p
	}
	uses := map[int]int{}
	for _, x := range p.Exprs {
		scalar.Walk(x, func(e *scalar.Expr) {
			if e.Op == scalar.OpColumn {
				uses[e.Column]++
			}
		})
	}
	for i, x := range inner.Exprs {
		if uses[i] > 1 && !isPlain(x) || uses[i] == 1 && scalar.VolatilityOf(x) == scalar.Volatile {
			return p
		}
	}
	c := *p
	c.Input, c.Exprs = inner.Input, nil
	for _, x := range p.Exprs {
		c.Exprs = append(c.Exprs, scalar.Substitute(x, inner.Exprs))
	}
	return &c
}

func isIdentity(p *logical.Project) bool {
	in := p.Input.Fields()
	if len(in) != len(p.Exprs) {
		return false
	}
	for i, x := range p.Exprs {
		if x.Op != scalar.OpColumn || x.Column != i || !x.Type.Equal(in[i].Type) {
			return false
		}
	}
	return true
}

func sameNames(p *logical.Project) bool {
	for i, f := range p.Input.Fields() {
		if f.Name != p.Out[i].Name {
			return false
		}
	}
	return true
}
