package exec

// Progress is how far the tasks of a run were at some moment.
type Progress []taskProgress

// taskProgress is what the operators of a task had counted, and its steps: it takes one
// when it begins to deal with something, be it a message or a batch of its source, and
// one when it is ready for a barrier again. The number is odd in between.
type taskProgress struct {
	steps   int64
	in, out []int64
}

// Progress is how far the tasks are now.
func (r *Run) Progress() Progress {
	p := make(Progress, len(r.tasks))
	for i, t := range r.tasks {
		p[i].steps = t.steps.Load()
		for _, n := range t.nodes {
			p[i].in, p[i].out = append(p[i].in, n.counters.rowsIn.Load()), append(p[i].out, n.counters.rowsOut.Load())
		}
	}
	return p
}

// Stuck finds the operator that a barrier sent then waits for now: its task has been
// with one batch, or the end of its input, ever since, of which it still makes rows. made
// is how many it has made in that time, 0 if there is no such operator.
func (r *Run) Stuck(then Progress) (operator string, made int64) {
	for i, now := range r.Progress() {
		if now.steps != then[i].steps || now.steps%2 == 0 {
			continue
		}
		for k, n := range r.tasks[i].nodes {
			if d := now.out[k] - then[i].out[k]; now.in[k] == then[i].in[k] && d > made {
				operator, made = n.spec.ID, d
			}
		}
	}
	return operator, made
}
