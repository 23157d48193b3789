package bind

import (
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// Insert binds an INSERT into an own table, which runs at once.
func Insert(ins *ast.Insert, opts Options) (*BoundInsert, error) {
	b := newBinder(opts)
	b.top = ins.With
	out, err := b.insert(ins, env{})
	if err != nil {
		return nil, err
	}
	if out.Params, err = b.finishParams(); err != nil {
		return nil, err
	}
	out.Notices, out.Writes = b.notices, b.writes
	return out, nil
}

func (b *binder) insert(ins *ast.Insert, e env) (*BoundInsert, error) {
	rel, err := b.ownTable(ins.Target, "insert into")
	if err != nil {
		return nil, err
	}
	src, err := b.insertSource(ins, rel, e)
	if err != nil {
		return nil, err
	}
	out := &BoundInsert{Relation: rel}
	if out.Input, err = b.fullRow(src, rel); err != nil {
		return nil, err
	}
	if out.Checks, err = b.checks(rel); err != nil {
		return nil, err
	}
	if ins.OnConflict != nil {
		if out.OnConflict, err = b.onConflict(ins, rel, src.env); err != nil {
			return nil, err
		}
	}
	out.Returning, out.ReturningColumns, out.ReturningRows, err = b.returning(ins.Returning, tableScope(rel, ins.Alias), src.env, out.Input.Fields())
	return out, err
}

// onConflict binds ON CONFLICT.
func (b *binder) onConflict(ins *ast.Insert, rel *catalog.Relation, e env) (*OnConflict, error) {
	oc := ins.OnConflict
	pos := int(oc.Pos)
	constraint, err := conflictTarget(oc, rel)
	if err != nil {
		return nil, err
	}
	if oc.DoUpdate && len(oc.Columns) == 0 && oc.Constraint == "" {
		return nil, pgerr.New(pgerr.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").At(pos).
			Hint("For example, ON CONFLICT (column_name).")
	}
	if err := b.conflictPredicate(oc, rel); err != nil {
		return nil, err
	}
	out := &OnConflict{DoUpdate: oc.DoUpdate, Constraint: constraint}
	if !oc.DoUpdate {
		return out, nil
	}
	sc := tableScope(rel, ins.Alias)
	width := len(rel.Columns)
	excluded := tableScope(rel, &ast.Name{Value: "excluded"})
	for _, c := range excluded.cols {
		c.expr = b.shift(c.expr, width)
		sc.cols = append(sc.cols, c)
	}
	sc.rels = append(sc.rels, excluded.rels...)
	l := &level{b: b, scope: sc, ctes: e.ctes}
	row := make([]*scalar.Expr, width)
	for i := range row {
		row[i] = sc.cols[i].at(-1)
	}
	if err := l.assignments(oc.Set, rel, row); err != nil {
		return nil, err
	}
	out.NewRow = row
	if oc.Where != nil {
		w, err := l.filter(oc.Where, "WHERE")
		if err != nil {
			return nil, err
		}
		out.Where = w
	}
	if len(l.pending) == 0 {
		return out, nil
	}
	out.Rows, err = l.conflictRows(out, rel)
	return out, err
}

// conflictPredicate checks the condition behind ON CONFLICT (columns): of an index of
// some rows, of which there are none here. One of all rows serves any.
func (b *binder) conflictPredicate(oc *ast.OnConflict, rel *catalog.Relation) error {
	if oc.Predicate == nil {
		return nil
	}
	l := &level{b: b, scope: tableScope(rel, nil)}
	l.clause = "index predicates"
	if _, err := l.expr(oc.Predicate); err != nil {
		return err
	}
	if len(l.pending) > 0 {
		return pgerr.New(pgerr.FeatureNotSupported, "cannot use subquery in index predicate").At(int(oc.Predicate.Offset()))
	}
	return nil
}

// conflictRows computes the new rows of ON CONFLICT DO UPDATE over given rows, the
// existing and the proposed one side by side.
func (l *level) conflictRows(oc *OnConflict, rel *catalog.Relation) (node logical.Node, err error) {
	var fields, row []logical.Field
	for _, c := range rel.Columns {
		row = append(row, logical.Field{Name: c.Name, Type: c.Type, Origin: c.Name})
	}
	fields = append(append(fields, row...), row...)
	node = givenRows(0, fields)
	if oc.Where != nil {
		if node, err = l.plant(node, oc.Where); err != nil {
			return nil, err
		}
		node = &logical.Filter{Input: node, Predicate: oc.Where}
	}
	if node, err = l.plant(node, oc.NewRow...); err != nil {
		return nil, err
	}
	return overGiven(node, len(fields), oc.NewRow, row), nil
}

// conflictTarget names the constraint that ON CONFLICT is about, nothing for all.
func conflictTarget(oc *ast.OnConflict, rel *catalog.Relation) (string, error) {
	if oc.Constraint != "" {
		for _, u := range rel.UniqueKeys() {
			if u.Name == oc.Constraint && !u.Index {
				return u.Name, nil
			}
		}
		return "", pgerr.New(pgerr.UndefinedObject, "constraint %q for table %q does not exist", oc.Constraint, rel.Name).At(int(oc.Pos))
	}
	if len(oc.Columns) == 0 {
		return "", nil
	}
	var cols []int
	for _, n := range oc.Columns {
		c, err := targetColumn(rel, n)
		if err != nil {
			return "", pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", n.Value).At(int(n.Pos))
		}
		if !slices.Contains(cols, c) {
			cols = append(cols, c)
		}
	}
	slices.Sort(cols)
	for _, u := range rel.UniqueKeys() {
		if slices.Equal(slices.Sorted(slices.Values(u.Columns)), cols) {
			return u.Name, nil
		}
	}
	return "", pgerr.New(pgerr.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification").At(int(oc.Pos))
}
