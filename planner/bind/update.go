package bind

import (
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// Update binds an UPDATE of an own table.
func Update(u *ast.Update, opts Options) (*BoundChange, error) {
	b := newBinder(opts)
	b.top = u.With
	return b.changed(b.update(u, env{}))
}

func (b *binder) update(u *ast.Update, e env) (*BoundChange, error) {
	m, err := b.modification(u.Target, "update", u.Alias, u.With, u.From, u.Where, e)
	if err != nil {
		return nil, err
	}
	width := len(m.rel.Columns)
	row := make([]*scalar.Expr, width)
	for i := range row {
		row[i] = m.target[i].at(-1)
	}
	if err := m.l.assignments(u.Set, m.rel, row); err != nil {
		return nil, err
	}
	node, err := m.l.plant(m.node, row...)
	if err != nil {
		return nil, err
	}
	checks, err := b.checks(m.rel)
	if err != nil {
		return nil, err
	}
	p := &logical.Project{Input: node}
	for i := range width {
		p.Exprs = append(p.Exprs, m.target[i].at(-1))
		p.Out = append(p.Out, logical.Field{Name: m.rel.Columns[i].Name, Type: m.rel.Columns[i].Type, Origin: m.rel.Columns[i].Name})
	}
	for i, e := range row {
		p.Exprs = append(p.Exprs, e)
		p.Out = append(p.Out, p.Out[i])
	}
	if len(u.Returning) > 0 {
		for i, f := range node.Fields()[width:m.width] {
			p.Exprs = append(p.Exprs, columnExpr(width+i, f))
			p.Out = append(p.Out, f)
		}
	}
	out, err := b.change(m, p, u.Returning)
	if err != nil {
		return nil, err
	}
	out.Checks = checks
	return out, nil
}

// Delete binds a DELETE from an own table.
func Delete(d *ast.Delete, opts Options) (*BoundChange, error) {
	b := newBinder(opts)
	b.top = d.With
	return b.changed(b.deletion(d, env{}))
}

// changed completes an UPDATE or DELETE that is a statement of its own.
func (b *binder) changed(out *BoundChange, err error) (*BoundChange, error) {
	if err != nil {
		return nil, err
	}
	if out.Params, err = b.finishParams(); err != nil {
		return nil, err
	}
	out.Notices, out.Writes = b.notices, b.writes
	return out, nil
}

func (b *binder) deletion(d *ast.Delete, e env) (*BoundChange, error) {
	m, err := b.modification(d.Target, "delete from", d.Alias, d.With, d.Using, d.Where, e)
	if err != nil {
		return nil, err
	}
	width := len(m.rel.Columns)
	if len(d.Returning) > 0 {
		width = m.width
	}
	return b.change(m, prefix(m.node, width), d.Returning)
}

// change finishes an UPDATE or DELETE.
func (b *binder) change(m *modification, input logical.Node, returning []ast.SelectItem) (*BoundChange, error) {
	out := &BoundChange{Relation: m.rel, Input: input}
	var err error
	out.Returning, out.ReturningColumns, out.ReturningRows, err = b.returning(returning, m.l.scope, env{ctes: m.l.ctes}, m.node.Fields()[:m.width])
	return out, err
}

// appendOnlyError refuses what would change or remove rows that jobs were
// promised to stay.
func appendOnlyError(rel *catalog.Relation, verb string) *pgerr.Error {
	return pgerr.New(pgerr.WrongObjectType, "cannot %s table %q, which is APPEND ONLY", verb, rel.Name).
		Hint("Rows can be inserted into it. What else is to be done needs a table without APPEND ONLY.")
}

// withRowNames is a table with the columns that name its rows.
func (b *binder) withRowNames(rel *catalog.Relation) *catalog.Relation {
	if len(b.opts.RowNames) == 0 {
		return rel
	}
	c := *rel
	c.Columns = append(append([]catalog.Column(nil), rel.Columns...), b.opts.RowNames...)
	return &c
}

// modification is the rows that an UPDATE or DELETE is about: the target's
// columns come first in node, then those of FROM or USING, width in all.
type modification struct {
	rel    *catalog.Relation
	l      *level
	node   logical.Node
	target []column
	width  int
}

func (b *binder) modification(path ast.Path, verb string, alias *ast.Name, w *ast.With, from []ast.TableExpr, where ast.Expr, e env) (*modification, error) {
	rel, err := b.ownTable(path, verb)
	if err != nil {
		return nil, err
	}
	if rel.AppendOnly {
		return nil, appendOnlyError(rel, verb).At(int(path.Offset()))
	}
	if e, err = b.withQueries(w, e); err != nil {
		return nil, err
	}
	rel = b.withRowNames(rel)
	name, schema := rel.Name, rel.Schema
	if alias != nil {
		name, schema = alias.Value, ""
	}
	scan, err := b.scan(rel, name, int(path.Offset()))
	if err != nil {
		return nil, err
	}
	s := &selection{level: level{b: b, ctes: e.ctes}}
	left := &bound{scan, scopeOf(scan, name, schema)}
	for i := len(rel.Columns) - len(b.opts.RowNames); i < len(rel.Columns); i++ {
		left.scope.cols[i].system = true
	}
	if alias != nil {
		left.scope.rels[0].base = rel.Name
	}
	for _, te := range from {
		if left, err = s.joinTo(left, te, &ast.Join{Kind: "cross"}); err != nil {
			return nil, err
		}
	}
	s.node, s.scope = left.node, left.scope
	width := len(left.node.Fields())
	if where != nil {
		p, err := s.filter(where, "WHERE")
		if err != nil {
			return nil, err
		}
		if err := s.addFilter(p); err != nil {
			return nil, err
		}
	}
	return &modification{rel: rel, l: &s.level, node: s.node, target: s.scope.cols[:len(rel.Columns)], width: width}, nil
}
