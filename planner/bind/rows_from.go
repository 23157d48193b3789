package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// besideFunction is a function whose rows stand beside those of others.
type besideFunction struct {
	scan *logical.FunctionScan
	// fields are made of the one column of scan by columns; without that, they are
	// the scan's own. That column is null beyond the function's last row.
	fields  []logical.Field
	columns func(value *scalar.Expr) []*scalar.Expr
}

// rowsFrom binds ROWS FROM (f(…), g(…)): their rows stand side by side.
func (l *level) rowsFrom(calls []definedCall, x *ast.TableFunc) (logical.Node, error) {
	if a := x.Alias; a != nil && len(a.Types) > 0 {
		at := int(a.Columns[0].Pos)
		if len(x.Calls) == 1 {
			return nil, pgerr.New(pgerr.SyntaxError, "UNNEST() with multiple arguments cannot have a column definition list").At(at).
				Hint("Use separate UNNEST() calls inside ROWS FROM(), and attach a column definition list to each one.")
		}
		return nil, pgerr.New(pgerr.SyntaxError, "ROWS FROM() with multiple functions cannot have a column definition list").At(at).
			Hint("Put a separate column definition list for each function inside ROWS FROM().")
	}
	var all []*besideFunction
	var first *logical.FunctionScan
	for _, c := range calls {
		f, err := l.besideFunction(c)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
		if first == nil {
			first = f.scan
			continue
		}
		first.Beside = append(first.Beside, f.scan)
	}
	for _, f := range first.Beside {
		first.Out = append(first.Out, f.Out...)
	}
	in, err := l.scanned(first, x.Ordinality)
	if err != nil {
		return nil, err
	}
	return besideColumns(in, all), nil
}

// besideColumns gives the functions their columns, which in has one after the
// other, and then perhaps a number.
func besideColumns(in logical.Node, all []*besideFunction) logical.Node {
	p := &logical.Project{Input: in}
	at, own := 0, true
	for _, f := range all {
		if f.columns != nil {
			own = false
			p.Exprs = append(p.Exprs, f.columns(columnExpr(at, in.Fields()[at]))...)
			p.Out = append(p.Out, f.fields...)
			at++
			continue
		}
		for range f.fields {
			p.Exprs = append(p.Exprs, columnExpr(at, in.Fields()[at]))
			p.Out = append(p.Out, in.Fields()[at])
			at++
		}
	}
	if own {
		return in
	}
	for ; at < len(in.Fields()); at++ {
		p.Exprs = append(p.Exprs, columnExpr(at, in.Fields()[at]))
		p.Out = append(p.Out, in.Fields()[at])
	}
	return p
}

// besideFunction binds one of the functions.
func (l *level) besideFunction(c definedCall) (*besideFunction, error) {
	name, err := l.b.functionName(c.Name)
	if err != nil {
		return nil, err
	}
	if isRecordFunction(name) {
		return l.besideRecord(name, c)
	}
	overloads := tableFunction(name)
	if overloads == nil {
		if err := noDefinitions(c.columns, 1); err != nil {
			return nil, err
		}
		return l.besideValue(name, c.Call)
	}
	args, err := l.callArgs(name, c.Call)
	if err != nil {
		return nil, err
	}
	n, err := l.b.functionNode(name, overloads, args, int(c.Pos))
	if err != nil {
		return nil, err
	}
	if err := noDefinitions(c.columns, len(n.Out)); err != nil {
		return nil, err
	}
	if len(n.Out) == 0 {
		return nil, pgerr.NotSupported(int(c.Pos), "reading an operator's state here")
	}
	for i := range n.Out {
		if n.Out[i].Name == "" {
			n.Out[i].Name = name
		}
	}
	return &besideFunction{scan: n, fields: n.Out}, nil
}

// besideValue is an ordinary function: its value is that of an array of one row.
func (l *level) besideValue(name string, c *ast.Call) (*besideFunction, error) {
	if isAggregate(name) {
		return nil, pgerr.New(pgerr.GroupingError, "aggregate functions are not allowed in functions in FROM").At(int(c.Pos))
	}
	e, err := l.call(c)
	if err != nil {
		return nil, err
	}
	f := &besideFunction{fields: []logical.Field{{Name: name, Type: e.Type, Origin: e.Text}}}
	if e.Type.Kind == types.Array { // an array of it would have more dimensions
		row := types.Of(types.Row)
		row.Fields = []types.Field{{Name: name, Type: e.Type}}
		e = l.b.withText(&scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: row, Args: []*scalar.Expr{e}, Pos: e.Pos}, e.Text, precAtom)
		f.columns = func(value *scalar.Expr) []*scalar.Expr { return []*scalar.Expr{l.b.fieldAt(value, 0)} }
	}
	f.scan = l.b.oneElement(name, e)
	return f, nil
}

// oneElement has e as its only row.
func (b *binder) oneElement(name string, e *scalar.Expr) *logical.FunctionScan {
	array := &scalar.Expr{Op: scalar.OpCall, Func: "array(anycompatible...)", Type: types.ArrayOf(e.Type), Args: []*scalar.Expr{e}, Pos: e.Pos}
	return &logical.FunctionScan{Func: "unnest", Args: []*scalar.Expr{b.withText(array, "array["+e.Text+"]", precAtom)}, Pos: e.Pos,
		Out: []logical.Field{{Name: name, Type: e.Type, Origin: e.Text}}}
}

// besideRecord is a function that makes columns of the members of JSON objects.
func (l *level) besideRecord(name string, c definedCall) (*besideFunction, error) {
	r, err := l.recordCall(name, c.Call, c.columns)
	if err != nil {
		return nil, err
	}
	f := &besideFunction{}
	if r.set() {
		f.scan = r.elements()
	} else {
		object := r.json
		if r.base != nil { // a null gives the row as it is
			empty := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.JSONB), Value: &types.Value{Bytes: "{}"}, Pos: -1, Text: "'{}'"}
			object = &scalar.Expr{Op: scalar.OpCase, Type: object.Type, Args: []*scalar.Expr{l.b.isNull(object, false, -1), empty, object}, Text: object.Text, Pos: object.Pos}
		}
		f.scan = l.b.oneElement(name, object)
	}
	for i, field := range r.fields {
		f.fields = append(f.fields, logical.Field{Name: field.Name, Type: field.Type, Origin: r.columns(r.json)[i].Text})
	}
	f.columns = func(value *scalar.Expr) []*scalar.Expr {
		out := r.columns(value)
		if r.base == nil {
			return out
		}
		for i, e := range out { // beyond the last row there is nothing, not even the row that is filled up
			none := []*scalar.Expr{l.b.isNull(value, false, -1), l.b.nullOf(e.Type, -1), e}
			out[i] = l.b.withText(&scalar.Expr{Op: scalar.OpCase, Type: e.Type, Args: none, Pos: e.Pos}, e.Text, precAtom)
		}
		return out
	}
	return f, nil
}

// definedCall is a call with the column definition list that ROWS FROM has for it.
type definedCall struct {
	*ast.Call
	columns *ast.Alias
}

// calls are those of a function in FROM; unnest(a, b, …) is short for several side
// by side.
func callsOf(x *ast.TableFunc) []definedCall {
	var out []definedCall
	for i, c := range x.Calls {
		var columns *ast.Alias
		if i < len(x.Columns) {
			columns = x.Columns[i]
		}
		if len(c.Args) < 2 || c.Name.Last().Value != "unnest" {
			out = append(out, definedCall{c, columns})
			continue
		}
		for _, a := range c.Args {
			one := *c
			one.Args = []ast.Expr{a}
			out = append(out, definedCall{&one, columns})
		}
	}
	return out
}
