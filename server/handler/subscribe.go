package handler

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// subscribeOptions are the WITH options of SUBSCRIBE.
type subscribeOptions struct {
	snapshot bool // the rows that are there come first
	progress bool // each epoch's end is a row
}

func parseSubscribeOptions(list []ast.Option) (o subscribeOptions, err error) {
	o.snapshot = true
	for _, opt := range list {
		var field *bool
		switch opt.Name {
		case "snapshot":
			field = &o.snapshot
		case "progress":
			field = &o.progress
		default:
			return o, pgerr.New(pgerr.UndefinedObject, "unknown option %q of SUBSCRIBE", opt.Name).At(int(opt.Pos)).Hint("Valid options are progress, snapshot.")
		}
		text, err := optionText(opt)
		if err != nil {
			return o, err
		}
		if *field, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			return o, pgerr.New(pgerr.InvalidParameterValue, "option %q takes true or false, not %q", opt.Name, text).At(int(opt.Pos))
		}
	}
	return o, nil
}

// prepareSubscribe describes SUBSCRIBE. The changes of a materialized view are
// read off its sealed epochs; those of a query, or of another relation, come
// from a run of their own.
func (h *Handler) prepareSubscribe(s *session.Session, p *session.Prepared, st *ast.Subscribe, declared []types.Type) error {
	opt, err := parseSubscribeOptions(st.Options)
	if err != nil {
		return err
	}
	query := st.Query
	if query == nil {
		r, err := h.findRelation(s, st.Relation)
		if err != nil {
			return err
		}
		if r.Kind == catalog.MaterializedView {
			fields := make([]logical.Field, len(r.Columns))
			for i, c := range r.Columns {
				fields[i] = logical.Field{Name: c.Name, Type: c.Type}
			}
			p.Live, p.Columns = true, changeColumns(fields)
			p.Plan = planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
				return h.subscribeView(ctx, s, r, p.Columns, opt)
			})
			return nil
		}
		query = allOf(st.Relation)
	}
	bound := func(s *session.Session, declared []types.Type) (*bind.BoundQuery, error) {
		o := h.bindOptions(s, declared)
		o.Continuous = true
		return bind.Query(query, o)
	}
	b, err := bound(s, declared)
	if err != nil {
		return err
	}
	notices(s, b.Notices)
	p.Live, p.Columns, p.Params = true, changeColumns(b.Columns), b.Params
	p.Plan = planFunc(func(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
		b, err := bound(s, p.Params)
		if err != nil {
			return nil, err
		}
		if err := unchanged(p.Columns[2:], b.Columns); err != nil {
			return nil, err
		}
		root := optimize.Live(optimize.Parameters(b.Root, params), optimize.Options{Evaluate: evaluateConstant})
		g, err := lower.Live(root, b.EmitOnWindowClose, lower.Options{})
		if err != nil {
			return nil, err
		}
		if err := runnable(g); err != nil {
			return nil, err
		}
		return h.subscribeQuery(ctx, s, g, p.Columns, opt)
	})
	return nil
}

// allOf is SELECT * FROM a relation.
func allOf(relation ast.Path) *ast.Query {
	return &ast.Query{Body: &ast.Select{From: []ast.TableExpr{&ast.TableRef{Name: relation}}, Items: []ast.SelectItem{{X: &ast.Star{}}}}}
}

// changeColumns are the columns of a changelog as rows.
func changeColumns(fields []logical.Field) []session.Column {
	return append([]session.Column{{Name: "op", Type: types.Of(types.Text)}, {Name: "epoch", Type: types.Of(types.Int64)}}, columnsOf(fields)...)
}

// changeRows turns changes into rows: it puts op and epoch in front.
type changeRows struct {
	columns []session.Column
	out     *batch.Batch
}

func newChangeRows(columns []session.Column) changeRows {
	c := changeRows{columns, &batch.Batch{}}
	for _, col := range columns {
		c.out.Cols = append(c.out.Cols, batch.NewColumn(col.Type.Phys(), 0))
	}
	return c
}

// of is the rows for changes, whose columns it takes over.
func (c *changeRows) of(changes *batch.Batch, epoch uint64) *batch.Batch {
	c.out.N, c.out.Sel = changes.N, changes.Sel
	op, at := c.out.Cols[0], c.out.Cols[1]
	op.Reset()
	op.Resize(changes.N)
	at.Resize(changes.N)
	for i := range changes.N {
		op.Views[i] = op.AddStr(changes.Op(i).String())
		at.Int[i] = int64(epoch)
	}
	copy(c.out.Cols[2:], changes.Cols)
	return c.out
}

// progress is the row that ends an epoch: the relation's columns are null.
func (c *changeRows) progress(epoch uint64) *batch.Batch {
	out := &batch.Batch{N: 1}
	for i, col := range c.columns {
		v := batch.NewColumn(col.Type.Phys(), 0)
		switch i {
		case 0:
			v.AppendValue(types.Value{Bytes: "progress"})
		case 1:
			v.AppendValue(types.Value{Int: int64(epoch)})
		default:
			v.AppendNull()
		}
		out.Cols = append(out.Cols, v)
	}
	return out
}

// viewChanges is a subscription to a materialized view. It implements
// session.Rows.
type viewChanges struct {
	f    viewFollower
	opt  subscribeOptions
	rows changeRows
	in   *batch.Batch
}

func (h *Handler) subscribeView(ctx context.Context, s *session.Session, r *catalog.Relation, columns []session.Column, opt subscribeOptions) (*session.Result, error) {
	view, err := h.viewRows(s, r.ID)
	if err != nil {
		return nil, err
	}
	v := &viewChanges{f: viewFollower{view: view, snapshot: opt.snapshot}, opt: opt, rows: newChangeRows(columns), in: batch.New(layoutOf(r), 0)}
	for i := range r.Columns {
		v.f.want = append(v.f.want, i)
	}
	if !opt.snapshot { // changes count from now, not from the first fetch, nor from when a restarted job has its rows
		if v.f.cut, err = view.Read(ctx); err != nil {
			return nil, err
		}
	}
	return session.Select(v), nil
}

// Next implements session.Rows.
func (v *viewChanges) Next(ctx context.Context) (*batch.Batch, error) {
	for {
		v.in.Reset()
		sealed, ready, err := v.f.step(v.in, batch.RowsDefault)
		switch {
		case errors.Is(err, job.ErrViewEnded):
			return nil, nil
		case err != nil:
			return nil, err
		case v.in.N > 0:
			return v.rows.of(v.in, v.f.next.Epoch), nil
		case sealed && v.opt.progress:
			return v.rows.progress(v.f.cut.Epoch), nil
		case sealed:
			continue
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Close implements session.Rows.
func (v *viewChanges) Close() { v.f.close() }

// queryChanges is a subscription to a query. It implements session.Rows.
type queryChanges struct {
	live   *job.Live
	cancel context.CancelFunc
	opt    subscribeOptions
	rows   changeRows
	epoch  uint64 // the one that has ended last
	untold bool   // its end is still to be told
	open   bool   // there are changes after it, or it is none yet
}

func (h *Handler) subscribeQuery(ctx context.Context, s *session.Session, g *graph.Graph, columns []session.Column, opt subscribeOptions) (*session.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	live, err := h.opt.Jobs.Live(ctx, g, func(stop func(error)) *memory.Account { return h.openAccount(s, "subscription", stop) })
	if err != nil {
		cancel()
		return nil, operatorCause(err)
	}
	q := &queryChanges{live: live, cancel: cancel, opt: opt, rows: newChangeRows(columns), open: true}
	if !opt.snapshot {
		if err := q.skip(ctx); err != nil {
			q.Close()
			return nil, err
		}
	}
	return session.Select(q), nil
}

// skip leaves out what is there already, all that comes before the first end of
// an epoch, so that changes count from now and not from the first fetch.
func (q *queryChanges) skip(ctx context.Context) error {
	for {
		c, ok, err := q.live.Next(ctx)
		switch {
		case err != nil:
			return operatorCause(err)
		case !ok:
			return nil
		case c.Rows == nil:
			q.epoch, q.untold, q.open = c.Epoch, q.opt.progress, false
			return nil
		}
	}
}

// Next implements session.Rows.
func (q *queryChanges) Next(ctx context.Context) (*batch.Batch, error) {
	if q.untold {
		q.untold = false
		return q.rows.progress(q.epoch), nil
	}
	for {
		c, ok, err := q.live.Next(ctx)
		switch {
		case err != nil:
			return nil, operatorCause(err)
		case !ok && q.open && q.opt.progress: // the end of the input is that of the last epoch
			q.open = false
			return q.rows.progress(q.epoch + 1), nil
		case !ok:
			return nil, nil
		case c.Rows != nil:
			q.open = true
			return q.rows.of(c.Rows, q.epoch+1), nil
		default:
			q.epoch, q.open = c.Epoch, false
			if q.opt.progress {
				return q.rows.progress(c.Epoch), nil
			}
		}
	}
}

// Close implements session.Rows.
func (q *queryChanges) Close() {
	q.cancel()
	q.live.Close()
}
