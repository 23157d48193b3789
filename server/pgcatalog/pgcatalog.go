// Package pgcatalog is the system relations: pg_catalog and information_schema
// as PostgreSQL's clients know them, and the schema millrace. It says which
// relations and columns there are, makes their rows from a snapshot of the
// catalog, and answers the functions that look things up. Queries on them are
// planned and run like all others: no query text is ever compared here.
package pgcatalog

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// Provider gives the rows that only the running server knows.
type Provider interface {
	// MillraceRows returns the rows of a relation of the schema millrace, in the
	// order of its columns (see NewRows); ok is false when this package is to
	// answer from the metadata database: jobs, job_events, checkpoints,
	// savepoints and settings can be, the others are empty then.
	MillraceRows(ctx context.Context, s *session.Session, relation *catalog.Relation) (rows [][]types.Value, ok bool, err error)
	// RelationSize is the number of rows and of bytes that a relation keeps; -1
	// for unknown.
	RelationSize(relation *catalog.Relation) (rows, bytes int64)
}

// Options are what the system relations are made from.
type Options struct {
	// Store is the metadata database; required.
	Store *catalog.Store
	// Sessions is what pg_stat_activity shows; may be nil.
	Sessions *session.Manager
	// Snapshot is the catalog as a session sees it, with what its transaction
	// has changed; nil takes the store's.
	Snapshot func(*session.Session) *catalog.Snapshot
	// Provider may be nil, and so may Sequences.
	Provider  Provider
	Sequences Sequences
	Clock     clock.Clock
	// Started is the server's start, for pg_postmaster_start_time().
	Started time.Time
}

// EnsureDefaults fills in what is left open.
func (o *Options) EnsureDefaults() {
	if o.Snapshot == nil {
		store := o.Store
		o.Snapshot = func(*session.Session) *catalog.Snapshot { return store.Snapshot() }
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Started.IsZero() {
		o.Started = o.Clock.Now()
	}
}

// Catalog is the system relations of one server.
type Catalog struct {
	options   Options
	relations []*catalog.Relation
	byID      map[string]*definition
	byName    map[string]*definition // schema.name
	functions map[string]function
	typeFuncs []typeFunction

	typesOnce sync.Once
	typeList  []typeLine

	mu   sync.Mutex // guards what follows
	last *model     // of the snapshot last asked about
}

// producer makes a relation's rows.
type producer func(q *query, out *Rows) error

// query is one reading of a system relation.
type query struct {
	c   *Catalog
	ctx context.Context
	s   *session.Session // may be nil
	*model
}

// New makes the system relations.
func New(o Options) *Catalog {
	o.EnsureDefaults()
	c := &Catalog{options: o, byID: map[string]*definition{}, byName: map[string]*definition{}}
	for _, d := range definitions() {
		c.relations = append(c.relations, d.relation)
		c.byID[d.relation.ID] = d
		c.byName[d.relation.Schema+"."+d.relation.Name] = d
	}
	c.functions = catalogFunctions()
	c.typeFuncs = typeFunctions()
	for name, p := range producers() {
		c.byName[name].rows = p
	}
	return c
}

// Relations lists the system relations; they never change.
func (c *Catalog) Relations() []*catalog.Relation { return c.relations }

// Rows returns a system relation's rows as they are now. Those of relations that
// have no meaning here are none.
func (c *Catalog) Rows(ctx context.Context, s *session.Session, relation *catalog.Relation) ([][]types.Value, error) {
	d := c.byID[relation.ID]
	if d == nil {
		return nil, pgerr.New(pgerr.UndefinedTable, "system relation %q does not exist", relation.Name)
	}
	if relation.Schema == "millrace" && c.options.Provider != nil {
		rows, ok, err := c.options.Provider.MillraceRows(ctx, s, d.relation)
		if ok || err != nil {
			return rows, err
		}
	}
	out := NewRows(d.relation)
	if d.rows == nil {
		return nil, nil
	}
	if err := d.rows(c.query(ctx, s), out); err != nil {
		return nil, err
	}
	return out.Values, nil
}

// RelationOID is the OID by which pg_class has the relation of that id, 0 for none.
func (c *Catalog) RelationOID(s *session.Session, id string) uint32 {
	if k := c.model(c.options.Snapshot(s)).byID[id]; k != nil {
		return k.oid
	}
	return 0
}

func (c *Catalog) query(ctx context.Context, s *session.Session) *query {
	return &query{c: c, ctx: ctx, s: s, model: c.model(c.options.Snapshot(s))}
}

// Function answers eval.Context.External for a session. Tasks that ask at once take
// turns: some functions write the session's variables.
func (c *Catalog) Function(ctx context.Context, s *session.Session) func(key string, args []types.Value, result types.Type) (types.Value, error) {
	var mu sync.Mutex
	var q *query
	return func(key string, args []types.Value, result types.Type) (types.Value, error) {
		f, ok := c.functions[key]
		if !ok {
			return types.NullValue, pgerr.New(pgerr.UndefinedFunction, "function %s is not available", key)
		}
		mu.Lock()
		defer mu.Unlock()
		if q == nil {
			q = c.query(ctx, s)
		}
		return f(q, args)
	}
}

// producers says how rows are made; what is not listed has none.
func producers() map[string]producer {
	p := map[string]producer{}
	for _, add := range []func(map[string]producer){
		relationProducers, typeProducers, functionProducers, serverProducers, viewProducers, sequenceProducers, informationSchema, millraceProducers,
	} {
		add(p)
	}
	return p
}
