package parse

import (
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// depthMax bounds how deeply the parts of a statement may nest, and heightMax
// how deep its tree may get, chains of operators included.
const (
	depthMax  = 1000
	heightMax = 10000
)

// cursor walks over the tokens of one string. The first error sticks and moves
// the cursor to the end of the input, where every rule stops; so rules need not
// check for errors, they only must not loop without taking a token.
type cursor struct {
	src  string
	toks []token
	i    int
	base int // offset of the statement being parsed
	// stood, when not nil, is the one place that all parts of the tree get: the
	// text is a stored one, which stands for something in another.
	stood *ast.Pos
	depth int
	err   *pgerr.Error
	// inJob is set while the query of a job statement is parsed, where CLAIM and
	// its like follow the query and so are no aliases.
	inJob bool
}

func (c *cursor) cur() *token { return &c.toks[c.i] }

// peek returns the token n after the current one.
func (c *cursor) peek(n int) *token { return c.tok(c.i + n) }

// tok returns the token at index i, endOfInput past the end.
func (c *cursor) tok(i int) *token { return &c.toks[min(i, len(c.toks)-1)] }

func (c *cursor) advance() {
	if c.i < len(c.toks)-1 {
		c.i++
	}
}

// at is the offset of t in its statement.
func (c *cursor) at(t *token) ast.Pos { return c.place(t.pos) }

// place is the offset in the tree of an offset in the source.
func (c *cursor) place(offset int) ast.Pos {
	if c.stood != nil {
		return *c.stood
	}
	return ast.Pos(offset - c.base)
}

// here is the offset of the current token in its statement.
func (c *cursor) here() ast.Pos { return c.at(c.cur()) }

// fail keeps err unless there is one already and ends the parse.
func (c *cursor) fail(err *pgerr.Error) {
	if c.err == nil {
		c.err = err
	}
	c.i = len(c.toks) - 1
}

// near makes PostgreSQL's syntax error for a token.
func (c *cursor) near(t *token) *pgerr.Error {
	if t.kind == endOfInput {
		return pgerr.New(pgerr.SyntaxError, "syntax error at end of input").At(t.pos)
	}
	return pgerr.New(pgerr.SyntaxError, "syntax error at or near \"%s\"", c.src[t.pos:t.end]).At(t.pos)
}

// unexpected refuses the current token.
func (c *cursor) unexpected() { c.fail(c.near(c.cur())) }

// unexpectedHint refuses the current token with advice.
func (c *cursor) unexpectedHint(format string, args ...any) {
	c.fail(c.near(c.cur()).Hint(format, args...))
}

// unsupported refuses a feature by name at a token.
func (c *cursor) unsupported(t *token, feature string) {
	c.fail(pgerr.NotSupported(t.pos, feature))
}

// enter counts one level of nesting; leave must follow.
func (c *cursor) enter() {
	c.depth++
	if c.depth > depthMax {
		c.tooComplex()
	}
}

func (c *cursor) leave() { c.depth-- }

func (c *cursor) tooComplex() {
	c.fail(pgerr.New(pgerr.StatementTooComplex, "statement is too complex: its parts nest too deeply").At(c.cur().pos))
}

// accept takes the words if all of them come next.
func (c *cursor) accept(words ...string) bool {
	if !c.ahead(words...) {
		return false
	}
	for range words {
		c.advance()
	}
	return true
}

// ahead reports whether the words come next.
func (c *cursor) ahead(words ...string) bool {
	for n, w := range words {
		if !c.peek(n).isWord(w) {
			return false
		}
	}
	return true
}

// acceptAny takes one of the words and returns it, or "".
func (c *cursor) acceptAny(words ...string) string {
	if t := c.cur(); t.isAny(words...) {
		c.advance()
		return t.text
	}
	return ""
}

// expect takes the words or fails.
func (c *cursor) expect(words ...string) {
	for _, w := range words {
		if !c.cur().isWord(w) {
			c.unexpected()
			return
		}
		c.advance()
	}
}

func (c *cursor) acceptSymbol(symbol string) bool {
	if !c.cur().is(symbol) {
		return false
	}
	c.advance()
	return true
}

func (c *cursor) expectSymbol(symbol string) {
	if !c.acceptSymbol(symbol) {
		c.unexpected()
	}
}

// atEnd reports whether the statement is over.
func (c *cursor) atEnd() bool { return c.cur().kind == endOfInput || c.cur().is(";") }

// isColumnName reports whether t can name a column or a relation.
func isColumnName(t *token) bool {
	if t.kind != identifier {
		return t.kind == quoted
	}
	class := ast.Keyword(t.text)
	return class == ast.Plain || class == ast.ColumnKeyword
}

// name takes a name of a column, a relation or another object.
func (c *cursor) name() ast.Name {
	if !isColumnName(c.cur()) {
		c.noName()
		return ast.Name{}
	}
	return c.label()
}

// noName refuses a word that cannot be a name, with advice where it looks meant
// as one.
func (c *cursor) noName() {
	switch t := c.cur(); {
	case t.isAny("user", "window", "table", "column", "check", "analyze", "references", "primary", "unique", "current_date",
		"current_user", "binary", "order", "group"):
		c.unexpectedHint(`The word is reserved; as a name it is written "%s", in double quotes.`, t.text)
	default:
		c.unexpected()
	}
}

// label takes any word as a name, as after AS.
func (c *cursor) label() ast.Name {
	t := c.cur()
	if !t.isName() {
		c.unexpected()
		return ast.Name{}
	}
	c.advance()
	return ast.Name{At: ast.At{Pos: c.at(t)}, Value: t.text}
}

// path takes a name that may be qualified.
func (c *cursor) path() ast.Path {
	path := ast.Path{c.name()}
	for c.cur().is(".") && c.peek(1).isName() {
		c.advance()
		path = append(path, c.label())
	}
	if c.cur().is(".") {
		c.advance()
		c.unexpected()
	}
	return path
}

// names takes ( name, … ).
func (c *cursor) names() []ast.Name {
	c.expectSymbol("(")
	var list []ast.Name
	for {
		list = append(list, c.name())
		if !c.acceptSymbol(",") {
			break
		}
	}
	c.expectSymbol(")")
	return list
}

// paths takes name, ….
func (c *cursor) paths() []ast.Path {
	var list []ast.Path
	for {
		list = append(list, c.path())
		if !c.acceptSymbol(",") {
			return list
		}
	}
}

// text takes a string literal and returns its value.
func (c *cursor) text() string {
	t := c.cur()
	if t.kind != stringLiteral {
		c.unexpected()
		return ""
	}
	c.advance()
	return t.text
}

// number takes an integer with an optional sign.
func (c *cursor) number() int64 {
	sign := ""
	if c.cur().is("-") || c.cur().is("+") {
		sign = c.cur().text
		c.advance()
	}
	t := c.cur()
	if t.kind != integerNumber {
		c.unexpected()
		return 0
	}
	v, err := strconv.ParseInt(sign+t.text, 10, 64)
	if err != nil {
		c.fail(pgerr.New(pgerr.NumericValueOutOfRange, `value "%s%s" is out of range for type bigint`, sign, t.text).At(t.pos))
		return 0
	}
	c.advance()
	return v
}

// parameterNumber is the n of $n, 0 when it is beyond what the wire can carry.
func parameterNumber(t *token) int {
	n, err := strconv.ParseUint(t.text, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// rest takes everything up to the end of the statement as it was written.
func (c *cursor) rest() string {
	from := c.cur().pos
	to := from
	for !c.atEnd() {
		to = c.cur().end
		if m := c.cur().match; m > 0 {
			c.i = m
			to = c.cur().end
		}
		c.advance()
	}
	return c.src[from:to]
}

// balanced takes a parenthesis and all within it and returns the text inside.
func (c *cursor) balanced() string {
	t := c.cur()
	if !t.is("(") {
		c.unexpected()
		return ""
	}
	if t.match < 0 {
		c.fail(c.near(&c.toks[len(c.toks)-1]))
		return ""
	}
	c.i = t.match + 1
	return c.src[t.end:c.toks[t.match].pos]
}

// queryAhead reports whether a query begins at token i. A parenthesis begins one
// when what it holds is a query and what follows the inner query belongs to it.
func (c *cursor) queryAhead(i int) bool {
	open := i
	for c.tok(i).is("(") {
		i++
	}
	switch t := c.tok(i); {
	case t.isWord("select"):
	case t.isAny("with", "values"):
	case t.isWord("table") && c.tok(i+1).isName():
	case t.isWord("table") && c.tok(i+1).isWord("only"):
	default:
		return false
	}
	for i--; i >= open; i-- { // from the innermost parenthesis outwards
		m := c.toks[i].match
		if m < 0 {
			return true // the missing parenthesis is reported where the input ends
		}
		if i == open {
			return true
		}
		next := c.tok(m + 1)
		if m+1 != c.toks[i-1].match && !next.isAny("union", "intersect", "except", "order", "limit", "offset", "fetch", "for") {
			return false
		}
	}
	return true
}
