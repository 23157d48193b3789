package parse

import (
	"strconv"

	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/sql/ast"
)

// decoder turns TiDB's tree of a rewritten query into sql/ast. What the rewriter
// wrote natively it translates; marks build themselves.
type decoder struct {
	*cursor
	marks     []any
	positions sourceMap
}

// pos is the offset in the statement of a node of TiDB's.
func (d *decoder) pos(n tidb.Node) ast.Pos {
	return d.place(d.positions.source(n.OriginTextPosition()))
}

// mark returns the meaning of the identifier m<n>.
func (d *decoder) mark(name string) any {
	n, err := strconv.Atoi(name[1:])
	invariant.Assert(err == nil && n < len(d.marks), "mark %q is not one of %d", name, len(d.marks))
	return d.marks[n]
}

// head splits the first select item into its mark and its arguments.
func (d *decoder) head(x tidb.ExprNode) (meaning any, args []ast.Expr) {
	switch x := x.(type) {
	case *tidb.FuncCallExpr:
		return d.mark(x.FnName.O), d.exprs(x.Args)
	case *tidb.ColumnNameExpr:
		return d.mark(x.Name.Name.O), nil
	}
	invariant.Assert(false, "unmarked %T", x)
	return nil, nil
}

func (d *decoder) query(s *tidb.SelectStmt) *ast.Query {
	q := &ast.Query{}
	if s.With != nil {
		q.With = d.with(s.With)
	}
	meaning, args := d.head(s.Fields.Fields[0].Expr)
	switch m := meaning.(type) {
	case *selectHead:
		m.fill(args)
		d.selectBlock(s, m.sel)
		q.Body = m.sel
	case buildBody:
		q.Body = m(args)
	}
	switch {
	case q.With != nil:
		q.Pos = q.With.Pos
	case q.Body != nil:
		q.Pos = firstOffset(q.Body)
	}
	if s.OrderBy != nil {
		meaning, args := d.head(s.OrderBy.Items[0].Expr)
		if tail, ok := meaning.(*clauseTail); ok {
			tail.inQuery(args, q)
		}
	}
	return q
}

// firstOffset is where a body begins; a set operation's own offset is that of
// its operator.
func firstOffset(body ast.SetExpr) ast.Pos {
	for {
		op, ok := body.(*ast.SetOp)
		if !ok {
			return body.Offset()
		}
		body = op.L
	}
}

func (d *decoder) with(w *tidb.WithClause) *ast.With {
	out := &ast.With{}
	for _, c := range w.CTEs {
		m, ok := d.mark(c.Name.O).(*cteMark)
		invariant.Assert(ok, "mark %s is no common table expression", c.Name.O)
		out.Pos, out.Recursive = m.with, m.recursive
		cte := m.cte
		if q := d.subquery(c.Query); cte.Statement == nil {
			cte.Query = q
		}
		out.CTEs = append(out.CTEs, cte)
	}
	return out
}

func (d *decoder) subquery(x *tidb.SubqueryExpr) *ast.Query {
	sel, ok := x.Query.(*tidb.SelectStmt)
	invariant.Assert(ok, "subquery is a %T", x.Query)
	return d.query(sel)
}

func (d *decoder) selectBlock(s *tidb.SelectStmt, out *ast.Select) {
	for _, f := range s.Fields.Fields[1:] {
		item := ast.SelectItem{X: d.expr(f.Expr)}
		if f.AsName.O != "" {
			name, _ := d.mark(f.AsName.O).(ast.Name)
			item.Alias = &name
		}
		out.Items = append(out.Items, item)
	}
	if s.From != nil {
		out.From = d.tables(nil, s.From.TableRefs)
	}
	if s.Where != nil {
		out.Where = d.expr(s.Where)
	}
	if s.GroupBy != nil {
		for _, item := range s.GroupBy.Items {
			out.GroupBy = append(out.GroupBy, groupItems([]ast.Expr{d.expr(item.Expr)})...)
		}
	}
	if s.Having != nil {
		meaning, args := d.head(s.Having.Expr)
		if tail, ok := meaning.(*clauseTail); ok {
			tail.inSelect(args, out)
		}
	}
}

// tables flattens the joins without a condition, which are the commas of FROM.
func (d *decoder) tables(list []ast.TableExpr, n tidb.ResultSetNode) []ast.TableExpr {
	j, ok := n.(*tidb.Join)
	if !ok || j.On != nil {
		if t := d.table(n); t != nil {
			list = append(list, t)
		}
		return list
	}
	list = d.tables(list, j.Left)
	if j.Right != nil {
		list = d.tables(list, j.Right)
	}
	return list
}

func (d *decoder) table(n tidb.ResultSetNode) ast.TableExpr {
	switch n := n.(type) {
	case *tidb.Join:
		if n.Right == nil {
			return d.table(n.Left)
		}
		meaning, args := d.head(n.On.Expr)
		build, ok := meaning.(buildJoin)
		invariant.Assert(ok, "condition of a join is a %T", meaning)
		return build(d.table(n.Left), d.table(n.Right), args)
	case *tidb.TableSource:
		return d.tableSource(n)
	}
	invariant.Assert(false, "table expression is a %T", n)
	return nil
}

func (d *decoder) tableSource(n *tidb.TableSource) ast.TableExpr {
	name := n.AsName.O
	var query *ast.Query
	switch source := n.Source.(type) {
	case *tidb.TableName:
		name = source.Name.O
	case *tidb.SelectStmt:
		query = d.query(source)
	default:
		invariant.Assert(false, "source of a table is a %T", source)
	}
	build, ok := d.mark(name).(buildTable)
	invariant.Assert(ok, "mark %s is no table", name)
	return build(query)
}

func (d *decoder) exprs(xs []tidb.ExprNode) []ast.Expr {
	if len(xs) == 0 {
		return nil
	}
	out := make([]ast.Expr, len(xs))
	for i, x := range xs {
		out[i] = d.expr(x)
	}
	return out
}

var binaryOperators = map[opcode.Op]string{
	opcode.LogicAnd: "and", opcode.LogicOr: "or",
	opcode.EQ: "=", opcode.NE: "<>", opcode.LT: "<", opcode.LE: "<=", opcode.GT: ">", opcode.GE: ">=",
	opcode.Plus: "+", opcode.Minus: "-", opcode.Mul: "*", opcode.Div: "/", opcode.Mod: "%", opcode.Xor: "^",
}

var unaryOperators = map[opcode.Op]string{
	opcode.Not: "not", opcode.Not2: "not", opcode.Minus: "-", opcode.Plus: "+",
}

func (d *decoder) expr(n tidb.ExprNode) ast.Expr {
	switch n := n.(type) {
	case *tidb.ColumnNameExpr:
		x, ok := d.mark(n.Name.Name.O).(ast.Expr)
		invariant.Assert(ok, "mark %s is no expression", n.Name.Name.O)
		return x
	case *tidb.FuncCallExpr:
		build, ok := d.mark(n.FnName.O).(buildExpr)
		invariant.Assert(ok, "mark %s is no call", n.FnName.O)
		return build(d.exprs(n.Args))
	case *tidb.ParenthesesExpr:
		x := d.expr(n.Expr)
		switch x := x.(type) { // an operator's place is that of its parenthesis
		case *ast.Binary:
			if native(n.Expr) {
				x.Pos = d.pos(n)
			}
		case *ast.Unary:
			if native(n.Expr) {
				x.Pos = d.pos(n)
			}
		case *ast.In:
			x.Pos = d.pos(n)
		}
		return x
	case *tidb.BinaryOperationExpr:
		return &ast.Binary{Op: binaryOperators[n.Op], L: d.expr(n.L), R: d.expr(n.R)}
	case *tidb.UnaryOperationExpr:
		return &ast.Unary{Op: unaryOperators[n.Op], X: d.expr(n.V)}
	case *tidb.PatternInExpr:
		in := &ast.In{X: d.expr(n.Expr), List: d.exprs(n.List), Not: n.Not}
		if sub, ok := n.Sel.(*tidb.SubqueryExpr); ok {
			in.Query = d.subquery(sub)
		}
		return in
	case *tidb.SubqueryExpr:
		return placed(d.pos(n), &ast.Subquery{Query: d.subquery(n)})
	case *tidb.CaseExpr:
		c := placed(d.pos(n), &ast.Case{})
		if n.Value != nil {
			c.Operand = d.expr(n.Value)
		}
		for _, w := range n.WhenClauses {
			c.Whens = append(c.Whens, ast.When{Cond: d.expr(w.Expr), Then: d.expr(w.Result)})
		}
		if n.ElseClause != nil {
			c.Else = d.expr(n.ElseClause)
		}
		return c
	}
	invariant.Assert(false, "expression is a %T", n)
	return nil
}

// native reports whether TiDB itself read the operator.
func native(n tidb.ExprNode) bool {
	switch n.(type) {
	case *tidb.BinaryOperationExpr, *tidb.UnaryOperationExpr:
		return true
	}
	return false
}
