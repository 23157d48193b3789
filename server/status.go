package server

import (
	"context"
	"math"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/deadletter"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/server/pgcatalog"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// MillraceRows implements pgcatalog.Provider.
func (s *Server) MillraceRows(ctx context.Context, x *session.Session, r *catalog.Relation) ([][]types.Value, bool, error) {
	var err error
	out := pgcatalog.NewRows(r)
	switch r.Name {
	case "memory":
		s.memoryRows(out)
	case "operators":
		s.operatorRows(out)
	case "source_splits":
		s.splitRows(out)
	case "dead_letters":
		err = s.deadLetterRows(out)
	case "checkpoint_operators":
		err = s.checkpointRows(ctx, out)
	case "savepoint_operators":
		err = s.savepointRows(ctx, out)
	default:
		return nil, false, nil
	}
	return out.Values, true, err
}

// watermark is a watermark as a timestamp, null while there is none.
func watermark(w int64) any {
	if w == math.MinInt64 || w == math.MaxInt64 {
		return nil
	}
	return time.UnixMicro(w)
}

// statuses are what the running jobs say of themselves.
func (s *Server) statuses() []job.Status {
	var out []job.Status
	for _, j := range s.store.Snapshot().Jobs() {
		if st, ok := s.jobs.Status(j.Name); ok {
			out = append(out, st)
		}
	}
	return out
}

func (s *Server) operatorRows(out *pgcatalog.Rows) {
	for _, st := range s.statuses() {
		for i, o := range st.Operators {
			tables := []string{}
			for k := range st.Graph.Operators[i].Tables {
				t := &st.Graph.Operators[i].Tables[k]
				for _, c := range t.Columns {
					tables = append(tables, c.Name)
				}
			}
			out.Add(st.Job.ID, st.Job.Name, i, o.ID, string(o.Kind), st.Parallelism, o.RowsIn, o.RowsOut, o.Late, o.BadRows, o.Expired, o.Unmatched, o.StateRows, o.StateBytes,
				watermark(o.Watermark), tables)
		}
	}
}

func (s *Server) splitRows(out *pgcatalog.Rows) {
	for _, st := range s.statuses() {
		relation := map[string]string{}
		for i := range st.Graph.Operators {
			if src := st.Graph.Operators[i].Source; src != nil {
				relation[st.Graph.Operators[i].ID] = src.Relation
			}
		}
		for _, p := range st.Splits {
			out.Add(st.Job.ID, st.Job.Name, p.Operator, relation[p.Operator], p.ID, p.Position(), watermark(p.Watermark), p.Rows, p.Ended)
		}
	}
}

func (s *Server) deadLetterRows(out *pgcatalog.Rows) error {
	jobs := map[string]*catalog.Job{}
	for _, j := range s.store.Snapshot().Jobs() {
		jobs[j.Name] = j
	}
	return s.letters.Scan(func(l deadletter.Letter) bool {
		id := ""
		if j := jobs[l.Job]; j != nil && !l.Time.Before(j.Created) { // else it is of another one of that name
			id = j.ID
		}
		out.Add(int64(l.Number), l.Time, text(id), text(l.Job), text(l.Operator), text(l.Relation), l.Code, l.Error, string(l.Raw), text(l.Split), text(l.Offset))
		return true
	})
}

// text is null for the empty string.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (s *Server) checkpointRows(ctx context.Context, out *pgcatalog.Rows) error {
	for _, j := range s.store.Snapshot().Jobs() {
		list, err := s.store.Checkpoints(ctx, j.ID)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.State != "complete" {
				continue
			}
			sizes, err := s.jobs.CheckpointSizes(ctx, j.ID, c.N)
			if err != nil {
				continue // deleted meanwhile, or damaged: VERIFY tells which
			}
			for _, z := range sizes {
				out.Add(j.ID, j.Name, c.N, z.Operator, text(z.Table), z.Rows, z.Bytes)
			}
		}
	}
	return nil
}

func (s *Server) savepointRows(ctx context.Context, out *pgcatalog.Rows) error {
	list, err := s.store.Savepoints(ctx, "")
	if err != nil {
		return err
	}
	for _, p := range list {
		sizes, err := s.jobs.SavepointSizes(ctx, p.URL)
		if err != nil {
			continue // VERIFY SAVEPOINT tells what is wrong with it
		}
		for _, z := range sizes {
			out.Add(p.Name, z.Operator, text(z.Kind), text(z.Table), z.Columns, z.Rows, z.Bytes)
		}
	}
	return nil
}

// RelationSize implements pgcatalog.Provider.
func (s *Server) RelationSize(r *catalog.Relation) (rows, bytes int64) {
	switch {
	case r.IsOwnTable():
		if rows, bytes, err := s.tables.Size(r.ID); err == nil {
			return rows, bytes
		}
	case r.Kind == catalog.MaterializedView:
		if v, err := s.jobs.View(r.ID); err == nil {
			return v.Size()
		}
	}
	return -1, -1
}
