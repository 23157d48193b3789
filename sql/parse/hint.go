package parse

import (
	"strings"

	"github.com/millrace/millrace/sql/ast"
)

// hints takes one hint token and parses what is in it: NAME(arg, …) …. An
// argument is 'key' = 'value' or a bare word, which becomes an Option without a
// value.
func (c *cursor) hints() []ast.Hint {
	t := c.cur()
	c.advance()
	toks, err := lex(t.text)
	offset := t.pos + len("/*+")
	if err != nil {
		err.Position += offset
		c.fail(err)
		return nil
	}
	in := &cursor{src: t.text, toks: toks, base: c.base - offset, stood: c.stood}
	var list []ast.Hint
	for in.cur().kind != endOfInput {
		h := ast.Hint{At: ast.At{Pos: in.here()}, Name: strings.ToLower(in.label().Value)}
		if in.acceptSymbol("(") {
			for !in.cur().is(")") && in.err == nil {
				h.Args = append(h.Args, in.hintArgument())
				if !in.acceptSymbol(",") && in.cur().kind == endOfInput {
					break
				}
			}
			in.expectSymbol(")")
		}
		list = append(list, h)
		in.acceptSymbol(",")
	}
	if in.err != nil {
		in.err.Position += offset
		c.fail(in.err)
	}
	return list
}

func (c *cursor) hintArgument() ast.Option {
	o := ast.Option{At: ast.At{Pos: c.here()}}
	if t := c.cur(); t.kind == stringLiteral || t.kind == integerNumber {
		o.Name = t.text
		c.advance()
	} else {
		o.Name = joinPath(c.path())
	}
	if c.acceptSymbol("=") {
		o.Value = c.simpleValue()
	}
	return o
}

// joinPath writes a path as the dotted name of an option.
func joinPath(p ast.Path) string {
	parts := make([]string, len(p))
	for i, n := range p {
		parts[i] = n.Value
	}
	return strings.Join(parts, ".")
}

// simpleValue takes a literal with an optional sign, or a name.
func (c *cursor) simpleValue() ast.Expr {
	t := c.cur()
	literal := func(k ast.LiteralKind, text string) ast.Expr {
		c.advance()
		return placed(c.at(t), &ast.Literal{Kind: k, Text: text})
	}
	switch {
	case t.kind == stringLiteral:
		return literal(ast.StringLiteral, t.text)
	case t.kind == integerNumber:
		return literal(ast.IntegerLiteral, t.text)
	case t.kind == decimalNumber:
		return literal(ast.DecimalLiteral, t.text)
	case (t.is("-") || t.is("+")) && (c.peek(1).kind == integerNumber || c.peek(1).kind == decimalNumber):
		c.advance()
		return placed(c.at(t), &ast.Unary{Op: t.text, X: c.simpleValue()})
	case t.isAny("true", "false"):
		return literal(ast.BoolLiteral, t.text)
	case t.isWord("null"):
		return literal(ast.NullLiteral, "")
	case t.isName():
		path := ast.Path{c.label()}
		for c.acceptSymbol(".") {
			path = append(path, c.label())
		}
		return placed(c.at(t), &ast.ColumnRef{Path: path})
	}
	c.unexpected()
	return nil
}
