package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// statement takes one statement by its first word.
func (p *parser) statement() ast.Statement {
	p.enter()
	defer p.leave()
	t := p.cur()
	if p.queryAhead(p.i) {
		if w := p.writingWith(); w != nil {
			return w
		}
		return p.query()
	}
	if t.kind != identifier {
		p.unexpected()
		return nil
	}
	rule := ruleOf(t.text)
	if rule == nil {
		p.unknownStatement()
		return nil
	}
	return rule(p)
}

// statementWords are the words that begin a statement.
var statementWords = []string{
	"abort", "alter", "analyze", "begin", "call", "cancel", "close", "comment", "commit", "copy", "create", "deallocate", "declare",
	"delete", "describe", "discard", "do", "drop", "end", "execute", "explain", "fetch", "flush", "grant", "insert", "kill", "listen",
	"lock", "merge", "move", "notify", "pause", "prepare", "release", "reset", "restore", "resume", "revoke", "rollback", "savepoint",
	"select", "set", "show", "start", "stop", "subscribe", "table", "truncate", "unlisten", "update", "use", "vacuum", "values",
	"verify", "with",
}

// ruleOf returns the rule of the statement that begins with word, which the rule
// still has to take.
func ruleOf(word string) func(*parser) ast.Statement {
	switch word {
	case "insert":
		return (*parser).insert
	case "update":
		return (*parser).update
	case "delete":
		return (*parser).delete
	case "merge":
		return (*parser).merge
	case "copy":
		return (*parser).copyStatement
	case "truncate":
		return (*parser).truncate
	case "create":
		return (*parser).create
	case "drop":
		return (*parser).drop
	case "alter":
		return (*parser).alter
	case "comment":
		return (*parser).comment
	case "grant", "revoke":
		return (*parser).grant
	case "stop":
		return (*parser).stopJob
	case "pause", "resume":
		return (*parser).pauseJob
	case "restore":
		return (*parser).restore
	case "verify":
		return (*parser).verify
	case "flush":
		return (*parser).flush
	case "begin", "start", "commit", "end", "rollback", "abort":
		return (*parser).transaction
	case "savepoint", "release":
		return (*parser).savepoint
	case "set":
		return (*parser).set
	case "reset":
		return (*parser).reset
	case "show":
		return (*parser).show
	case "describe", "desc":
		return (*parser).describe
	case "use":
		return (*parser).use
	case "explain":
		return (*parser).explain
	case "subscribe":
		return (*parser).subscribe
	case "prepare":
		return (*parser).prepare
	case "execute":
		return (*parser).execute
	case "deallocate":
		return (*parser).deallocate
	case "declare":
		return (*parser).declare
	case "fetch", "move":
		return (*parser).fetch
	case "close":
		return (*parser).closeCursor
	case "discard":
		return (*parser).discard
	case "listen", "unlisten", "notify":
		return (*parser).listen
	case "cancel", "kill":
		return (*parser).cancel
	case "analyze", "analyse", "vacuum":
		return (*parser).analyze
	case "lock":
		return (*parser).lock
	case "call":
		return (*parser).callStatement
	case "do":
		return (*parser).do
	}
	return nil
}

// unknownStatement refuses the current word, with the nearest statement as a hint.
func (p *parser) unknownStatement() {
	word := p.cur().text
	best, bestDistance := "", 3
	for _, w := range statementWords {
		if d := distance(word, w); d < bestDistance && d < len(w)-1 {
			best, bestDistance = w, d
		}
	}
	err := p.near(p.cur())
	if best != "" {
		err.Hint("Perhaps you meant %s.", upper(best))
	}
	p.fail(err)
}

// distance is the number of letters to change, add or drop.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// upper raises ASCII letters.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 0x20
		}
	}
	return string(b)
}

// writingWith takes WITH … INSERT|UPDATE|DELETE, if that is what comes.
func (p *parser) writingWith() ast.Statement {
	if !p.cur().isWord("with") {
		return nil
	}
	for i := p.i; !p.tok(i).is(";") && p.tok(i).kind != endOfInput; i++ {
		if m := p.toks[i].match; m > 0 {
			i = m
			continue
		}
		if !p.toks[i].isAny("insert", "update", "delete", "merge", "select", "values", "table") {
			continue
		}
		if p.toks[i].isAny("select", "values", "table") {
			return nil
		}
		with := p.with(i)
		if p.err != nil {
			return nil
		}
		switch st := p.statement().(type) {
		case *ast.Insert:
			st.With = with
			return st
		case *ast.Update:
			st.With = with
			return st
		case *ast.Delete:
			st.With = with
			return st
		}
		p.unsupported(p.cur(), "WITH before MERGE")
		return nil
	}
	return nil
}

// with takes the WITH clause that ends before token end, as that of a query.
func (p *parser) with(end int) *ast.With {
	r := newRewriter(p.cursor)
	r.with()
	if p.err == nil && p.i != end {
		p.unexpected()
	}
	r.emit("SELECT", p.cur().pos)
	r.markCall(p.cur().pos, buildBody(func([]ast.Expr) ast.SetExpr { return nil }))
	r.emit(")", p.cur().pos)
	if q := r.finish(); q != nil {
		return q.With
	}
	return nil
}

// options takes ( name = value, … ).
func (p *parser) options() []ast.Option {
	p.expectSymbol("(")
	var list []ast.Option
	seen := map[string]bool{}
	for !p.cur().is(")") {
		t := p.cur()
		o := p.option()
		if seen[o.Name] {
			p.fail(pgerr.New(pgerr.SyntaxError, "option %q is given twice", o.Name).At(t.pos))
		}
		seen[o.Name] = true
		list = append(list, o)
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	return list
}

// option takes name [=] value; the value may be absent.
func (p *parser) option() ast.Option {
	o := ast.Option{At: ast.At{Pos: p.here()}, Name: p.optionName()}
	if p.acceptSymbol("=") || !p.cur().is(",") && !p.cur().is(")") {
		o.Value = p.optionValue()
	}
	return o
}

// optionName takes a name in quotes of either kind or a dotted path of words.
func (p *parser) optionName() string {
	if t := p.cur(); t.kind == stringLiteral {
		p.advance()
		return t.text
	}
	return joinPath(p.wordPath())
}

// wordPath takes a path whose parts may be any words, reserved ones included.
func (c *cursor) wordPath() ast.Path {
	path := ast.Path{c.label()}
	for c.acceptSymbol(".") {
		path = append(path, c.label())
	}
	return path
}

// optionValue takes a literal, a name, or an INTERVAL.
func (p *parser) optionValue() ast.Expr {
	if p.cur().isWord("interval") || p.cur().isWord("array") {
		return p.expr()
	}
	return p.simpleValue()
}

// with options, WITH ( … ), or nothing.
func (p *parser) withOptions() []ast.Option {
	if !p.cur().isWord("with") || !p.peek(1).is("(") {
		return nil
	}
	p.advance()
	return p.options()
}

func (p *parser) ifNotExists() bool { return p.accept("if", "not", "exists") }
