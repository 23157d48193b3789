package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// setFunction is an overload of a set-returning function: the call, and the
// columns it gives. A column without a name takes the alias.
type setFunction struct {
	call scalar.Function
	out  []types.Field
}

func setOverload(name string, args []types.Type, out ...types.Field) setFunction {
	return setFunction{call: scalar.Function{Name: name, Key: name, Args: args, Ret: types.Of(types.Void)}, out: out}
}

func kinds(list ...types.Kind) []types.Type {
	out := make([]types.Type, len(list))
	for i, k := range list {
		out[i] = types.Of(k)
	}
	return out
}

func named(name string, k types.Kind) types.Field { return types.Field{Name: name, Type: types.Of(k)} }

// tableFunction lists the overloads of a set-returning function, nil for none.
func tableFunction(name string) []setFunction {
	one := func(k types.Kind) types.Field { return named("", k) }
	const (
		i32, i64, num, ts, tz, iv, text, js, oid, boolean = types.Int32, types.Int64, types.Numeric, types.Timestamp, types.TimestampTZ,
			types.IntervalK, types.Text, types.JSONB, types.OID, types.Bool
	)
	switch name {
	case "generate_series":
		var out []setFunction
		for _, k := range []types.Kind{i32, i64, num} {
			out = append(out, setOverload(name, kinds(k, k), one(k)), setOverload(name, kinds(k, k, k), one(k)))
		}
		return append(out, setOverload(name, kinds(ts, ts, iv), one(ts)), setOverload(name, kinds(tz, tz, iv), one(tz)))
	case "unnest":
		return []setFunction{setOverload(name, kinds(scalar.AnyArray), one(scalar.AnyElement))}
	case "generate_subscripts":
		return []setFunction{setOverload(name, kinds(scalar.AnyArray, i32), one(i32)), setOverload(name, kinds(scalar.AnyArray, i32, boolean), one(i32))}
	case "regexp_split_to_table", "string_to_table":
		return []setFunction{setOverload(name, kinds(text, text), one(text)), setOverload(name, kinds(text, text, text), one(text))}
	case "regexp_matches":
		arr := types.Field{Type: types.ArrayOf(types.Of(text))}
		return []setFunction{setOverload(name, kinds(text, text), arr), setOverload(name, kinds(text, text, text), arr)}
	case "jsonb_array_elements", "json_array_elements":
		return []setFunction{setOverload(name, kinds(js), named("value", js))}
	case "jsonb_array_elements_text", "json_array_elements_text":
		return []setFunction{setOverload(name, kinds(js), named("value", text))}
	case "jsonb_path_query", "jsonb_path_query_tz":
		path := types.JSONPathK
		return []setFunction{setOverload(name, kinds(js, path), one(js)), setOverload(name, kinds(js, path, js), one(js)), setOverload(name, kinds(js, path, js, boolean), one(js))}
	case "jsonb_to_recordset", "json_to_recordset", "jsonb_populate_recordset", "json_populate_recordset": // the binder makes columns of it
		return []setFunction{setOverload(name, kinds(js), named("value", js))}
	case "jsonb_object_keys", "json_object_keys":
		return []setFunction{setOverload(name, kinds(js), one(text))}
	case "jsonb_each", "json_each":
		return []setFunction{setOverload(name, kinds(js), named("key", text), named("value", js))}
	case "jsonb_each_text", "json_each_text":
		return []setFunction{setOverload(name, kinds(js), named("key", text), named("value", text))}
	case "pg_partition_ancestors":
		return []setFunction{setOverload(name, kinds(oid), one(oid))}
	case "pg_partition_tree":
		return []setFunction{setOverload(name, kinds(oid), named("relid", oid), named("parentrelid", oid), named("isleaf", boolean), named("level", i32))}
	case "pg_get_keywords":
		return []setFunction{setOverload(name, nil, named("word", text), named("catcode", text), named("barelabel", boolean), named("catdesc", text), named("baredesc", text))}
	case "pg_options_to_table":
		return []setFunction{setOverload(name, []types.Type{types.ArrayOf(types.Of(text))}, named("option_name", text), named("option_value", text))}
	case "_pg_expandarray":
		return []setFunction{setOverload(name, kinds(scalar.AnyArray), types.Field{Name: "x", Type: types.Of(scalar.AnyElement)}, named("n", i32))}
	case "savepoint":
		return []setFunction{
			setOverload(name, kinds(text), named("operator", text), named("kind", text), named("table_name", text),
				types.Field{Name: "columns", Type: types.ArrayOf(types.Of(text))}, named("rows", i64), named("bytes", i64)),
			// The columns of an operator's state are known to the server only.
			setOverload(name, kinds(text, text)), setOverload(name, kinds(text, text, text)),
		}
	}
	return nil
}

// tableFunc binds a function in FROM.
func (l *level) tableFunc(x *ast.TableFunc, left *bound) (*fromItem, error) {
	if len(x.Calls) == 0 {
		return nil, pgerr.New(pgerr.SyntaxError, "FROM takes a relation, a subquery or a function call").At(int(x.Pos))
	}
	if w, err := l.windowTable(x); w != nil || err != nil {
		return w, err
	}
	at := &level{b: l.b, ctes: l.ctes, outer: l.outer, clause: "FROM"}
	var o *outer
	if left != nil {
		o = l.lateral(left)
		at.outer = o
	}
	calls := callsOf(x)
	name, err := l.b.functionName(calls[0].Name)
	if err != nil {
		return nil, err
	}
	var node logical.Node
	if len(calls) == 1 && calls[0].columns == nil {
		node, err = at.functionScan(name, calls[0].Call, x)
	} else {
		node, err = at.rowsFrom(calls, x)
	}
	if err != nil {
		return nil, err
	}
	label := name
	if x.Alias != nil {
		label = x.Alias.Name.Value
	}
	sc := scopeOf(node, label, "")
	sc.rels[0].value = len(sc.cols) == 1
	for i := range sc.cols {
		if sc.cols[i].name == "" {
			sc.cols[i].name = label
		}
	}
	if x.Alias != nil {
		if err := l.b.columnAliases(sc, x.Alias); err != nil {
			return nil, err
		}
	}
	f := &fromItem{node: node, scope: sc}
	if o != nil {
		f.args = o.args
	}
	return f, nil
}

// relationFunctions are the functions that give the rows of a relation of pg_catalog.
var relationFunctions = map[string]string{
	"pg_timezone_names": "pg_timezone_names", "pg_timezone_abbrevs": "pg_timezone_abbrevs", "pg_show_all_settings": "pg_settings",
	"pg_cursor": "pg_cursors", "pg_prepared_statement": "pg_prepared_statements",
}

// relationRows reads a relation of pg_catalog.
func (l *level) relationRows(name string, pos int) (logical.Node, error) {
	rel, err := l.b.relation(ast.Path{{Value: "pg_catalog"}, {Value: name}})
	if err != nil {
		return nil, err
	}
	return l.b.scan(rel, name, pos)
}

// functionScan makes the node for a function in FROM: a set-returning one, or an
// ordinary one that gives a single row.
func (l *level) functionScan(name string, c *ast.Call, x *ast.TableFunc) (logical.Node, error) {
	if isRecordFunction(name) {
		return l.recordScan(name, c, x)
	}
	if rel := relationFunctions[name]; rel != "" && len(c.Args) == 0 && !x.Ordinality {
		return l.relationRows(rel, int(c.Pos))
	}
	overloads := tableFunction(name)
	if overloads == nil {
		if err := noDefinitions(x.Alias, 1); err != nil {
			return nil, err
		}
		if isAggregate(name) {
			return nil, pgerr.New(pgerr.GroupingError, "aggregate functions are not allowed in functions in FROM").At(int(c.Pos))
		}
		return l.oneRow(name, c, x)
	}
	args, err := l.callArgs(name, c)
	if err != nil {
		return nil, err
	}
	n, err := l.b.functionNode(name, overloads, args, int(c.Pos))
	if err != nil {
		return nil, err
	}
	if err := noDefinitions(x.Alias, len(n.Out)); err != nil {
		return nil, err
	}
	if len(n.Out) == 0 {
		if err := l.b.stateColumns(n, int(c.Pos)); err != nil {
			return nil, err
		}
	}
	return l.scanned(n, x.Ordinality)
}

// scanned is a function in FROM as a node; if there are subqueries among the
// arguments, it is applied to their row.
func (l *level) scanned(n *logical.FunctionScan, ordinality bool) (logical.Node, error) {
	if ordinality {
		numbered(n)
	}
	if len(l.pending) == 0 {
		return n, nil
	}
	var args []*scalar.Expr
	sub := n.MapArgs(func(x *scalar.Expr) *scalar.Expr {
		args = append(args, x)
		return &scalar.Expr{Op: scalar.OpOuter, Column: len(args) - 1, Type: x.Type, Text: x.Text, Pos: x.Pos}
	})
	in, err := l.plant(&logical.Values{Rows: [][]*scalar.Expr{{}}}, args...)
	if err != nil {
		return nil, err
	}
	width := len(in.Fields())
	a := &logical.Apply{Kind: logical.CrossApply, Input: in, Sub: sub, Args: args, Pos: -1,
		Out: append(append([]logical.Field(nil), in.Fields()...), n.Out...)}
	p := &logical.Project{Input: a, Out: n.Out}
	for i, f := range n.Out {
		p.Exprs = append(p.Exprs, columnExpr(width+i, f))
	}
	return p, nil
}

// stateColumns asks for the columns of savepoint('sp', 'operator'[, 'table']).
func (b *binder) stateColumns(n *logical.FunctionScan, pos int) error {
	if b.opts.StateColumns == nil {
		return pgerr.NotSupported(pos, "reading an operator's state here")
	}
	args := make([]string, 3)
	for i, a := range n.Args {
		if a.Op != scalar.OpConst || a.Value.Null {
			return pgerr.New(pgerr.InvalidParameterValue, "the arguments of savepoint must be string constants").At(a.Pos)
		}
		args[i] = a.Value.Bytes
	}
	columns, err := b.opts.StateColumns(args[0], args[1], args[2])
	if err != nil {
		return pgerr.From(err).At(pos)
	}
	for _, c := range columns {
		n.Out = append(n.Out, logical.Field{Name: c.Name, Type: c.Type, Origin: c.Name})
	}
	return nil
}

func (b *binder) functionNode(name string, overloads []setFunction, args []*scalar.Expr, pos int) (*logical.FunctionScan, error) {
	calls := make([]scalar.Function, len(overloads))
	for i := range overloads {
		calls[i] = overloads[i].call
	}
	c, ambiguous := choose(calls, exprs2types(args), false)
	if c == nil {
		if ambiguous {
			return nil, pgerr.New(pgerr.AmbiguousFunction, "function %s(%s) is not unique", name, typeList(args)).At(pos).
				Hint("Could not choose a best candidate function. You might need to add explicit type casts.")
		}
		return nil, noSuchFunction(name, args, pos, nil)
	}
	call, err := b.applyCall(c, args, pos)
	if err != nil {
		return nil, err
	}
	n := &logical.FunctionScan{Func: name, Args: call.Args, Pos: pos}
	for i := range calls {
		if c.f != &calls[i] {
			continue
		}
		for _, f := range overloads[i].out {
			t := f.Type
			if t.Kind == scalar.AnyElement {
				t = *call.Args[0].Type.Elem
			}
			n.Out = append(n.Out, logical.Field{Name: f.Name, Type: t, Origin: name + "(" + b.texts(args) + ")"})
		}
	}
	return n, nil
}

// oneRow is an ordinary function in FROM.
func (l *level) oneRow(name string, c *ast.Call, x *ast.TableFunc) (logical.Node, error) {
	e, err := l.call(c)
	if err != nil {
		return nil, err
	}
	var in logical.Node = &logical.Values{Rows: [][]*scalar.Expr{{}}}
	if in, err = l.plant(in, e); err != nil {
		return nil, err
	}
	p := &logical.Project{Input: in, Exprs: []*scalar.Expr{e}, Out: []logical.Field{{Name: "", Type: e.Type, Origin: e.Text}}}
	if x.Ordinality {
		p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: 1}, Pos: -1, Text: "1"})
		p.Out = append(p.Out, logical.Field{Name: "ordinality", Type: types.Of(types.Int64), Origin: "ordinality"})
	}
	return p, nil
}

// SetReturning lists the names of the functions that may stand in FROM.
func SetReturning() []string {
	return strings.Fields("generate_series unnest generate_subscripts regexp_split_to_table string_to_table regexp_matches " +
		"jsonb_array_elements jsonb_array_elements_text jsonb_path_query jsonb_path_query_tz jsonb_object_keys jsonb_each jsonb_each_text jsonb_to_record jsonb_to_recordset " +
		"jsonb_populate_record jsonb_populate_recordset pg_partition_ancestors " +
		"pg_partition_tree pg_get_keywords pg_options_to_table pg_timezone_names pg_timezone_abbrevs pg_show_all_settings _pg_expandarray savepoint")
}
