// Package catalog holds durable names: relations, jobs, checkpoints, savepoints
// and events, in SQLite or PostgreSQL. It stores definitions as SQL text and
// plans as bytes, and interprets neither.
package catalog

import (
	"strings"
	"time"

	"github.com/millrace/millrace/types"
)

// Kind tells relations apart; the strings are stored.
type Kind string

// The kinds of relation.
const (
	Table            Kind = "table" // own table, or a connector table when Options has a connector
	Source           Kind = "source"
	Sink             Kind = "sink"
	View             Kind = "view"
	MaterializedView Kind = "materialized view"
	Index            Kind = "index"
	System           Kind = "system" // pg_catalog, information_schema, millrace: made by the server, never stored
)

// Relation is anything with rows.
type Relation struct {
	ID         string // stable, never reused
	Schema     string // "public", "pg_catalog", "millrace" …
	OID        uint32 `json:"-"` // of a system table: PostgreSQL's, which its rows have as tableoid
	Name       string
	Kind       Kind
	Columns    []Column
	PrimaryKey []int    // positions in Columns; nil for none
	KeyName    string   // of the primary key's constraint; empty: the relation's name and _pkey
	Unique     []Unique // of a unique index: itself
	Checks     []Check
	Watermark  *Watermark
	AppendOnly bool
	Options    map[string]string // WITH options; empty for own tables
	// SQL is the defining statement, printed canonically; for views and
	// materialized views Query is the query alone.
	SQL     string
	Query   string
	JobID   string   // of a materialized view: the job that keeps it
	Depends []string // ids of the relations this one reads
	Created time.Time
	Order   []Order // of an index: how its columns are ordered; nil: as they are by default
	Comment string  // what COMMENT ON says of it
}

// Order is how a column of an index is ordered.
type Order struct{ Desc, NullsFirst bool }

// IndexOrder is the order of column i of an index.
func (r *Relation) IndexOrder(i int) Order {
	if i < len(r.Order) {
		return r.Order[i]
	}
	return Order{}
}

// IsOwnTable reports whether the relation is a table kept by Millrace itself.
func (r *Relation) IsOwnTable() bool { return r.Kind == Table && r.Options["connector"] == "" }

// Unique is a unique constraint beside the primary key.
type Unique struct {
	Name             string
	Columns          []int // positions in Relation.Columns
	NullsNotDistinct bool  `json:",omitempty"`
	Index            bool  `json:",omitempty"` // it is a unique index, and no constraint by name
}

// Check is a condition that no row may fail, as SQL text.
type Check struct {
	Name    string
	X       string
	Columns []int `json:",omitempty"` // that X is about
}

// UniqueKeys lists what is unique in a relation, the primary key first.
func (r *Relation) UniqueKeys() []Unique {
	if len(r.PrimaryKey) == 0 {
		return r.Unique
	}
	name := r.KeyName
	if name == "" {
		name = r.Name + "_pkey"
	}
	return append([]Unique{{Name: name, Columns: r.PrimaryKey}}, r.Unique...)
}

// Column is one column of a relation. Default and Generated are SQL text.
type Column struct {
	Name      string
	Type      types.Type
	NotNull   bool
	Default   string `json:",omitempty"`
	Generated string `json:",omitempty"`
	Metadata  string `json:",omitempty"` // connector metadata key
	Comment   string `json:",omitempty"` // what COMMENT ON says of it
	// Identity says by which numbers an own table's column counts, nil for none.
	Identity *Identity `json:",omitempty"`
	// Registered is the type by which the object ids of a system relation's column are
	// shown as names, as regproc; "" for none.
	Registered string `json:"-"`
}

// Identity is an identity column or a serial one.
type Identity struct {
	Kind     string // "always", "by default" or "serial"
	Sequence string // its name
	Start, Increment,
	Min, Max int64
	Cycle bool `json:",omitempty"`
}

// DefaultSQL is what a column has that is not given, as SQL text; empty for null.
func (r *Relation) DefaultSQL(column int) string {
	c := &r.Columns[column]
	if c.Identity != nil {
		return "nextval(" + literal(name(r.Schema)+"."+name(c.Identity.Sequence)) + ")"
	}
	return c.Default
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Watermark is WATERMARK FOR column AS expression, the latter as SQL text.
type Watermark struct {
	Column int
	X      string
}

// Job is a continuous query that the server keeps running.
type Job struct {
	ID   string // 32 hex digits, new at every start, restore or fork
	Name string
	SQL  string // the statement as the user wrote it
	// Graph is planner/graph's encoding of the plan: what restarts the job.
	Graph   []byte
	Options map[string]string
	// Wanted is what the user asked for: "running", "paused", "stopped".
	Wanted string
	// State is what was last seen: "created", "restoring", "running", "paused",
	// "restarting", "stopping", "stopped", "finished", "failed".
	State   string
	Failure string // why, when State is failed or restarting
	ViewID  string // relation id, when the job keeps a materialized view
	// RestoreFrom is where the first start takes its state from: "<job id>/chk-<n>"
	// in the object store, or the URL of a savepoint's folder; "" for nowhere.
	RestoreFrom string
	// RestoreMap is the MAP clause that goes with it, encoded by package job.
	RestoreMap string
	// FirstCheckpoint is the number the next first checkpoint takes.
	FirstCheckpoint int64
	// Depends is the ids of the relations it reads and writes.
	Depends []string
	// Lineage is the job ids this one took its state from, newest first.
	Lineage []string
	Created time.Time
	Updated time.Time
}

// Checkpoint is one completed, failed or running checkpoint.
type Checkpoint struct {
	JobID     string
	N         int64
	State     string // "running", "complete", "failed", "discarded"
	URL       string // of its _metadata object
	Bytes     int64  // uploaded by this checkpoint
	FullBytes int64  // everything it refers to
	Rows      int64
	Started   time.Time
	Ended     time.Time
	Failure   string
}

// Savepoint is a user's snapshot of a job.
type Savepoint struct {
	ID      string
	Name    string
	JobID   string
	JobName string
	URL     string
	Format  string // "canonical" or "native"
	Bytes   int64
	Rows    int64
	Created time.Time
}

// Event is a line in a job's history.
type Event struct {
	JobID   string
	At      time.Time
	Kind    string // "started", "restored", "checkpoint_failed", "failed", "restarting", "fallback", …
	Message string
}
