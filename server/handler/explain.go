package handler

import (
	"context"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// table is a result of text rows under fixed columns; a column may have another
// type, its text is then read as that.
type textTable struct {
	columns []session.Column
	rows    func(ctx context.Context, s *session.Session) ([][]string, error)
}

func (t *textTable) run(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
	list, err := t.rows(ctx, s)
	if err != nil {
		return nil, err
	}
	values := make([][]types.Value, len(list))
	for i, row := range list {
		values[i] = make([]types.Value, len(row))
		for k, text := range row {
			v, err := types.ParseText(t.columns[k].Type, text, nil)
			if err != nil {
				return nil, err
			}
			values[i][k] = v
		}
	}
	return session.Select(session.ValueRows(t.columns, values)), nil
}

// lines is a result with one column of text.
func lines(column string, f func(ctx context.Context, s *session.Session) ([]string, error)) *textTable {
	return &textTable{session.TextColumns(column), func(ctx context.Context, s *session.Session) ([][]string, error) {
		list, err := f(ctx, s)
		out := make([][]string, len(list))
		for i, l := range list {
			out[i] = []string{l}
		}
		return out, err
	}}
}

// prepareExplain describes EXPLAIN, EXPLAIN STATE, EXPLAIN JOB, EXPLAIN
// RESTORE and EXPLAIN ALTER JOB … AS.
func (h *Handler) prepareExplain(ctx context.Context, s *session.Session, p *session.Prepared, st *ast.Explain, declared []types.Type) error {
	switch x := st.Statement.(type) {
	case *ast.RestoreJob:
		return h.prepareExplainRestore(p, x)
	case *ast.AlterJob:
		if len(x.Inserts) > 0 { // from the newest checkpoint rather than one that is taken now
			return h.prepareExplainRestore(p, &ast.RestoreJob{Job: x.Name, From: ast.RestorePoint{At: x.Name.At, Kind: "latest"},
				Inserts: x.Inserts, Map: x.Map, AllowNonRestored: x.AllowNonRestored})
		}
	case *ast.DeclareCursor: // no cursor is made
		if err := session.CheckCursor(x); err != nil {
			return err
		}
		of := *st
		of.Statement = x.Statement
		return h.prepareExplain(ctx, s, p, &of, declared)
	case *ast.Query, *ast.Insert, *ast.Update, *ast.Delete, *ast.Execute:
		if !st.Analyze || !st.State {
			return h.prepareExplainData(ctx, s, p, st, declared)
		}
	}
	if st.Analyze {
		return h.prepareAnalyze(s, p, st)
	}
	make_ := func(ctx context.Context, s *session.Session) (*graph.Graph, error) { return h.explained(s, st) }
	if _, err := make_(context.Background(), s); err != nil {
		return err // at Prepare already, as for the statement itself
	}
	var t *textTable
	if st.State {
		t = &textTable{session.TextColumns(explain.StateColumns...), func(ctx context.Context, s *session.Session) ([][]string, error) {
			g, err := make_(ctx, s)
			if err != nil {
				return nil, err
			}
			return explain.State(g), nil
		}}
	} else {
		t = lines("QUERY PLAN", func(ctx context.Context, s *session.Session) ([]string, error) {
			g, err := make_(ctx, s)
			if err != nil {
				return nil, err
			}
			return explain.Job(g, h.explainedTTL(s, st), nil), nil
		})
	}
	p.Columns, p.Plan = t.columns, t
	return nil
}

// explainedTTL is the state_ttl of the job that is explained, in microseconds.
func (h *Handler) explainedTTL(s *session.Session, st *ast.Explain) int64 {
	var options map[string]string
	switch x := st.Statement.(type) {
	case nil:
		if j, err := h.findJob(s, *st.Job); err == nil {
			options = j.Options
		}
	case *ast.CreateJob:
		if x.From != nil {
			if j, _, err := h.forkJob(context.Background(), s, x); err == nil {
				options = j.Options
			}
			break
		}
		options, _ = h.jobOptions(x.Options)
	case *ast.CreateView:
		if x.Materialized {
			options, _ = h.jobOptions(x.Options)
		}
	}
	return stateTTL(options)
}

// stateTTL is the option of that name of a job's options, which are valid, in
// microseconds.
func stateTTL(options map[string]string) int64 {
	o, err := job.ParseOptions(options)
	if err != nil {
		return 0
	}
	return o.StateTTL.Microseconds()
}

// explained is the plan of a job, or of a statement that makes one or a view.
func (h *Handler) explained(s *session.Session, st *ast.Explain) (*graph.Graph, error) {
	if st.Job != nil {
		j, err := h.findJob(s, *st.Job)
		if err != nil {
			return nil, err
		}
		return graph.Decode(j.Graph)
	}
	switch x := st.Statement.(type) {
	case *ast.CreateJob:
		if x.From != nil {
			_, g, err := h.forkJob(context.Background(), s, x)
			return g, err
		}
		if _, err := h.jobOptions(x.Options); err != nil {
			return nil, err
		}
		g, _, err := h.jobGraph(s, x.Inserts)
		return g, err
	case *ast.CreateView:
		if !x.Materialized {
			root, _, err := bindData(x.Query, h.explainOptions(s, nil))
			if err != nil {
				return nil, err
			}
			return h.boundedGraph(s, root, nil)
		}
		b, err := bind.View(x, h.continuousOptions(s))
		if err != nil {
			return nil, err
		}
		if _, err := h.jobOptions(x.Options); err != nil {
			return nil, err
		}
		return h.viewGraph(b.Root)
	}
	return nil, pgerr.NotSupported(int(st.Statement.Offset()), "EXPLAIN of this statement")
}
