package bind

import (
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// writable looks up a relation that a statement writes. verb is "insert into",
// "update" or "delete from".
func (b *binder) writable(path ast.Path, verb string) (*catalog.Relation, error) {
	rel, err := b.relation(path)
	if err != nil {
		return nil, err
	}
	pos := int(path.Offset())
	switch rel.Kind {
	case catalog.Table:
		return rel, nil
	case catalog.Sink:
		if verb == "insert into" {
			return rel, nil
		}
		return nil, pgerr.New(pgerr.WrongObjectType, "cannot %s sink %q", verb, rel.Name).At(pos)
	case catalog.View:
		return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "cannot %s view %q", verb, rel.Name).At(pos).
			WithDetail("Views are computed from what they read.")
	case catalog.MaterializedView:
		return nil, pgerr.New(pgerr.WrongObjectType, "cannot change materialized view %q", rel.Name).At(pos)
	case catalog.Source:
		return nil, pgerr.New(pgerr.WrongObjectType, "cannot %s source %q", verb, rel.Name).At(pos).
			Hint("A source is read only. Declare a TABLE or SINK on the same data to write it.")
	}
	return nil, pgerr.New(pgerr.WrongObjectType, "cannot %s %q, which is a %s", verb, rel.Name, rel.Kind).At(pos)
}

// ownTable is writable for statements that run at once.
func (b *binder) ownTable(path ast.Path, verb string) (*catalog.Relation, error) {
	rel, err := b.writable(path, verb)
	if err != nil || rel.IsOwnTable() {
		return rel, err
	}
	e := pgerr.New(pgerr.FeatureNotSupported, "cannot %s %s %q, which a connector writes, outside of a job", verb, rel.Kind, rel.Name).At(int(path.Offset()))
	if verb == "insert into" {
		e.Hint("Use CREATE JOB … AS INSERT INTO %s ….", rel.Name)
	}
	return nil, e
}

func targetColumn(rel *catalog.Relation, n ast.Name) (int, error) {
	var names []string
	for i := range rel.Columns {
		if rel.Columns[i].Name == n.Value {
			return i, nil
		}
		names = append(names, rel.Columns[i].Name)
	}
	e := pgerr.New(pgerr.UndefinedColumn, "column %q of relation %q does not exist", n.Value, rel.Name).At(int(n.Pos))
	if near := nearest(n.Value, names); near != "" {
		e.Hint("Perhaps you meant %q.", near)
	}
	return 0, e
}

// targets are the columns that an INSERT of n values gives: those listed, which must be
// given in full, or without a list the first ones. at tells where a value is.
func targets(rel *catalog.Relation, names []ast.Name, listed []int, n int, at func(int) int) ([]int, error) {
	if len(names) == 0 {
		listed = unlisted(rel, n)
	}
	switch {
	case n > len(listed):
		return nil, pgerr.New(pgerr.SyntaxError, "INSERT has more expressions than target columns").At(at(len(listed)))
	case n < len(listed) && len(names) > 0:
		return nil, pgerr.New(pgerr.SyntaxError, "INSERT has more target columns than expressions").At(int(names[n].Pos))
	}
	return listed[:n], nil
}

// unlisted are the columns that n values are for without a list: all, or the first of
// those that can be given.
func unlisted(rel *catalog.Relation, n int) (out []int) {
	for i := range rel.Columns {
		if rel.Columns[i].Generated == "" || n >= len(rel.Columns) {
			out = append(out, i)
		}
	}
	return out
}

// listed are the columns of an INSERT's column list.
func listed(rel *catalog.Relation, names []ast.Name) (out []int, err error) {
	seen := map[int]bool{}
	for _, n := range names {
		c, err := targetColumn(rel, n)
		if err != nil {
			return nil, err
		}
		if seen[c] {
			return nil, pgerr.New(pgerr.DuplicateColumn, "column %q specified more than once", n.Value).At(int(n.Pos))
		}
		seen[c] = true
		out = append(out, c)
	}
	return out, nil
}

func generatedError(rel *catalog.Relation, c int, pos ast.Pos, update bool) error {
	name := rel.Columns[c].Name
	e := pgerr.New(pgerr.GeneratedAlways, "cannot insert a non-DEFAULT value into column %q", name)
	if update {
		e = pgerr.New(pgerr.GeneratedAlways, "column %q can only be updated to DEFAULT", name)
	}
	return e.At(int(pos)).WithDetail("Column %q is a generated column.", name)
}

// typeMismatch words the error for a value that a column cannot take.
func typeMismatch(rel *catalog.Relation, c int, e *scalar.Expr) error {
	col := &rel.Columns[c]
	return pgerr.New(pgerr.DatatypeMismatch, "column %q is of type %s but expression is of type %s", col.Name, bare(col.Type), bare(e.Type)).At(e.Pos).
		Hint("You will need to rewrite or cast the expression.")
}

// assign casts a value to a column's type.
func (b *binder) assign(rel *catalog.Relation, c int, e *scalar.Expr) (*scalar.Expr, error) {
	if !b.canCoerce(e.Type, rel.Columns[c].Type, assignment) {
		return nil, typeMismatch(rel, c, e)
	}
	return b.coerce(e, rel.Columns[c].Type, assignment)
}

// defaultOf is a column's default, null without one.
func (b *binder) defaultOf(rel *catalog.Relation, c int) (*scalar.Expr, error) {
	col := &rel.Columns[c]
	text := rel.DefaultSQL(c)
	if text == "" {
		return b.nullOf(col.Type, -1), nil
	}
	if col.Identity != nil && b.opts.Continuous {
		return nil, pgerr.NotSupported(-1, "counting in a job").Hint("Give column %q a value.", col.Name)
	}
	e, err := (&level{b: b, clause: "DEFAULT"}).storedExpr(text, col.Type)
	if err != nil {
		x := pgerr.From(err)
		return nil, pgerr.New(x.Code, "default of column %q of relation %q: %s", col.Name, rel.Name, x.Message)
	}
	clearPositions(e)
	return e, nil
}

// clearPositions removes the places of an expression that is not from the
// statement's text.
func clearPositions(e *scalar.Expr) {
	walk(e, func(x *scalar.Expr) bool {
		x.Pos = -1
		return true
	})
}

// source is what an INSERT writes before it is arranged: a node whose columns are
// given values of the relation's columns cols.
type source struct {
	node logical.Node
	cols []int
	env  env // with the names that WITH defines
}

// insertSource binds the rows of an INSERT, cast to the columns they go to.
func (b *binder) insertSource(ins *ast.Insert, rel *catalog.Relation, e env) (*source, error) {
	given, err := listed(rel, ins.Columns)
	if err != nil {
		return nil, err
	}
	e, err = b.withQueries(ins.With, e)
	if err != nil {
		return nil, err
	}
	if ins.Query == nil { // DEFAULT VALUES
		return &source{node: &logical.Values{Rows: [][]*scalar.Expr{{}}}, env: e}, nil
	}
	q := ins.Query
	if v, ok := q.Body.(*ast.Values); ok && q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Skip == nil {
		return b.insertValues(v, ins, rel, given, e)
	}
	node, err := b.queryNode(q, e, queryMode{keepUnknown: true})
	if err != nil {
		return nil, err
	}
	cols, err := targets(rel, ins.Columns, given, len(node.Fields()), func(i int) int { return outputExpr(node, i).Pos })
	if err != nil {
		return nil, err
	}
	if err := refuseGenerated(rel, ins, cols); err != nil {
		return nil, err
	}
	want := make([]types.Type, len(cols))
	for i, c := range cols {
		want[i] = rel.Columns[c].Type
	}
	node, err = b.coerceOutput(node, want, assignment, func(i int, e *scalar.Expr, _ types.Type) error { return typeMismatch(rel, cols[i], e) })
	if err != nil {
		return nil, err
	}
	cols = slices.Clone(cols)
	for i, c := range cols {
		if counted(rel, c, ins.Overriding) {
			cols[i] = -1
		}
	}
	return &source{node, cols, e}, nil
}

func refuseGenerated(rel *catalog.Relation, ins *ast.Insert, cols []int) error {
	for i, c := range cols {
		pos := ins.Target.Offset()
		if i < len(ins.Columns) {
			pos = ins.Columns[i].Pos
		}
		if rel.Columns[c].Generated != "" {
			return generatedError(rel, c, pos, false)
		}
		if err := identityGiven(rel, c, ins.Overriding, pos); err != nil {
			return err
		}
	}
	return nil
}

// insertValues binds INSERT … VALUES, where DEFAULT is allowed and each literal
// takes its column's type.
func (b *binder) insertValues(v *ast.Values, ins *ast.Insert, rel *catalog.Relation, listed []int, e env) (*source, error) {
	l := &level{b: b, ctes: e.ctes, clause: "VALUES"}
	cols, err := targets(rel, ins.Columns, listed, len(v.Rows[0]), func(i int) int { return int(v.Rows[0][i].Offset()) })
	if err != nil {
		return nil, err
	}
	n := &logical.Values{}
	for _, row := range v.Rows {
		if len(row) != len(v.Rows[0]) {
			return nil, pgerr.New(pgerr.SyntaxError, "VALUES lists must all be the same length").At(int(row[0].Offset()))
		}
		var cells []*scalar.Expr
		for i, x := range row {
			if _, ok := x.(*ast.Default); !ok {
				if err := identityGiven(rel, cols[i], ins.Overriding, x.Offset()); err != nil {
					return nil, err
				}
			}
			c, err := l.insertCell(rel, cols[i], x)
			if err != nil {
				return nil, err
			}
			if counted(rel, cols[i], ins.Overriding) {
				if c, err = b.defaultOf(rel, cols[i]); err != nil {
					return nil, err
				}
			}
			cells = append(cells, c)
		}
		n.Rows = append(n.Rows, cells)
	}
	for _, c := range cols {
		n.Out = append(n.Out, logical.Field{Name: rel.Columns[c].Name, Type: rel.Columns[c].Type, Origin: rel.Columns[c].Name})
	}
	if len(l.pending) == 0 {
		return &source{n, cols, e}, nil
	}
	var node logical.Node
	if len(n.Rows) == 1 {
		node, err = b.valueWithQueries(n.Rows[0], l, queryMode{})
	} else {
		node, err = b.valuesOver(n, l)
	}
	return &source{node, cols, e}, err
}

func (l *level) insertCell(rel *catalog.Relation, c int, x ast.Expr) (*scalar.Expr, error) {
	if _, ok := x.(*ast.Default); ok {
		if rel.Columns[c].Generated != "" {
			return l.b.nullOf(rel.Columns[c].Type, int(x.Offset())), nil
		}
		return l.b.defaultOf(rel, c)
	}
	if rel.Columns[c].Generated != "" {
		return nil, generatedError(rel, c, x.Offset(), false)
	}
	e, err := l.exprAs(x, rel.Columns[c].Type, assignment)
	if err != nil {
		return nil, err
	}
	return l.b.assign(rel, c, e)
}

// fullRow arranges given columns into all columns of the relation: defaults for
// those not given, then generated ones.
func (b *binder) fullRow(src *source, rel *catalog.Relation) (logical.Node, error) {
	in := src.node.Fields()
	base := &logical.Project{Input: src.node}
	generated := false
	for c := range rel.Columns {
		col := &rel.Columns[c]
		var e *scalar.Expr
		for i, given := range src.cols {
			if given == c {
				e = columnExpr(i, in[i])
			}
		}
		if col.Generated != "" {
			generated = true
			e = b.nullOf(col.Type, -1)
		}
		if e == nil {
			d, err := b.defaultOf(rel, c)
			if err != nil {
				return nil, err
			}
			e = d
		}
		base.Exprs = append(base.Exprs, e)
		base.Out = append(base.Out, logical.Field{Name: col.Name, Type: col.Type, Origin: col.Name})
	}
	if !generated {
		return base, nil
	}
	exprs := make([]*scalar.Expr, len(rel.Columns))
	for c, f := range base.Out {
		exprs[c] = columnExpr(c, f)
	}
	if err := b.generate(rel, exprs); err != nil {
		return nil, err
	}
	return &logical.Project{Input: base, Exprs: exprs, Out: base.Out}, nil
}

// generate replaces the values of generated columns in a row's expressions by
// what they are computed from.
func (b *binder) generate(rel *catalog.Relation, row []*scalar.Expr) error {
	base := append([]*scalar.Expr(nil), row...)
	fields := make([]logical.Field, len(rel.Columns))
	for i, c := range rel.Columns {
		fields[i] = logical.Field{Name: c.Name, Type: c.Type, Origin: c.Name}
	}
	for i, c := range rel.Columns {
		if c.Generated == "" {
			continue
		}
		e, err := (&level{b: b, scope: relationScope(fields)}).storedExpr(c.Generated, c.Type)
		if err != nil {
			x := pgerr.From(err)
			return pgerr.New(x.Code, "generated column %q of relation %q: %s", c.Name, rel.Name, x.Message)
		}
		clearPositions(e)
		if row[i], err = b.substitute(e, base); err != nil {
			return err
		}
	}
	return nil
}

// substitute replaces the columns of e by expressions.
func (b *binder) substitute(e *scalar.Expr, with []*scalar.Expr) (*scalar.Expr, error) {
	return b.rewrite(e, func(x *scalar.Expr) (*scalar.Expr, error) {
		if x.Op == scalar.OpColumn {
			return with[x.Column], nil
		}
		return nil, nil
	})
}

// returning binds a RETURNING list over the row that was changed and what it was
// joined with. rows is what it comes to over given rows with these fields, if there
// are subqueries in it.
func (b *binder) returning(items []ast.SelectItem, over *scope, e env, fields []logical.Field) (exprs []*scalar.Expr, out []logical.Field, rows logical.Node, err error) {
	if len(items) == 0 {
		return nil, nil, nil, nil
	}
	s := &selection{level: level{b: b, ctes: e.ctes}, sel: &ast.Select{Items: items, From: []ast.TableExpr{nil}}, q: &ast.Query{}}
	s.scope = over
	if err := s.bindItems(); err != nil {
		return nil, nil, nil, err
	}
	if len(s.aggs.list) > 0 {
		return nil, nil, nil, pgerr.New(pgerr.GroupingError, "aggregate functions are not allowed in RETURNING").At(s.aggs.list[0].Pos)
	}
	if len(s.srf) > 0 {
		return nil, nil, nil, pgerr.New(pgerr.FeatureNotSupported, "set-returning functions are not allowed in RETURNING").At(s.srf[0].node.Pos)
	}
	if len(s.pending) > 0 {
		rows = givenRows(0, fields)
		for _, it := range s.items {
			if rows, err = s.plant(rows, it.expr); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	for _, it := range s.items {
		exprs = append(exprs, it.expr)
		f := logical.Field{Name: it.name, Type: it.expr.Type, Origin: it.expr.Text}
		for _, c := range over.cols {
			if it.expr.Op == scalar.OpColumn && c.expr.Op == scalar.OpColumn && c.expr.Column == it.expr.Column {
				f.Base, f.Attribute = c.field.Base, c.field.Attribute
			}
		}
		out = append(out, f)
	}
	if rows != nil {
		rows = overGiven(rows, len(fields), exprs, out)
	}
	return exprs, out, rows, nil
}

func tableScope(rel *catalog.Relation, alias *ast.Name) *scope {
	name := rel.Name
	schema := rel.Schema
	if alias != nil {
		name, schema = alias.Value, ""
	}
	v := &logical.Values{}
	for i, c := range rel.Columns {
		v.Out = append(v.Out, logical.Field{Name: c.Name, Relation: name, Type: c.Type, Origin: c.Name, Base: rel.ID, Attribute: int16(i + 1)})
	}
	return scopeOf(v, name, schema)
}
