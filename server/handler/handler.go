// Package handler carries out statements: it binds and plans them, runs queries
// over finished data, applies changes to own tables at COMMIT, and asks the job
// manager for what concerns jobs. One file per statement. It knows no wire
// format and keeps no session state.
package handler

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Options are what a handler works with; all are required but Memory.
type Options struct {
	Catalog    *catalog.Store
	Jobs       *job.Manager
	Tables     *table.Store
	Connectors *connector.Registry
	System     System
	Slabs      *state.Slabs
	Memory     *memory.Pool // nil: nobody counts
	Version    string
	Log        *slog.Logger
	Clock      clock.Clock
}

// Handler implements session.Handler.
type Handler struct {
	opt    Options
	system map[string]map[string]*catalog.Relation // schema → name
	again  chan struct{}                           // held while a transaction that met a conflict is done again
}

// New makes a handler.
func New(o Options) *Handler {
	h := &Handler{opt: o, system: map[string]map[string]*catalog.Relation{}, again: make(chan struct{}, 1)}
	for _, r := range o.System.Relations() {
		if h.system[r.Schema] == nil {
			h.system[r.Schema] = map[string]*catalog.Relation{}
		}
		h.system[r.Schema][r.Name] = r
	}
	return h
}

// systemRelation finds a system relation by its qualified name.
func (h *Handler) systemRelation(name string) *catalog.Relation {
	schema, rest, _ := strings.Cut(name, ".")
	return h.system[schema][rest]
}

// env is what a relation's connector is given. undecodable may be nil where no
// rows are read.
func (h *Handler) env(r *catalog.Relation, undecodable func(connector.BadRow) error) connector.Env {
	return connector.Env{Log: h.opt.Log.With("relation", r.Name), BadRow: undecodable}
}

// Source opens what a job's source operator reads.
func (h *Handler) Source(ctx context.Context, _ *catalog.Job, op *graph.Operator, undecodable func(connector.BadRow) error) (connector.Source, error) {
	switch op.Source.Connector {
	case "":
		src, err := h.opt.Tables.Source(op.Source.RelationID)
		return src, h.elsewhere(err, op.Source.RelationID)
	case "view":
		v, err := h.opt.Jobs.View(op.Source.RelationID)
		return viewSource{v}, err
	}
	r, err := h.relationOf(op.Source.RelationID, op.Source.Relation)
	if err != nil {
		return nil, err
	}
	return h.openSource(ctx, r, undecodable)
}

// Sink opens what a job's sink operator writes.
func (h *Handler) Sink(ctx context.Context, _ *catalog.Job, op *graph.Operator) (connector.Sink, error) {
	if op.Sink.Connector == "" {
		sink, err := h.opt.Tables.Sink(op.Sink.RelationID)
		return sink, h.elsewhere(err, op.Sink.RelationID)
	}
	r, err := h.relationOf(op.Sink.RelationID, op.Sink.Relation)
	if err != nil {
		return nil, err
	}
	return h.openSink(ctx, r, op.Mode != graph.AppendOnly)
}

func (h *Handler) relationOf(id, name string) (*catalog.Relation, error) {
	if r := h.opt.Catalog.Snapshot().RelationByID(id); r != nil {
		return r, nil
	}
	return nil, pgerr.New(pgerr.UndefinedTable, "relation %s, which the job was made for, does not exist any more", name)
}

// elsewhere explains that a table which the catalog has is not in the store: it
// was made with another data folder.
func (h *Handler) elsewhere(err error, id string) error {
	var e *pgerr.Error
	r := h.opt.Catalog.Snapshot().RelationByID(id)
	if r == nil || !errors.As(err, &e) || e.Code != pgerr.UndefinedTable {
		return err
	}
	return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "the rows of table %q are not on this server", r.Name).Wrap(err).
		Hint("They lie in the data folder of the server that the table was made on.")
}

// plan is a prepared statement's own part: what Execute runs.
type plan interface {
	run(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error)
}

// planFunc is a plan that is a function.
type planFunc func(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error)

func (f planFunc) run(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
	return f(ctx, s, params)
}

// Prepare implements session.Handler.
func (h *Handler) Prepare(ctx context.Context, s *session.Session, stmt ast.Parsed, declared []types.Type) (*session.Prepared, error) {
	p := &session.Prepared{Statement: stmt}
	p.Params = make([]types.Type, stmt.Params)
	copy(p.Params, declared)
	if err := h.prepare(ctx, s, p, declared); err != nil {
		return nil, err
	}
	for i, t := range p.Params {
		if t.Kind == types.Invalid { // of a statement that takes none
			return nil, pgerr.New(pgerr.UndefinedParameter, "there is no parameter $%d", i+1).At(int(stmt.FirstParam))
		}
	}
	return p, nil
}

// prepare fills in p.Plan, and p.Columns for statements that return rows.
func (h *Handler) prepare(ctx context.Context, s *session.Session, p *session.Prepared, declared []types.Type) error {
	switch st := p.Statement.Statement.(type) {
	case *ast.Query:
		return h.prepareQuery(s, p, st, declared)
	case *ast.Insert:
		return h.prepareInsert(s, p, st, declared)
	case *ast.Update:
		return h.prepareUpdate(s, p, st, declared)
	case *ast.Delete:
		return h.prepareDelete(s, p, st, declared)
	case *ast.Truncate:
		p.Plan = h.truncate(st)
	case *ast.Copy:
		return h.prepareCopy(s, p, st, declared)
	case *ast.Explain:
		return h.prepareExplain(ctx, s, p, st, declared)
	case *ast.CreateRelation:
		p.Plan = h.createRelation(st)
	case *ast.CreateView:
		p.Plan = h.createView(p.Statement.Text, st)
	case *ast.CreateIndex:
		p.Plan = h.createIndex(st)
	case *ast.Comment:
		p.Plan = h.comment(st)
	case *ast.CreateOther:
		if st.Kind != ast.SchemaKind {
			return pgerr.NotSupported(int(st.Pos), statementName(p.Statement.Text))
		}
		p.Plan = createSchema(st)
	case *ast.AlterRelation:
		if st.Kind != ast.TableKind {
			return pgerr.NotSupported(int(st.Pos), statementName(p.Statement.Text))
		}
		p.Plan = h.alterTable(st)
	case *ast.Drop:
		p.Plan = h.drop(st)
	case *ast.CreateJob:
		p.Plan = h.createJob(p.Statement.Text, st)
	case *ast.StopJob:
		p.Plan = h.stopJob(st)
	case *ast.PauseJob:
		p.Plan = h.pauseJob(st)
	case *ast.AlterJob:
		p.Plan = h.alterJob(st)
	case *ast.CreateSavepoint:
		return h.prepareSavepoint(p, st)
	case *ast.RestoreJob:
		p.Plan = h.restoreJob(p.Statement.Text, st)
	case *ast.Subscribe:
		return h.prepareSubscribe(s, p, st, declared)
	case *ast.VerifySavepoint:
		return h.prepareVerify(p, st)
	case *ast.Flush:
		p.Plan = h.flush()
	case *ast.Show:
		return h.prepareShow(s, p, st)
	case *ast.Describe:
		return h.prepareDescribe(s, p, st)
	case *ast.Analyze:
		p.Plan = planFunc(func(context.Context, *session.Session, []types.Value) (*session.Result, error) {
			return session.Command(strings.ToUpper(st.Verb)), nil
		})
	default:
		return pgerr.NotSupported(int(p.Statement.Statement.Offset()), statementName(p.Statement.Text))
	}
	return nil
}

// statementName is what a statement is called after: its first word, or two
// where the first says little.
func statementName(text string) string {
	words := strings.Fields(strings.ToUpper(text))
	n := 1
	switch words[0] {
	case "ALTER", "CREATE", "DROP":
		n = min(2, len(words))
	}
	return strings.Join(words[:n], " ")
}

// Execute implements session.Handler.
func (h *Handler) Execute(ctx context.Context, s *session.Session, p *session.Prepared, params []types.Value) (*session.Result, error) {
	return p.Plan.(plan).run(ctx, s, params)
}
