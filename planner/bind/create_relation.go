package bind

import (
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// CreateRelation turns CREATE TABLE|SOURCE|SINK, without LIKE, into a relation without an
// id: types resolved, keys found, expressions checked. Whether the name is free and
// the options fit the connector is the caller's to check.
func CreateRelation(st *ast.CreateRelation, opts Options) (*catalog.Relation, error) {
	return newDefinition(st, opts, false)
}

// newDefinition is CreateRelation. Under altered, unique constraints over the same
// columns were made one by one, and stay several.
func newDefinition(st *ast.CreateRelation, opts Options, altered bool) (*catalog.Relation, error) {
	b := newBinder(opts)
	kind := map[ast.RelationKind]catalog.Kind{ast.SourceKind: catalog.Source, ast.SinkKind: catalog.Sink}[st.Kind]
	if kind == "" {
		kind = catalog.Table
	}
	rel, err := b.newRelation(st.Name, kind)
	if err != nil {
		return nil, err
	}
	if err := refuseInCreate(st); err != nil {
		return nil, err
	}
	rel.AppendOnly, rel.Comment = st.AppendOnly, st.Comment
	if rel.Options, err = optionMap(st.Options); err != nil {
		return nil, err
	}
	if kind != catalog.Table && rel.Options["connector"] == "" {
		return nil, pgerr.New(pgerr.InvalidTableDefinition, "CREATE %s needs the option \"connector\"", upper(string(kind))).At(int(st.Name.Offset())).
			Hint("Write WITH (connector = '…') after the columns.")
	}
	d := &definition{b: b, st: st, rel: rel, altered: altered}
	for _, f := range []func() error{d.columns, d.primaryKey, d.defaults, d.generated, d.constraints, d.watermark} {
		if err := f(); err != nil {
			return nil, err
		}
	}
	if err := b.refuseParams("a relation"); err != nil {
		return nil, err
	}
	return rel, nil
}

// newRelation checks the schema of a name that is being created.
func (b *binder) newRelation(path ast.Path, kind catalog.Kind) (*catalog.Relation, error) {
	schema := "public"
	if len(path) > 1 {
		n := path[len(path)-2]
		schema = n.Value
		if !b.opts.Catalog.HasSchema(schema) {
			return nil, pgerr.New(pgerr.InvalidSchemaName, "schema %q does not exist", schema).At(int(n.Pos))
		}
		switch schema {
		case "pg_catalog", "information_schema", "millrace":
			return nil, pgerr.New(pgerr.InsufficientPrivilege, "permission denied for schema %s", schema).At(int(n.Pos)).
				WithDetail("System schemas cannot be changed.")
		}
	}
	if len(path.Last().Value) > 63 {
		return nil, pgerr.New(pgerr.NameTooLong, "identifier %q is longer than 63 bytes", path.Last().Value).At(int(path.Last().Pos))
	}
	return &catalog.Relation{Schema: schema, Name: path.Last().Value, Kind: kind}, nil
}

func refuseInCreate(st *ast.CreateRelation) error {
	pos := int(st.Name.Offset())
	switch {
	case st.Temporary:
		return pgerr.NotSupported(int(st.Pos), "CREATE TEMPORARY TABLE")
	case st.Query != nil:
		return pgerr.NotSupported(int(st.Query.Pos), "CREATE "+upper(string(st.Kind))+" … AS")
	case len(st.From) > 0:
		return pgerr.NotSupported(int(st.From.Offset()), "CREATE SINK … FROM")
	case st.Kind == ast.SinkKind && st.Watermark != nil:
		return pgerr.New(pgerr.InvalidTableDefinition, "a sink cannot have a watermark").At(int(st.Watermark.Pos))
	case st.AppendOnly && len(st.PrimaryKey) > 0:
		return pgerr.New(pgerr.InvalidTableDefinition, "an APPEND ONLY table cannot have a primary key").At(pos)
	}
	return nil
}

// optionMap reads a WITH list.
func optionMap(list []ast.Option) (map[string]string, error) {
	out := map[string]string{}
	for i := range list {
		o := &list[i]
		v := "true"
		if o.Value != nil {
			text, ok := optionValue(o.Value)
			if !ok {
				return nil, pgerr.New(pgerr.SyntaxError, "the value of option %q must be a literal", o.Name).At(int(o.Value.Offset()))
			}
			v = text
		}
		if _, twice := out[o.Name]; twice {
			return nil, pgerr.New(pgerr.SyntaxError, "option %q is given twice", o.Name).At(int(o.Pos))
		}
		out[o.Name] = v
	}
	return out, nil
}

func optionValue(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.Literal:
		return x.Text, x.Kind != ast.NullLiteral
	case *ast.ColumnRef:
		return pathText(x.Path), true
	case *ast.Unary:
		v, ok := optionValue(x.X)
		return x.Op + v, ok && (x.Op == "-" || x.Op == "+")
	case *ast.IntervalLiteral:
		return strings.TrimSpace(x.Text + " " + x.Fields), true
	}
	return "", false
}

// definition is a relation while its parts are being checked.
type definition struct {
	b       *binder
	st      *ast.CreateRelation
	rel     *catalog.Relation
	altered bool
}

func (d *definition) columns() error {
	for i := range d.st.Columns {
		if err := d.column(&d.st.Columns[i]); err != nil {
			return err
		}
	}
	physical := 0
	for i := range d.st.Columns {
		if d.st.Columns[i].Generated == nil && !d.st.Columns[i].IsMetadata {
			physical++
		}
	}
	if physical == 0 && d.b.opts.ConnectorColumns != nil {
		given := d.b.opts.ConnectorColumns(d.rel.Options)
		d.rel.Columns = append(append([]catalog.Column(nil), given...), d.rel.Columns...)
	}
	if len(d.rel.Columns) == 0 && d.rel.Options["connector"] == "" {
		return pgerr.New(pgerr.InvalidTableDefinition, "relation %q has no columns", d.rel.Name).At(int(d.st.Name.Offset()))
	}
	if len(d.rel.Columns) > 1600 {
		return pgerr.New(pgerr.TooManyColumns, "tables can have at most 1600 columns").At(int(d.st.Name.Offset()))
	}
	return nil
}

func (d *definition) column(c *ast.ColumnDef) error {
	pos := int(c.Name.Pos)
	for _, have := range d.rel.Columns {
		if have.Name == c.Name.Value {
			return pgerr.New(pgerr.DuplicateColumn, "column %q specified more than once", c.Name.Value).At(pos)
		}
	}
	switch {
	case c.Default != nil && c.Generated != nil:
		return pgerr.New(pgerr.SyntaxError, "both default and generation expression specified for column %q of table %q", c.Name.Value, d.rel.Name).At(pos)
	case c.IsMetadata && d.rel.Options["connector"] == "":
		return pgerr.New(pgerr.InvalidTableDefinition, "column %q cannot be METADATA: table %q has no connector", c.Name.Value, d.rel.Name).At(pos)
	case c.Generated != nil && d.rel.Kind == catalog.Sink:
		return pgerr.New(pgerr.InvalidTableDefinition, "a sink cannot have the generated column %q", c.Name.Value).At(pos)
	}
	col := catalog.Column{Name: c.Name.Value, NotNull: c.NotNull || c.PrimaryKey, Comment: c.Comment}
	if c.Identity != nil || IsSerial(c.Type) {
		if err := d.identity(c, &col); err != nil {
			return err
		}
	} else if c.Type.Name != "" {
		t, err := ResolveType(c.Type)
		if err != nil {
			return err
		}
		if k := t.Kind; k == types.Void || k == types.Row && len(t.Fields) == 0 {
			return pgerr.New(pgerr.InvalidTableDefinition, "column %q has pseudo-type %s", col.Name, t).At(pos)
		}
		col.Type = t
	} else if c.Generated == nil {
		return pgerr.New(pgerr.SyntaxError, "column %q has no type", col.Name).At(pos)
	}
	if c.IsMetadata {
		col.Metadata = c.Metadata
		if col.Metadata == "" {
			col.Metadata = col.Name
		}
	}
	d.rel.Columns = append(d.rel.Columns, col)
	return nil
}

func (d *definition) primaryKey() error {
	names := d.st.PrimaryKey
	for i := range d.st.Columns {
		c := &d.st.Columns[i]
		if !c.PrimaryKey {
			continue
		}
		if len(names) > 0 {
			return pgerr.New(pgerr.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", d.rel.Name).At(int(c.Name.Pos))
		}
		names = append(names, c.Name)
	}
	for _, n := range names {
		i := d.find(n.Value)
		if i < 0 {
			return pgerr.New(pgerr.UndefinedColumn, "column %q named in key does not exist", n.Value).At(int(n.Pos))
		}
		for _, have := range d.rel.PrimaryKey {
			if have == i {
				return pgerr.New(pgerr.DuplicateColumn, "column %q appears twice in primary key constraint", n.Value).At(int(n.Pos))
			}
		}
		if _, ok := scalar.Comparison("=", d.rel.Columns[i].Type); !ok {
			return pgerr.New(pgerr.UndefinedObject, "column %q of type %s cannot be part of a primary key", n.Value, d.rel.Columns[i].Type).At(int(n.Pos))
		}
		d.rel.Columns[i].NotNull = true
		d.rel.PrimaryKey = append(d.rel.PrimaryKey, i)
	}
	return nil
}

func (d *definition) find(name string) int {
	for i := range d.rel.Columns {
		if d.rel.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

func (d *definition) defaults() error {
	for i := range d.st.Columns {
		c := &d.st.Columns[i]
		if c.Default == nil {
			continue
		}
		if ref := firstColumn(c.Default); ref != nil {
			return pgerr.New(pgerr.FeatureNotSupported, "cannot use column reference in DEFAULT expression").At(int(ref.Pos))
		}
		col := &d.rel.Columns[d.find(c.Name.Value)]
		e, err := (&level{b: d.b, clause: "DEFAULT expressions"}).plain(c.Default, col.Type)
		if err != nil {
			return err
		}
		if !d.b.canCoerce(e.Type, col.Type, assignment) {
			return pgerr.New(pgerr.DatatypeMismatch, "column %q is of type %s but default expression is of type %s", col.Name, bare(col.Type), bare(e.Type)).At(e.Pos).
				Hint("You will need to rewrite or cast the expression.")
		}
		if _, err := d.b.coerce(e, col.Type, assignment); err != nil {
			return err
		}
		col.Default = d.b.opts.Print(c.Default)
	}
	return nil
}

// plain binds an expression without subqueries where a value of type t is assigned.
func (l *level) plain(x ast.Expr, t types.Type) (*scalar.Expr, error) {
	e, err := l.exprAs(x, t, assignment)
	if err != nil {
		return nil, err
	}
	if len(l.pending) > 0 {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "cannot use subquery in %s", strings.TrimSuffix(l.clause, "s")).At(int(x.Offset()))
	}
	return e, nil
}

// generated checks the generated columns over the others.
func (d *definition) generated() error {
	fields := make([]logical.Field, len(d.rel.Columns))
	isGenerated := map[string]bool{}
	for i := range d.st.Columns {
		if d.st.Columns[i].Generated != nil {
			isGenerated[d.st.Columns[i].Name.Value] = true
		}
	}
	for i, c := range d.rel.Columns {
		fields[i] = logical.Field{Name: c.Name, Type: c.Type, Origin: c.Name}
	}
	for i := range d.st.Columns {
		c := &d.st.Columns[i]
		if c.Generated == nil {
			continue
		}
		if ref := firstReference(c.Generated, isGenerated); ref != nil {
			return pgerr.New(pgerr.InvalidObjectDefinition, "cannot use generated column %q in column generation expression", ref.Path.Last().Value).At(int(ref.Pos)).
				WithDetail("A generated column cannot reference another generated column.")
		}
		at := d.find(c.Name.Value)
		col := &d.rel.Columns[at]
		e, err := (&level{b: d.b, scope: relationScope(fields), clause: "column generation expressions"}).plain(c.Generated, col.Type)
		if err != nil {
			return err
		}
		if err := d.deterministic(e); err != nil {
			return err
		}
		if col.Type.Kind == types.Invalid {
			if e, err = d.b.untyped(e); err != nil {
				return err
			}
			col.Type = e.Type
		} else if !d.b.canCoerce(e.Type, col.Type, assignment) {
			return pgerr.New(pgerr.DatatypeMismatch, "column %q is of type %s but expression is of type %s", col.Name, bare(col.Type), bare(e.Type)).At(e.Pos).
				Hint("You will need to rewrite or cast the expression.")
		} else if _, err := d.b.coerce(e, col.Type, assignment); err != nil {
			return err
		}
		col.Generated = d.b.opts.Print(c.Generated)
	}
	return nil
}

// untyped makes text of an untyped literal.
func (b *binder) untyped(e *scalar.Expr) (*scalar.Expr, error) {
	if e.Type.Kind != types.Unknown {
		return e, nil
	}
	return b.coerce(e, types.Of(types.Text), implicit)
}

// deterministic refuses what would give another value at each reading. An own
// table keeps the value; elsewhere it is computed when a row is read, so that the
// time of reading is allowed there.
func (d *definition) deterministic(e *scalar.Expr) error {
	limit := scalar.Stable
	if d.rel.IsOwnTable() {
		limit = scalar.Immutable
	}
	bad := -1
	found := false
	walk(e, func(x *scalar.Expr) bool {
		if x.Op == scalar.OpCall && !found {
			if f := scalar.ByKey(x.Func); f != nil && f.Volatility > limit {
				found, bad = true, x.Pos
			}
		}
		return true
	})
	if found {
		err := pgerr.New(pgerr.InvalidObjectDefinition, "generation expression is not immutable").At(bad)
		if d.rel.IsOwnTable() {
			return err.Hint("A table of Millrace's own keeps generated values: take DEFAULT for one that is of the moment in which a row is written, or a relation with a connector, whose columns are computed as rows are read.")
		}
		return err
	}
	return nil
}

// watermark checks WATERMARK FOR column AS expression.
func (d *definition) watermark() error {
	w := d.st.Watermark
	if w == nil {
		return nil
	}
	at := d.find(w.Column.Value)
	if at < 0 {
		var names []string
		for _, c := range d.rel.Columns {
			names = append(names, c.Name)
		}
		e := pgerr.New(pgerr.UndefinedColumn, "column %q of the watermark does not exist", w.Column.Value).At(int(w.Column.Pos))
		if near := nearest(w.Column.Value, names); near != "" {
			e.Hint("Perhaps you meant %q.", near)
		}
		return e
	}
	col := &d.rel.Columns[at]
	if k := col.Type.Kind; k != types.Timestamp && k != types.TimestampTZ {
		return pgerr.New(pgerr.DatatypeMismatch, "the watermark's column %q must be a timestamp, not of type %s", col.Name, bare(col.Type)).At(int(w.Column.Pos))
	}
	fields := make([]logical.Field, len(d.rel.Columns))
	for i, c := range d.rel.Columns {
		fields[i] = logical.Field{Name: c.Name, Type: c.Type, Origin: c.Name}
	}
	e, err := (&level{b: d.b, scope: relationScope(fields), clause: "watermark expressions"}).plain(w.X, types.Type{})
	if err != nil {
		return err
	}
	if !d.b.canCoerce(e.Type, col.Type, assignment) {
		return pgerr.New(pgerr.DatatypeMismatch, "the watermark of column %q must be of type %s, not %s", col.Name, bare(col.Type), bare(e.Type)).At(e.Pos)
	}
	if e, err = d.b.coerce(e, col.Type, assignment); err != nil {
		return err
	}
	_, rises := scalar.Rising(e) // in UTC, in which jobs compute it: it is immutable there
	if err := d.deterministic(e); err != nil && !rises {
		return pgerr.New(pgerr.InvalidObjectDefinition, "watermark expression is not immutable").At(pgerr.From(err).Position)
	}
	d.rel.Watermark = &catalog.Watermark{Column: at, X: d.b.opts.Print(w.X)}
	return nil
}
