package handler

import (
	"context"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// outcome is what a data statement comes to when it is read: the changes to
// make, the number of rows it affects, and the rows that RETURNING shows.
type outcome struct {
	changes  []table.Change
	affected int64
	shown    []*batch.Batch
}

// dataPlan is an INSERT, UPDATE or DELETE on an own table. read does all but
// the change itself, which waits for COMMIT.
type dataPlan struct {
	h         *Handler
	verb      string // of the tag
	columns   []session.Column
	returning []*scalar.Expr
	read      func(ctx context.Context, s *session.Session, params []types.Value) (*outcome, error)
}

func (d *dataPlan) run(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
	if err := writable(s, strings.Fields(d.verb)[0]); err != nil {
		return nil, err
	}
	o, err := d.read(ctx, s, params)
	if err != nil {
		return nil, err
	}
	w := d.h.work(s)
	w.data = append(w.data, pendingData{changes: o.changes, again: func(ctx context.Context) ([]table.Change, error) {
		o, err := d.read(ctx, s, params)
		if err != nil {
			return nil, err
		}
		return o.changes, nil
	}})
	result := session.Affected(d.verb, o.affected)
	if d.columns != nil {
		rows, err := d.show(ctx, s, o.shown)
		if err != nil {
			return nil, err
		}
		result.Rows = rows
	}
	return result, nil
}

// show evaluates RETURNING over the rows of the outcome.
func (d *dataPlan) show(ctx context.Context, s *session.Session, in []*batch.Batch) (session.Rows, error) {
	p, err := eval.CompileAll(d.returning, eval.Options{Context: d.h.evalContext(ctx, s)})
	if err != nil {
		return nil, err
	}
	var values [][]types.Value
	for _, b := range in {
		cols, err := p.Eval(b)
		if err != nil {
			return nil, rowCause(err)
		}
		for k := range b.Live() {
			row := make([]types.Value, len(cols))
			for c := range cols {
				row[c] = cols[c].Value(b.RowAt(k))
			}
			values = append(values, row)
		}
	}
	return session.ValueRows(d.columns, values), nil
}

// rowCause is the error of the first row that an expression failed on.
func rowCause(err error) error {
	if bad := eval.BadRows(err); len(bad) > 0 {
		return bad[0].Err
	}
	return err
}

func (h *Handler) prepareData(s *session.Session, p *session.Prepared, d *dataPlan, params []types.Type, list []bind.Notice, returning []*scalar.Expr, fields []logical.Field) {
	notices(s, list)
	p.Params = params
	if returning != nil {
		d.returning = returning
		d.columns = columnsOf(fields)
		p.Columns = d.columns
	}
	p.Plan = d
}

func (h *Handler) prepareInsert(s *session.Session, p *session.Prepared, st *ast.Insert, declared []types.Type) error {
	b, err := bind.Insert(st, h.bindOptions(s, declared))
	if err != nil {
		return err
	}
	d := &dataPlan{h: h, verb: "INSERT 0"}
	d.read = func(ctx context.Context, s *session.Session, params []types.Value) (*outcome, error) {
		b, err := bind.Insert(st, h.bindOptions(s, b.Params))
		if err != nil {
			return nil, err
		}
		return h.readInsert(ctx, s, b, params)
	}
	h.prepareData(s, p, d, b.Params, b.Notices, b.Returning, b.ReturningColumns)
	return nil
}

// gather runs a query and keeps its batches.
func (h *Handler) gather(ctx context.Context, s *session.Session, root logical.Node, params []types.Value) ([]*batch.Batch, error) {
	r, err := h.rows(ctx, s, root, params)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []*batch.Batch
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return out, err
		}
		out = append(out, b)
	}
}

func (h *Handler) readInsert(ctx context.Context, s *session.Session, b *bind.BoundInsert, params []types.Value) (*outcome, error) {
	rows, err := h.gather(ctx, s, b.Input, params)
	if err != nil {
		return nil, err
	}
	o := &outcome{}
	for _, in := range rows {
		switch {
		case b.OnConflict == nil:
			err = h.insertRows(o, b.Relation, in)
		case !b.OnConflict.DoUpdate:
			err = h.insertNew(o, b.Relation, in)
		default:
			err = h.insertOrUpdate(ctx, s, o, b, in, params)
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// known reports whether a table is in the store: one that the transaction makes
// is not yet.
func (h *Handler) known(r *catalog.Relation) bool {
	_, err := h.opt.Tables.Count(r.ID)
	return err == nil
}

func (h *Handler) insertRows(o *outcome, r *catalog.Relation, in *batch.Batch) error {
	if len(r.PrimaryKey) > 0 && h.known(r) {
		if err := h.opt.Tables.CheckNew(r.ID, in); err != nil {
			return err
		}
	}
	o.add(table.Change{Table: r.ID, Action: table.Insert, Rows: in}, in, int64(in.Live()))
	return nil
}

func (o *outcome) add(c table.Change, shown *batch.Batch, n int64) {
	o.changes = append(o.changes, c)
	o.shown = append(o.shown, shown)
	o.affected += n
}

// existing finds the rows of in whose key is there already.
func (h *Handler) existing(r *catalog.Relation, in *batch.Batch) (*batch.Batch, []table.Ref, []int, error) {
	if !h.known(r) {
		return nil, nil, nil, nil
	}
	return h.opt.Tables.Lookup(r.ID, in)
}

// insertNew is ON CONFLICT DO NOTHING.
func (h *Handler) insertNew(o *outcome, r *catalog.Relation, in *batch.Batch) error {
	if len(r.PrimaryKey) == 0 {
		return h.insertRows(o, r, in)
	}
	_, _, found, err := h.existing(r, in)
	if err != nil {
		return err
	}
	fresh := without(in, found)
	o.add(table.Change{Table: r.ID, Action: table.InsertNew, Rows: in}, fresh, int64(fresh.Live()))
	return nil
}

// without is the rows of in but those that the k-th live row in skip is.
func without(in *batch.Batch, skip []int) *batch.Batch {
	out := *in
	out.Sel = make([]uint16, 0, in.Live())
	for k := range in.Live() {
		if len(skip) > 0 && skip[0] == k {
			skip = skip[1:]
			continue
		}
		out.Sel = append(out.Sel, uint16(in.RowAt(k)))
	}
	return &out
}

// insertOrUpdate is ON CONFLICT DO UPDATE.
func (h *Handler) insertOrUpdate(ctx context.Context, s *session.Session, o *outcome, b *bind.BoundInsert, in *batch.Batch, params []types.Value) error {
	old, refs, found, err := h.existing(b.Relation, in)
	if err != nil {
		return err
	}
	if fresh := without(in, found); fresh.Live() > 0 {
		o.add(table.Change{Table: b.Relation.ID, Action: table.Insert, Rows: fresh}, fresh, int64(fresh.Live()))
	}
	if len(found) == 0 {
		return nil
	}
	seen := map[table.Ref]bool{}
	for _, r := range refs {
		if seen[r] {
			return pgerr.New(pgerr.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
				Hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
		}
		seen[r] = true
	}
	sel := make([]uint16, len(found))
	for i, k := range found {
		sel[i] = uint16(in.RowAt(k))
	}
	proposed := batch.New(layoutOf(b.Relation), 0)
	proposed.AppendSelected(in, sel)
	both := &batch.Batch{N: old.N, Cols: append(append([]*batch.Column(nil), old.Cols...), proposed.Cols...)}
	evalContext := h.evalContext(ctx, s)
	if where := substitute(b.OnConflict.Where, params); where != nil {
		p, err := eval.CompilePredicate(where, eval.Options{Context: evalContext})
		if err != nil {
			return err
		}
		if both.Sel, err = p.Select(both, nil); err != nil {
			return rowCause(err)
		}
	}
	exprs := make([]*scalar.Expr, len(b.OnConflict.NewRow))
	for i, x := range b.OnConflict.NewRow {
		exprs[i] = substitute(x, params)
	}
	p, err := eval.CompileAll(exprs, eval.Options{Context: evalContext})
	if err != nil {
		return err
	}
	cols, err := p.Eval(both)
	if err != nil {
		return rowCause(err)
	}
	next := &batch.Batch{N: both.N, Sel: both.Sel, Cols: cols}
	c := table.Change{Table: b.Relation.ID, Action: table.Update, Rows: next}
	for k := range next.Live() {
		c.Refs = append(c.Refs, refs[next.RowAt(k)])
	}
	if len(c.Refs) > 0 {
		o.add(c, next, int64(len(c.Refs)))
	}
	return nil
}

// substitute puts parameter values in an expression; nil stays nil.
func substitute(x *scalar.Expr, params []types.Value) *scalar.Expr {
	if x == nil {
		return nil
	}
	return scalar.Map(x, func(e *scalar.Expr) *scalar.Expr {
		if e.Op != scalar.OpParam || e.Column >= len(params) {
			return e
		}
		return &scalar.Expr{Op: scalar.OpConst, Type: e.Type, Value: &params[e.Column], Pos: e.Pos, Text: e.Text}
	})
}

func layoutOf(r *catalog.Relation) []types.Phys {
	out := make([]types.Phys, len(r.Columns))
	for i, c := range r.Columns {
		out[i] = c.Type.Phys()
	}
	return out
}

// The hidden columns by which UPDATE and DELETE name the rows they read.
const (
	rowColumn     = "\x01row"
	versionColumn = "\x01version"
)

// referableNames shows own tables with the hidden columns.
type referableNames struct{ bind.Catalog }

// Relation implements bind.Catalog.
func (n referableNames) Relation(schema, name string) *catalog.Relation {
	r := n.Catalog.Relation(schema, name)
	if r == nil || !r.IsOwnTable() {
		return r
	}
	c := *r
	c.Columns = append(append([]catalog.Column(nil), r.Columns...),
		catalog.Column{Name: rowColumn, Type: types.Of(types.Int64)}, catalog.Column{Name: versionColumn, Type: types.Of(types.Int64)})
	return &c
}

func (h *Handler) referable(s *session.Session, declared []types.Type) bind.Options {
	o := h.bindOptions(s, declared)
	o.Catalog = referableNames{o.Catalog}
	return o
}

// visible takes the hidden columns out of what RETURNING shows.
func visible(returning []*scalar.Expr, fields []logical.Field) ([]*scalar.Expr, []logical.Field) {
	if returning == nil {
		return nil, nil
	}
	outX, outF := []*scalar.Expr{}, []logical.Field{}
	for i, f := range fields {
		if f.Name != rowColumn && f.Name != versionColumn {
			outX, outF = append(outX, returning[i]), append(outF, f)
		}
	}
	return outX, outF
}

// refsOf reads the hidden columns at position at of the live rows.
func refsOf(b *batch.Batch, at int) []table.Ref {
	out := make([]table.Ref, b.Live())
	for k := range out {
		i := b.RowAt(k)
		out[k] = table.Ref{Row: uint64(b.Cols[at].Int[i]), Version: uint64(b.Cols[at+1].Int[i])}
	}
	return out
}

func (h *Handler) prepareUpdate(s *session.Session, p *session.Prepared, st *ast.Update, declared []types.Type) error {
	b, err := bind.Update(st, h.referable(s, declared))
	if err != nil {
		return err
	}
	d := &dataPlan{h: h, verb: "UPDATE"}
	d.read = func(ctx context.Context, s *session.Session, params []types.Value) (*outcome, error) {
		b, err := bind.Update(st, h.referable(s, b.Params))
		if err != nil {
			return nil, err
		}
		rows, err := h.gather(ctx, s, b.Input, params)
		if err != nil {
			return nil, err
		}
		n := len(b.Relation.Columns) - 2
		o := &outcome{}
		for _, in := range rows {
			next := &batch.Batch{N: in.N, Sel: in.Sel, Cols: in.Cols[n+2 : 2*n+2]}
			o.add(table.Change{Table: b.Relation.ID, Action: table.Update, Rows: next, Refs: refsOf(in, n)}, next, int64(in.Live()))
		}
		return o, nil
	}
	returning, fields := visible(b.Returning, b.ReturningColumns)
	h.prepareData(s, p, d, b.Params, b.Notices, returning, fields)
	return nil
}

func (h *Handler) prepareDelete(s *session.Session, p *session.Prepared, st *ast.Delete, declared []types.Type) error {
	b, err := bind.Delete(st, h.referable(s, declared))
	if err != nil {
		return err
	}
	d := &dataPlan{h: h, verb: "DELETE"}
	d.read = func(ctx context.Context, s *session.Session, params []types.Value) (*outcome, error) {
		b, err := bind.Delete(st, h.referable(s, b.Params))
		if err != nil {
			return nil, err
		}
		rows, err := h.gather(ctx, s, b.Input, params)
		if err != nil {
			return nil, err
		}
		n := len(b.Relation.Columns) - 2
		o := &outcome{}
		for _, in := range rows {
			o.add(table.Change{Table: b.Relation.ID, Action: table.Delete, Refs: refsOf(in, n)}, in, int64(in.Live()))
		}
		return o, nil
	}
	returning, fields := visible(b.Returning, b.ReturningColumns)
	h.prepareData(s, p, d, b.Params, b.Notices, returning, fields)
	return nil
}

// truncate runs TRUNCATE as a DELETE of all rows of each table.
func (h *Handler) truncate(st *ast.Truncate) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		for _, name := range st.Names {
			p := &session.Prepared{}
			if err := h.prepareDelete(s, p, &ast.Delete{Target: name}, nil); err != nil {
				return nil, err
			}
			if _, err := p.Plan.(plan).run(ctx, s, nil); err != nil {
				return nil, err
			}
		}
		return session.Command("TRUNCATE TABLE"), nil
	})
}
