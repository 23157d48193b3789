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

// fromList binds FROM: nothing is one empty row, several items are a cross join.
func (l *level) fromList(list []ast.TableExpr) (*bound, error) {
	if len(list) == 0 {
		return &bound{&logical.Values{Rows: [][]*scalar.Expr{{}}}, &scope{}}, nil
	}
	var left *bound
	for _, te := range list {
		if left == nil {
			r, err := l.tableExpr(te, nil)
			if err != nil {
				return nil, err
			}
			left = r.bound()
			continue
		}
		joined, err := l.joinTo(left, te, &ast.Join{Kind: "cross"})
		if err != nil {
			return nil, err
		}
		left = joined
	}
	return left, nil
}

// fromItem is a table expression that may depend on the items to its left.
type fromItem struct {
	node  logical.Node
	scope *scope
	args  []*scalar.Expr // over the left side's columns; nil for none
}

func (f *fromItem) bound() *bound { return &bound{f.node, f.scope} }

// tableExpr binds one item of FROM; left is what it may refer to laterally.
func (l *level) tableExpr(te ast.TableExpr, left *bound) (*fromItem, error) {
	if err := l.b.enter(te.Offset()); err != nil {
		return nil, err
	}
	defer l.b.leave()
	switch te := te.(type) {
	case *ast.TableRef:
		return l.tableRef(te)
	case *ast.Derived:
		return l.derived(te, left)
	case *ast.TableFunc:
		return l.tableFunc(te, left)
	case *ast.Join:
		return l.joinItem(te, left)
	case *ast.MatchRecognize:
		return nil, pgerr.NotSupported(int(te.Pos), "MATCH_RECOGNIZE")
	}
	return nil, pgerr.NotSupported(int(te.Offset()), "this kind of table expression")
}

// tableRef binds a name: of a WITH query, a view, or a relation with rows.
func (l *level) tableRef(x *ast.TableRef) (*fromItem, error) {
	if x.SystemAt != nil {
		return nil, refuseSystemTime(x.SystemAt)
	}
	if *l.b.read++; *l.b.read > readMax {
		return nil, pgerr.New(pgerr.StatementTooComplex, "the statement reads more than %d relations", readMax).At(int(x.Pos)).
			Hint("Each reference to a view or a WITH query reads all that its query does. Keep the result of one in a materialized view.")
	}
	name, schema := x.Name.Last().Value, ""
	added := 0
	var node logical.Node
	var rel *catalog.Relation
	var err error
	if len(x.Name) == 1 {
		if c := l.ctes.find(name); c != nil {
			if c.writes && c.given == nil {
				return nil, pgerr.New(pgerr.FeatureNotSupported, "WITH query %q does not have a RETURNING clause", name).At(int(x.Pos))
			}
			if c.working != nil {
				l.recursive, added = true, c.added
			}
			node, err = l.useCTE(c, int(x.Pos))
		}
	}
	if node == nil && err == nil {
		if rel, err = l.b.relation(x.Name); err != nil {
			return nil, err
		}
		schema = rel.Schema
		node, err = l.b.relationNode(rel, x)
	}
	if err != nil {
		return nil, err
	}
	l.relationHints(x, node)
	sc, err := l.b.aliased(node, name, schema, x.Alias)
	if err != nil {
		return nil, err
	}
	if x.Alias != nil {
		sc.rels[0].base = name
	}
	for i := len(sc.cols) - added; i < len(sc.cols); i++ {
		sc.cols[i].system = true
	}
	if rel != nil && len(rel.PrimaryKey) > 0 && rel.Kind != catalog.View {
		l.dependents = append(l.dependents, dependent{end: len(sc.cols), primary: rel.PrimaryKey})
	}
	if rel != nil && rel.OID != 0 {
		node = sc.addTableOID(node, rel)
	}
	return &fromItem{node: node, scope: sc}, nil
}

// addTableOID gives the rows of a system table the column by which clients tell
// from which of them a row of a UNION comes. It is a field of the node, since an
// outer join may have to make it null.
func (s *scope) addTableOID(node logical.Node, rel *catalog.Relation) logical.Node {
	p := &logical.Project{Input: node}
	for i, f := range node.Fields() {
		p.Exprs, p.Out = append(p.Exprs, columnExpr(i, f)), append(p.Out, f)
	}
	f := logical.Field{Name: "tableoid", Relation: s.rels[0].name, Type: types.Of(types.OID)}
	p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpConst, Type: f.Type, Value: &types.Value{Int: int64(rel.OID)}, Pos: -1})
	s.cols = append(s.cols, column{name: f.Name, relation: s.rels[0].name, schema: s.rels[0].schema, field: f, expr: columnExpr(len(p.Out), f), system: true})
	p.Out = append(p.Out, f)
	return p
}

// renamed gives the first columns other names.
func renamed(node logical.Node, names []ast.Name) logical.Node {
	if len(names) == 0 {
		return node
	}
	p := &logical.Project{Input: node}
	for i, f := range node.Fields() {
		p.Exprs = append(p.Exprs, columnExpr(i, f))
		if i < len(names) {
			f.Name = names[i].Value
		}
		p.Out = append(p.Out, f)
	}
	return p
}

// aliased is the scope of a node under its name or alias.
func (b *binder) aliased(node logical.Node, name, schema string, alias *ast.Alias) (*scope, error) {
	if alias != nil {
		name, schema = alias.Name.Value, ""
	}
	sc := scopeOf(node, name, schema)
	if alias == nil {
		return sc, nil
	}
	return sc, b.columnAliases(sc, alias)
}

func (b *binder) columnAliases(sc *scope, alias *ast.Alias) error {
	if len(alias.Columns) > len(sc.cols) {
		return pgerr.New(pgerr.InvalidColumnReference, "table %q has %d columns available but %d columns specified", alias.Name.Value, len(sc.cols), len(alias.Columns)).
			At(int(alias.Columns[len(sc.cols)].Pos))
	}
	for i, n := range alias.Columns {
		sc.cols[i].name = n.Value
	}
	return nil
}

// relationNode reads a relation: a view is replaced by its query.
func (b *binder) relationNode(rel *catalog.Relation, x *ast.TableRef) (logical.Node, error) {
	b.dependOn(rel.ID)
	switch rel.Kind {
	case catalog.View:
		return b.expandView(rel, x.Name)
	case catalog.Sink:
		return nil, pgerr.New(pgerr.WrongObjectType, "cannot read from sink %q", rel.Name).At(int(x.Pos)).
			Hint("A sink is written only. Declare a TABLE or SOURCE on the same data to read it.")
	case catalog.Index:
		return nil, pgerr.New(pgerr.WrongObjectType, "%q is an index", rel.Name).At(int(x.Pos))
	}
	alias := rel.Name
	if x.Alias != nil {
		alias = x.Alias.Name.Value
	}
	return b.scan(rel, alias, int(x.Pos))
}

const viewsMax = 64

// expandView binds a view's stored query in its place. Faults in it are reported
// at the reference, since their own positions are in another text.
func (b *binder) expandView(rel *catalog.Relation, name ast.Path) (logical.Node, error) {
	pos := int(name.Offset())
	full := rel.Schema + "." + rel.Name
	for _, v := range b.viewing {
		if v == full {
			return nil, pgerr.New(pgerr.InvalidObjectDefinition, "infinite recursion detected in the definition of view %q", rel.Name).At(pos)
		}
	}
	if len(b.viewing) >= viewsMax {
		return nil, pgerr.New(pgerr.StatementTooComplex, "views are nested more than %d deep", viewsMax).At(pos)
	}
	b.viewing = append(b.viewing, full)
	defer func() { b.viewing = b.viewing[:len(b.viewing)-1] }()
	q, err := b.opts.ParseQuery(rel.Query, name.Offset())
	var node logical.Node
	if err == nil {
		// A view sees none of the statement's parameters or names.
		inner := *b
		inner.params = nil
		node, err = inner.queryNode(q, env{}, queryMode{})
		b.notices, b.depends = inner.notices, inner.depends
	}
	if micros, ok := ttlMicros(rel.Options["state_ttl"]); ok && err == nil {
		inheritTTL(node, micros)
	}
	if err == nil && len(node.Fields()) != len(rel.Columns) {
		err = pgerr.New(pgerr.InvalidObjectDefinition, "its query has %d columns instead of %d", len(node.Fields()), len(rel.Columns))
	}
	if err != nil {
		e := pgerr.From(err)
		if e.Code == pgerr.StatementTooComplex {
			return nil, e.At(pos)
		}
		return nil, pgerr.New(e.Code, "view %q cannot be used: %s", rel.Name, e.Message).At(pos).Hint("Its definition does not fit the relations it reads any more. Create it again.").Wrap(err)
	}
	names := make([]ast.Name, len(rel.Columns))
	for i, c := range rel.Columns {
		names[i].Value = c.Name
	}
	node = renamed(node, names)
	for i, out := 0, node.Fields(); i < len(out); i++ { // it is the view's own column now
		out[i].Base, out[i].Attribute = rel.ID, int16(i+1)
	}
	return node, nil
}

// scan reads a stored relation, all columns. The optimizer drops those not used.
func (b *binder) scan(rel *catalog.Relation, alias string, pos int) (*logical.Scan, error) {
	n := &logical.Scan{Relation: rel, Alias: alias, WatermarkColumn: -1, Pos: pos}
	fields := make([]logical.Field, len(rel.Columns))
	for i, c := range rel.Columns {
		fields[i] = logical.Field{Name: c.Name, Relation: alias, Type: c.Type, Origin: c.Name, Base: rel.ID, Attribute: int16(i + 1), Registered: c.Registered}
		n.Columns = append(n.Columns, i)
	}
	fail := func(what string, err error) error {
		e := pgerr.From(err)
		return pgerr.New(e.Code, "%s of relation %q: %s", what, rel.Name, e.Message).At(pos).Wrap(err)
	}
	l := &level{b: b, scope: relationScope(fields)}
	for i, c := range rel.Columns {
		if c.Generated == "" {
			continue
		}
		if n.Generated == nil {
			n.Generated = make([]*scalar.Expr, len(rel.Columns))
		}
		e, err := l.storedExpr(c.Generated, c.Type)
		if err != nil {
			return nil, fail("generated column "+c.Name, err)
		}
		n.Generated[i] = e
		fields[i].ProcTime = isProctime(e)
	}
	if w := rel.Watermark; w != nil {
		e, err := l.storedExpr(w.X, rel.Columns[w.Column].Type)
		if err != nil {
			return nil, fail("watermark", err)
		}
		n.Watermark, n.WatermarkColumn = e, w.Column
		fields[w.Column].TimeAttr = true
	}
	n.Out = fields
	return n, nil
}

func relationScope(fields []logical.Field) *scope {
	s := &scope{}
	for i, f := range fields {
		s.cols = append(s.cols, column{name: f.Name, relation: f.Relation, field: f, expr: columnExpr(i, f)})
	}
	return s
}

// storedExpr binds SQL text from the catalog over a relation's columns. Positions
// in it mean nothing in the statement.
func (l *level) storedExpr(text string, t types.Type) (*scalar.Expr, error) {
	x, err := l.b.opts.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	e, err := l.exprAs(x, t, assignment)
	if err != nil {
		return nil, err
	}
	if e, err = l.b.coerce(e, t, assignment); err != nil {
		return nil, err
	}
	walk(e, func(x *scalar.Expr) bool {
		x.Pos = -1
		return true
	})
	return e, nil
}

func isProctime(e *scalar.Expr) bool {
	return walk(e, func(x *scalar.Expr) bool {
		return !(x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "proctime("))
	}) == false
}

// derived binds a subquery in FROM.
func (l *level) derived(x *ast.Derived, left *bound) (*fromItem, error) {
	e := env{ctes: l.ctes, outer: l.outer}
	var o *outer
	if x.Lateral && left != nil {
		o = l.lateral(left)
		e.outer = o
	}
	if !x.Lateral {
		defer l.hideLeft()()
	}
	node, err := l.b.subquery(x.Query, e, queryMode{})
	if err != nil {
		return nil, err
	}
	name := ""
	if x.Alias != nil {
		name = x.Alias.Name.Value
	}
	sc, err := l.b.aliased(node, name, "", x.Alias)
	if err != nil {
		return nil, err
	}
	f := &fromItem{node: node, scope: sc}
	if o != nil {
		f.args = o.args
	}
	return f, nil
}

// lateral is the outer side of a FROM item that may refer to those to its left.
func (l *level) lateral(left *bound) *outer {
	at := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: left.scope, clause: "LATERAL"}
	return &outer{from: at, lateral: true}
}
