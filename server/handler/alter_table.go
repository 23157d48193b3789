package handler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// alterTable runs ALTER TABLE of an own table. Where its rows stay as they are its
// definition changes; else a new table with the rows takes its place.
func (h *Handler) alterTable(st *ast.AlterRelation) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		const tag = "ALTER TABLE"
		if err := writable(s, tag); err != nil {
			return nil, err
		}
		r, err := h.findRelation(s, st.Name)
		switch {
		case err != nil && st.IfExists:
			s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("relation %q does not exist, skipping", st.Name.Last().Value))
			return session.Command(tag), nil
		case err != nil:
			return nil, err
		case r.Kind != catalog.Table:
			return nil, pgerr.New(pgerr.WrongObjectType, "%q is not a table", r.Name).At(int(st.Name.Offset()))
		case !r.IsOwnTable() || h.system[r.Schema] != nil:
			return nil, pgerr.NotSupported(int(st.Pos), "ALTER TABLE of a table with a connector").Hint("Drop the table and create it again.")
		}
		def, err := h.definitionOf(r)
		if err != nil {
			return nil, err
		}
		a, err := bind.AlterRelation(st, r, def, h.relationOptions(ctx, s))
		if err != nil {
			return nil, err
		}
		for _, text := range a.Skipped {
			s.Notice("NOTICE", pgerr.SuccessfulCompletion, text)
		}
		x := &alterTable{h: h, s: s, w: h.work(s), st: st, old: r, Altered: a}
		if err := x.refuse(); err != nil {
			return nil, err
		}
		do := x.redefine
		if a.Rewrite {
			do = x.rewrite
		}
		return session.Command(tag), do(ctx)
	})
}

// definitionOf reads a table's defining statement; columns that it took from another
// table are spelled out.
func (h *Handler) definitionOf(r *catalog.Relation) (*ast.CreateRelation, error) {
	list, err := parse.Statements(r.SQL)
	if err != nil {
		return nil, err
	}
	def, ok := list[0].Statement.(*ast.CreateRelation)
	if !ok {
		return nil, fmt.Errorf("the definition of %s is no CREATE TABLE", r.Name)
	}
	like := len(r.Columns) - len(def.Columns)
	if len(def.Like) == 0 || like <= 0 {
		return def, nil
	}
	def.Like = nil
	var columns []ast.ColumnDef
	for _, c := range r.Columns[:like] {
		t, err := parsedType(c.Type)
		if err != nil {
			return nil, err
		}
		columns = append(columns, ast.ColumnDef{Name: ast.Name{Value: c.Name}, Type: t})
	}
	def.Columns = append(columns, def.Columns...)
	return def, nil
}

// alterTable is one ALTER TABLE.
type alterTable struct {
	*bind.Altered
	h   *Handler
	s   *session.Session
	w   *work
	st  *ast.AlterRelation
	old *catalog.Relation
}

// refuse reports what depends on the table as it is.
func (x *alterTable) refuse() error {
	names, at := x.w.names.Snapshot(), int(x.st.Name.Offset())
	what := x.Gone
	if what == "" && x.Rewrite {
		what = "alter table " + x.old.Name
	}
	if lines := names.Dependents(x.old); what != "" && len(lines) > 0 {
		return pgerr.New(pgerr.DependentObjectsStillExist, "cannot %s because other objects depend on it", what).At(at).
			WithDetail("%s", strings.Join(lines, "\n")).
			Hint("Drop them first, or create another table.")
	}
	if len(x.Checks)+len(x.NotNull)+len(x.Unique) == 0 {
		return nil
	}
	for _, j := range names.JobsOn(x.old.ID) {
		if g, err := graph.Decode(j.Graph); err != nil || writes(g, x.old.ID) {
			return pgerr.New(pgerr.ObjectInUse, "job %q writes to table %q", j.Name, x.old.Name).At(at).
				WithDetail("A job has nobody to tell of a row that a constraint refuses.")
		}
	}
	return nil
}

// redefine changes the definition of a table whose rows stay as they are.
func (x *alterTable) redefine(context.Context) error {
	r := *x.Relation
	if r.Name != x.old.Name {
		if err := x.w.names.RenameRelation(x.old.ID, r.Name); err != nil {
			return pgerr.From(err).At(int(x.st.Name.Offset()))
		}
	}
	indexes := x.w.names.Snapshot().Indexes(x.old.ID)
	if err := x.w.names.ReplaceRelation(r); err != nil {
		return err
	}
	for _, i := range indexes {
		if err := x.w.names.ReplaceRelation(x.index(i)); err != nil {
			return err
		}
	}
	for _, name := range x.Dropped {
		if err := x.w.do(droppedUnique{r.ID, name}); err != nil {
			return err
		}
	}
	for _, u := range x.Unique {
		if err := x.w.do(addedUnique{r.ID, storedUnique(u)}); err != nil {
			return err
		}
	}
	step := &redefined{h: x.h, s: x.s, def: tableDefinition(&r)}
	for _, c := range x.Checks {
		e := pgerr.New(pgerr.CheckViolation, "check constraint %q of relation %q is violated by some row", c.Name, r.Name).Of(r.Schema, r.Name, "", c.Name)
		if err := step.look("NOT ("+c.X+")", &r, e); err != nil {
			return err
		}
	}
	for _, i := range x.NotNull {
		name := r.Columns[i].Name
		if err := step.look(ast.QuoteName(name)+" IS NULL", &r, errHasNulls(&r, name)); err != nil {
			return err
		}
	}
	return x.w.do(step)
}

func errHasNulls(r *catalog.Relation, column string) *pgerr.Error {
	return pgerr.New(pgerr.NotNullViolation, "column %q of relation %q contains null values", column, r.Name).Of(r.Schema, r.Name, column, "")
}

// index is an index of the table with the columns' new names, on the new table.
func (x *alterTable) index(i *catalog.Relation) catalog.Relation {
	r := *i
	r.Depends = []string{x.Relation.ID}
	r.Columns = slices.Clone(i.Columns)
	for k := range r.Columns {
		r.Columns[k] = x.Relation.Columns[x.to(i.Columns[k].Name)]
	}
	r.Unique = slices.Clone(i.Unique)
	for k := range r.Unique {
		at := slices.IndexFunc(x.Relation.Unique, func(u catalog.Unique) bool { return u.Name == r.Unique[k].Name })
		r.Unique[k] = x.Relation.Unique[at]
	}
	list, err := parse.Statements(i.SQL)
	if err != nil {
		return r
	}
	if st, ok := list[0].Statement.(*ast.CreateIndex); ok {
		st.Relation = slices.Clone(st.Relation)
		st.Relation[len(st.Relation)-1].Value = x.Relation.Name
		for k := range st.Columns {
			if c, ok := st.Columns[k].X.(*ast.ColumnRef); ok && k < len(r.Columns) {
				c.Path[len(c.Path)-1].Value = r.Columns[k].Name
			}
		}
		r.SQL = ast.Print(st)
	}
	return r
}

// to is where a column of the old table is in the new one, -1 for nowhere.
func (x *alterTable) to(name string) int {
	old := slices.IndexFunc(x.old.Columns, func(c catalog.Column) bool { return c.Name == name })
	return slices.Index(x.From, old)
}

// redefined is a table's new definition, and the queries for rows that do not fit.
type redefined struct {
	h     *Handler
	s     *session.Session
	def   table.Def
	looks []lookFor
}

type lookFor struct {
	root logical.Node
	err  *pgerr.Error
}

// look has the table's rows searched for one that fits the condition: that is err.
func (d *redefined) look(condition string, r *catalog.Relation, err *pgerr.Error) error {
	q, perr := parse.Query("SELECT 1 FROM " + ast.QuoteName(r.Schema) + "." + ast.QuoteName(r.Name) + " WHERE " + condition + " LIMIT 1")
	if perr != nil {
		return perr
	}
	b, perr := bind.Query(q, d.h.bindOptions(d.s, nil))
	if perr != nil {
		return perr
	}
	d.looks = append(d.looks, lookFor{b.Root, err})
	return nil
}

// again implements step.
func (d *redefined) again(ctx context.Context, w *work) error {
	if len(d.looks) > 0 {
		w.cut = w.rows.Snapshot()
		defer func() {
			w.cut.Close()
			w.cut = nil
		}()
		for _, l := range d.looks {
			found, err := d.h.gather(ctx, d.s, l.root, nil)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(b *batch.Batch) bool { return b.Live() > 0 }) {
				return l.err
			}
		}
		w.rows.Guard(d.def.ID, w.cut.Position())
	}
	return w.rows.Alter(d.def)
}

// rewrite puts a new table with the rows in the place of the old one.
func (x *alterTable) rewrite(ctx context.Context) error {
	names, old := x.w.names, *x.old
	r := *x.Relation
	r.ID = ""
	old.Name = "\x01" + x.old.ID // nobody sees it: it is gone in the same transaction
	indexes := names.Snapshot().Indexes(x.old.ID)
	if err := names.RenameRelation(old.ID, old.Name); err != nil {
		return err
	}
	made, err := names.CreateRelation(r)
	if err != nil {
		return pgerr.From(err).At(int(x.st.Name.Offset()))
	}
	x.Relation = made
	if err := x.w.makeTable(made); err != nil {
		return pgerr.From(err).At(int(x.st.Name.Offset()))
	}
	if err := x.fill(ctx, made, &old); err != nil {
		return err
	}
	if _, err := names.DropRelation(old.ID, false); err != nil {
		return err
	}
	for _, i := range indexes {
		if slices.ContainsFunc(i.Columns, func(c catalog.Column) bool { return x.to(c.Name) < 0 }) {
			continue // it is gone with its column
		}
		index := x.index(i)
		index.ID = ""
		if _, err := names.CreateRelation(index); err != nil {
			return err
		}
	}
	return x.w.do(replacedTable{old.ID})
}

// fill copies the rows as an INSERT does, which checks them against all constraints.
func (x *alterTable) fill(ctx context.Context, made, old *catalog.Relation) error {
	var into, from []string
	for i, c := range made.Columns {
		e, using := "", x.Using[i]
		switch {
		case c.Generated != "", x.From[i] < 0 && using == nil:
			continue
		case using != nil:
			e = "(" + ast.PrintExpr(using) + ")"
		default:
			e = ast.QuoteName(x.old.Columns[x.From[i]].Name)
		}
		into, from = append(into, ast.QuoteName(c.Name)), append(from, e)
	}
	text := fmt.Sprintf("INSERT INTO public.%s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM public.%s",
		ast.QuoteName(made.Name), strings.Join(into, ", "), strings.Join(from, ", "), ast.QuoteName(old.Name))
	list, err := parse.Statements(text)
	if err != nil {
		return err
	}
	b, err := bind.Insert(list[0].Statement.(*ast.Insert), x.h.writeOptions(x.s, nil))
	if err != nil {
		return x.at(err)
	}
	d := &dataPlan{h: x.h, verb: "INSERT 0"}
	d.do = func(ctx context.Context, s *session.Session, rows *table.Txn, _ []types.Value) (*outcome, error) {
		for i, c := range made.Columns {
			if c.Identity != nil && x.From[i] >= 0 {
				x.h.opt.Tables.CopySequence(old.ID, x.From[i], made.ID, i)
			}
		}
		rows.Guard(old.ID, x.h.work(s).cut.Position())
		o, err := x.h.insert(ctx, s, rows, b, nil)
		return o, x.at(err)
	}
	_, err = d.carryOut(ctx, x.s, nil)
	return err
}

// at puts an error of the copying where the statement names the table, in the words
// that PostgreSQL has for it.
func (x *alterTable) at(err error) error {
	if err == nil || isConflict(err) {
		return err
	}
	e := pgerr.From(err)
	e.Position = 0
	switch {
	case e.Code == pgerr.DatatypeMismatch:
		for i, c := range x.Relation.Columns {
			if x.From[i] >= 0 && x.Using[i] == nil && strings.HasPrefix(e.Message, fmt.Sprintf("column %q is of type", c.Name)) {
				e = pgerr.New(e.Code, "column %q cannot be cast automatically to type %s", c.Name, withoutPrecision(c.Type)).
					Hint(`You might need to specify "USING %s::%s".`, ast.QuoteName(c.Name), c.Type)
			}
		}
	case e.Code == pgerr.NotNullViolation:
		e = errHasNulls(x.Relation, e.Column)
	case e.Code == pgerr.CheckViolation:
		e = pgerr.New(e.Code, "check constraint %q of relation %q is violated by some row", e.Constraint, x.Relation.Name).
			Of(x.Relation.Schema, x.Relation.Name, "", e.Constraint)
	case e.Code == pgerr.UniqueViolation:
		e = pgerr.New(e.Code, "could not create unique index %q", e.Constraint).Of(x.Relation.Schema, x.Relation.Name, "", e.Constraint).
			WithDetail("%s", strings.Replace(e.Detail, "already exists", "is duplicated", 1))
	}
	return e.At(int(x.st.Name.Offset()))
}

// replacedTable is a table in whose place another one is.
type replacedTable struct{ id string }

func (r replacedTable) again(_ context.Context, w *work) error { return w.rows.Replace(r.id) }

// withoutPrecision is the type as messages name it.
func withoutPrecision(t types.Type) types.Type {
	t.HasPrecision, t.Precision, t.Scale = false, 0, 0
	return t
}
