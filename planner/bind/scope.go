package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// column is one column that names can resolve to.
type column struct {
	name     string
	relation string // alias it can be qualified with
	schema   string // of a relation without an alias
	field    logical.Field
	// expr computes the column from the node's fields; it is a plain column
	// except for the merged columns of FULL JOIN … USING.
	expr *scalar.Expr
	// qualified columns are found with their qualifier only and are not part of
	// *: the sides of a USING column. Columns of group windows have no name.
	qualified bool
	// system columns are found by name alone: no *, NATURAL or whole row has them.
	system bool
	// merged are the USING columns that stand for two.
	merged bool
}

// scope is what names mean at one place: the columns of a node. Fields of the
// node that no column shows are invisible.
type scope struct {
	cols []column
	rels []scopeRelation
}

// scopeRelation is a name that columns can be qualified with; base is the
// relation's own name where an alias hides it.
type scopeRelation struct {
	name, schema, base string
	// value is set for a function that returns one value a row: its name means
	// that value, not a row of it.
	value bool
	// padded is set on the side of an outer join that may be missing.
	padded bool
}

// bound is a table expression: a node and what its columns are called.
type bound struct {
	node  logical.Node
	scope *scope
}

// outer collects the references of a subquery to the query around it.
type outer struct {
	from *level
	args []*scalar.Expr // over from's scope
	// lateral marks FROM items that may only see items to their left.
	lateral bool
}

// level is one SELECT while its expressions are being bound.
type level struct {
	b     *binder
	ctes  *cteScope
	outer *outer // nil at the top
	// lefts are the items to the left of the joins of FROM that are being bound.
	lefts  []*level
	scope  *scope
	clause string // "WHERE" …, for messages
	// aggs collects aggregates; nil where they are not allowed.
	aggs  *aggregation
	inAgg bool
	// argument is set within an aggregate's arguments, and stays so in a subquery
	// of theirs.
	argument bool
	pending  []*pendingQuery
	planted  map[int]plantedQuery // by pending query
	window   *groupWindow
	srf      []*pendingFunction
	overs    *overs // collects window function calls; nil where they are not allowed
	// alias finds an output column for a name that no input column has, nil for
	// none; nil where output columns cannot be named.
	alias    func(*ast.ColumnRef) (*scalar.Expr, error)
	allowSRF bool   // in the select list, GROUP BY and ORDER BY: set-returning functions
	noSRF    string // the expression around, CASE or COALESCE, that takes none of them
	// recursive is set when FROM refers to the recursive query this is a part of.
	recursive bool
	// dependents are the relations whose primary key may be among group keys.
	dependents []dependent
	ttl        []ttlHint
}

// dependent is a relation's span of columns and its primary key among them.
type dependent struct {
	first, end int
	primary    []int
	grouped    bool
}

// scopeOf names the fields of a node after one relation.
func scopeOf(node logical.Node, name, schema string) *scope {
	s := &scope{rels: []scopeRelation{{name: name, schema: schema}}}
	for i, f := range node.Fields() {
		s.cols = append(s.cols, column{name: f.Name, relation: name, schema: schema, field: f, expr: columnExpr(i, f)})
	}
	return s
}

func columnExpr(i int, f logical.Field) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: f.Type, Text: textOfOrigin(f), Pos: -1}
}

// textOfOrigin is how expressions over a field mention it.
func textOfOrigin(f logical.Field) string {
	if f.Origin != "" {
		return f.Origin
	}
	return f.Name
}

// at gives a copy of a column's expression for a use at pos.
func (c *column) at(pos ast.Pos) *scalar.Expr {
	e := *c.expr
	e.Pos = int(pos)
	return &e
}

// find looks a column up by name, with its relation unless that is "".
func (s *scope) find(schema, relation, name string) (found *column, ambiguous bool) {
	if s == nil {
		return nil, false
	}
	for i := range s.cols {
		c := &s.cols[i]
		if c.name != name || c.name == "" {
			continue
		}
		if relation == "" && c.qualified || relation != "" && (c.relation != relation || c.merged) || schema != "" && c.schema != schema {
			continue
		}
		if found != nil {
			return found, true
		}
		found = c
	}
	return found, false
}

func (s *scope) hasRelation(schema, name string) bool {
	if s == nil {
		return false
	}
	for _, r := range s.rels {
		if r.name == name && (schema == "" || r.schema == schema) {
			return true
		}
	}
	return false
}

// columnRef resolves a column by going outwards through the queries.
func (l *level) columnRef(x *ast.ColumnRef) (*scalar.Expr, error) {
	if l.alias != nil && len(x.Path) == 1 {
		if e, err := l.resolveHere(x.Path); err != nil || e != nil {
			return e, err
		}
		if e, err := l.alias(x); err != nil || e != nil {
			return e, err
		}
	}
	e, err := l.resolvePath(x.Path)
	if err != nil || e != nil {
		return e, err
	}
	return nil, l.undefinedColumn(x.Path)
}

// resolvePath resolves [[schema.]relation.]column[.field…] or a whole row; nil
// when there is no such name.
func (l *level) resolvePath(p ast.Path) (*scalar.Expr, error) {
	for at := l; at != nil; {
		e, err := at.resolveHere(p)
		if err != nil {
			return nil, err
		}
		if e != nil {
			return l.carryIn(at, e), nil
		}
		if at.outer == nil {
			return nil, nil
		}
		at = at.outer.from
	}
	return nil, nil
}

// carryIn turns an expression over the columns of an enclosing level into one
// for l, through an outer reference of each subquery in between.
func (l *level) carryIn(at *level, e *scalar.Expr) *scalar.Expr {
	l.b.reach(at)
	if at == l {
		return e
	}
	e = l.outer.from.carryIn(at, e)
	for i, a := range l.outer.args {
		if exprEqual(a, e) {
			return &scalar.Expr{Op: scalar.OpOuter, Column: i, Type: e.Type, Text: e.Text, Pos: e.Pos}
		}
	}
	l.outer.args = append(l.outer.args, e)
	return &scalar.Expr{Op: scalar.OpOuter, Column: len(l.outer.args) - 1, Type: e.Type, Text: e.Text, Pos: e.Pos}
}

// resolveHere tries the ways to read a path in this level's scope: a column of a
// relation first, as PostgreSQL does, and a field of a column last.
func (l *level) resolveHere(p ast.Path) (*scalar.Expr, error) {
	if l.scope == nil {
		return nil, nil
	}
	pos := p.Offset()
	try := func(schema, relation string, i int) (*scalar.Expr, error) {
		c, ambiguous := l.scope.find(schema, relation, p[i].Value)
		if ambiguous {
			name := p[i].Value
			if relation != "" {
				name = relation + "." + name
			}
			return nil, pgerr.New(pgerr.AmbiguousColumn, "column reference %q is ambiguous", name).At(int(pos))
		}
		if c == nil {
			return nil, nil
		}
		e := c.at(pos)
		return l.fields(e, p[i+1:])
	}
	for _, way := range []struct {
		qualifiers       int // names before the column's
		schema, relation string
	}{{1, "", nameAt(p, 0)}, {2, nameAt(p, 0), nameAt(p, 1)}, {3, nameAt(p, 1), nameAt(p, 2)}, {0, "", ""}} {
		if len(p) <= way.qualifiers {
			continue
		}
		if e, err := try(way.schema, way.relation, way.qualifiers); e != nil || err != nil {
			return e, err
		}
	}
	if len(p) == 1 && l.scope.hasRelation("", p[0].Value) {
		return l.wholeRow(p[0].Value, pos), nil
	}
	return nil, nil
}

// nameAt is the i-th name of a path, "" past its end.
func nameAt(p ast.Path, i int) string {
	if i < len(p) {
		return p[i].Value
	}
	return ""
}

// fields applies .a.b to a row value; nil when it has no such field.
func (l *level) fields(e *scalar.Expr, rest ast.Path) (*scalar.Expr, error) {
	for _, n := range rest {
		if e.Type.Kind != types.Row {
			return nil, nil
		}
		f, err := l.b.fieldOf(e, n)
		if err != nil {
			return nil, err
		}
		e = f
	}
	return e, nil
}

// wholeRow is a relation's name used as a value.
func (l *level) wholeRow(relation string, pos ast.Pos) *scalar.Expr {
	if slices.ContainsFunc(l.scope.rels, func(r scopeRelation) bool { return r.name == relation && r.value }) {
		for i := range l.scope.cols {
			if c := &l.scope.cols[i]; c.relation == relation && !c.merged && !c.system {
				return c.at(pos)
			}
		}
	}
	row := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: types.Of(types.Row), Text: "row", Pos: int(pos)}
	for i := range l.scope.cols {
		c := &l.scope.cols[i]
		if c.relation == relation && !c.merged && !c.system {
			row.Args = append(row.Args, c.at(pos))
			row.Type.Fields = append(row.Type.Fields, types.Field{Name: c.name, Type: c.field.Type})
		}
	}
	if len(row.Args) > 0 && slices.ContainsFunc(l.scope.rels, func(r scopeRelation) bool { return r.name == relation && r.padded }) {
		return l.b.unlessMissing(row)
	}
	return row
}

// unlessMissing makes null of a whole row that an outer join has filled with
// nulls. Such a row is known by having nothing else: one that is there has a
// value at least in what it is joined by. Where it is joined by none of its
// columns, as ON true, a row of nulls alone passes for a missing one.
func (b *binder) unlessMissing(row *scalar.Expr) *scalar.Expr {
	missing := b.rowIsNull(row, false, row.Pos)
	return &scalar.Expr{Op: scalar.OpCase, Type: row.Type, Args: []*scalar.Expr{missing, b.nullOf(row.Type, row.Pos), row}, Text: row.Text, Pos: row.Pos}
}

// undefinedColumn words the error for a name that means nothing here.
func (l *level) undefinedColumn(p ast.Path) error {
	pos := int(p.Offset())
	name := p.Last().Value
	if len(p) == 1 {
		e := pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", name).At(pos)
		return l.nearColumn(e, "", name)
	}
	relation := p[len(p)-2].Value
	for at := l; at != nil; {
		if at.scope.hasRelation("", relation) {
			e := pgerr.New(pgerr.UndefinedColumn, "column %s.%s does not exist", relation, name).At(pos)
			return l.nearColumn(e, relation, name)
		}
		if at.outer == nil {
			break
		}
		at = at.outer.from
	}
	e := pgerr.New(pgerr.UndefinedTable, "missing FROM-clause entry for table %q", relation).At(pos)
	var all []string
	if l.scope != nil {
		for _, r := range l.scope.rels {
			if r.base == relation {
				return pgerr.New(pgerr.UndefinedTable, "invalid reference to FROM-clause entry for table %q", relation).At(pos).
					Hint("Perhaps you meant to reference the table alias %q.", r.name)
			}
			all = append(all, r.name)
		}
	}
	if near := nearest(relation, all); near != "" {
		return e.Hint("Perhaps you meant to reference the table alias %q.", near)
	}
	return e
}

func (l *level) nearColumn(e *pgerr.Error, relation, name string) error {
	var names []string
	owner := map[string]string{}
	for at := l; at != nil; {
		if at.scope != nil {
			for _, c := range at.scope.cols {
				if c.name == name && c.relation != "" && relation != "" {
					// The column is there, in another relation.
					return e.Hint("Perhaps you meant to reference the column %q.", c.relation+"."+c.name)
				}
				if c.name == "" || relation != "" && c.relation != relation {
					continue
				}
				names = append(names, c.name)
				if _, ok := owner[c.name]; !ok {
					owner[c.name] = c.relation
				}
			}
		}
		if at.outer == nil {
			break
		}
		at = at.outer.from
	}
	near := nearest(name, names)
	if near == "" {
		return e
	}
	if o := owner[near]; o != "" {
		near = o + "." + near
	}
	return e.Hint("Perhaps you meant to reference the column %q.", near)
}
