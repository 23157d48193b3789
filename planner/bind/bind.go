// Package bind turns statements into logical trees: it resolves names against a
// catalog that is passed in, gives every expression its type by PostgreSQL's
// rules, and words errors as PostgreSQL does. It reads no clock, does no I/O and
// decides nothing about execution.
package bind

import (
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// Options are what a statement is bound against.
type Options struct {
	Catalog Catalog
	// ParamTypes are the types that a client declared for $1, $2 …; Invalid and
	// Unknown ones, and rows without fields, are inferred.
	ParamTypes []types.Type
	// SearchPath lists the schemas of unqualified names, public by default.
	// pg_catalog is searched before it, millrace and information_schema after.
	SearchPath []string
	// Database is the name that a three-part name may begin with.
	Database string
	// TimeZone is the session's, for literals of timestamp with time zone; the
	// default is UTC.
	TimeZone string
	// Now is when the statement began, in microseconds since 1970 UTC, for
	// literals such as 'now' and 'today'; 0 refuses those. So do continuous queries,
	// which are bound again when another one reads them: it would not be the same time.
	Now int64
	// Continuous says that the query runs for ever on changing input. What is
	// executed over finished data only (joins, subqueries, INTERSECT, EXCEPT)
	// is refused then.
	Continuous bool
	// ParseQuery and ParseExpr read the SQL text of views, defaults, generated
	// columns and watermarks; they default to sql/parse. All parts of the query
	// are to be at the offset at, which is where the view is named.
	ParseQuery func(query string, at ast.Pos) (*ast.Query, error)
	ParseExpr  func(string) (ast.Expr, error)
	// ConnectorColumns gives the columns of a relation whose definition lists
	// none, for connectors that know them; nil for none.
	ConnectorColumns func(options map[string]string) []catalog.Column
	// StateColumns gives the columns of an operator's state in a savepoint, for
	// savepoint('sp', 'operator'[, 'table']) in FROM; nil refuses those.
	StateColumns func(savepoint, operator, table string) ([]types.Field, error)
	// Writes allows INSERT, UPDATE and DELETE in the statement's WITH.
	Writes bool
	// RowNames are columns that name a row of an own table. A table that is updated
	// or deleted from has them last; no * shows them.
	RowNames []catalog.Column
	// Print gives the SQL text of an expression or query for the catalog; it
	// defaults to sql/ast's.
	Print func(ast.Node) string
}

// Notice is something to tell the user that is no error.
type Notice struct {
	Severity string // "WARNING" or "NOTICE"
	Code     pgerr.Code
	Message  string
	Position int
}

// StateTTL is one entry of a STATE_TTL hint: how long the state of the relation
// with that alias is kept.
type StateTTL struct {
	Alias    string
	Duration string
}

// BoundQuery is a query with its names resolved.
type BoundQuery struct {
	Root    logical.Node
	Columns []logical.Field
	Params  []types.Type
	// EmitOnWindowClose is set when the query says EMIT ON WINDOW CLOSE.
	EmitOnWindowClose bool
	Notices           []Notice
	StateTTL          []StateTTL
	// Depends are the ids of the relations that are read, views included, in
	// order of their first mention.
	Depends []string
	Writes  []Write
}

// Write is an INSERT, UPDATE or DELETE in WITH: one of Insert and Change is set.
// What it returns is given rows number 1 for the first of a statement, 2 for the
// second and so on. They are carried out in order, each over the rows given by those
// before it.
type Write struct {
	Name   string // of the WITH query
	Insert *BoundInsert
	Change *BoundChange
	Update bool // Change is one
}

// BoundInsert is an INSERT into an own table. Input has the relation's columns,
// one for one, defaults and generated values included.
type BoundInsert struct {
	Relation   *catalog.Relation
	Input      logical.Node
	Checks     []Check
	OnConflict *OnConflict
	// Returning are expressions over the inserted (or updated) row, nil for none.
	Returning        []*scalar.Expr
	ReturningColumns []logical.Field
	// ReturningRows is what Returning comes to over given rows number 0, and their
	// numbers; nil where no subquery is in it.
	ReturningRows logical.Node
	Params        []types.Type
	Notices       []Notice
	Writes        []Write
}

// OnConflict is what an INSERT does with a row whose key is there.
type OnConflict struct {
	// Constraint is the name of the unique constraint that it is about; empty: any.
	Constraint string
	// DoUpdate replaces the row by NewRow where Where is true or nil; otherwise
	// the new row is dropped. Both are over the columns of the existing row
	// followed by those of the row that was to be inserted.
	DoUpdate bool
	NewRow   []*scalar.Expr
	Where    *scalar.Expr
	// Rows gives the new rows, and the numbers of those that Where lets pass, over
	// given rows number 0 with both; nil where no subquery is in them.
	Rows logical.Node
}

// BoundChange is an UPDATE of an own table or a DELETE from one. Input has the
// columns of the old row, then for an UPDATE those of the new one, and then,
// where RETURNING may ask for them, those of FROM or USING.
type BoundChange struct {
	Relation *catalog.Relation
	Input    logical.Node
	Checks   []Check // of an UPDATE
	// Returning are over the new row, for a DELETE the old one, and what follows.
	Returning        []*scalar.Expr
	ReturningColumns []logical.Field
	ReturningRows    logical.Node // as in BoundInsert
	Params           []types.Type
	Notices          []Notice
	Writes           []Write
}

// BoundJob is a job: one sink per INSERT.
type BoundJob struct {
	Sinks    []*logical.Sink
	Notices  []Notice
	StateTTL []StateTTL
	// Depends are the ids of the relations that are read or written.
	Depends []string
}

// BoundView is the definition of a view or materialized view. Relation has no id
// yet; Root is nil for a plain view.
type BoundView struct {
	Relation *catalog.Relation
	Root     *logical.Materialize
	Notices  []Notice
	StateTTL []StateTTL
}

// Query binds a query.
func Query(q *ast.Query, opts Options) (*BoundQuery, error) {
	b := newBinder(opts)
	b.top = q.With
	rel, err := b.query(q, nil, queryMode{})
	if err != nil {
		return nil, err
	}
	if err := b.nameRegistered(q, rel.node); err != nil {
		return nil, err
	}
	params, err := b.finishParams()
	if err != nil {
		return nil, err
	}
	return &BoundQuery{Root: rel.node, Columns: rel.node.Fields(), Params: params, EmitOnWindowClose: q.Emit != "",
		Notices: b.notices, StateTTL: b.ttl, Depends: b.depends, Writes: b.writes}, nil
}

// binder is the state of binding one statement.
type binder struct {
	opts    Options
	params  []param
	notices []Notice
	ttl     []StateTTL
	sinkTTL []ttlHint // hints of an INSERT, for its SELECT
	depends []string
	viewing []string // names of the views being expanded, for cycles
	depth   int
	read    *int // how many relations are read, those within views and WITH queries each time
	// recursions counts the recursive queries.
	recursions int
	top        *ast.With // the statement's, where INSERT, UPDATE and DELETE may stand
	writes     []Write
	prec       map[*scalar.Expr]int8
	reached    *[]*level // by the trial under way, see trial
	rebound    int       // aggregates that were bound twice
}

const depthMax = 2000 // nested expressions and queries

// readMax bounds the relations that a statement reads. Views and WITH queries are
// put in the place of each reference, so that a short text may stand for very many.
const readMax = 4096

func newBinder(opts Options) *binder {
	opts.SearchPath = fullPath(opts.SearchPath)
	if opts.ParseQuery == nil {
		opts.ParseQuery = parse.QueryAt
	}
	if opts.Print == nil {
		opts.Print = printNode
	}
	if opts.ParseExpr == nil {
		opts.ParseExpr = parse.Expr
	}
	if opts.TimeZone == "" {
		opts.TimeZone = "UTC"
	}
	b := &binder{opts: opts, prec: map[*scalar.Expr]int8{}, read: new(int)}
	for _, t := range opts.ParamTypes {
		b.params = append(b.params, param{typ: t, given: isGiven(t), pos: -1})
	}
	return b
}

// isGiven reports whether a type that a client declared says what a value is: there is
// one number for all types of rows.
func isGiven(t types.Type) bool {
	if t.Kind == types.Array {
		t = *t.Elem
	}
	return t.Kind != types.Invalid && t.Kind != types.Unknown && (t.Kind != types.Row || len(t.Fields) > 0)
}

// fullPath adds the system schemas to a search path that leaves them out.
func fullPath(path []string) []string {
	if len(path) == 0 {
		path = []string{"public"}
	}
	out := slices.Clone(path)
	if !slices.Contains(out, "pg_catalog") {
		out = append([]string{"pg_catalog"}, out...)
	}
	for _, s := range []string{"millrace", "information_schema"} {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// enter guards against trees too deep for the stack; leave undoes it.
func (b *binder) enter(pos ast.Pos) error {
	b.depth++
	if b.depth > depthMax {
		return pgerr.New(pgerr.StatementTooComplex, "stack depth limit exceeded").At(int(pos)).
			Hint("Break the statement into smaller ones.")
	}
	return nil
}

func (b *binder) leave() { b.depth-- }

func (b *binder) warn(pos ast.Pos, message string) {
	b.notices = append(b.notices, Notice{Severity: "WARNING", Code: pgerr.Warning, Message: message, Position: int(pos)})
}

func (b *binder) dependOn(id string) {
	if id == "" {
		return
	}
	for _, d := range b.depends {
		if d == id {
			return
		}
	}
	b.depends = append(b.depends, id)
}

// param is what is known about one $n.
type param struct {
	typ   types.Type
	given bool // declared, or inferred from a use
	pos   int
}

// finishParams gives every parameter's type; one that no use determined is an
// error.
func (b *binder) finishParams() ([]types.Type, error) {
	out := make([]types.Type, len(b.params))
	for i, p := range b.params {
		if !p.given {
			return nil, pgerr.New(pgerr.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1).At(p.pos)
		}
		out[i] = p.typ
	}
	return out, nil
}

func printNode(n ast.Node) string {
	switch n := n.(type) {
	case ast.Expr:
		return ast.PrintExpr(n)
	case *ast.Query:
		return ast.PrintQuery(n)
	}
	return ""
}
