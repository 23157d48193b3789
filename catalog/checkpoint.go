package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const checkpointColumns = "job_id, n, state, url, bytes, full_bytes, row_count, started, ended, failure"

// PutCheckpoint records a checkpoint, or what has become of it, and forgets what has
// long failed or been discarded. What cannot be written is kept: see record.
func (s *Store) PutCheckpoint(ctx context.Context, c Checkpoint) error {
	if err := s.record(ctx, note{checkpoint: &c}); err != nil {
		return fmt.Errorf("record checkpoint %d of job %s: %w", c.N, c.JobID, err)
	}
	return nil
}

func (s *Store) putCheckpoint(ctx context.Context, tx *sql.Tx, c *Checkpoint) error {
	return s.execAll(ctx, tx, []write{
		{"INSERT INTO checkpoints (" + checkpointColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) " +
			"ON CONFLICT (job_id, n) DO UPDATE SET state = excluded.state, url = excluded.url, bytes = excluded.bytes, full_bytes = excluded.full_bytes, " +
			"row_count = excluded.row_count, started = excluded.started, ended = excluded.ended, failure = excluded.failure",
			[]any{c.JobID, c.N, c.State, c.URL, c.Bytes, c.FullBytes, c.Rows, micros(c.Started), micros(c.Ended), c.Failure}},
		{"DELETE FROM checkpoints WHERE job_id = ? AND n <= ? AND state IN ('failed', 'discarded')", []any{c.JobID, c.N - int64(s.past)}},
	})
}

// Checkpoints lists a job's checkpoints, newest first; all jobs' for "".
func (s *Store) Checkpoints(ctx context.Context, jobID string) ([]Checkpoint, error) {
	list, err := s.checkpoints(ctx, "WHERE job_id = ? OR ? = '' ORDER BY job_id, n DESC", jobID, jobID)
	if err != nil {
		return nil, err
	}
	return s.withOwedCheckpoints(list, jobID), nil
}

// NewestCheckpoint is the newest complete checkpoint of a job; ok is false when
// there is none.
func (s *Store) NewestCheckpoint(ctx context.Context, jobID string) (c Checkpoint, ok bool, err error) {
	all, err := s.checkpoints(ctx, "WHERE job_id = ? AND state = 'complete' ORDER BY n DESC LIMIT 1", jobID)
	if err != nil {
		return Checkpoint{}, false, err
	}
	for _, c := range s.withOwedCheckpoints(all, jobID) {
		if c.State == "complete" {
			return c, true, nil
		}
	}
	return Checkpoint{}, false, nil
}

func (s *Store) checkpoints(ctx context.Context, where string, args ...any) ([]Checkpoint, error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.bind("SELECT "+checkpointColumns+" FROM checkpoints "+where), args...)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	defer rows.Close()
	var out []Checkpoint
	for rows.Next() {
		var c Checkpoint
		var started, ended int64
		if err := rows.Scan(&c.JobID, &c.N, &c.State, &c.URL, &c.Bytes, &c.FullBytes, &c.Rows, &started, &ended, &c.Failure); err != nil {
			return nil, fmt.Errorf("read checkpoints: %w", err)
		}
		c.Started, c.Ended = fromMicros(started), fromMicros(ended)
		out = append(out, c)
	}
	return out, rows.Err()
}

// RemoveCheckpoint forgets one checkpoint.
func (s *Store) RemoveCheckpoint(ctx context.Context, jobID string, n int64) error {
	gone := func(o *note) bool { return o.checkpoint != nil && o.job() == jobID && o.checkpoint.N == n }
	if err := s.remove(ctx, gone, "DELETE FROM checkpoints WHERE job_id = ? AND n = ?", jobID, n); err != nil {
		return fmt.Errorf("forget checkpoint %d of job %s: %w", n, jobID, err)
	}
	return nil
}

// RemoveCheckpoints forgets all checkpoints of a job.
func (s *Store) RemoveCheckpoints(ctx context.Context, jobID string) error {
	gone := func(o *note) bool { return o.checkpoint != nil && o.job() == jobID }
	if err := s.remove(ctx, gone, "DELETE FROM checkpoints WHERE job_id = ?", jobID); err != nil {
		return fmt.Errorf("forget the checkpoints of job %s: %w", jobID, err)
	}
	return nil
}

// AddEvent adds a line to a job's history and drops the oldest ones beyond the
// limit. What cannot be written is kept: see record.
func (s *Store) AddEvent(ctx context.Context, e Event) error {
	if e.At.IsZero() {
		e.At = s.clock.Now()
	}
	if err := s.record(ctx, note{event: &e}); err != nil {
		return fmt.Errorf("record event of job %s: %w", e.JobID, err)
	}
	return nil
}

func (s *Store) addEvent(ctx context.Context, tx *sql.Tx, e *Event) error {
	var last int64
	if err := tx.QueryRowContext(ctx, s.dialect.bind("SELECT COALESCE(MAX(seq), 0) FROM events WHERE job_id = ?"), e.JobID).Scan(&last); err != nil {
		return err
	}
	return s.execAll(ctx, tx, []write{
		{"INSERT INTO events (job_id, seq, at, kind, message) VALUES (?, ?, ?, ?, ?)", []any{e.JobID, last + 1, micros(e.At), e.Kind, e.Message}},
		{"DELETE FROM events WHERE job_id = ? AND seq <= ?", []any{e.JobID, last + 1 - int64(s.events)}},
	})
}

// Events lists a job's events, oldest first; all jobs' for "".
func (s *Store) Events(ctx context.Context, jobID string) ([]Event, error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.bind("SELECT job_id, at, kind, message FROM events WHERE job_id = ? OR ? = '' ORDER BY at, job_id, seq"), jobID, jobID)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&e.JobID, &at, &e.Kind, &e.Message); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		e.At = fromMicros(at)
		out = append(out, e)
	}
	return s.withOwedEvents(out, jobID), rows.Err()
}

// RemoveEvents forgets a job's history.
func (s *Store) RemoveEvents(ctx context.Context, jobID string) error {
	gone := func(o *note) bool { return o.event != nil && o.job() == jobID }
	if err := s.remove(ctx, gone, "DELETE FROM events WHERE job_id = ?", jobID); err != nil {
		return fmt.Errorf("forget the events of job %s: %w", jobID, err)
	}
	return nil
}

// Setting reads a durable setting; ok is false when it was never set.
func (s *Store) Setting(ctx context.Context, name string) (value string, ok bool, err error) {
	err = s.db.QueryRowContext(ctx, s.dialect.bind("SELECT value FROM settings WHERE name = ?"), name).Scan(&value)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read setting %s: %w", name, err)
	}
	return value, true, nil
}

// Settings reads all durable settings.
func (s *Store) Settings(ctx context.Context) (map[string]string, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT name, value FROM settings")
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read settings: %w", err)
		}
		out[name] = value
	}
	return out, rows.Err()
}

// PutSetting sets a durable setting.
func (s *Store) PutSetting(ctx context.Context, name, value string) error {
	if err := s.exec(ctx, "INSERT INTO settings (name, value, updated) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated = excluded.updated",
		name, value, micros(s.clock.Now())); err != nil {
		return fmt.Errorf("write setting %s: %w", name, err)
	}
	return nil
}

// RemoveSetting forgets a durable setting.
func (s *Store) RemoveSetting(ctx context.Context, name string) error {
	if err := s.exec(ctx, "DELETE FROM settings WHERE name = ?", name); err != nil {
		return fmt.Errorf("remove setting %s: %w", name, err)
	}
	return nil
}
