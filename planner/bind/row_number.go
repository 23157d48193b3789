package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// opNumber stands for a row_number() OVER (…) until the select list is built; its
// arguments are the partition's, then the order's expressions. It never leaves
// this package.
const opNumber scalar.Op = "bind.row_number"

// numbering is the window of the row_number() calls of a select list.
type numbering struct {
	partitions int
	order      []scalar.SortKey // X is in the placeholder
}

// over binds a call with an OVER clause. Over finished data row_number() is
// answered, which catalog queries use; everything else is refused.
func (l *level) over(name string, x *ast.Call) (*scalar.Expr, error) {
	w, pos := x.Over, int(x.Pos)
	if name != "row_number" || l.b.opts.Continuous || !l.allowSRF || l.inAgg || w.Ref != "" || w.Frame != nil ||
		len(x.Args) > 0 || x.Filter != nil || l.outer != nil {
		return nil, pgerr.NotSupported(pos, "OVER")
	}
	e := &scalar.Expr{Op: opNumber, Type: types.Of(types.Int64), Pos: pos, Text: "row_number()"}
	n := &numbering{partitions: len(w.PartitionBy)}
	l.allowSRF = false
	defer func() { l.allowSRF = true }()
	for _, p := range w.PartitionBy {
		k, err := l.typed(p)
		if err != nil {
			return nil, err
		}
		e.Args = append(e.Args, k)
	}
	for i := range w.OrderBy {
		k, err := l.typed(w.OrderBy[i].X)
		if err != nil {
			return nil, err
		}
		if err := orderable(k); err != nil {
			return nil, err
		}
		e.Args = append(e.Args, k)
		n.order = append(n.order, sortKey(nil, &w.OrderBy[i]))
	}
	if l.numbers != nil {
		return nil, pgerr.NotSupported(pos, "more than one OVER")
	}
	l.numbers = n
	return e, nil
}

// plantNumbers puts below the select list what numbers its rows: all rows in the
// order of partition and key, their positions, and, for each partition, the
// first one, from which its rows count.
func (l *level) plantNumbers(node logical.Node, exprs []*scalar.Expr) (logical.Node, error) {
	if l.numbers == nil {
		return node, nil
	}
	var at *scalar.Expr
	for _, e := range exprs {
		walk(e, func(x *scalar.Expr) bool {
			if x.Op == opNumber {
				at = x
			}
			return true
		})
	}
	if at == nil {
		return node, nil
	}
	b, width := l.b, len(node.Fields())
	sorted := l.sortedForNumbers(node, at.Args)
	positions := unnested(sorted)
	all := len(positions.Fields()) - 1 // the position's column
	position := columnExpr(all, positions.Fields()[all])
	if l.numbers.partitions == 0 {
		*at = *position
		return positions, nil
	}
	first := &logical.Aggregate{Input: positions}
	out := append([]logical.Field(nil), positions.Fields()...)
	var same []*scalar.Expr
	for i := range l.numbers.partitions {
		f := positions.Fields()[width+i]
		first.Keys = append(first.Keys, columnExpr(width+i, f))
		first.Out = append(first.Out, f)
		eq, err := b.infixCall("is not distinct from", columnExpr(width+i, f), columnExpr(all+1+i, f), at.Pos)
		if err != nil {
			return nil, err
		}
		same = append(same, eq)
	}
	first.Aggregates = []scalar.Aggregate{{Func: "min(bigint)", Args: []*scalar.Expr{position}, Type: position.Type, Text: "min(ordinality)"}}
	first.Out = append(first.Out, logical.Field{Name: "first", Type: position.Type, Origin: "min(ordinality)"})
	out = append(out, first.Out...)
	start := columnExpr(len(out)-1, out[len(out)-1])
	since, err := b.infixCall("-", position, start, at.Pos)
	if err != nil {
		return nil, err
	}
	one := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: 1}, Pos: -1, Text: "1"}
	number, err := b.infixCall("+", since, one, at.Pos)
	if err != nil {
		return nil, err
	}
	*at = *number
	return &logical.Join{Kind: logical.InnerJoin, Left: positions, Right: first, Condition: b.combine("and", same, at.Pos), Out: out}, nil
}

// sortedForNumbers adds the window's expressions to the columns of node and sorts
// by them.
func (l *level) sortedForNumbers(node logical.Node, window []*scalar.Expr) logical.Node {
	p := &logical.Project{Input: node}
	for i, f := range node.Fields() {
		p.Exprs, p.Out = append(p.Exprs, columnExpr(i, f)), append(p.Out, f)
	}
	s := &logical.Sort{Input: p}
	for i, e := range window {
		f := logical.Field{Name: "?column?", Type: e.Type, Origin: e.Text}
		k := scalar.SortKey{}
		if j := i - l.numbers.partitions; j >= 0 {
			k = l.numbers.order[j]
		}
		k.X = columnExpr(len(p.Out), f)
		p.Exprs, p.Out = append(p.Exprs, e), append(p.Out, f)
		s.Keys = append(s.Keys, k)
	}
	return s
}

// unnested gives the rows of a node in its order, with their positions from 1 as
// the last column.
func unnested(in logical.Node) logical.Node {
	fields := in.Fields()
	row := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: types.Of(types.Row), Pos: -1, Text: "row"}
	for i, f := range fields {
		row.Args = append(row.Args, columnExpr(i, f))
		row.Type.Fields = append(row.Type.Fields, types.Field{Name: f.Name, Type: f.Type})
	}
	rowField := logical.Field{Name: "row", Type: row.Type, Origin: "row"}
	list := logical.Field{Name: "rows", Type: types.ArrayOf(row.Type), Origin: "rows"}
	rows := &logical.Apply{Kind: logical.ArrayApply, Input: &logical.Values{Rows: [][]*scalar.Expr{{}}},
		Sub: &logical.Project{Input: in, Exprs: []*scalar.Expr{row}, Out: []logical.Field{rowField}}, Out: []logical.Field{list}}
	arg := columnExpr(0, list)
	scan := numbered(&logical.FunctionScan{Func: "unnest", Out: []logical.Field{rowField},
		Args: []*scalar.Expr{{Op: scalar.OpOuter, Type: list.Type, Text: "rows", Pos: -1}}})
	each := &logical.Apply{Kind: logical.CrossApply, Input: rows, Sub: scan, Args: []*scalar.Expr{arg},
		Out: append([]logical.Field{list}, scan.Out...)}
	p := &logical.Project{Input: each}
	for i, f := range fields {
		n := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: int64(i + 1)}, Pos: -1}
		p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpCall, Func: "field(record,integer)", Type: f.Type,
			Args: []*scalar.Expr{columnExpr(1, rowField), n}, Text: textOfOrigin(f), Pos: -1})
		p.Out = append(p.Out, f)
	}
	p.Exprs, p.Out = append(p.Exprs, columnExpr(2, scan.Out[1])), append(p.Out, scan.Out[1])
	return p
}
