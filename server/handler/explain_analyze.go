package handler

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// prepareAnalyze describes EXPLAIN ANALYZE of a job: the plan with what its operators
// have done so far.
func (h *Handler) prepareAnalyze(s *session.Session, p *session.Prepared, st *ast.Explain) error {
	if st.State || st.Job == nil {
		pos := st.Pos
		if st.Statement != nil {
			pos = st.Statement.Offset()
		}
		return pgerr.NotSupported(int(pos), "EXPLAIN ANALYZE of this statement").Hint("EXPLAIN ANALYZE takes a query, INSERT, UPDATE or DELETE, or JOB and a name.")
	}
	if _, err := h.findJob(s, *st.Job); err != nil {
		return err
	}
	t := lines("QUERY PLAN", func(_ context.Context, s *session.Session) ([]string, error) { return h.analyzeJob(s, *st.Job) })
	p.Columns, p.Plan = t.columns, t
	return nil
}

func (h *Handler) analyzeJob(s *session.Session, name ast.Name) ([]string, error) {
	j, err := h.findJob(s, name)
	if err != nil {
		return nil, err
	}
	status, ok := h.opt.Jobs.Status(j.Name)
	if !ok { // it has not run since the server started
		g, err := graph.Decode(j.Graph)
		if err != nil {
			return nil, err
		}
		return append([]string{jobLine(j, 0)}, explain.Job(g, stateTTL(j.Options), nil)...), nil
	}
	notes := map[string][]string{}
	for _, o := range status.Operators {
		notes[o.ID] = []string{counted(o.Counters)}
		if at := o.Watermark; at != exec.WatermarkMin && at != exec.WatermarkMax {
			notes[o.ID] = append(notes[o.ID], "watermark: "+string(types.AppendTimestamp(nil, at)))
		}
	}
	return append([]string{jobLine(j, status.Parallelism)}, explain.Job(status.Graph, stateTTL(status.Job.Options), notes)...), nil
}

func jobLine(j *catalog.Job, tasks int) string {
	s := fmt.Sprintf("job %s  (%s, id %s", j.Name, j.State, j.ID)
	if tasks > 0 {
		s += fmt.Sprintf(", parallelism %d", tasks)
	}
	return s + ")"
}

// counted words what an operator has done.
func counted(c exec.Counters) string {
	parts := []string{fmt.Sprintf("rows: %d in, %d out", c.RowsIn, c.RowsOut)}
	for _, x := range []struct {
		what string
		n    int64
	}{{"late", c.Late}, {"bad", c.BadRows}, {"expired", c.Expired}, {"unmatched", c.Unmatched}} {
		if x.n > 0 {
			parts[0] += fmt.Sprintf(", %d %s", x.n, x.what)
		}
	}
	if c.StateRows > 0 || c.StateBytes > 0 {
		parts = append(parts, fmt.Sprintf("state: %d rows, %d bytes", c.StateRows, c.StateBytes))
	}
	return strings.Join(parts, "; ")
}

// analyzeQuery runs a query, throws its rows away, and tells its plan.
func (h *Handler) analyzeQuery(ctx context.Context, s *session.Session, e *ast.Explain, q *queryPlan, params []types.Value) (*session.Result, error) {
	began := h.opt.Clock.Now()
	g, err := q.plan(s, params)
	if err != nil {
		return nil, err
	}
	planned := h.opt.Clock.Now()
	r, err := h.start(ctx, s, g)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		rows, err := r.Next(ctx)
		if err != nil {
			return nil, err
		}
		if rows == nil {
			break
		}
	}
	ended := h.opt.Clock.Now()
	a := &analysis{}
	a.ran(r)
	return planLines(append(a.lines(q.query, 0), times(e, planned.Sub(began), ended.Sub(planned))...)), nil
}
