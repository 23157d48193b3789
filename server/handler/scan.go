package handler

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/exec/operator"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// System gives the rows of system relations.
type System interface {
	// Relations lists them.
	Relations() []*catalog.Relation
	// Rows returns a relation's rows now.
	Rows(ctx context.Context, s *session.Session, relation *catalog.Relation) ([][]types.Value, error)
	// RelationOID is the OID by which pg_class has a relation, 0 for none.
	RelationOID(s *session.Session, id string) uint32
	// Function answers what eval.Context.External asks for.
	Function(ctx context.Context, s *session.Session) func(key string, args []types.Value, result types.Type) (types.Value, error)
}

// boundedParts makes the parts of a query over finished data. All scans of one
// view in a statement, its subqueries included, read the same cut. It implements
// exec.Factory.
type boundedParts struct {
	ctx     context.Context
	h       *Handler
	s       *session.Session
	g       *graph.Graph
	eval    *eval.Context
	collect func(*batch.Batch) error
	slabs   *state.Slabs
	account *memory.Account // of the statement; nil: nobody counts
	parent  *boundedParts   // of a subquery's parts: they share its cuts
	working *operator.WorkingRows

	mu   sync.Mutex
	cuts map[string]*job.Cut  // by relation id
	bad  map[string]*leftOut  // by relation
	own  *table.Snapshot      // of own tables
	keys map[string]*joinKeys // by source operator

	hashes map[string]*hashedRows // by what they are of
}

func (h *Handler) newBoundedParts(ctx context.Context, s *session.Session, g *graph.Graph, collect func(*batch.Batch) error) *boundedParts {
	return &boundedParts{ctx: ctx, h: h, s: s, g: g, eval: h.evalContext(ctx, s), collect: collect,
		slabs: h.opt.Slabs, cuts: map[string]*job.Cut{}, own: h.snapshot(s)}
}

// close gives up the cuts.
func (p *boundedParts) close() {
	for _, c := range p.cuts {
		c.Release()
	}
	p.cuts = nil
	if p.own != nil {
		p.own.Close()
		p.own = nil
	}
}

// tableSource reads an own table as of the statement's cut.
func (p *boundedParts) tableSource(spec *graph.Source) (connector.Source, error) {
	if p.parent != nil {
		return p.parent.tableSource(spec)
	}
	def, err := p.own.Def(spec.RelationID)
	if err != nil {
		return nil, p.h.elsewhere(err, spec.RelationID)
	}
	return &tableSource{cut: p.own, id: spec.RelationID, columns: len(def.Columns), wanted: spec.Lookup}, nil
}

// evalContext is what the session's expressions may know.
func (h *Handler) evalContext(ctx context.Context, s *session.Session) *eval.Context {
	started := s.Now()
	if tx := s.Tx(); tx != nil {
		started = tx.Started
	}
	encoding, _ := s.Variable("client_encoding")
	c := &eval.Context{Now: started.UnixMicro(), Clock: func() int64 { return h.opt.Clock.Now().UnixMicro() }, Zone: s.TimeZone(),
		User: s.User, SessionUser: s.User, Database: s.Database, Version: "PostgreSQL 15.0 (Millrace " + h.opt.Version + ")", ClientEncoding: encoding, BackendPID: int32(s.PID), Query: s.Info().Query, Random: &s.Random,
		External: h.opt.System.Function(ctx, s)}
	for _, schema := range s.SearchPath() {
		if schema != "pg_catalog" {
			c.Schema = schema
			break
		}
	}
	return c
}

// Operator implements exec.Factory.
func (p *boundedParts) Operator(op *graph.Operator, task, tasks int) (exec.Made, error) {
	tables := map[string]*state.Table{}
	share := p.account.Share(op.ID)
	for _, schema := range op.Tables {
		t, err := state.NewTable(schema, state.Options{Slabs: p.slabs.For(share)})
		if err != nil {
			return exec.Made{}, err
		}
		tables[schema.Name] = t
	}
	env := operator.Env{Table: func(name string) *state.Table { return tables[name] }, Task: task, Parallelism: tasks, Bounded: true,
		Context: p.ctx, Clock: p.h.opt.Clock, Memory: share, Eval: p.eval, Collect: p.collect, Counters: &exec.Counters{}, Subquery: p.subquery, Working: p.workingRows,
		Rows: p.h.functionRows(p.ctx), Keys: p.tellKeys}
	for _, in := range op.Inputs {
		env.Inputs = append(env.Inputs, p.g.Operators[in.Operator].Fields)
	}
	made, err := operator.New(op, env)
	return exec.Made{Operator: made, Tables: tables, Counters: env.Counters}, err
}

// workingRows are the rows of a recursive query around p's graph.
func (p *boundedParts) workingRows(number int) []*batch.Batch {
	for ; p != nil; p = p.parent {
		if p.working != nil && p.working.Number == number {
			return p.working.Rows
		}
	}
	return nil
}

// subquery runs a graph within p's to its end.
func (p *boundedParts) subquery(g *graph.Graph, working *operator.WorkingRows, take func(*batch.Batch) error) error {
	sub := &boundedParts{working: working, ctx: p.ctx, h: p.h, s: p.s, g: g, eval: p.eval, collect: take, slabs: p.slabs, account: p.account, parent: p}
	lower.BindLookups(g)
	run, err := exec.New(p.ctx, g, exec.Options{Parallelism: 1, Factory: sub, Log: p.h.opt.Log, Clock: p.h.opt.Clock})
	if err != nil {
		return err
	}
	defer run.Stop()
	if run.IsSingle() {
		err := run.Main()
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		return err
	}
	run.Start()
	select {
	case <-run.Ended():
		return nil
	case <-run.Done():
		return run.Err()
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// Source implements exec.Factory.
func (p *boundedParts) Source(op *graph.Operator, task, tasks int) (*exec.SourceInput, error) {
	in := &exec.SourceInput{TimeColumn: -1}
	if op.Source == nil { // values, or a function
		return in, nil
	}
	src, err := p.open(op)
	if err != nil {
		return nil, err
	}
	switch l := op.Source.Lookup; {
	case l == nil:
	case l.Never:
		src = &rowSource{}
	case l.Keys != "":
		src = &keyedSource{of: src.(indexed), by: l, keys: p.keysFor(op.ID)}
	case l.Hash:
		if src, err = p.hashed(op.Source, src.(indexed)); err != nil {
			return nil, err
		}
	}
	in.Source = src
	splits, err := src.Splits(p.ctx)
	if err != nil {
		return nil, err
	}
	for _, sp := range splits {
		in.Splits = append(in.Splits, exec.SplitState{ID: sp.ID, Data: sp.Data, Watermark: exec.WatermarkMin})
	}
	physical := make([]types.Field, len(op.Source.Physical))
	for i, c := range op.Source.Physical {
		in.Want = append(in.Want, c.Column)
		in.Layout = append(in.Layout, c.Type.Phys())
		physical[i] = types.Field{Name: c.Name, Type: c.Type}
	}
	if op.Source.Exprs != nil {
		in.Project, err = operator.Projection(op.ID, op.Source.Exprs, physical, operator.Env{Context: p.ctx, Clock: p.h.opt.Clock, Eval: p.eval})
	}
	return in, err
}

// open finds where the rows of a source operator come from.
func (p *boundedParts) open(op *graph.Operator) (connector.Source, error) {
	spec := op.Source
	switch spec.Connector {
	case "view":
		cut, err := p.cut(spec.RelationID)
		if err != nil {
			return nil, err
		}
		return &cutSource{cut: cut, wanted: spec.Lookup}, nil
	case "system":
		r := p.h.systemRelation(spec.Relation)
		list, err := p.h.opt.System.Rows(p.ctx, p.s, r)
		if err != nil {
			return nil, err
		}
		kinds := make([]types.Type, len(r.Columns))
		for i, c := range r.Columns {
			kinds[i] = c.Type
		}
		return &rowSource{types: kinds, rows: list}, nil
	case "":
		return p.tableSource(spec)
	}
	r, err := p.h.relationOf(spec.RelationID, spec.Relation)
	if err != nil {
		return nil, err
	}
	src, err := p.h.openSource(p.ctx, r, p.undecodable(r))
	if err != nil {
		return nil, err
	}
	return finite{src}, nil
}

// viewRows is what readers of a materialized view see. A view that the transaction makes
// has no job yet.
func (h *Handler) viewRows(s *session.Session, relation string) (*job.View, error) {
	v, err := h.opt.Jobs.View(relation)
	if r := h.Snapshot(s).RelationByID(relation); err != nil && r != nil && h.opt.Catalog.Snapshot().RelationByID(relation) == nil {
		return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "materialized view %q has no rows yet: this transaction makes it", r.Name).
			Hint("COMMIT starts the job that computes them.")
	}
	return v, err
}

// cut is the view's rows for this statement.
func (p *boundedParts) cut(relation string) (*job.Cut, error) {
	if p.parent != nil {
		return p.parent.cut(relation)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.cuts[relation]; c != nil {
		return c, nil
	}
	v, err := p.h.viewRows(p.s, relation)
	if err != nil {
		return nil, err
	}
	c, err := v.Read(p.ctx)
	if err != nil {
		return nil, err
	}
	p.cuts[relation] = c
	return c, nil
}

// leftOut are rows of a relation that could not be decoded.
type leftOut struct {
	rows  int
	first connector.BadRow
}

// undecodable takes the rows of a relation that could not be decoded: a query
// leaves them out, unless the relation says that they are to fail. It writes
// nothing down.
func (p *boundedParts) undecodable(r *catalog.Relation) func(connector.BadRow) error {
	if p.parent != nil {
		return p.parent.undecodable(r)
	}
	return func(b connector.BadRow) error {
		if r.Options["bad_data"] == "fail" {
			return job.FailOn(b)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.bad == nil {
			p.bad = map[string]*leftOut{}
		}
		if p.bad[r.Name] == nil {
			b.Raw = nil // the reader's
			p.bad[r.Name] = &leftOut{first: b}
		}
		p.bad[r.Name].rows++
		return nil
	}
}

// tellWarnings warns of what the result lacks: the rows that the query's sources could
// not decode, and what views have missed since their jobs failed.
func (p *boundedParts) tellWarnings() {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := p.h.opt.Catalog.Snapshot()
	for _, id := range slices.Sorted(maps.Keys(p.cuts)) {
		if r := names.RelationByID(id); r != nil {
			warnFailed(p.s, names.JobByID(r.JobID))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.bad)) {
		b := p.bad[name]
		n := pgerr.New(pgerr.Warning, "%d rows of %q could not be decoded and are left out", b.rows, name).
			WithDetail("The first is at position %s of partition %q: %s.", b.first.Offset, b.first.Split, pgerr.From(b.first.Err).Message)
		p.s.SendNotice(session.Notice{Severity: "WARNING", Error: *n})
	}
	p.bad = nil
}

// Sink implements exec.Factory: queries have none.
func (p *boundedParts) Sink(*graph.Operator, int, int) (*exec.SinkOutput, error) {
	panic("a query has no sink")
}

// finite is a source read as it is now: files that come later do not count. It
// implements connector.Staged.
type finite struct{ connector.Source }

// AtOnce implements connector.Staged.
func (f finite) AtOnce() int {
	if s, ok := f.Source.(connector.Staged); ok {
		return s.AtOnce()
	}
	return math.MaxInt
}

// Follows implements connector.Source.
func (finite) Follows() bool { return false }
