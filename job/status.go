package job

import (
	"sort"
	"sync"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
)

// Status is what a job is doing, for people and metrics.
type Status struct {
	Job         catalog.Job
	Parallelism int
	Graph       *graph.Graph
	Operators   []OperatorStatus
	Splits      []SplitStatus
}

// OperatorStatus is one operator's counters. Rows are live, or as of the end of
// the run; late and bad rows and the size of the state are as of the last
// checkpoint.
type OperatorStatus struct {
	ID        string
	Kind      graph.Kind
	Watermark exec.Watermark
	exec.Counters
}

// SplitStatus is where a source's split stands, as of the last checkpoint.
type SplitStatus struct {
	Operator string
	exec.SplitState
}

// liveStatus is the part of a runner that others may look at.
type liveStatus struct {
	mu      sync.Mutex
	job     *catalog.Job // replaced, never changed in place
	run     *exec.Run
	rows    map[string]exec.Counters // of the last run, while there is none
	sealed  map[string]exec.Counters
	marks   map[string]exec.Watermark
	sources map[string][]exec.SplitState
}

func (l *liveStatus) setJob(j *catalog.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.job = j
}

// change makes a changed copy what others see.
func (l *liveStatus) change(f func(*catalog.Job)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := *l.job
	f(&j)
	l.job = &j
}

// current is the job with its name, state and options of now.
func (l *liveStatus) current() *catalog.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.job
}

// name is the job's name now.
func (r *runner) name() string { return r.live.current().Name }

func (l *liveStatus) setRun(r *exec.Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r == nil && l.run != nil {
		l.rows = l.run.Counters()
	}
	l.run = r
}

// setStart takes what a run begins from, which is where it stands until its first
// checkpoint.
func (l *liveStatus) setStart(g *graph.Graph, from *startingPoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sealed := map[string]exec.Counters{}
	l.marks, l.sources = map[string]exec.Watermark{}, map[string][]exec.SplitState{}
	for i := range g.Operators {
		id := g.Operators[i].ID
		c := l.sealed[id]
		c.StateRows, c.StateBytes = 0, 0
		if old := from.old(id); old != nil {
			for _, task := range old.Tasks {
				for _, t := range task.Tables {
					c.StateRows += t.Rows
					c.StateBytes += t.Bytes
				}
			}
		}
		sealed[id] = c
		if w, ok := from.watermarks[id]; ok {
			l.marks[id] = w
		}
		if s := from.sources[id]; s != nil {
			l.sources[id] = append([]exec.SplitState(nil), s.Splits...)
		}
	}
	l.sealed = sealed
}

// setReports takes what the tasks said at a checkpoint's barrier.
func (l *liveStatus) setReports(reports []exec.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed, l.marks, l.sources = map[string]exec.Counters{}, map[string]exec.Watermark{}, map[string][]exec.SplitState{}
	for i := range reports {
		for _, op := range reports[i].Operators {
			c := l.sealed[op.ID]
			c.Late += op.Counters.Late
			c.BadRows += op.Counters.BadRows
			c.Expired += op.Counters.Expired
			c.Unmatched += op.Counters.Unmatched
			c.StateRows += op.Counters.StateRows
			c.StateBytes += op.Counters.StateBytes
			l.sealed[op.ID] = c
			if w, ok := l.marks[op.ID]; !ok || op.Watermark < w {
				l.marks[op.ID] = op.Watermark
			}
			if op.Source != nil {
				l.sources[op.ID] = append(l.sources[op.ID], op.Source.Splits...)
			}
		}
	}
}

// Status describes a job; ok is false when it has no runner.
func (m *Manager) Status(name string) (s Status, ok bool) {
	r := m.runner(name)
	if r == nil {
		return s, false
	}
	l := &r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	s = Status{Job: *l.job, Parallelism: r.parallelism, Graph: r.g}
	rows := l.rows
	if l.run != nil {
		rows = l.run.Counters()
	}
	for i := range r.g.Operators {
		op := &r.g.Operators[i]
		o := OperatorStatus{ID: op.ID, Kind: op.Kind, Counters: l.sealed[op.ID], Watermark: exec.WatermarkMin}
		if w, ok := l.marks[op.ID]; ok {
			o.Watermark = w
		}
		o.RowsIn, o.RowsOut = rows[op.ID].RowsIn, rows[op.ID].RowsOut
		s.Operators = append(s.Operators, o)
		splits := append([]exec.SplitState(nil), l.sources[op.ID]...)
		sort.Slice(splits, func(i, j int) bool { return splits[i].ID < splits[j].ID })
		for _, sp := range splits {
			s.Splits = append(s.Splits, SplitStatus{Operator: op.ID, SplitState: sp})
		}
	}
	return s, true
}
