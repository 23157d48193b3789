package catalog

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/millrace/millrace/internal/pgerr"
)

const savepointColumns = "id, name, job_id, job_name, url, format, bytes, row_count, created"

// AddSavepoint registers a savepoint; its name must be free.
func (s *Store) AddSavepoint(ctx context.Context, p Savepoint) error {
	if p.ID == "" {
		p.ID = NewID()
	}
	if p.Created.IsZero() {
		p.Created = s.clock.Now()
	}
	s.write.Lock()
	defer s.write.Unlock()
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, s.dialect.bind("SELECT COUNT(*) FROM savepoints WHERE name = ?"), p.Name).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return pgerr.New(pgerr.DuplicateObject, "savepoint %q already exists", p.Name)
		}
		return s.execAll(ctx, tx, []write{{"INSERT INTO savepoints (" + savepointColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			[]any{p.ID, p.Name, p.JobID, p.JobName, p.URL, p.Format, p.Bytes, p.Rows, micros(p.Created)}}})
	})
	if err != nil {
		return fmt.Errorf("register savepoint %s: %w", p.Name, err)
	}
	return nil
}

// Savepoints lists the savepoints, newest first; of one job's name, or all for
// "".
func (s *Store) Savepoints(ctx context.Context, jobName string) ([]Savepoint, error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.bind("SELECT "+savepointColumns+" FROM savepoints WHERE job_name = ? OR ? = '' ORDER BY created DESC, name"), jobName, jobName)
	if err != nil {
		return nil, fmt.Errorf("read savepoints: %w", err)
	}
	defer rows.Close()
	var out []Savepoint
	for rows.Next() {
		var p Savepoint
		var created int64
		if err := rows.Scan(&p.ID, &p.Name, &p.JobID, &p.JobName, &p.URL, &p.Format, &p.Bytes, &p.Rows, &created); err != nil {
			return nil, fmt.Errorf("read savepoints: %w", err)
		}
		p.Created = fromMicros(created)
		out = append(out, p)
	}
	return out, rows.Err()
}

// FindSavepoint finds a savepoint by name, with the error a user gets when there
// is none.
func (s *Store) FindSavepoint(ctx context.Context, name string) (Savepoint, error) {
	all, err := s.Savepoints(ctx, "")
	if err != nil {
		return Savepoint{}, err
	}
	names := make([]string, len(all))
	for i, p := range all {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	e := pgerr.New(pgerr.UndefinedObject, "savepoint %q does not exist", name)
	if near := Near(name, names); near != "" {
		return Savepoint{}, e.Hint("Perhaps you meant %q.", near)
	}
	return Savepoint{}, e
}

// RemoveSavepoint forgets a savepoint; its files are the caller's.
func (s *Store) RemoveSavepoint(ctx context.Context, name string) error {
	if _, err := s.FindSavepoint(ctx, name); err != nil {
		return err
	}
	if err := s.exec(ctx, "DELETE FROM savepoints WHERE name = ?", name); err != nil {
		return fmt.Errorf("forget savepoint %s: %w", name, err)
	}
	return nil
}
