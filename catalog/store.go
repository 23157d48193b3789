package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
)

// Options configure a Store.
type Options struct {
	// CheckpointsMax is how far back a job's failed and discarded checkpoints are
	// remembered.
	CheckpointsMax int
	// EventsMax is how many events are kept per job.
	EventsMax int
	Clock     clock.Clock
	Logger    *slog.Logger
}

// EnsureDefaults fills in what is left open.
func (o *Options) EnsureDefaults() {
	if o.CheckpointsMax == 0 {
		o.CheckpointsMax = 1000
	}
	if o.EventsMax == 0 {
		o.EventsMax = 1000
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Store is the metadata database with its relations and jobs in memory. One
// server at a time writes to a database; the lease sees to that.
type Store struct {
	db      *sql.DB
	dialect dialect
	clock   clock.Clock
	log     *slog.Logger
	past    int // CheckpointsMax
	events  int

	write sync.Mutex // held by the one who writes

	mu      sync.RWMutex // guards what follows
	current *Snapshot
	lease   *Lease
	owed    []note // replaced, never changed in place
}

// ErrNewer is the cause when a database was made by a newer Millrace.
var ErrNewer = errors.New("the metadata database is newer than this program")

// Open opens a database, brings its schema up to date and reads it. The URL is
// sqlite:///path or postgres://….
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o.EnsureDefaults()
	d, db, err := connect(url)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, dialect: d, clock: o.Clock, log: o.Logger, past: o.CheckpointsMax, events: o.EventsMax, current: newSnapshot()}
	if err = d.migrate(ctx, db, o.Logger); err == nil {
		err = s.Reload(ctx)
	}
	if err != nil {
		db.Close()
		var lite interface{ Code() int }
		if errors.As(err, &lite) && (lite.Code()&0xff == sqliteIOError || lite.Code()&0xff == sqliteFull) {
			err = fmt.Errorf("%w: its disk may be full", err)
		}
		return nil, fmt.Errorf("open metadata %s: %w", d.shown, err)
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Snapshot returns the relations and jobs as they are now. It costs nothing.
func (s *Store) Snapshot() *Snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current
}

// Reload reads the database again: after the lease was taken over from another
// server.
func (s *Store) Reload(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	fresh := newSnapshot()
	if err := s.loadRelations(ctx, fresh); err != nil {
		return fmt.Errorf("read relations: %w", err)
	}
	if err := s.loadJobs(ctx, fresh); err != nil {
		return fmt.Errorf("read jobs: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh.Version = s.current.Version + 1
	s.current = fresh
	return nil
}

func (s *Store) loadRelations(ctx context.Context, into *Snapshot) error {
	rows, err := s.db.QueryContext(ctx, "SELECT id, schema_name, name, kind, definition, sql_text, query_text, job_id, created FROM relations")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r := &Relation{}
		var kind, def string
		var created int64
		if err := rows.Scan(&r.ID, &r.Schema, &r.Name, &kind, &def, &r.SQL, &r.Query, &r.JobID, &created); err != nil {
			return err
		}
		var d definition
		if err := json.Unmarshal([]byte(def), &d); err != nil {
			return fmt.Errorf("decode relation %s: %w", r.Name, err)
		}
		r.Kind, r.Created = Kind(kind), fromMicros(created)
		r.Columns, r.PrimaryKey, r.Watermark, r.AppendOnly, r.Options = d.Columns, d.PrimaryKey, d.Watermark, d.AppendOnly, d.Options
		r.Order = d.Order
		r.KeyName, r.Unique, r.Checks, r.Comment = d.KeyName, d.Unique, d.Checks, d.Comment
		into.put(r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	depends, err := s.db.QueryContext(ctx, "SELECT relation_id, depends_on FROM relation_depends ORDER BY relation_id, position")
	if err != nil {
		return err
	}
	defer depends.Close()
	for depends.Next() {
		var id, on string
		if err := depends.Scan(&id, &on); err != nil {
			return err
		}
		if r := into.relations[id]; r != nil {
			r.Depends = append(r.Depends, on)
		}
	}
	return depends.Err()
}

func (s *Store) loadJobs(ctx context.Context, into *Snapshot) error {
	rows, err := s.db.QueryContext(ctx, "SELECT id, name, sql_text, graph, options, wanted, state, failure, view_id, restore_from, restore_map, first_checkpoint, depends, lineage, created, updated FROM jobs")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		j := &Job{}
		var options, depends, lineage string
		var created, updated int64
		if err := rows.Scan(&j.ID, &j.Name, &j.SQL, &j.Graph, &options, &j.Wanted, &j.State, &j.Failure, &j.ViewID, &j.RestoreFrom, &j.RestoreMap,
			&j.FirstCheckpoint, &depends, &lineage, &created, &updated); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(options), &j.Options); err != nil {
			return fmt.Errorf("decode options of job %s: %w", j.Name, err)
		}
		if err := json.Unmarshal([]byte(depends), &j.Depends); err != nil {
			return fmt.Errorf("decode dependencies of job %s: %w", j.Name, err)
		}
		if err := json.Unmarshal([]byte(lineage), &j.Lineage); err != nil {
			return fmt.Errorf("decode lineage of job %s: %w", j.Name, err)
		}
		j.Created, j.Updated = fromMicros(created), fromMicros(updated)
		into.putJob(j)
	}
	return rows.Err()
}

// apply checks edits against the newest snapshot, writes them and publishes the
// result.
func (s *Store) apply(ctx context.Context, edits []edit) error {
	return s.applyWith(ctx, edits, func(commit JointCommit) error { return commit("", "") })
}

// applyWith is apply with something that is done when all is written and only
// the database's own commit is to come, which last calls for; when it fails, so
// does all.
func (s *Store) applyWith(ctx context.Context, edits []edit, last func(commit JointCommit) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	next := s.Snapshot().clone()
	var writes []write
	for _, e := range edits {
		w, err := e(next)
		if err != nil {
			return err
		}
		writes = append(writes, w...)
	}
	if err := s.commitJointly(ctx, writes, last); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = next
	return nil
}

func (s *Store) execAll(ctx context.Context, tx *sql.Tx, writes []write) error {
	for _, w := range writes {
		if _, err := tx.ExecContext(ctx, s.dialect.bind(w.sql), w.args...); err != nil {
			return err
		}
	}
	return nil
}

// inTx runs f in a database transaction, which fails if the lease was lost.
func (s *Store) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = s.fence(ctx, tx); err == nil {
		err = f(tx)
	}
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return writeFault(err)
	}
	return nil
}

// commitJointly carries writes out in a transaction that last commits.
func (s *Store) commitJointly(ctx context.Context, writes []write, last func(commit JointCommit) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = s.fence(ctx, tx); err == nil {
		if err = s.execAll(ctx, tx, writes); err != nil {
			err = writeFault(err)
		}
	}
	if err == nil {
		err = last(func(id, forget string) error {
			if err := s.mark(ctx, tx, id, forget); err != nil {
				return writeFault(err)
			}
			if err := tx.Commit(); err != nil {
				return s.decide(ctx, id, writeFault(err))
			}
			return nil
		})
	}
	if err != nil {
		_ = tx.Rollback()
	}
	return err
}

// mark writes that an id is committed, and forgets another.
func (s *Store) mark(ctx context.Context, tx *sql.Tx, id, forget string) error {
	var writes []write
	if id != "" {
		writes = append(writes, write{"INSERT INTO joint_commits (id) VALUES (?)", []any{id}})
	}
	if forget != "" {
		writes = append(writes, write{"DELETE FROM joint_commits WHERE id = ?", []any{forget}})
	}
	return s.execAll(ctx, tx, writes)
}

// decide finds out whether a commit that gave an error took place all the same. It
// is its error if it did not.
func (s *Store) decide(ctx context.Context, id string, failure error) error {
	if id == "" {
		return failure
	}
	committed, err := s.committed(ctx, id)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w; %w", ErrUndecided, failure, err)
	case committed:
		return nil
	}
	return failure
}

// committed is JointCommitted in a transaction, which cannot begin on a connection
// that the failed one is still open on.
func (s *Store) committed(ctx context.Context, id string) (yes bool, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	n := 0
	err = tx.QueryRowContext(ctx, s.dialect.bind(countJointCommits), id).Scan(&n)
	return n > 0, err
}

// exec is one writing statement with its own transaction.
func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.inTx(ctx, func(tx *sql.Tx) error { return s.execAll(ctx, tx, []write{{query, args}}) })
}

// SetJobState records what was last seen of a job. It changes no definition, so
// the snapshot's version stays.
func (s *Store) SetJobState(ctx context.Context, id, state, failure string) error {
	now := s.clock.Now()
	return s.apply(ctx, []edit{func(v *Snapshot) ([]write, error) {
		old := v.jobs[id]
		if old == nil {
			return nil, goneJob()
		}
		j := *old
		j.State, j.Failure, j.Updated = state, failure, now
		v.putJob(&j)
		return []write{{"UPDATE jobs SET state = ?, failure = ?, updated = ? WHERE id = ?", []any{state, failure, micros(now), id}}}, nil
	}})
}

// SetJobWanted records what the user asks of a job: running, paused, stopped.
func (s *Store) SetJobWanted(ctx context.Context, id, wanted string) error {
	now := s.clock.Now()
	return s.apply(ctx, []edit{func(v *Snapshot) ([]write, error) {
		old := v.jobs[id]
		if old == nil {
			return nil, goneJob()
		}
		j := *old
		j.Wanted, j.Updated = wanted, now
		v.putJob(&j)
		return []write{{"UPDATE jobs SET wanted = ?, updated = ? WHERE id = ?", []any{wanted, micros(now), id}}}, nil
	}})
}

// SQLite's codes of what may pass; sqliteFull is a disk without room.
const (
	sqliteBusy       = 5
	sqliteReadOnly   = 8
	sqliteIOError    = 10
	sqliteFull       = 13
	sqliteCannotOpen = 14
)

// writeFault words the error of a write to the metadata database.
func writeFault(err error) error {
	var e interface{ Code() int }
	if errors.As(err, &e) && e.Code()&0xff == sqliteFull {
		return pgerr.New(pgerr.DiskFull, "there is no room for the metadata on its disk: %s", err.Error()).Wrap(err).
			Hint("Nothing of the transaction was kept.")
	}
	return fmt.Errorf("write metadata: %w", err)
}
