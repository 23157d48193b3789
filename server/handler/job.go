package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// optionText is the value of an option as text.
func optionText(o ast.Option) (string, error) {
	switch v := o.Value.(type) {
	case nil:
		return "true", nil
	case *ast.Literal:
		if v.Kind != ast.NullLiteral {
			return v.Text, nil
		}
	case *ast.ColumnRef:
		return v.Path.Last().Value, nil
	case *ast.Unary:
		if l, ok := v.X.(*ast.Literal); ok && v.Op == "-" {
			return "-" + l.Text, nil
		}
	}
	return "", pgerr.New(pgerr.InvalidParameterValue, "option %q takes a literal", o.Name).At(int(o.Pos))
}

// jobGraph plans the INSERTs of a job.
func (h *Handler) jobGraph(s *session.Session, inserts []*ast.Insert) (*graph.Graph, *bind.BoundJob, error) {
	b, err := bind.Job(inserts, h.continuousOptions(s))
	if err != nil {
		return nil, nil, err
	}
	notices(s, b.Notices)
	sinks := make([]*logical.Sink, len(b.Sinks))
	for i, sink := range b.Sinks {
		sinks[i] = optimize.Sink(sink, optimize.Options{Evaluate: evaluateConstant})
	}
	g, err := lower.Job(sinks, lower.Options{})
	if err != nil {
		return nil, nil, err
	}
	return g, b, runnable(g)
}

// createJob runs CREATE JOB.
func (h *Handler) createJob(text string, st *ast.CreateJob) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		const tag = "CREATE JOB"
		if err := writable(s, tag); err != nil {
			return nil, err
		}
		w := h.work(s)
		if st.IfNotExists && w.names.Snapshot().Job(st.Name.Value) != nil {
			s.Notice("NOTICE", pgerr.DuplicateObject, fmt.Sprintf("job %q already exists, skipping", st.Name.Value))
			return session.Command(tag), nil
		}
		made, g, err := h.newJob(ctx, s, text, st)
		if err != nil {
			return nil, err
		}
		j, err := w.names.CreateJob(made)
		if err != nil {
			return nil, pgerr.From(err).At(int(st.Name.Pos))
		}
		warnUnbounded(s, g, made.Options)
		warnCircle(s, w.names.Snapshot(), j.Name, g)
		h.startLater(w, j)
		return session.Command(tag), nil
	})
}

// newJob plans the job of a CREATE JOB.
func (h *Handler) newJob(ctx context.Context, s *session.Session, text string, st *ast.CreateJob) (catalog.Job, *graph.Graph, error) {
	if st.From != nil {
		return h.forkJob(ctx, s, st)
	}
	options, err := h.jobOptions(st.Options)
	if err != nil {
		return catalog.Job{}, nil, err
	}
	g, b, err := h.jobGraph(s, st.Inserts)
	if err != nil {
		return catalog.Job{}, nil, err
	}
	encoded, err := graph.Encode(g)
	return catalog.Job{Name: st.Name.Value, SQL: text, Graph: encoded, Options: options,
		Wanted: "running", State: "created", FirstCheckpoint: 1, Depends: b.Depends}, g, err
}

// findJob looks a job up by the name in a statement.
func (h *Handler) findJob(s *session.Session, name ast.Name) (*catalog.Job, error) {
	j, err := h.Snapshot(s).FindJob(name.Value)
	if err != nil {
		return nil, pgerr.From(err).At(int(name.Pos))
	}
	return j, nil
}

// notView refuses what would leave a materialized view without its job.
func notView(j *catalog.Job, verb string, at ast.Pos) error {
	if j.ViewID == "" {
		return nil
	}
	return pgerr.New(pgerr.WrongObjectType, "job %q keeps a materialized view", j.Name).At(int(at)).
		Hint("Use %s MATERIALIZED VIEW %s.", verb, ast.QuoteName(j.Name))
}

// stopJob runs STOP JOB.
func (h *Handler) stopJob(st *ast.StopJob) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		if err := s.RequireNoTransaction(ctx, "STOP JOB"); err != nil {
			return nil, err
		}
		j, err := h.findJob(s, st.Name)
		if err != nil {
			if st.IfExists && pgerr.From(err).Code == pgerr.UndefinedObject {
				s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("job %q does not exist, skipping", st.Name.Value))
				return session.Command("STOP JOB"), nil
			}
			return nil, err
		}
		running := h.opt.Jobs.Running(j.Name)
		if st.WithSavepoint {
			spec := job.SavepointSpec{Name: st.Savepoint, To: st.To, Format: st.Format}
			sp, err := h.opt.Jobs.StopWithSavepoint(ctx, j, spec, st.Drain)
			if err != nil {
				return nil, h.notRunning(err, j, st.Name)
			}
			s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("savepoint %s is at %s", sp.Name, sp.URL))
		} else if err := h.endRun(ctx, s, j, job.Stopped, st.Drain); err != nil && !errors.Is(err, job.ErrNotRunning) {
			return nil, err
		}
		return session.Command("STOP JOB"), h.ended(ctx, j, "stopped", running)
	})
}

// endRun ends a job's run after a last checkpoint, and says so if it was without.
func (h *Handler) endRun(ctx context.Context, s *session.Session, j *catalog.Job, end job.End, drain bool) error {
	n, err := h.opt.Jobs.Stop(ctx, j.Name, end, drain)
	if err == nil && n == 0 {
		s.SendNotice(session.Notice{Severity: "NOTICE", Error: *pgerr.New(pgerr.SuccessfulCompletion, "job %q has ended without a last checkpoint", j.Name).
			WithDetail("It goes on from the checkpoint before.").Hint("SELECT * FROM millrace.job_events shows why.")})
	}
	return err
}

// ended records that a job's run was ended, and why. If that cannot be written, it goes on
// where it was running: nothing has happened then.
func (h *Handler) ended(ctx context.Context, j *catalog.Job, wanted string, running bool) error {
	err := h.want(ctx, j, wanted)
	if err != nil && running {
		err = errors.Join(err, h.opt.Jobs.Start(j))
	}
	return err
}

// want records what a job is to do from now on, and that it does it.
func (h *Handler) want(ctx context.Context, j *catalog.Job, wanted string) error {
	ctx = context.WithoutCancel(ctx)
	if err := h.opt.Catalog.SetJobWanted(ctx, j.ID, wanted); err != nil {
		return err
	}
	if now := h.opt.Catalog.Snapshot().JobByID(j.ID); wanted == "running" || now != nil && now.State == "finished" {
		return nil
	}
	if err := h.opt.Catalog.SetJobState(ctx, j.ID, wanted, ""); err != nil {
		return err
	}
	if now := h.opt.Catalog.Snapshot().JobByID(j.ID); now != nil {
		h.opt.Jobs.Rests(now)
	}
	return nil
}

// notRunning words the error for a statement that needs a running job. Of one that was
// ended while the statement waited for it, it says that already.
func (h *Handler) notRunning(err error, j *catalog.Job, name ast.Name) error {
	if e := (*pgerr.Error)(nil); !errors.Is(err, job.ErrNotRunning) || errors.As(err, &e) {
		return pgerr.Place(pgerr.From(err), int(name.Pos))
	}
	e := pgerr.New(pgerr.ObjectNotInPrerequisiteState, "job %q is not running", j.Name).At(int(name.Pos))
	if now := h.opt.Catalog.Snapshot().JobByID(j.ID); now == nil {
		return e
	} else if now.State == "finished" {
		return e.WithDetail("Its state is %s.", now.State)
	} else if now.Wanted != "running" || now.State == "failed" { // else it is just being stopped
		e = e.WithDetail("Its state is %s.", now.State)
	}
	return e.Hint("RESUME JOB %s starts it.", ast.QuoteName(j.Name))
}

// pauseJob runs PAUSE JOB and RESUME JOB.
func (h *Handler) pauseJob(st *ast.PauseJob) plan {
	tag := "PAUSE JOB"
	if st.Resume {
		tag = "RESUME JOB"
	}
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		if err := s.RequireNoTransaction(ctx, tag); err != nil {
			return nil, err
		}
		j, err := h.findJob(s, st.Name)
		if err != nil {
			return nil, err
		}
		if running := h.opt.Jobs.Running(j.Name); !st.Resume {
			if err := h.endRun(ctx, s, j, job.Paused, false); err != nil {
				return nil, h.notRunning(err, j, st.Name)
			}
			return session.Command(tag), h.ended(ctx, j, "paused", running)
		}
		if h.opt.Jobs.Running(j.Name) {
			return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "job %q is running", j.Name).At(int(st.Name.Pos))
		}
		if j.State == "finished" {
			return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "job %q has finished: its input has ended", j.Name).At(int(st.Name.Pos))
		}
		h.warnTimeEnded(ctx, s, j)
		if err := h.want(ctx, j, "running"); err != nil {
			return nil, err
		}
		return session.Command(tag), h.startNow(ctx, j)
	})
}

// dropJobs runs DROP JOB.
func (h *Handler) dropJobs(ctx context.Context, s *session.Session, st *ast.Drop) error {
	for _, path := range st.Names {
		name := path.Last()
		j, err := h.findJob(s, name)
		if err != nil {
			if st.IfExists && pgerr.From(err).Code == pgerr.UndefinedObject {
				s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("job %q does not exist, skipping", name.Value))
				continue
			}
			return err
		}
		if err := notView(j, "DROP", name.Pos); err != nil {
			return err
		}
		if st.WithSavepoint {
			if err := s.RequireNoTransaction(ctx, "DROP JOB … WITH SAVEPOINT"); err != nil {
				return err
			}
			spec := job.SavepointSpec{}
			if st.Savepoint != nil {
				spec.Name, spec.To = st.Savepoint.Name, st.Savepoint.URL
			}
			if _, err := h.opt.Jobs.StopWithSavepoint(ctx, j, spec, false); err != nil {
				return h.notRunning(err, j, name)
			}
		}
		w := h.work(s)
		if err := w.names.DropJob(j.ID); err != nil {
			return pgerr.From(err).At(int(name.Pos))
		}
		if job.Retains(j) {
			s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("the checkpoints of job %s stay, as its option checkpoint_retention says", j.Name))
		}
		w.after = append(w.after, func(ctx context.Context) error { return h.opt.Jobs.Drop(ctx, j) })
	}
	return nil
}

// alterJob runs ALTER JOB.
func (h *Handler) alterJob(st *ast.AlterJob) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		const tag = "ALTER JOB"
		if err := s.RequireNoTransaction(ctx, tag); err != nil {
			return nil, err
		}
		j, err := h.findJob(s, st.Name)
		if err != nil {
			return nil, err
		}
		switch {
		case st.Rename != nil:
			err = h.renameJob(ctx, j, st)
		case len(st.Inserts) > 0:
			err = h.alterQuery(ctx, s, j, st)
		default:
			options, e := h.changedOptions(j, st)
			if err = e; err == nil {
				err = h.opt.Jobs.Reconfigure(ctx, j, options)
			}
		}
		if err != nil {
			return nil, err
		}
		return session.Command(tag), nil
	})
}

// renameJob runs ALTER JOB … RENAME TO.
func (h *Handler) renameJob(ctx context.Context, j *catalog.Job, st *ast.AlterJob) error {
	if j.ViewID != "" {
		return pgerr.New(pgerr.WrongObjectType, "job %q keeps a materialized view and has its name", j.Name).At(int(st.Name.Pos))
	}
	if err := h.opt.Jobs.Rename(ctx, j, st.Rename.Value); err != nil {
		return pgerr.From(err).At(int(st.Rename.Pos))
	}
	return nil
}

// alterQuery runs ALTER JOB … AS.
func (h *Handler) alterQuery(ctx context.Context, s *session.Session, j *catalog.Job, st *ast.AlterJob) error {
	if j.ViewID != "" {
		return pgerr.New(pgerr.WrongObjectType, "job %q keeps a materialized view, whose query cannot be changed", j.Name).At(int(st.Name.Pos))
	}
	g, b, err := h.jobGraph(s, st.Inserts)
	if err != nil {
		return err
	}
	create := &ast.CreateJob{Name: ast.Name{Value: j.Name}, Options: optionList(j.Options), Inserts: st.Inserts}
	spec := job.RestoreSpec{SQL: ast.Print(create), Graph: g, Depends: b.Depends, Allow: st.AllowNonRestored}
	if spec.To, spec.Discard, err = mapping(st.Map); err != nil {
		return err
	}
	done, err := h.opt.Jobs.Alter(ctx, j, spec)
	if errors.Is(err, job.ErrNotRunning) {
		return h.notRunning(err, j, st.Name)
	} else if err != nil {
		return pgerr.From(err).At(int(st.Inserts[0].Pos))
	}
	warnUnbounded(s, g, j.Options)
	warnCircle(s, h.opt.Catalog.Snapshot(), j.Name, g)
	if done.Plan != nil {
		noticeVerdicts(s, done.Plan)
		goes := "goes on"
		if done.Job.Wanted != "running" || done.Job.State == "finished" {
			goes = "stays " + done.Job.State + ", and would go on"
		}
		s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("job %s %s as %s with the state of checkpoint %d", j.Name, goes, done.Job.ID, done.Checkpoint))
	}
	return nil
}

// changedOptions are a job's options after SET and RESET.
func (h *Handler) changedOptions(j *catalog.Job, st *ast.AlterJob) (map[string]string, error) {
	set, err := h.jobOptions(st.Set)
	if err != nil {
		return nil, err
	}
	options := map[string]string{}
	for k, v := range j.Options {
		if !slices.Contains(st.Reset, k) {
			options[k] = v
		}
	}
	for k, v := range set {
		options[k] = v
	}
	for _, name := range st.Reset {
		if !slices.ContainsFunc(job.OptionDocs(), func(d job.OptionDoc) bool { return d.Name == name }) {
			return nil, pgerr.New(pgerr.UndefinedObject, "unknown job option %q", name)
		}
	}
	return options, nil
}

// flushTogether is how many jobs FLUSH asks at a time: each may wait for its checkpoint.
const flushTogether = 32

// flush runs FLUSH: those jobs first whose output others read. A job that fails does not
// keep the others from it, and if it reads no own table, there is nothing that it has not
// seen.
func (h *Handler) flush() plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		if err := s.RequireNoTransaction(ctx, "FLUSH"); err != nil {
			return nil, err
		}
		var failed error
		for _, jobs := range writersFirst(h.opt.Catalog.Snapshot().Jobs()) {
			errs := make([]error, len(jobs))
			var asked sync.WaitGroup
			slots := make(chan struct{}, flushTogether)
			for i, j := range jobs {
				slots <- struct{}{}
				asked.Go(func() {
					errs[i] = h.opt.Jobs.CatchUp(ctx, j.Name)
					<-slots
				})
			}
			asked.Wait()
			for i, j := range jobs {
				if errs[i] != nil && ctx.Err() != nil {
					return nil, errs[i]
				}
				if errs[i] != nil && failed == nil && readsOwn(j) {
					failed = fmt.Errorf("flush job %s: %w", j.Name, errs[i])
				}
				warnFailed(s, h.opt.Catalog.Snapshot().JobByID(j.ID))
			}
		}
		if failed != nil {
			return nil, failed
		}
		return session.Command("FLUSH"), nil
	})
}

// warnFailed warns whoever wants a job's output if the job, which may be nil, has failed
// for good.
func warnFailed(s *session.Session, j *catalog.Job) {
	if j == nil || j.State != "failed" {
		return
	}
	n := pgerr.New(pgerr.Warning, "job %q has failed, and its output is not brought up to date", j.Name).WithDetail("%s", j.Failure).Hint("RESUME JOB %s starts it again.", ast.QuoteName(j.Name))
	s.SendNotice(session.Notice{Severity: "WARNING", Error: *n})
}

// readsOwn reports whether a job reads a table of Millrace's own.
func readsOwn(j *catalog.Job) bool {
	g, err := graph.Decode(j.Graph)
	return err != nil || slices.ContainsFunc(g.Operators, func(op graph.Operator) bool { return op.Source != nil && op.Source.Connector == "" })
}

// writersFirst orders jobs so that one that writes to an own table comes before
// the ones that read it, as far as that is possible. Those of one list do not wait for one
// another.
func writersFirst(jobs []*catalog.Job) (out [][]*catalog.Job) {
	writes := map[string][]*catalog.Job{} // relation → jobs
	reads := map[*catalog.Job][]string{}
	for _, j := range jobs {
		g, err := graph.Decode(j.Graph)
		if err != nil {
			continue
		}
		for i := range g.Operators {
			if sink := g.Operators[i].Sink; sink != nil && sink.Connector == "" {
				writes[sink.RelationID] = append(writes[sink.RelationID], j)
			}
			if src := g.Operators[i].Source; src != nil {
				reads[j] = append(reads[j], src.RelationID)
			}
		}
	}
	after := map[*catalog.Job]int{} // how many lists come before the job's
	var visit func(j *catalog.Job) int
	visit = func(j *catalog.Job) int {
		if n, seen := after[j]; seen {
			return n
		}
		after[j] = 0 // for circles
		n := 0
		for _, r := range reads[j] {
			for _, w := range writes[r] {
				n = max(n, visit(w)+1)
			}
		}
		after[j] = n
		return n
	}
	for _, j := range jobs {
		n := visit(j)
		for len(out) <= n {
			out = append(out, nil)
		}
		out[n] = append(out[n], j)
	}
	return out
}
