package bind

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// useCTE is a WITH query where FROM names it.
func (l *level) useCTE(c *cteScope, pos int) (logical.Node, error) {
	switch {
	case c.working != nil:
		return c.working, nil
	case c.correlated && l.outer != c.env.outer:
		return l.useOutwards(c, pos)
	}
	node := c.first
	c.first = nil
	if node == nil {
		var err error
		if node, err = l.b.cteNode(c, c.env); err != nil {
			return nil, err
		}
	}
	if err := c.countColumns(node); err != nil {
		return nil, err
	}
	return renamed(node, c.columns), nil
}

// useOutwards is a WITH query that depends on the query around its WITH, in a
// subquery further inside: that carries the outer values inwards, and one row
// without columns hands them on.
func (l *level) useOutwards(c *cteScope, pos int) (logical.Node, error) {
	o := &outer{from: c.env.outer.from}
	node, err := l.b.cteNode(c, env{ctes: c.env.ctes, outer: o})
	if err != nil {
		return nil, err
	}
	if err := c.countColumns(node); err != nil {
		return nil, err
	}
	a := &logical.Apply{Kind: logical.CrossApply, Input: &logical.Values{Rows: [][]*scalar.Expr{{}}}, Sub: node, Out: node.Fields(), Pos: pos}
	for _, x := range o.args {
		a.Args = append(a.Args, l.carryIn(o.from, x))
	}
	return renamed(a, c.columns), nil
}
