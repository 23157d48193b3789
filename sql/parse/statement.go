package parse

import "github.com/millrace/millrace/sql/ast"

func (p *parser) statement() ast.Statement {
	if p.queryAhead(p.i) {
		return p.query()
	}
	p.unexpected()
	return nil
}
