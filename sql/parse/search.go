package parse

import "github.com/millrace/millrace/sql/ast"

// search takes SEARCH BREADTH|DEPTH FIRST BY columns SET column, if it is there.
func (c *cursor) search() *ast.Search {
	s := &ast.Search{At: ast.At{Pos: c.here()}}
	if !c.accept("search") {
		return nil
	}
	how := c.acceptAny("breadth", "depth")
	if how == "" {
		c.unexpected()
	}
	s.Depth = how == "depth"
	c.expect("first", "by")
	s.Columns = c.nameList()
	c.expect("set")
	s.Set = c.name()
	return s
}

// cycle takes CYCLE columns SET mark [TO x DEFAULT y] USING path, if it is there.
func (c *cursor) cycle() *ast.Cycle {
	y := &ast.Cycle{At: ast.At{Pos: c.here()}}
	if !c.accept("cycle") {
		return nil
	}
	y.Columns = c.nameList()
	c.expect("set")
	y.Mark = c.name()
	if c.accept("to") {
		p := &parser{cursor: c}
		y.To = p.expr()
		c.expect("default")
		y.Default = p.expr()
	}
	c.expect("using")
	y.Path = c.name()
	return y
}

// nameList takes names without parentheses around them.
func (c *cursor) nameList() []ast.Name {
	list := []ast.Name{c.name()}
	for c.acceptSymbol(",") {
		list = append(list, c.name())
	}
	return list
}
