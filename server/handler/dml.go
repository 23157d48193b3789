package handler

import (
	"context"
	"reflect"
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

// outcome is what a data statement comes to: the number of rows it affects, the
// rows that RETURNING is about, and what it returns.
type outcome struct {
	affected int64
	shown    []*batch.Batch
	rows     [][]types.Value
}

func (o *outcome) add(shown *batch.Batch, n int64) {
	o.shown = append(o.shown, shown)
	o.affected += n
}

// dataPlan is an INSERT, UPDATE or DELETE on an own table. do reads what there is
// and adds the changes to the transaction.
type dataPlan struct {
	h       *Handler
	verb    string // of the tag
	columns []session.Column
	do      func(ctx context.Context, s *session.Session, x *table.Txn, params []types.Value) (*outcome, error)
}

func (d *dataPlan) run(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
	r, err := d.carryOut(ctx, s, params)
	if err != nil {
		return nil, err
	}
	if d.columns != nil {
		r.result.Rows = &returned{of: r}
	}
	return r.result, nil
}

// carryOut runs the statement in the session's transaction.
func (d *dataPlan) carryOut(ctx context.Context, s *session.Session, params []types.Value) (*dataRun, error) {
	if err := writable(s, strings.Fields(d.verb)[0]); err != nil {
		return nil, err
	}
	if d.verb != "DELETE" {
		if err := d.h.opt.Memory.Admit(ctx); err != nil {
			return nil, err
		}
	}
	ctx, end := d.h.withAccount(ctx, s)
	defer end()
	give, err := holdParameters(ctx, params)
	if err != nil {
		return nil, err
	}
	defer give()
	w := d.h.work(s)
	r := &dataRun{dataPlan: d, s: s, params: params, result: &session.Result{}}
	if err := r.do(ctx, w); err != nil {
		return nil, err
	}
	w.done = append(w.done, r)
	r.result.Told = func() { r.told = true }
	return r, nil
}

// dataRun is one execution of a data statement.
type dataRun struct {
	*dataPlan
	s        *session.Session
	params   []types.Value
	result   *session.Result
	affected int64
	rows     [][]types.Value // of RETURNING
	told     bool            // the client knows
}

// do carries the statement out. What it reads is what is committed when it
// begins; when a row that it is to change has been changed since, it begins
// anew.
func (r *dataRun) do(ctx context.Context, w *work) error {
	mark := w.rows.Mark()
	for try := 0; ; try++ {
		err := r.once(ctx, w)
		if err == nil {
			return nil
		}
		w.rows.RollbackTo(mark)
		if !isConflict(err) || isolationOf(r.s.Tx()) != table.ReadCommitted || try == conflictsMax {
			return err
		}
		if err := w.rows.Refresh(ctx); err != nil {
			return err
		}
	}
}

// once carries the statement out over one cut.
func (r *dataRun) once(ctx context.Context, w *work) error {
	w.cut = w.rows.Snapshot()
	defer func() {
		w.cut.Close()
		w.cut = nil
	}()
	o, err := r.dataPlan.do(ctx, r.s, w.rows, r.params)
	if err != nil {
		return err
	}
	r.affected, r.rows = o.affected, o.rows
	r.result.Tag = session.Affected(r.verb, o.affected).Tag
	return nil
}

// again implements step.
func (r *dataRun) again(ctx context.Context, w *work) error {
	affected, rows := r.affected, r.rows
	if err := r.do(ctx, w); err != nil {
		return err
	}
	if r.told && (r.affected != affected || !reflect.DeepEqual(r.rows, rows)) {
		return pgerr.New(pgerr.SerializationFailure, "could not serialize access due to concurrent update").
			Hint("The transaction might succeed if it is retried.")
	}
	return nil
}

// returning evaluates RETURNING over the rows of an outcome; queries is the plan for
// that where there are subqueries in it.
func (h *Handler) returning(ctx context.Context, s *session.Session, in []*batch.Batch, list []*scalar.Expr, queries logical.Node,
	params []types.Value) ([][]types.Value, error) {
	if list == nil {
		return nil, nil
	}
	if queries != nil {
		rows, err := h.overGiven(ctx, s, queries, in, params)
		for i := range rows {
			rows[i] = rows[i][:len(list)] // without its number
		}
		return rows, err
	}
	exprs := make([]*scalar.Expr, len(list))
	for i, x := range list {
		exprs[i] = substitute(x, params)
	}
	p, err := eval.CompileAll(exprs, eval.Options{Context: h.evalContext(ctx, s)})
	if err != nil {
		return nil, err
	}
	values := [][]types.Value{}
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
	return values, nil
}

// returned is the rows of RETURNING, which the commit may change until they are
// first asked for.
type returned struct {
	of   *dataRun
	rows session.Rows
}

// Next implements session.Rows.
func (r *returned) Next(ctx context.Context) (*batch.Batch, error) {
	if r.rows == nil {
		r.rows = session.ValueRows(r.of.columns, r.of.rows)
	}
	return r.rows.Next(ctx)
}

// Close implements session.Rows.
func (r *returned) Close() {}

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
		d.columns = h.tableColumns(s, fields)
		p.Columns = d.columns
	}
	p.Plan = d
}

func (h *Handler) prepareInsert(s *session.Session, p *session.Prepared, st *ast.Insert, declared []types.Type) error {
	b, err := bind.Insert(st, h.writeOptions(s, declared))
	if err != nil {
		return err
	}
	d := &dataPlan{h: h, verb: "INSERT 0"}
	d.do = func(ctx context.Context, s *session.Session, x *table.Txn, params []types.Value) (*outcome, error) {
		b, err := bind.Insert(st, h.writeOptions(s, b.Params))
		if err != nil {
			return nil, err
		}
		if ctx, err = h.writes(ctx, s, x, b.Writes, params); err != nil {
			return nil, err
		}
		return h.insert(ctx, s, x, b, params)
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
	kept := r.account.Share("rows to write").Meter()
	for {
		b, err := r.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			analysisOf(ctx).ran(r)
			return out, nil
		}
		if err := kept.Add(b.Bytes()); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
}

// insert carries out an INSERT and evaluates its RETURNING.
func (h *Handler) insert(ctx context.Context, s *session.Session, x *table.Txn, b *bind.BoundInsert, params []types.Value) (*outcome, error) {
	o := &outcome{}
	err := h.insertRows(ctx, s, o, x, b, params)
	if err == nil {
		o.rows, err = h.returning(ctx, s, o.shown, b.Returning, b.ReturningRows, params)
	}
	return o, h.elsewhere(err, b.Relation.ID)
}

func (h *Handler) insertRows(ctx context.Context, s *session.Session, o *outcome, x *table.Txn, b *bind.BoundInsert, params []types.Value) error {
	rows, err := h.gather(ctx, s, b.Input, params)
	if err != nil {
		return err
	}
	checks, err := h.compileChecks(ctx, s, b.Relation, b.Checks)
	if err != nil {
		return err
	}
	begun := x.Mark()
	add := func(in *batch.Batch) error {
		switch {
		case b.OnConflict == nil:
			if _, err := x.Add(table.Change{Table: b.Relation.ID, Action: table.Insert, Rows: in}); err != nil {
				return err
			}
			o.add(in, int64(in.Live()))
			return nil
		case !b.OnConflict.DoUpdate:
			return insertNew(o, x, b, in)
		}
		return h.insertOrUpdate(ctx, s, o, x, b, checks, in, params, begun)
	}
	for _, in := range rows {
		if err := checks.add(in, add); err != nil {
			return err
		}
	}
	return nil
}

// insertNew is ON CONFLICT DO NOTHING.
func insertNew(o *outcome, x *table.Txn, b *bind.BoundInsert, in *batch.Batch) error {
	skipped, err := x.Add(table.Change{Table: b.Relation.ID, Action: table.InsertNew, Rows: in, Conflict: b.OnConflict.Constraint})
	if err != nil {
		return err
	}
	fresh := in.Without(skipped)
	o.add(fresh, int64(fresh.Live()))
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

// writeOptions are what data statements are bound against.
func (h *Handler) writeOptions(s *session.Session, declared []types.Type) bind.Options {
	o := h.bindOptions(s, declared)
	o.Writes = true
	o.RowNames = []catalog.Column{{Name: rowColumn, Type: types.Of(types.Int64)}, {Name: versionColumn, Type: types.Of(types.Int64)}}
	return o
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

// firstOf takes out the rows that a join found more than once: as in PostgreSQL
// the first match counts. seen spans the statement.
func firstOf(in *batch.Batch, at int, seen map[table.Ref]struct{}) (*batch.Batch, []table.Ref) {
	refs := refsOf(in, at)
	out := *in
	out.Sel = make([]uint16, 0, len(refs))
	kept := refs[:0]
	for k, ref := range refs {
		if _, again := seen[ref]; again {
			continue
		}
		seen[ref] = struct{}{}
		out.Sel = append(out.Sel, uint16(in.RowAt(k)))
		kept = append(kept, ref)
	}
	return &out, kept
}

func (h *Handler) prepareUpdate(s *session.Session, p *session.Prepared, st *ast.Update, declared []types.Type) error {
	return h.prepareChange(s, p, "UPDATE", declared, func(o bind.Options) (*bind.BoundChange, error) { return bind.Update(st, o) })
}

func (h *Handler) prepareDelete(s *session.Session, p *session.Prepared, st *ast.Delete, declared []types.Type) error {
	return h.prepareChange(s, p, "DELETE", declared, func(o bind.Options) (*bind.BoundChange, error) { return bind.Delete(st, o) })
}

// prepareChange prepares an UPDATE or DELETE.
func (h *Handler) prepareChange(s *session.Session, p *session.Prepared, verb string, declared []types.Type,
	bound func(bind.Options) (*bind.BoundChange, error)) error {
	b, err := bound(h.writeOptions(s, declared))
	if err != nil {
		return err
	}
	d := &dataPlan{h: h, verb: verb}
	d.do = func(ctx context.Context, s *session.Session, x *table.Txn, params []types.Value) (*outcome, error) {
		b, err := bound(h.writeOptions(s, b.Params))
		if err != nil {
			return nil, err
		}
		if ctx, err = h.writes(ctx, s, x, b.Writes, params); err != nil {
			return nil, err
		}
		return h.change(ctx, s, x, b, verb == "UPDATE", params)
	}
	h.prepareData(s, p, d, b.Params, b.Notices, b.Returning, b.ReturningColumns)
	return nil
}

// change carries out an UPDATE or DELETE and evaluates its RETURNING.
func (h *Handler) change(ctx context.Context, s *session.Session, x *table.Txn, b *bind.BoundChange, update bool, params []types.Value) (*outcome, error) {
	rows, err := h.gather(ctx, s, b.Input, params)
	if err != nil {
		return nil, err
	}
	checks, err := h.compileChecks(ctx, s, b.Relation, b.Checks)
	if err != nil {
		return nil, err
	}
	width := len(b.Relation.Columns)
	n := width - 2 // without the hidden columns
	o, seen := &outcome{}, map[table.Ref]struct{}{}
	for _, in := range rows {
		shown, refs := firstOf(in, n, seen)
		if update {
			shown.Cols = shown.Cols[width:]
			err = checks.add(&batch.Batch{N: shown.N, Sel: shown.Sel, Cols: shown.Cols[:n]}, func(rows *batch.Batch) error {
				_, err := x.Add(table.Change{Table: b.Relation.ID, Action: table.Update, Refs: refs[:rows.Live()], Rows: rows})
				return err
			})
		} else {
			_, err = x.Add(table.Change{Table: b.Relation.ID, Action: table.Delete, Refs: refs})
		}
		if err != nil {
			return nil, err
		}
		o.add(shown, int64(len(refs)))
	}
	o.rows, err = h.returning(ctx, s, o.shown, b.Returning, b.ReturningRows, params)
	return o, err
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
			if st.RestartIdentity {
				if err := h.restartIdentity(s, name); err != nil {
					return nil, err
				}
			}
		}
		return session.Command("TRUNCATE TABLE"), nil
	})
}
