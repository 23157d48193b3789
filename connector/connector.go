// Package connector is how rows come in and go out: sources made of splits that
// can be read again from an offset, and sinks that commit in two phases. Each
// connector lives in its own folder and registers in a Registry; a client
// library is imported in its own folder only.
package connector

import (
	"context"
	"fmt"
	"log/slog"
	"sort"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// Column is a column of the relation as its connector sees it.
type Column struct {
	Name     string
	Type     types.Type
	NotNull  bool
	Metadata string // connector metadata key, "" for a column of the rows
	// Generated columns are computed by the engine: a connector neither reads
	// nor checks them.
	Generated bool
}

// Direction says what a relation or an option is for.
type Direction int

// The directions.
const (
	BothWays Direction = iota
	SourceOnly
	SinkOnly
)

// Spec is a relation as declared: everything a connector may look at.
type Spec struct {
	Relation  string // schema.name
	Direction Direction
	Columns   []Column
	Key       []int // primary key, positions in Columns
	Options   map[string]string
	// Changes is set for a sink whose input is not append-only: what it writes
	// must tell inserts from deletes and updates.
	Changes bool
}

// Env is what the process gives to connectors.
type Env struct {
	Log *slog.Logger
	// BadRow takes a row that could not be decoded. It returns an error when the
	// relation's policy is to fail; nil means: go on with the next row.
	BadRow func(row BadRow) error
}

// BadRow is an undecodable row with where it came from.
type BadRow struct {
	Relation string
	Split    string
	Offset   string
	Raw      []byte
	Err      error
}

// Split is an independent part of a source: a partition, a file, a stride of a
// generator. IDs are stable: offsets are kept by them.
type Split struct {
	ID   string
	Data []byte // the connector's own
}

// Status says what a Read came to.
type Status int

// Read's outcomes.
const (
	More Status = iota // rows were delivered, or more may come at once
	Idle               // nothing now; wait for Ready
	End                // the split is finished for good
)

// Source makes readers of a relation's splits.
type Source interface {
	// Schema returns the columns for a declaration that left its column list
	// out, or nil if the connector has no schema of its own.
	Schema() []Column
	// Splits lists the splits there are now. It is called again from time to
	// time when Follows is true; a split never goes away while it is unread.
	Splits(ctx context.Context) ([]Split, error)
	// Follows reports whether new splits may appear.
	Follows() bool
	// Open starts reading a split after offset (nil: from its beginning). want
	// are the columns to deliver, positions in Spec.Columns.
	Open(ctx context.Context, s Split, offset []byte, want []int) (Reader, error)
}

// Endless is a Source that may make up rows as they are read, so that no rows are
// there at the start.
type Endless interface {
	// Endless reports whether it does so for ever.
	Endless() bool
}

// OffsetChecker is a Source that can tell, without reading, whether Open would
// still find the place of the offset of each split (nil: its beginning). What it
// cannot find is a *GoneError.
type OffsetChecker interface {
	CheckOffsets(ctx context.Context, splits []Split, offsets [][]byte) error
}

// GoneError says that rows which a reader would have to deliver are not there any
// more. It words, for a user, the position asked for and the oldest there is.
type GoneError struct{ Message string }

// Error implements error.
func (e *GoneError) Error() string { return e.Message }

// Staged is a Source whose splits all end and of which a task is to read only the
// first so many at once, since one that is being read costs memory.
type Staged interface {
	Source
	AtOnce() int
}

// Ordered is a Source that may want its splits read one after the other, in the
// order of their ids: by one task, AtOnce 1.
type Ordered interface {
	Staged
	InOrder() bool
}

// InOrder reports whether one task is to read all splits of a source.
func InOrder(s Source) bool {
	o, ok := s.(Ordered)
	return ok && o.InOrder()
}

// Reader delivers the rows of one split in order. It is used by one goroutine.
type Reader interface {
	// Read fills out, which has the wanted columns, with at most max rows, or two
	// where an update would be parted. It does not block: with nothing to deliver it returns Idle.
	Read(ctx context.Context, out *batch.Batch, max int) (Status, error)
	// Ready is closed or delivers when an Idle reader may have rows; nil when
	// the reader is to be polled.
	Ready() <-chan struct{}
	// Offset names the place after the last row delivered: Open continues there
	// exactly. It is at most a few hundred bytes of text.
	Offset() []byte
	Close() error
}

// Fenced is a Reader that stops at a fence, if one was set when a barrier was sent, so
// that the barrier cuts several sources at one point.
type Fenced interface {
	Reader
	// Fence reports whether there is a fence, and whether the reader has come to it.
	Fence() (there, reached bool)
	// Pass lets it go on beyond.
	Pass()
}

// Positioned is a Reader of rows that were committed at positions, which are the same for
// all such readers: so one of them can be held behind another.
type Positioned interface {
	Reader
	// Position is the last one up to which all rows have been delivered.
	Position() uint64
	// Limit lets Read deliver rows up to a position only. It returns More and no rows where
	// there are none but beyond.
	Limit(position uint64)
}

// Sink makes writers of a relation.
type Sink interface {
	// Open starts a writer for one task. id is unique to (job run, operator,
	// task): names of what is written derive from it.
	Open(ctx context.Context, id WriterID) (Writer, error)
	// Commit makes visible what writers pre-committed; committing twice is the
	// same as once. It is called after the checkpoint that covers them is
	// complete, and again at recovery.
	Commit(ctx context.Context, committables [][]byte) error
	// Abort discards what writers of earlier runs pre-committed or left behind
	// that no checkpoint covers. Best effort.
	Abort(ctx context.Context, id WriterID) error
}

// Combined is a Sink that commits in one step with others of its kind that one job has.
type Combined interface {
	Sink
	// CommitAll is Commit of several sinks, this one among them: readers see all of it or
	// nothing, unless it is too much for one step.
	CommitAll(ctx context.Context, parts []Part) error
}

// Part is what one sink is to commit.
type Part struct {
	Sink         Sink
	Committables [][]byte
}

// WriterID names a writer.
type WriterID struct {
	JobID       string
	Incarnation string // unique to one start of the job
	Operator    string
	Task        int
}

// RefusedRows is the error of a Write that took all rows but these.
type RefusedRows []RefusedRow

// RefusedRow is a row, by its number in the batch, that a relation cannot hold.
type RefusedRow struct {
	Row int
	Err error
}

// Error gives the first.
func (r RefusedRows) Error() string { return r[0].Err.Error() }

// Unwrap returns the first.
func (r RefusedRows) Unwrap() error { return r[0].Err }

// Writer takes the rows of one task.
type Writer interface {
	// Write takes rows; it must not keep b. When it took some of them only, the
	// error is a RefusedRows.
	Write(ctx context.Context, b *batch.Batch) error
	// PreCommit makes everything written since the last one durable but not yet
	// visible, and returns what Commit needs to finish it, or nil if nothing was
	// written.
	PreCommit(ctx context.Context, epoch uint64) ([]byte, error)
	Close() error
}

// Option describes a WITH option, for checks, docs and SHOW CREATE.
type Option struct {
	Name    string
	Doc     string
	Default string
	Values  []string // when only these are allowed
	Secret  bool
	Only    Direction // the other direction refuses it
	// Required options must be given.
	Required bool
}

// Kind is a registered connector. NewSource or NewSink is nil for a direction it
// lacks. Both check the options and refuse with a pgerr.Error that names the
// option at fault; they do reach out to the outside (a missing bucket is found
// at CREATE).
type Kind struct {
	Name    string
	Options []Option
	// AtLeastOnce is set when the sink can do with less than exactly once.
	AtLeastOnce bool
	NewSource   func(ctx context.Context, spec Spec, env Env) (Source, error)
	NewSink     func(ctx context.Context, spec Spec, env Env) (Sink, error)
}

// Registry holds the connectors of a process.
type Registry struct{ kinds map[string]*Kind }

// NewRegistry returns a registry of the kinds given; names must differ.
func NewRegistry(kinds ...*Kind) (*Registry, error) {
	r := &Registry{kinds: map[string]*Kind{}}
	for _, k := range kinds {
		if r.kinds[k.Name] != nil {
			return nil, fmt.Errorf("connector %s is registered twice", k.Name)
		}
		r.kinds[k.Name] = k
	}
	return r, nil
}

// Lookup returns the kind of that name, or nil.
func (r *Registry) Lookup(name string) *Kind { return r.kinds[name] }

// Names lists the registered names in order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.kinds))
	for n := range r.kinds {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
