// Package parse turns SQL text into sql/ast. It has PostgreSQL's lexer, a
// recursive descent of its own for Millrace's statements, and for queries and
// expressions a rewriter in front of TiDB's parser, which it alone imports: each
// query is rewritten, clause by clause, into text that TiDB reads with the same
// meaning, and its tree is decoded into sql/ast. The package looks up no names,
// checks no types and knows no catalog.
package parse

import (
	"github.com/millrace/millrace/sql/ast"
)

// Statements parses a string of statements that are separated by semicolons.
// Offsets in a statement's tree count from the beginning of its Parsed.Text; the
// position of an error counts from the beginning of sql, and the error is a
// *pgerr.Error. When any statement is wrong, none is returned.
func Statements(sql string) ([]ast.Parsed, error) {
	toks, err := lex(sql)
	if err != nil {
		return nil, err
	}
	c := &cursor{src: sql, toks: toks}
	p := &parser{cursor: c}
	var out []ast.Parsed
	for {
		for c.acceptSymbol(";") {
		}
		if c.cur().kind == endOfInput {
			break
		}
		first := c.i
		c.base = c.cur().pos
		st := p.statement()
		if !c.cur().is(";") && c.cur().kind != endOfInput {
			c.unexpected()
		}
		if c.err != nil {
			return nil, c.err
		}
		end := c.toks[c.i-1].end
		params, at := parameters(toks[first:c.i], c.base)
		out = append(out, ast.Parsed{
			Statement: st, Text: sql[c.base:end], Start: c.base, Params: params, FirstParam: at,
		})
	}
	return out, nil
}

// parameters finds the highest $n among a statement's tokens, 0 if there is none,
// and where the first one is.
func parameters(toks []token, base int) (highest int, first ast.Pos) {
	first = -1
	for i := range toks {
		if toks[i].kind == parameter {
			highest = max(highest, parameterNumber(&toks[i]))
			if first < 0 {
				first = ast.Pos(toks[i].pos - base)
			}
		}
	}
	return highest, first
}

// Query parses one query, without a semicolon after it.
func Query(sql string) (*ast.Query, error) {
	var q *ast.Query
	err := whole(sql, func(p *parser) { q = p.query() })
	return q, err
}

// QueryAt parses a stored query that a statement names at the offset at: all
// parts of the tree are said to be there, as their own places are in a text that
// the user did not write now. The position of an error counts in sql.
func QueryAt(sql string, at ast.Pos) (*ast.Query, error) {
	var q *ast.Query
	err := whole(sql, func(p *parser) {
		p.stood = &at
		q = p.query()
	})
	return q, err
}

// Expr parses one scalar expression, such as a column's stored default.
func Expr(sql string) (ast.Expr, error) {
	var x ast.Expr
	err := whole(sql, func(p *parser) { x = p.expr() })
	return x, err
}

// Type parses the name of a type.
func Type(sql string) (ast.TypeName, error) {
	var t ast.TypeName
	err := whole(sql, func(p *parser) { t = p.typeName() })
	return t, err
}

// whole runs rule over the whole of sql.
func whole(sql string, rule func(*parser)) error {
	toks, err := lex(sql)
	if err != nil {
		return err
	}
	p := &parser{cursor: &cursor{src: sql, toks: toks}}
	rule(p)
	if p.err == nil && p.cur().kind != endOfInput {
		p.unexpected()
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// parser is the recursive descent over statements; one file per family.
type parser struct{ *cursor }

// query takes a query at the cursor: rewrite, TiDB, decode.
func (p *parser) query() *ast.Query {
	if p.err != nil {
		return nil
	}
	if !p.queryAhead(p.i) {
		p.unexpected()
		return nil
	}
	r := newRewriter(p.cursor)
	r.query()
	return r.finish()
}

// expr takes one expression at the cursor.
func (p *parser) expr() ast.Expr {
	if p.err != nil {
		return nil
	}
	r := newRewriter(p.cursor)
	r.emit("SELECT", p.cur().pos)
	r.markCall(p.cur().pos, &expressionHead{})
	r.expr()
	r.emit(")", p.cur().pos)
	return r.finishExpr()
}

// exprList takes expressions separated by commas.
func (p *parser) exprList() []ast.Expr {
	var list []ast.Expr
	for {
		list = append(list, p.expr())
		if !p.acceptSymbol(",") {
			return list
		}
	}
}
