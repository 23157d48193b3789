package bind

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// recordCall is a call of json[b]_to_record[set] or json[b]_populate_record[set]: the
// members of JSON objects become columns, of a column definition list or of a row
// type.
type recordCall struct {
	b      *binder
	name   string
	json   *scalar.Expr
	base   *scalar.Expr // a row with what is missing, nil for nulls
	fields []types.Field
	pos    int
}

func isRecordFunction(name string) bool {
	switch strings.TrimSuffix(strings.Replace(name, "jsonb_", "json_", 1), "set") {
	case "json_to_record", "json_populate_record":
		return true
	}
	return false
}

// set reports whether the function gives a row for each element of an array.
func (r *recordCall) set() bool { return strings.HasSuffix(r.name, "set") }

// recordCall binds a call; alias has the column definitions, if there are any.
func (l *level) recordCall(name string, c *ast.Call, alias *ast.Alias) (*recordCall, error) {
	args, err := l.callArgs(name, c)
	if err != nil {
		return nil, err
	}
	r := &recordCall{b: l.b, name: name, pos: int(c.Pos)}
	want := 1
	if strings.Contains(name, "populate") {
		want = 2
	}
	if len(args) != want && (want == 1 || len(args) != 3) { // use_json_as_text means nothing
		return nil, noSuchFunction(name, args, r.pos, nil)
	}
	r.json = args[want-1]
	if !l.b.canCoerce(r.json.Type, types.Of(types.JSONB), implicit) {
		return nil, noSuchFunction(name, args, r.pos, nil)
	}
	if r.json, err = l.b.coerce(r.json, types.Of(types.JSONB), implicit); err != nil {
		return nil, err
	}
	if alias != nil {
		for i := range alias.Types {
			t, err := ResolveType(alias.Types[i])
			if err != nil {
				return nil, err
			}
			name := alias.Columns[i]
			if slices.ContainsFunc(r.fields, func(f types.Field) bool { return f.Name == name.Value }) {
				return nil, pgerr.New(pgerr.DuplicateColumn, "column name %q specified more than once", name.Value).At(int(name.Pos))
			}
			r.fields = append(r.fields, types.Field{Name: name.Value, Type: t})
		}
	}
	if want == 1 {
		if len(r.fields) == 0 {
			return nil, pgerr.New(pgerr.SyntaxError, "a column definition list is required for functions returning \"record\"").At(r.pos)
		}
		return r, nil
	}
	return r, r.rowType(args[0])
}

// rowType takes the columns from the first argument.
func (r *recordCall) rowType(base *scalar.Expr) error {
	switch {
	case base.Type.Kind == types.Unknown:
		return pgerr.New(pgerr.DatatypeMismatch, "could not determine polymorphic type because input has type unknown").At(r.pos)
	case base.Type.Kind != types.Row:
		return pgerr.New(pgerr.DatatypeMismatch, "first argument of %s must be a row type", r.name).At(r.pos)
	case len(base.Type.Fields) > 0 && len(r.fields) > 0:
		return pgerr.New(pgerr.SyntaxError, "a column definition list is redundant for a function returning a named composite type").At(r.pos)
	case len(base.Type.Fields) > 0:
		r.base, r.fields = base, base.Type.Fields
	case len(r.fields) == 0:
		return pgerr.New(pgerr.SyntaxError, "a column definition list is required for functions returning \"record\"").At(r.pos)
	}
	return nil
}

// columns are the members of the object that json gives.
func (r *recordCall) columns(json *scalar.Expr) []*scalar.Expr {
	b := r.b
	text := func(s string) *scalar.Expr {
		return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Text), Value: &types.Value{Bytes: s}, Pos: -1, Text: quoteText(s)}
	}
	out := make([]*scalar.Expr, len(r.fields))
	for i, f := range r.fields {
		missing := b.nullOf(f.Type, -1)
		if r.base != nil && !isNullConst(r.base) {
			missing = b.fieldAt(r.base, i)
		}
		e := &scalar.Expr{Op: scalar.OpCall, Func: "json_record_field(jsonb,text,text,anyelement)", Type: f.Type, Pos: r.pos,
			Args: []*scalar.Expr{json, text(f.Name), text(r.name), missing}}
		out[i] = b.withText(e, r.name+"("+json.Text+")."+f.Name, precAtom)
	}
	return out
}

// elements are the JSON objects of a set, a column of them.
func (r *recordCall) elements() *logical.FunctionScan {
	return &logical.FunctionScan{Func: r.name, Args: []*scalar.Expr{r.json}, Pos: r.pos,
		Out: []logical.Field{{Name: "value", Type: types.Of(types.JSONB), Origin: r.name + "(" + r.json.Text + ")"}}}
}

// recordScan is such a function in FROM.
func (l *level) recordScan(name string, c *ast.Call, x *ast.TableFunc) (logical.Node, error) {
	r, err := l.recordCall(name, c, x.Alias)
	if err != nil {
		return nil, err
	}
	if x.Ordinality && x.Alias != nil && len(x.Alias.Types) > 0 {
		return nil, pgerr.New(pgerr.SyntaxError, "WITH ORDINALITY cannot be used with a column definition list").At(int(x.Alias.Columns[0].Pos)).
			Hint("Put the column definition list inside ROWS FROM().")
	}
	var in logical.Node
	var exprs []*scalar.Expr
	if r.set() {
		if in, err = l.scanned(r.elements(), x.Ordinality); err == nil {
			exprs = r.columns(columnExpr(0, in.Fields()[0]))
		}
	} else {
		exprs = r.columns(r.json)
		in, err = l.plant(&logical.Values{Rows: [][]*scalar.Expr{{}}}, exprs...)
	}
	if err != nil {
		return nil, err
	}
	p := &logical.Project{Input: in, Exprs: exprs}
	for i, f := range r.fields {
		p.Out = append(p.Out, logical.Field{Name: f.Name, Type: f.Type, Origin: exprs[i].Text})
	}
	if x.Ordinality && r.set() {
		p.Exprs = append(p.Exprs, columnExpr(1, in.Fields()[1]))
		p.Out = append(p.Out, in.Fields()[1])
	} else if x.Ordinality {
		p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: 1}, Pos: -1, Text: "1"})
		p.Out = append(p.Out, logical.Field{Name: "ordinality", Type: types.Of(types.Int64), Origin: "ordinality"})
	}
	return p, nil
}

// recordValue is such a function in an expression: a row, for each element of a set.
func (l *level) recordValue(name string, c *ast.Call) (*scalar.Expr, error) {
	if !strings.Contains(name, "populate") {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "could not determine row type for result of %s", name).At(int(c.Pos)).
			Hint("Provide a non-null record argument, or call the function in the FROM clause using a column definition list.")
	}
	r, err := l.recordCall(name, c, nil)
	if err != nil {
		return nil, err
	}
	json := r.json
	if r.set() {
		if !l.allowSRF || l.inAgg {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "set-returning functions are not allowed in %s", l.clauseName()).At(r.pos)
		}
		n := r.elements()
		json = &scalar.Expr{Op: opFunction, Column: len(l.srf), Type: types.Of(types.JSONB), Pos: r.pos, Text: n.Out[0].Origin}
		l.srf = append(l.srf, &pendingFunction{node: n, args: n.Args})
	}
	row := types.Of(types.Row)
	row.Fields = r.fields
	e := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: row, Args: r.columns(json), Pos: r.pos}
	return l.b.withText(e, name+"("+json.Text+")", precAtom), nil
}

// noDefinitions refuses column definitions of other functions.
func noDefinitions(a *ast.Alias, out int) error {
	if a == nil || len(a.Types) == 0 {
		return nil
	}
	e := pgerr.New(pgerr.SyntaxError, "a column definition list is only allowed for functions returning \"record\"")
	if out > 1 {
		e = pgerr.New(pgerr.SyntaxError, "a column definition list is redundant for a function with OUT parameters")
	}
	return e.At(int(a.Columns[0].Pos))
}

// relationType is the row type of a relation that a cast names, or an array of it, nil
// for none.
func (b *binder) relationType(t ast.TypeName) *types.Type {
	if len(t.Modifiers) > 0 {
		return nil
	}
	var path ast.Path
	for _, part := range strings.Split(t.Name, ".") {
		path = append(path, ast.Name{At: t.At, Value: part})
	}
	rel, err := b.findRelation(path)
	if err != nil || rel == nil {
		return nil
	}
	b.dependOn(rel.ID)
	row := types.Of(types.Row)
	for _, c := range rel.Columns {
		row.Fields = append(row.Fields, types.Field{Name: c.Name, Type: c.Type})
	}
	if t.ArrayDims > 0 {
		row = types.ArrayOf(row)
	}
	return &row
}
