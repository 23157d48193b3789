package parse

import (
	"sort"
	"strconv"

	"github.com/millrace/millrace/sql/ast"
)

// rewriter turns the tokens of one query into text for TiDB's parser. What TiDB
// and PostgreSQL understand alike (clauses, joins, subqueries, AND, +, IN, CASE)
// is written natively, with a parenthesis around every operator, so that TiDB's
// precedences never matter. All else is written as a mark: the identifier m7, or
// the call m7(…), whose meaning stands in marks[7]; names and literals are marks
// too. So nothing is quoted, escaped or lost on the way, and the decoder gets
// back exactly what the rewriter saw, with its source offset.
type rewriter struct {
	*cursor
	out   []piece
	tail  int32 // the last piece in text order, -1 at first
	marks []any
	// height is that of the highest tree among the expressions that ended
	// within the current one.
	height int
}

// piece is one bit of output. Pieces are linked, so that a left operand that
// turns out to be one can still get something put before it.
type piece struct {
	text string
	mark int32 // written before text as m<mark>; -1: none
	src  int32 // offset in the source
	next int32
}

// The kinds of mark, beside ast.Expr (a leaf) and ast.Name (a label).
type (
	// buildExpr makes an expression of a marked call's arguments.
	buildExpr func(args []ast.Expr) ast.Expr
	// buildTable makes a table expression; query is nil for a bare name.
	buildTable func(query *ast.Query) ast.TableExpr
	// buildJoin makes a join of its sides and of the arguments of its ON.
	buildJoin func(l, r ast.TableExpr, args []ast.Expr) ast.TableExpr
	// buildBody makes a query's body that TiDB did not see as one.
	buildBody func(args []ast.Expr) ast.SetExpr
	// selectHead begins a SELECT; fill takes the arguments of its mark.
	selectHead struct {
		sel  *ast.Select
		fill func(args []ast.Expr)
	}
	// expressionHead begins the SELECT that carries a lone expression.
	expressionHead struct{}
	// clauseTail is the mark in HAVING, and the one in ORDER BY.
	clauseTail struct {
		inSelect func(args []ast.Expr, s *ast.Select)
		inQuery  func(args []ast.Expr, q *ast.Query)
	}
	// cteMark is the name of a common table expression.
	cteMark struct {
		cte       ast.CTE
		with      ast.Pos
		recursive bool
	}
)

func newRewriter(c *cursor) *rewriter {
	return &rewriter{cursor: c, out: make([]piece, 0, 64), tail: -1, marks: make([]any, 0, 32)}
}

func (r *rewriter) push(p piece) int32 {
	i := int32(len(r.out))
	p.next = -1
	r.out = append(r.out, p)
	if r.tail >= 0 {
		r.out[r.tail].next = i
	}
	r.tail = i
	return i
}

// next is the index that the next piece will have.
func (r *rewriter) nextPiece() int32 { return int32(len(r.out)) }

// emit writes text that stands for the source at src.
func (r *rewriter) emit(text string, src int) { r.push(piece{text: text, mark: -1, src: int32(src)}) }

func (r *rewriter) addMark(meaning any) int32 {
	r.marks = append(r.marks, meaning)
	return int32(len(r.marks) - 1)
}

// mark writes a marked identifier.
func (r *rewriter) mark(src int, meaning any) {
	r.push(piece{mark: r.addMark(meaning), src: int32(src)})
}

// markCall writes a marked identifier and an opening parenthesis.
func (r *rewriter) markCall(src int, meaning any) {
	r.push(piece{text: "(", mark: r.addMark(meaning), src: int32(src)})
}

// open puts an opening parenthesis before piece at.
func (r *rewriter) open(at int32, src int) { r.before(at, piece{text: "(", mark: -1, src: int32(src)}) }

// openCall puts a marked call before piece at.
func (r *rewriter) openCall(at int32, src int, meaning any) {
	r.before(at, piece{text: "(", mark: r.addMark(meaning), src: int32(src)})
}

// before puts p before piece at, which keeps its index: it now is p.
func (r *rewriter) before(at int32, p piece) {
	if r.err != nil {
		return
	}
	moved := int32(len(r.out))
	r.out = append(r.out, r.out[at])
	if r.tail == at {
		r.tail = moved
	}
	p.next = moved
	r.out[at] = p
}

// list separates the arguments of a marked call.
type list struct {
	r *rewriter
	n int
}

func (l *list) next() {
	if l.n > 0 {
		l.r.emit(",", l.r.cur().pos)
	}
	l.n++
}

// expr writes the expression at the cursor as the next argument.
func (l *list) expr() {
	l.next()
	l.r.expr()
}

// taker hands out decoded arguments in the order in which they were written.
type taker struct{ args []ast.Expr }

func (t *taker) one() ast.Expr {
	x := t.args[0]
	t.args = t.args[1:]
	return x
}

func (t *taker) many(n int) []ast.Expr {
	if n == 0 {
		return nil
	}
	xs := t.args[:n:n]
	t.args = t.args[n:]
	return xs
}

func (t *taker) orderBy(items []ast.OrderItem) {
	for i := range items {
		items[i].X = t.one()
	}
}

// render gives the text of the pieces and notes where each begins.
func (r *rewriter) render() (string, sourceMap) {
	m := sourceMap{out: make([]int32, 0, len(r.out)), src: make([]int32, 0, len(r.out))}
	buf := make([]byte, 0, len(r.out)*5)
	for i := int32(0); i >= 0 && len(r.out) > 0; i = r.out[i].next {
		p := &r.out[i]
		m.out = append(m.out, int32(len(buf)))
		m.src = append(m.src, p.src)
		if p.mark >= 0 {
			buf = append(buf, 'm')
			buf = strconv.AppendInt(buf, int64(p.mark), 10)
		}
		buf = append(buf, p.text...)
		buf = append(buf, ' ')
	}
	return string(buf), m
}

// sourceMap finds the source offset of an offset in the rewritten text.
type sourceMap struct{ out, src []int32 }

func (m sourceMap) source(off int) int {
	i := sort.Search(len(m.out), func(i int) bool { return int(m.out[i]) > off })
	if i == 0 {
		return 0
	}
	return int(m.src[i-1])
}

// placed gives a new node its offset.
func placed[N interface{ Place(ast.Pos) }](pos ast.Pos, n N) N {
	n.Place(pos)
	return n
}

// pathAt is a one-part name.
func pathAt(pos ast.Pos, name string) ast.Path {
	return ast.Path{{At: ast.At{Pos: pos}, Value: name}}
}
