package handler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// prepareSavepoint describes SAVEPOINT JOB and CREATE SAVEPOINT … FOR JOB.
func (h *Handler) prepareSavepoint(p *session.Prepared, st *ast.CreateSavepoint) error {
	t := &textTable{session.TextColumns("savepoint", "location"), func(ctx context.Context, s *session.Session) ([][]string, error) {
		if err := s.RequireNoTransaction(ctx, "SAVEPOINT JOB"); err != nil {
			return nil, err
		}
		j, err := h.findJob(s, st.Job)
		if err != nil {
			return nil, err
		}
		sp, err := h.opt.Jobs.Savepoint(ctx, j, job.SavepointSpec{Name: st.Name, To: st.To, Format: st.Format})
		if err != nil {
			return nil, h.notRunning(err, j, st.Job)
		}
		return [][]string{{sp.Name, sp.URL}}, nil
	}}
	p.Columns, p.Plan = t.columns, t
	return nil
}

// dropSavepoints runs DROP SAVEPOINT.
func (h *Handler) dropSavepoints(ctx context.Context, s *session.Session, st *ast.Drop) error {
	if err := s.RequireNoTransaction(ctx, "DROP SAVEPOINT"); err != nil {
		return err
	}
	for _, path := range st.Names {
		name := path.Last()
		err := h.opt.Jobs.DropSavepoint(ctx, name.Value)
		if err == nil {
			continue
		}
		e := pgerr.From(err)
		if !st.IfExists || e.Code != pgerr.UndefinedObject {
			return e.At(int(name.Pos))
		}
		s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("savepoint %q does not exist, skipping", name.Value))
	}
	return nil
}

// prepareVerify describes VERIFY SAVEPOINT: a row for each fault, or one that
// says that all is well.
func (h *Handler) prepareVerify(p *session.Prepared, st *ast.VerifySavepoint) error {
	t := &textTable{session.TextColumns("verdict", "detail"), func(ctx context.Context, _ *session.Session) ([][]string, error) {
		files, faults, err := h.opt.Jobs.Verify(ctx, st.Savepoint.Name, st.Savepoint.URL)
		if err != nil {
			return nil, pgerr.From(err).At(int(st.Savepoint.Pos))
		}
		if len(faults) == 0 {
			return [][]string{{"ok", fmt.Sprintf("%d files read, every checksum is right", files)}}, nil
		}
		var out [][]string
		for _, f := range faults {
			out = append(out, []string{"damaged", f.Error()})
		}
		return out, nil
	}}
	p.Columns, p.Plan = t.columns, t
	return nil
}

// restoreSpec plans what a RESTORE asks for.
func (h *Handler) restoreSpec(s *session.Session, st *ast.RestoreJob, text string) (*catalog.Job, job.RestoreSpec, error) {
	spec := job.RestoreSpec{From: restorePoint(st.From), Allow: st.AllowNonRestored, Claim: st.Claim}
	j, err := h.findJob(s, st.Job)
	if err != nil {
		return nil, spec, err
	}
	if spec.Options, err = h.jobOptions(st.Options); err != nil {
		return nil, spec, err
	}
	if spec.To, spec.Discard, err = mapping(st.Map); err != nil {
		return nil, spec, err
	}
	switch {
	case len(st.Inserts) > 0:
		if err := notView(j, "RESTORE", st.Job.Pos); err != nil {
			return nil, spec, err
		}
		g, b, err := h.jobGraph(s, st.Inserts)
		if err != nil {
			return nil, spec, err
		}
		spec.Graph, spec.Depends, spec.SQL = g, b.Depends, restoredSQL(j, st, spec.Options)
	case st.Query != nil:
		return nil, spec, pgerr.NotSupported(int(st.Query.Pos), "RESTORE of a materialized view on another query")
	}
	return j, spec, nil
}

// warnOfAnother tells when a job is about to take over the state of one that it
// never was: with the wrong savepoint, sources would go on from where another job
// stood, and what is new would begin there.
func (h *Handler) warnOfAnother(ctx context.Context, s *session.Session, j *catalog.Job, from job.RestorePoint) {
	if from.Name == "" && from.URL == "" {
		return // a checkpoint of its own
	}
	saved, err := h.opt.Jobs.Saved(ctx, from)
	if err != nil || saved.JobName == j.Name || saved.JobID == j.ID || slices.Contains(j.Lineage, saved.JobID) {
		return // an error comes again, with the statement's own position
	}
	s.Notice("WARNING", pgerr.Warning, fmt.Sprintf("that is the state of job %s, not of job %s", saved.JobName, j.Name))
}

// restoredSQL is the CREATE JOB that a restored job would be made with.
func restoredSQL(j *catalog.Job, st *ast.RestoreJob, options map[string]string) string {
	all := map[string]string{}
	for _, from := range []map[string]string{j.Options, options} {
		for k, v := range from {
			all[k] = v
		}
	}
	return ast.Print(&ast.CreateJob{Name: ast.Name{Value: j.Name}, Options: optionList(all), Inserts: st.Inserts})
}

// restoreJob runs RESTORE JOB.
func (h *Handler) restoreJob(text string, st *ast.RestoreJob) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		const tag = "RESTORE JOB"
		if err := s.RequireNoTransaction(ctx, tag); err != nil {
			return nil, err
		}
		j, spec, err := h.restoreSpec(s, st, text)
		if err != nil {
			return nil, err
		}
		h.warnOfAnother(ctx, s, j, spec.From)
		done, err := h.opt.Jobs.Restore(ctx, j, spec)
		if err != nil {
			return nil, pgerr.From(err).At(int(st.From.Pos))
		}
		if spec.Graph != nil {
			warnUnbounded(s, spec.Graph, done.Job.Options)
			warnCircle(s, h.opt.Catalog.Snapshot(), j.Name, spec.Graph)
		}
		noticeVerdicts(s, done.Plan)
		noticeStaying(s, done.Staying)
		note := whatWasWritten(&done)
		if j.ViewID != "" {
			note = "its rows are those of that point, and follow from there"
		}
		s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("job %s runs as %s; %s", j.Name, done.Job.ID, note))
		return session.Command(tag), nil
	})
}

// noticeVerdicts tells what has to be said of the state of each operator.
func noticeVerdicts(s *session.Session, plan *upgrade.Plan) {
	for _, v := range plan.Verdicts {
		text := fmt.Sprintf("the state of %s is %s: %s", v.Operator, v.Result, v.Why)
		switch {
		case v.TimeEnded:
			s.SendNotice(session.Notice{Severity: "WARNING", Error: *pgerr.New(pgerr.Warning, "%s", text).
				Hint("Take the state from before: from a savepoint without DRAIN, or an earlier checkpoint. RESTORE JOB … FROM … MAP ('%s' => DISCARD) begins that operator anew.", strings.ReplaceAll(v.From, "'", "''"))})
		case v.Why != "":
			s.Notice("NOTICE", pgerr.SuccessfulCompletion, text)
		}
	}
}

// warnTimeEnded tells when a job is about to go on from state in which event time has
// ended.
func (h *Handler) warnTimeEnded(ctx context.Context, s *session.Session, j *catalog.Job) {
	if plan, err := h.opt.Jobs.EndedTime(ctx, j); err == nil { // else it has no checkpoint, or will fail with it
		noticeVerdicts(s, plan)
	}
}

// whatWasWritten tells what becomes of a restored job's output from after the point
// that its state is from.
func whatWasWritten(done *job.Restored) string {
	var parts []string
	if len(done.TakenBack) > 0 {
		parts = append(parts, "what it wrote after that point was taken back from table "+strings.Join(done.TakenBack, ", "))
	}
	elsewhere := len(done.Staying) > 0
	for i := range done.Plan.Graph.Operators {
		op := &done.Plan.Graph.Operators[i]
		elsewhere = elsewhere || op.Kind == graph.SinkKind && op.Sink.Connector != ""
	}
	if elsewhere && done.Again != "" {
		parts = append(parts, "what it wrote after that point is written again, "+done.Again)
	}
	if parts == nil {
		return "nothing is written again"
	}
	return strings.Join(parts, "; ")
}

// noticeStaying tells about own tables from which nothing could be taken back.
func noticeStaying(s *session.Session, staying []job.Staying) {
	for _, t := range staying {
		e := pgerr.New(pgerr.Warning, "table %s keeps the rows that the job wrote after that point: %s", t.Relation, t.Why).
			Hint("For a table with the query's rows and no others, drop the job, TRUNCATE the table and create the job anew.")
		s.SendNotice(session.Notice{Severity: "WARNING", Error: *e})
	}
}

// prepareExplainRestore describes EXPLAIN RESTORE: a row for each operator.
func (h *Handler) prepareExplainRestore(p *session.Prepared, st *ast.RestoreJob) error {
	columns := session.TextColumns(explain.VerdictColumns...)
	for i, c := range columns {
		if c.Name == "rows" || c.Name == "bytes" {
			columns[i].Type = types.Of(types.Int64)
		}
	}
	t := &textTable{columns, func(ctx context.Context, s *session.Session) ([][]string, error) {
		j, spec, err := h.restoreSpec(s, st, "")
		if err != nil {
			return nil, err
		}
		h.warnOfAnother(ctx, s, j, spec.From)
		plan, err := h.opt.Jobs.ExplainRestore(ctx, j, spec)
		if err != nil {
			return nil, pgerr.From(err).At(int(st.From.Pos))
		}
		return explain.Verdicts(plan.Verdicts), nil
	}}
	p.Columns, p.Plan = t.columns, t
	return nil
}

// Evaluate implements session.Handler.
func (h *Handler) Evaluate(ctx context.Context, s *session.Session, args []ast.Expr, want []types.Type) ([]types.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	values, err := bind.Arguments(args, want, h.bindOptions(s, nil))
	if err != nil {
		return nil, err
	}
	rows, err := h.gather(ctx, s, values, nil)
	if err != nil {
		return nil, err
	}
	out := make([]types.Value, len(args))
	for i := range out {
		out[i] = rows[0].Cols[i].Value(rows[0].RowAt(0))
	}
	return out, nil
}
