package handler

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// bindOptions are what statements of the session are bound against.
func (h *Handler) bindOptions(s *session.Session, declared []types.Type) bind.Options {
	now := s.Now()
	if tx := s.Tx(); tx != nil {
		now = tx.Started
	}
	return bind.Options{Now: now.UnixMicro(), Catalog: h.names(s), ParamTypes: declared, SearchPath: s.SearchPath(), Database: s.Database,
		TimeZone: s.TimeZone().Name(), StateColumns: h.stateColumns, Print: printNode}
}

func printNode(n ast.Node) string {
	switch n := n.(type) {
	case ast.Expr:
		return ast.PrintExpr(n)
	case *ast.Query:
		return ast.PrintQuery(n)
	case ast.Statement:
		return ast.Print(n)
	}
	return ""
}

// queryPlan is a SELECT over finished data. It is planned anew at each execution
// unless its generic plan will do.
type queryPlan struct {
	h       *Handler
	query   *ast.Query
	params  []types.Type
	columns []session.Column

	basis   planBasis    // of what follows
	root    logical.Node // bound, and not planned yet; else nil
	generic *graph.Graph // nil: there is none
}

func (h *Handler) prepareQuery(s *session.Session, p *session.Prepared, q *ast.Query, declared []types.Type) error {
	basis := h.basisOf(s)
	b, err := bind.Query(q, h.writeOptions(s, declared))
	if err != nil {
		return err
	}
	notices(s, b.Notices)
	if len(b.Writes) > 0 {
		h.prepareWriting(s, p, q, b)
		return nil
	}
	p.Params, p.Columns = b.Params, h.tableColumns(s, b.Columns)
	p.Plan = &queryPlan{h: h, query: q, params: b.Params, columns: p.Columns, basis: basis, root: b.Root}
	return nil
}

func (q *queryPlan) run(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
	r, err := q.h.planAndStart(ctx, s, func() (*graph.Graph, error) { return q.plan(s, params) })
	if err != nil {
		return nil, err
	}
	result := session.Select(r)
	result.Account = r.account
	return result, nil
}

// plan makes the graph for values of the parameters.
func (q *queryPlan) plan(s *session.Session, params []types.Value) (g *graph.Graph, err error) {
	basis := q.h.basisOf(s)
	if !q.basis.holds(basis) {
		q.root, q.generic = nil, nil
	}
	root := q.root
	q.basis, q.root = basis, nil
	if root == nil && q.generic == nil {
		if root, err = q.bind(s); err != nil {
			return nil, err
		}
	}
	if q.generic == nil {
		if !isGeneric(root) {
			return q.h.boundedGraph(s, root, params)
		}
		if q.generic, err = lower.Generic(optimize.Node(root, optimizeOptions), lower.Options{}); err != nil {
			return nil, err
		}
	}
	return q.h.withParameters(s, q.generic, params), nil
}

// bind binds the query again, which must not change what the client was told of it.
func (q *queryPlan) bind(s *session.Session) (logical.Node, error) {
	b, err := bind.Query(q.query, q.h.bindOptions(s, q.params))
	if err != nil {
		return nil, err
	}
	return b.Root, unchanged(q.columns, b.Columns)
}

// unchanged refuses a query that was bound again if its columns are not those that
// the client was told.
func unchanged(told []session.Column, fields []logical.Field) error {
	if slices.EqualFunc(fields, told, func(f logical.Field, c session.Column) bool {
		return f.Name == c.Name && resultType(f.Type).Equal(c.Type)
	}) {
		return nil
	}
	e := pgerr.New(pgerr.FeatureNotSupported, "cached plan must not change result type").Hint("Prepare the statement again.")
	e.Routine = "RevalidateCachedQuery" // by which pgJDBC knows that it can do so itself
	return e
}

func notices(s *session.Session, list []bind.Notice) {
	for _, n := range list {
		note := session.Notice{Severity: n.Severity, Error: *pgerr.New(n.Code, "%s", n.Message).At(n.Position)}
		s.SendNotice(note)
	}
}

// columnsOf describes a result.
func columnsOf(fields []logical.Field) []session.Column {
	out := make([]session.Column, len(fields))
	for i, f := range fields {
		out[i] = session.Column{Name: f.Name, Type: resultType(f.Type)}
	}
	return out
}

// tableColumns is columnsOf with the relations that columns are of, by which a
// client that edits rows finds what to update.
func (h *Handler) tableColumns(s *session.Session, fields []logical.Field) []session.Column {
	out := columnsOf(fields)
	for i, f := range fields {
		if f.Base != "" {
			if out[i].Relation = h.opt.System.RelationOID(s, f.Base); out[i].Relation != 0 {
				out[i].Attribute = f.Attribute
			}
		}
	}
	return out
}

// resultType is what a client is told: an untyped literal is text.
func resultType(t types.Type) types.Type {
	if t.Kind == types.Unknown {
		return types.Of(types.Text)
	}
	return t
}

// rows runs a bound query over finished data.
func (h *Handler) rows(ctx context.Context, s *session.Session, root logical.Node, params []types.Value) (*rows, error) {
	return h.planAndStart(ctx, s, func() (*graph.Graph, error) { return h.boundedGraph(s, root, params) })
}

// planAndStart runs what plan makes.
func (h *Handler) planAndStart(ctx context.Context, s *session.Session, plan func() (*graph.Graph, error)) (*rows, error) {
	began := h.opt.Clock.Now()
	g, err := plan()
	if err != nil {
		return nil, err
	}
	analysisOf(ctx).planned(h.opt.Clock.Now().Sub(began))
	return h.start(ctx, s, g)
}

func (h *Handler) boundedGraph(s *session.Session, root logical.Node, params []types.Value) (*graph.Graph, error) {
	return lower.Bounded(optimize.Node(optimize.Parameters(root, params), optimizeOptions), h.lowerOptions(s))
}

// optimizeOptions are those of queries over finished data.
var optimizeOptions = optimize.Options{Evaluate: evaluateConstant}

func (h *Handler) lowerOptions(s *session.Session) lower.Options {
	return lower.Options{Indexes: h.indexes(s), Rows: h.rowCount}
}

// rows is the result of a bounded run, read as it is made.
type rows struct {
	graph  *graph.Graph
	run    *exec.Run
	parts  *boundedParts
	cancel context.CancelCauseFunc
	// account counts its memory; own says that it ends with the rows.
	account *memory.Account
	own     bool
	out     chan *batch.Batch // of several tasks; else nil
	pull    func() (*batch.Batch, bool)
	stop    func() // ends pull
	err     error  // of pull
	left    int64  // rows still to give of a query with LIMIT, -1 for all

	// using is held by whoever uses pull and stop: the reader or, while the reader does
	// not, who takes the memory of a query away that nobody reads on.
	using  sync.Mutex
	closed bool
}

// limitOf is how many rows a graph gives at the most when it need not read all of
// its input for that, else -1: an endless source has a first row too.
func limitOf(g *graph.Graph) int64 {
	root := &g.Operators[len(g.Operators)-1]
	if root.Kind != graph.CollectKind {
		return -1
	}
	for in := &g.Operators[root.Inputs[0].Operator]; ; in = &g.Operators[in.Inputs[0].Operator] {
		switch {
		case in.Kind == graph.SortKind && len(in.Sort.Keys) == 0:
			return in.Sort.Limit
		case in.Kind != graph.ProjectKind:
			return -1
		}
	}
}

// start runs a bounded graph.
func (h *Handler) start(ctx context.Context, s *session.Session, g *graph.Graph) (*rows, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &rows{graph: g, cancel: cancel, left: limitOf(g), account: accountOf(ctx)}
	r.using.Lock()
	defer r.using.Unlock()
	if r.account == nil {
		r.account, r.own = h.openAccount(s, "query", r.takeBack), true
	}
	var take func(*batch.Batch) error
	r.parts = h.newBoundedParts(ctx, s, g, func(b *batch.Batch) error { return take(b) })
	r.parts.account, r.parts.eval.Memory = r.account, r.account.Share("values")
	run, err := exec.New(ctx, g, exec.Options{Parallelism: 1, Factory: r.parts, Log: h.opt.Log, Clock: h.opt.Clock})
	if err != nil {
		err = r.cause(err)
		r.end()
		return nil, err
	}
	r.run = run
	if run.IsSingle() { // it runs whenever rows are asked for
		r.pull, r.stop = iter.Pull(func(yield func(*batch.Batch) bool) {
			take = func(b *batch.Batch) error {
				if !yield(b) {
					return context.Canceled
				}
				return nil
			}
			r.err = run.Main()
		})
		return r, nil
	}
	r.out = make(chan *batch.Batch, 4)
	take = func(b *batch.Batch) error {
		select {
		case r.out <- b:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	run.Start()
	return r, nil
}

// cause is why the query ended: it was stopped for want of memory, or err.
func (r *rows) cause(err error) error {
	if why := r.account.Err(); why != nil {
		return why
	}
	return operatorCause(err)
}

// end gives up what the query has.
func (r *rows) end() {
	r.cancel(nil)
	if r.stop != nil {
		r.stop()
	}
	if r.run != nil {
		r.run.Stop()
	}
	r.parts.close()
	if r.own {
		r.account.Close()
	}
}

// takeBack ends the query for want of memory. A query that computes ends by itself, as
// its context is done, and so do tasks; one that waits for its reader is ended here.
func (r *rows) takeBack(why error) {
	r.cancel(why)
	if !r.using.TryLock() {
		return
	}
	defer r.using.Unlock()
	if !r.closed && r.pull != nil {
		r.closed = true
		r.end()
	}
}

// operatorCause drops the name of the operator from an error that a person
// reads: a query's operators have no names that he knows.
func operatorCause(err error) error {
	var e *pgerr.Error
	if errors.As(err, &e) {
		return e
	}
	return err
}

// Next implements session.Rows.
func (r *rows) Next(ctx context.Context) (*batch.Batch, error) {
	if r.left == 0 {
		return nil, nil
	}
	next := r.next
	if r.pull != nil {
		next = r.pullNext
	}
	b, err := next(ctx)
	if b != nil && r.left > 0 {
		r.left -= int64(b.Live())
	}
	return b, err
}

// pullNext runs the only task until it has rows.
func (r *rows) pullNext(ctx context.Context) (*batch.Batch, error) {
	r.using.Lock()
	defer r.using.Unlock()
	if r.closed {
		return nil, r.account.Err()
	}
	defer context.AfterFunc(ctx, func() { r.cancel(context.Cause(ctx)) })()
	b, ok := r.pull()
	switch {
	case ok:
		return b, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case r.err != nil:
		return nil, r.cause(r.err)
	}
	r.parts.tellWarnings()
	return nil, nil
}

// next takes rows from the tasks, which run by themselves.
func (r *rows) next(ctx context.Context) (*batch.Batch, error) {
	select {
	case b := <-r.out:
		return b, nil
	default:
	}
	select {
	case b := <-r.out:
		return b, nil
	case <-r.run.Ended():
	case <-r.run.Done():
		if err := r.cause(r.run.Err()); err != nil {
			return nil, err
		}
		return nil, context.Cause(ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case b := <-r.out: // sent before the end
		return b, nil
	default:
		r.parts.tellWarnings()
		return nil, nil
	}
}

// Close implements session.Rows.
func (r *rows) Close() {
	r.using.Lock()
	defer r.using.Unlock()
	if !r.closed {
		r.closed = true
		r.end()
	}
}

// valueBytes is what a value takes, without what it refers to.
const valueBytes = int64(unsafe.Sizeof(types.Value{}))

// all reads every row as values.
func (r *rows) all(ctx context.Context, fields []types.Field) ([][]types.Value, error) {
	var out [][]types.Value
	kept := r.account.Share("rows").Meter()
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return out, err
		}
		if err := kept.Add(b.Bytes() + int64(b.Live()*len(fields))*valueBytes); err != nil {
			return nil, err
		}
		for k := range b.Live() {
			row := make([]types.Value, len(fields))
			for c := range fields {
				row[c] = b.Cols[c].Value(b.RowAt(k))
			}
			out = append(out, row)
		}
	}
}
