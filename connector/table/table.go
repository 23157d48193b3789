// Package table keeps Millrace's own tables: rows in memory behind a durable
// log of changes. A transaction over any number of tables is one record of the
// log; concurrent writers share one fsync. Readers see the rows as of a
// position of the log and then follow its changes, exactly once, from any
// position that is retained. It checks keys and nulls, and knows no SQL, no
// defaults and no expressions.
//
// Positions number the transactions from 1; position 0 is the empty store. Row
// ids number the rows of a table; an update keeps the row's id.
package table

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Options say how a store behaves.
type Options struct {
	Log *slog.Logger
	// SegmentBytesMax is when a new log file is begun.
	SegmentBytesMax int64
	// PartBytesMax is what a task of a sink holds in memory of what it is to write: more
	// of it goes to a file at once. Four times that are committed together.
	PartBytesMax int
	// CompactBytesMin is how much log must have been written since the last
	// snapshot before CompactIfNeeded takes another.
	CompactBytesMin int64
	// Committed tells whether the metadata transaction of that id was committed. It
	// is asked about the end of the log when the store is opened; nil: it was.
	Committed func(id string) (bool, error)
	// NoSync leaves out fsync, for tests that count on speed, not on power cuts.
	NoSync bool
}

// EnsureDefaults fills in what was left zero.
func (o Options) EnsureDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SegmentBytesMax == 0 {
		o.SegmentBytesMax = 64 << 20
	}
	if o.PartBytesMax == 0 {
		o.PartBytesMax = 64 << 20
	}
	if o.CompactBytesMin == 0 {
		o.CompactBytesMin = 64 << 20
	}
	return o
}

// Column is a column of a table.
type Column = connector.Column

// Def defines a table. ID is the relation's id in the catalog and never used
// twice.
type Def struct {
	ID      string
	Name    string // as errors spell it
	Columns []Column
	Key     []int // primary key, positions in Columns
	// KeyName is what errors call the primary key; empty: the table's name and _pkey.
	KeyName string
	Unique  []Unique // beside the key
}

// table is one table in memory.
type table struct {
	number  uint32
	def     Def
	codec   *rowCodec
	rows    *rows
	unique  bool       // there is a primary key
	keys    []keyIndex // the primary key if there is one, then the other unique constraints
	created uint64     // position
	changed uint64     // position of the last change since the start
	// altered is the position of the last change of the definition since the start: a
	// transaction that began before it does not fit any more.
	altered  uint64
	replaced bool // another table takes its place at the commit that is under way
	dropped  bool
}

func newTable(d storedTable) *table {
	t := &table{number: d.Number, def: d.definition(), unique: len(d.Key) > 0}
	columns := make([]types.Type, len(d.Columns))
	keys := append([]int(nil), d.Key...)
	for i, c := range d.Columns {
		columns[i] = c.Type
		if !t.unique {
			keys = append(keys, i)
		}
	}
	t.codec = newRowCodec(columns)
	t.keys = keysOf(&t.def)
	t.rows = newRows(t.codec, keys, t.def.Unique...)
	return t
}

func (t *table) stored() storedTable { return storedOf(t.number, t.def) }

// Store holds all own tables of a server. Its methods may be called
// concurrently.
type Store struct {
	opt  Options
	dir  string
	lock *os.File

	frameMax int // see there

	queueMu sync.Mutex // guards the next two
	queue   []*pendingTxn
	leading bool

	fenceMu sync.Mutex // guards where sources are; mu is not taken under it

	// mu guards everything below. The leader stages changes under it, writes
	// without it, and publishes under it.
	mu         sync.RWMutex
	tables     map[string]*table // by id
	numbers    map[uint32]*table
	nextNumber uint32
	joint      string              // id of the last transaction that was joint
	redefined  []redefined         // by the transaction that is staged and not decided
	altering   []altering          // by the same
	replaced   map[string]struct{} // ids of tables in whose place others are, since the start
	dropped    map[string]string   // names of tables, by id, for those who look for them still
	writers    map[string]uint64   // pending files that have been applied → position
	staged     uint64              // position of the last staged transaction
	durable    uint64              // position of the last durable one: what readers see
	log        *logFiles
	failed     error // set for good when the log cannot be written
	closed     bool
	changed    chan struct{} // closed and replaced when durable grows
	pins       map[*pin]struct{}
	reclaimed  uint64 // versions that died up to here may be gone
	retained   map[string]retention
	snapshot   uint64 // position of the newest snapshot file
	sinceSnap  int64  // bytes of log since then

	sequences sequences

	compactMu sync.Mutex // one compaction at a time
}

// pin keeps versions (snapshot set) or the log from position on while a reader
// is at it.
type pin struct {
	position uint64
	snapshot bool
}

// Open opens the store in dir, or makes one there, and recovers what was
// committed. A torn end of the log, which no writer was told about, is cut off;
// damage elsewhere is an error that names the file and place.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{opt: o.EnsureDefaults(), dir: dir, frameMax: frameMax, tables: map[string]*table{}, numbers: map[uint32]*table{}, nextNumber: 1,
		writers: map[string]uint64{}, replaced: map[string]struct{}{}, dropped: map[string]string{}, changed: make(chan struct{}), pins: map[*pin]struct{}{}, retained: map[string]retention{}}
	for _, d := range []string{dir, s.pendingDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open table store: %w", err)
		}
	}
	var err error
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err = s.loadRetained(); err == nil {
		err = s.recover()
	}
	if err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for writers under way and closes the log.
func (s *Store) Close() error {
	for {
		s.queueMu.Lock()
		busy := s.leading
		s.queueMu.Unlock()
		if !busy {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.changed)
	s.changed = make(chan struct{})
	err := s.log.close()
	s.lock.Close()
	return err
}

// Position is that of the last committed transaction. A reader whose offset has
// reached it has seen everything written so far.
func (s *Store) Position() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.durable
}

// Tables lists the definitions in the order of their ids.
func (s *Store) Tables() []Def {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Def
	for _, t := range s.tables {
		out = append(out, t.def)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Create adds a table, durably. A table of that id is an error.
func (s *Store) Create(ctx context.Context, d Def) error {
	if err := checkTypes(d); err != nil {
		return err
	}
	_, err := s.commit(ctx, &pendingTxn{creates: []Def{d}})
	return err
}

func checkTypes(d Def) error {
	for _, c := range d.Columns {
		if c.Type.Phys() == types.PhysNone {
			return pgerr.New(pgerr.InvalidTableDefinition, "column %q has type %s, which a table cannot hold", c.Name, c.Type)
		}
	}
	return nil
}

// allColumns are the positions of a table's columns.
func (t *table) allColumns() []int {
	out := make([]int, len(t.def.Columns))
	for i := range out {
		out[i] = i
	}
	return out
}

// Drop removes a table and its rows, durably; a missing one is no error.
func (s *Store) Drop(ctx context.Context, id string) error {
	_, err := s.commit(ctx, &pendingTxn{drop: id})
	return err
}

func (s *Store) find(id string) (*table, error) {
	if t := s.tables[id]; t != nil {
		return t, nil
	}
	if _, replaced := s.replaced[id]; replaced {
		return nil, errConflict()
	}
	if name, dropped := s.dropped[id]; dropped {
		return nil, pgerr.New(pgerr.UndefinedTable, "table %q was dropped meanwhile", name)
	}
	return nil, pgerr.New(pgerr.UndefinedTable, "table with id %q is not in the store", id)
}

// Def returns a table's definition.
func (s *Store) Def(id string) (Def, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return Def{}, err
	}
	return t.def, nil
}

// Count is the number of rows of a table.
func (s *Store) Count(id string) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return 0, err
	}
	return int64(len(t.rows.byRow)), nil
}

// Size is the number of rows of a table, and of the bytes that they and the indexes of
// its keys take in memory.
func (s *Store) Size(id string) (rows, bytes int64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return 0, 0, err
	}
	return int64(len(t.rows.byRow)), t.rows.bytes(), nil
}
