package parse

import (
	"regexp"
	"strconv"
	"sync"

	tidbparser "github.com/pingcap/tidb/pkg/parser"
	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the parser needs a driver for literals

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// parsers keeps TiDB parsers: one takes 1 MB of tables and buffers to make.
var parsers = sync.Pool{New: func() any {
	p := tidbparser.New()
	p.SetSQLMode(mysql.ModeANSIQuotes | mysql.ModeNoBackslashEscapes | mysql.ModePipesAsConcat)
	return p
}}

// run has TiDB parse the rewritten query and calls decode with the tree. The
// rewriter takes only what it knows, so an error here means that it wrote
// something that TiDB does not take. The parser is kept until the tree is
// decoded: it goes on writing to the last nodes it made when it is used again.
func (r *rewriter) run(decode func(*tidb.SelectStmt, *decoder)) {
	if r.err != nil {
		return
	}
	sql, m := r.render()
	p := parsers.Get().(*tidbparser.Parser)
	defer parsers.Put(p)
	stmts, _, err := p.ParseSQL(sql)
	if err != nil {
		r.fail(r.translate(err, sql, m))
		return
	}
	if len(stmts) == 1 {
		if sel, ok := stmts[0].(*tidb.SelectStmt); ok {
			decode(sel, &decoder{cursor: r.cursor, marks: r.marks, positions: m})
			return
		}
	}
	r.unexpected()
}

// finish parses and decodes a query.
func (r *rewriter) finish() (q *ast.Query) {
	r.run(func(sel *tidb.SelectStmt, d *decoder) { q = d.query(sel) })
	return q
}

// finishExpr parses and decodes a lone expression.
func (r *rewriter) finishExpr() (x ast.Expr) {
	r.run(func(sel *tidb.SelectStmt, d *decoder) {
		call, ok := sel.Fields.Fields[0].Expr.(*tidb.FuncCallExpr)
		if !ok || len(call.Args) != 1 {
			r.unexpected()
			return
		}
		x = d.expr(call.Args[0])
	})
	return x
}

var nearText = regexp.MustCompile(`(?s)^line \d+ column \d+ near "(.*)"[^"]*?(?:\(total length (\d+)\))?\s*$`)

// translate turns TiDB's error, which quotes the rest of the text from the fault
// on, into PostgreSQL's at the place in the source.
func (r *rewriter) translate(err error, sql string, m sourceMap) *pgerr.Error {
	found := nearText.FindStringSubmatch(err.Error())
	if found == nil {
		return pgerr.New(pgerr.SyntaxError, "syntax error").At(r.base).WithDetail("%s", err).Wrap(err)
	}
	rest := len(found[1])
	if n, convErr := strconv.Atoi(found[2]); convErr == nil {
		rest = n
	}
	src := m.source(max(len(sql)-rest, 0))
	for i := range r.toks {
		if r.toks[i].pos >= src {
			return r.near(&r.toks[i]).Wrap(err)
		}
	}
	return r.near(r.tok(len(r.toks))).Wrap(err)
}
