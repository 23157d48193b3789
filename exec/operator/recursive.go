package operator

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// recursive gives the rows of a WITH RECURSIVE query: those of its first part, and
// then, as long as there are any, those that its other part makes of the rows that
// came last. What has been found goes out at once, so that a reader who has enough
// can stop an endless one. It keeps the last rows and, where they count once, all
// rows. Changelog modes: none in, inserts out.
type recursive struct {
	exec.Stateless
	spec   *graph.Recursive
	layout []types.Phys
	env    *Env
	seen   *table // all rows, where copies do not count

	held        memory.Meter
	last, found int64 // bytes of the rows that came last, and of those that come

	ids  []uint32
	rows []unsafe.Pointer
	sel  []uint16
}

// WorkingRows are the rows of a recursive query that came last.
type WorkingRows struct {
	Number int
	Rows   []*batch.Batch
}

// recursiveBytesMax bounds what a recursive query keeps in memory, so that one
// that has no end fails before the server does.
const recursiveBytesMax = 512 << 20

func newRecursive(op *graph.Operator, env *Env) (exec.Operator, error) {
	if env.Subquery == nil {
		return nil, pgerr.NotSupported(-1, "WITH RECURSIVE over endless data")
	}
	r := &recursive{spec: op.Recursive, layout: layoutOf(op.Fields), env: env}
	if !r.spec.Distinct {
		return r, nil
	}
	var schema graph.Table
	for i, f := range op.Fields {
		schema.Keys = append(schema.Keys, graph.Column{Name: fmt.Sprint("column", i), Type: f.Type})
	}
	var err error
	r.seen, err = newFinished(&schema, env.Memory)
	return r, err
}

// OnBatch implements exec.Operator.
func (r *recursive) OnBatch(int, *batch.Batch, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (r *recursive) OnEnd(out exec.Output) error {
	if r.env.Task != 0 {
		return nil
	}
	working := &WorkingRows{Number: r.spec.Number}
	r.held = r.env.Memory.Meter()
	for g := r.spec.Initial; ; g = r.spec.Step {
		found, err := r.round(g, working, out)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := r.env.Context.Err(); err != nil {
			return err
		}
		working.Rows = found
		r.last = r.found
	}
}

// round runs one part and emits the rows that it finds.
func (r *recursive) round(g *graph.Graph, working *WorkingRows, out exec.Output) (found []*batch.Batch, err error) {
	bytes := 0
	r.found = 0
	err = r.env.Subquery(g, working, func(b *batch.Batch) error {
		if b = r.fresh(b); b.Live() == 0 {
			return nil
		}
		bytes += bytesOf(b)
		if bytes > recursiveBytesMax || r.seen != nil && r.seen.Size() > recursiveBytesMax {
			return pgerr.New(pgerr.ConfigurationLimitExceeded, "recursive query %q keeps more than %d MB of rows", r.spec.Name, recursiveBytesMax>>20).
				Hint("Its recursion may have no end: a condition can end it, or UNION, which leaves rows out that have come before.")
		}
		found = append(found, b)
		r.found = int64(bytes)
		if err := r.held.Set(r.last + r.found); err != nil {
			return err
		}
		return out.Emit(b)
	})
	if err != nil {
		return nil, fmt.Errorf("run recursive query %s: %w", r.spec.Name, err)
	}
	return found, nil
}

// fresh is the rows of b that have not come before, all of them where copies count.
func (r *recursive) fresh(b *batch.Batch) *batch.Batch {
	if r.seen == nil {
		return b
	}
	r.ids, r.rows = roomFor(r.ids, b.N), roomFor(r.rows, b.N)
	r.sel = r.seen.find(b.Cols, b.N, b.Sel, r.ids, r.rows, r.sel[:0])
	kept := batch.New(r.layout, 0)
	kept.AppendSelected(b, r.sel)
	return kept
}

// bytesOf is about what a batch takes.
func bytesOf(b *batch.Batch) int {
	n := 0
	for _, c := range b.Cols {
		n += 16*b.N + cap(c.Arena)
	}
	return n
}

// working emits the rows that came last of a recursive query around it, once: at
// its input's end, which the runtime gives it at once since it has none. It keeps
// no state. Changelog modes: none in, inserts out.
type working struct {
	exec.Stateless
	number int
	rows   func(number int) []*batch.Batch
}

func newWorking(op *graph.Operator, env *Env) (exec.Operator, error) {
	if env.Working == nil {
		return nil, pgerr.New(pgerr.InternalError, "a plan reads a recursive query that is not around it")
	}
	return &working{number: op.Working.Number, rows: env.Working}, nil
}

// OnBatch implements exec.Operator.
func (w *working) OnBatch(int, *batch.Batch, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (w *working) OnEnd(out exec.Output) error {
	for _, b := range w.rows(w.number) {
		if err := out.Emit(b); err != nil {
			return err
		}
	}
	return nil
}
