package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// opOver stands for window function call number Column of a level until the
// select list is built; its arguments are the call's, its filter if it has one,
// the partition's, then the order's expressions. It never leaves this package.
const opOver scalar.Op = "bind.over"

// overs collects the calls with an OVER clause of one SELECT.
type overs struct {
	list   []*overCall
	named  map[string]*ast.Window // of the WINDOW clause, resolved
	inside bool                   // within a call's own expressions
}

// overCall is a call without its expressions, which are in the placeholder.
type overCall struct {
	call       scalar.WindowCall // without Args and Filter
	args       int
	filter     bool
	partitions int
	order      []scalar.SortKey // without X
}

// over binds a call with an OVER clause.
func (l *level) over(name string, x *ast.Call) (*scalar.Expr, error) {
	pos := int(x.Pos)
	switch {
	case l.inAgg:
		return nil, pgerr.New(pgerr.GroupingError, "aggregate function calls cannot contain window function calls").At(pos)
	case l.overs == nil:
		return nil, pgerr.New(pgerr.WindowingError, "window functions are not allowed in %s", l.clauseName()).At(pos)
	case l.overs.inside:
		return nil, pgerr.New(pgerr.WindowingError, "window function calls cannot be nested").At(pos)
	}
	l.overs.inside = true
	defer func(srf bool) { l.overs.inside, l.allowSRF = false, srf }(l.allowSRF)
	l.allowSRF = false
	w, err := l.windowOf(x.Over)
	if err != nil {
		return nil, err
	}
	o, e, err := l.overFunction(name, x)
	if err != nil {
		return nil, err
	}
	if err := l.overWindow(o, e, w); err != nil {
		return nil, err
	}
	e.Text = o.call.Text + overText(o, e)
	for i, have := range l.overs.list {
		if sameOver(have, o) {
			e.Column = i
			return e, nil
		}
	}
	e.Column = len(l.overs.list)
	l.overs.list = append(l.overs.list, o)
	return e, nil
}

// overWindow binds partition, order and frame.
func (l *level) overWindow(o *overCall, e *scalar.Expr, w *ast.Window) error {
	for _, p := range w.PartitionBy {
		k, err := l.typed(p)
		if err != nil {
			return err
		}
		if _, ok := scalar.Comparison("=", k.Type); !ok {
			return pgerr.New(pgerr.UndefinedFunction, "could not identify an equality operator for type %s", bare(k.Type)).At(k.Pos)
		}
		e.Args = append(e.Args, k)
	}
	o.partitions = len(w.PartitionBy)
	var keys []*scalar.Expr
	for i := range w.OrderBy {
		k, err := l.typed(w.OrderBy[i].X)
		if err != nil {
			return err
		}
		if err := orderable(k); err != nil {
			return err
		}
		if slices.ContainsFunc(keys, func(have *scalar.Expr) bool { return exprEqual(have, k) }) {
			continue // what is equal in it orders nothing
		}
		e.Args, keys = append(e.Args, k), append(keys, k)
		o.order = append(o.order, sortKey(nil, &w.OrderBy[i]))
	}
	f, err := l.frame(w, keys)
	if scalar.ReadsFrame(&o.call) {
		o.call.Frame = f
	}
	return err
}

// sameOver compares all but the expressions.
func sameOver(a, b *overCall) bool {
	return a.call.Func == b.call.Func && a.call.Aggregate == b.call.Aggregate && a.args == b.args && a.filter == b.filter &&
		a.partitions == b.partitions && slices.Equal(a.order, b.order) && sameFrame(a.call.Frame, b.call.Frame) && a.call.Text == b.call.Text
}

func sameFrame(a, b scalar.Frame) bool {
	return a.Unit == b.Unit && a.Exclude == b.Exclude && a.Start.Kind == b.Start.Kind && a.End.Kind == b.End.Kind &&
		exprEqual(a.Start.Offset, b.Start.Offset) && exprEqual(a.End.Offset, b.End.Offset)
}

// overText is the OVER clause in canonical form.
func overText(o *overCall, e *scalar.Expr) string {
	at := o.args
	if o.filter {
		at++
	}
	s, sep := " over (", ""
	for i := range o.partitions {
		if i == 0 {
			s, sep = s+"partition by ", ", "
		} else {
			s += sep
		}
		s += e.Args[at+i].Text
	}
	at += o.partitions
	for i, k := range o.order {
		switch {
		case i > 0:
			s += ", "
		case o.partitions > 0:
			s += " order by "
		default:
			s += "order by "
		}
		s += e.Args[at+i].Text + directionText(k)
	}
	frame := o.call.Frame.Text()
	if frame != "" && len(o.order)+o.partitions > 0 {
		frame = " " + frame
	}
	return s + frame + ")"
}

func directionText(k scalar.SortKey) string {
	s := ""
	if k.Desc {
		s = " desc"
	}
	if k.NullsFirst != k.Desc {
		s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
	}
	return s
}

// plantOvers puts below the select list what computes its window functions, one
// node per window, and turns what stood for them into columns.
func (l *level) plantOvers(node logical.Node, exprs []*scalar.Expr) logical.Node {
	if l.overs == nil || len(l.overs.list) == 0 {
		return node
	}
	var found []*scalar.Expr
	for _, e := range exprs {
		walk(e, func(x *scalar.Expr) bool {
			if x.Op == opOver {
				found = append(found, x)
			}
			return true
		})
	}
	var nodes []*logical.Over
	type place struct{ node, call int }
	places := make([]place, len(found))
	for i, x := range found {
		o, n := l.overs.list[x.Column], l.overOf(x)
		c := n.Calls[0]
		at := slices.IndexFunc(nodes, func(have *logical.Over) bool { return sameWindow(have, n) })
		if at < 0 {
			at = len(nodes)
			n.Calls = nil
			nodes = append(nodes, n)
		}
		w := nodes[at]
		k := slices.IndexFunc(w.Calls, func(have scalar.WindowCall) bool { return sameCall(&have, &c) })
		if k < 0 {
			k = len(w.Calls)
			c.Text = o.call.Text
			w.Calls = append(w.Calls, c)
		}
		places[i] = place{at, k}
	}
	first := make([]int, len(nodes))
	for i, n := range nodes {
		n.Input, n.Out = node, slices.Clone(node.Fields())
		first[i] = len(n.Out)
		for _, c := range n.Calls {
			n.Out = append(n.Out, logical.Field{Name: "?column?", Type: c.Type, Origin: c.Text})
		}
		node = n
	}
	for i, x := range found {
		*x = scalar.Expr{Op: scalar.OpColumn, Column: first[places[i].node] + places[i].call, Type: x.Type, Text: x.Text, Pos: x.Pos}
	}
	return node
}

// overOf is the node of one call alone, without its input.
func (l *level) overOf(x *scalar.Expr) *logical.Over {
	o := l.overs.list[x.Column]
	c, args := o.call, x.Args
	c.Args, args = args[:o.args:o.args], args[o.args:]
	if o.filter {
		c.Filter, args = args[0], args[1:]
	}
	n := &logical.Over{PartitionBy: args[:o.partitions:o.partitions], Calls: []scalar.WindowCall{c}}
	for i, k := range o.order {
		k.X = args[o.partitions+i]
		n.OrderBy = append(n.OrderBy, k)
	}
	return n
}

func sameWindow(a, b *logical.Over) bool {
	if !exprsEqual(a.PartitionBy, b.PartitionBy) || len(a.OrderBy) != len(b.OrderBy) {
		return false
	}
	for i, x := range a.OrderBy {
		if y := b.OrderBy[i]; x.Desc != y.Desc || x.NullsFirst != y.NullsFirst || !exprEqual(x.X, y.X) {
			return false
		}
	}
	return true
}

func sameCall(a, b *scalar.WindowCall) bool {
	return a.Func == b.Func && a.Aggregate == b.Aggregate && exprsEqual(a.Args, b.Args) && exprEqual(a.Filter, b.Filter) && sameFrame(a.Frame, b.Frame)
}

// numberRows adds row_number() over a partition and an order to node.
func numberRows(node logical.Node, by []*scalar.Expr, order []scalar.SortKey, pos int) *logical.Over {
	c := scalar.WindowCall{Func: "row_number()", Type: scalar.WindowFunctions("row_number")[0].Return(nil), Pos: pos, Text: "row_number()"}
	out := append(slices.Clone(node.Fields()), logical.Field{Name: "?column?", Type: c.Type, Origin: c.Text})
	return &logical.Over{Input: node, PartitionBy: by, OrderBy: order, Calls: []scalar.WindowCall{c}, Out: out}
}
