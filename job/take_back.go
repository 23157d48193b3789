package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
)

// tableMark is where the log of own tables stood when a checkpoint was taken, of a
// sink that writes to one: what the job commits later comes behind it.
type tableMark struct {
	Table  string `json:"table"` // its relation's id, which no other server has
	Offset []byte `json:"offset"`
}

// ownSinks are the operators that write to own tables.
func ownSinks(g *graph.Graph) (out []*graph.Operator) {
	for i := range g.Operators {
		if op := &g.Operators[i]; op.Kind == graph.SinkKind && op.Sink.Connector == "" {
			out = append(out, op)
		}
	}
	return out
}

// marks are the table marks of a checkpoint that is taken now, by operator.
func (m *Manager) marks(g *graph.Graph) map[string]tableMark {
	out := map[string]tableMark{}
	if m.opt.Tables == nil {
		return out
	}
	for _, op := range ownSinks(g) {
		out[op.ID] = tableMark{Table: op.Sink.RelationID, Offset: m.opt.Tables.Mark()}
	}
	return out
}

// addMarks stores marks with the first task of their operators.
func addMarks(operators map[string]*manifest.Operator, marks map[string]tableMark) error {
	for id, mark := range marks {
		op := operators[id]
		if op == nil || len(op.Tasks) == 0 {
			continue
		}
		data, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		op.Tasks[0].Blobs[markBlob] = data
	}
	return nil
}

// marksIn are the table marks of a checkpoint or savepoint.
func marksIn(meta *manifest.Metadata) (out []tableMark, err error) {
	for _, op := range meta.Operators {
		for _, task := range op.Tasks {
			b := task.Blobs[markBlob]
			if b == nil {
				continue
			}
			var mark tableMark
			if err := json.Unmarshal(b, &mark); err != nil {
				return nil, fmt.Errorf("decode where %s stood: %w", op.ID, err)
			}
			out = append(out, mark)
		}
	}
	return out, nil
}

// Staying is an own table that keeps what a restored job wrote to it after the point
// that it was restored to.
type Staying struct{ Relation, Why string }

// takingBack is what a restore or fallback does about own tables that the job wrote to.
type takingBack struct {
	back    *table.Back // nil: nothing
	staying []Staying
}

func (t *takingBack) close() {
	if t.back != nil {
		t.back.Close()
	}
}

// taken names the tables of a plan in which something was taken back.
func (t *takingBack) taken(g *graph.Graph) (relations []string) {
	if t.back == nil {
		return nil
	}
	ids := t.back.Tables()
	for _, op := range ownSinks(g) {
		if slices.Contains(ids, op.Sink.RelationID) && !slices.Contains(relations, op.Sink.Relation) {
			relations = append(relations, op.Sink.Relation)
		}
	}
	return relations
}

// takeBack looks what a job that has ended wrote, after the point that it is to go on
// from, to the own tables that it goes on to write, with the plan next.
func (m *Manager) takeBack(j *catalog.Job, point *manifest.Metadata, next *graph.Graph) (*takingBack, error) {
	out := &takingBack{}
	sinks := ownSinks(next)
	if m.opt.Tables == nil || len(sinks) == 0 {
		return out, nil
	}
	tables := m.opt.Store.Snapshot()
	sinks = slices.DeleteFunc(sinks, func(op *graph.Operator) bool {
		r := tables.RelationByID(op.Sink.RelationID)
		if r == nil || !r.AppendOnly {
			return false
		}
		out.staying = append(out.staying, Staying{op.Sink.Relation, "it is APPEND ONLY, and what is made again comes once more"})
		return true
	})
	if len(sinks) == 0 {
		return out, nil
	}
	stay := func(why string) (*takingBack, error) {
		for _, op := range sinks {
			out.staying = append(out.staying, Staying{op.Sink.Relation, why})
		}
		return out, nil
	}
	w := table.Written{Jobs: m.formerly(j, point.JobID), Point: point.JobID, Epoch: point.Epoch}
	marks, err := marksIn(point)
	if err != nil {
		return nil, err
	}
	for _, mark := range marks {
		if _, err := m.opt.Tables.Def(mark.Table); err == nil {
			w.Since = mark.Offset
		}
	}
	if w.Since == nil {
		return stay("the state does not tell where this server's own tables stood then, and what is not made again is not corrected")
	}
	for _, encoded := range [][]byte{j.Graph, point.Graph} {
		g, err := graph.Decode(encoded)
		if err != nil {
			return nil, err
		}
		for _, op := range append(ownSinks(g), sinks...) {
			if !slices.Contains(w.Operators, op.ID) {
				w.Operators = append(w.Operators, op.ID)
			}
		}
	}
	var ids []string
	for _, op := range sinks {
		if !slices.Contains(ids, op.Sink.RelationID) {
			ids = append(ids, op.Sink.RelationID)
		}
	}
	out.back, err = m.opt.Tables.TakeBack(ids, w)
	if gone := (*connector.GoneError)(nil); errors.As(err, &gone) {
		return stay(gone.Error() + ", and what is not made again is not corrected")
	}
	return out, err
}

// formerly are the ids that a job has and had, and that of the job whose state it is
// to take over, but not those that other jobs have.
func (m *Manager) formerly(j *catalog.Job, point string) (ids []string) {
	for _, id := range append(append([]string{j.ID}, j.Lineage...), point) {
		other := m.opt.Store.Snapshot().JobByID(id)
		if !slices.Contains(ids, id) && (id == j.ID || other == nil) {
			ids = append(ids, id)
		}
	}
	return ids
}

// commitWith commits tx, and in one step with it what by takes back.
func (t *takingBack) commitWith(ctx context.Context, tx *catalog.Tx, by string) error {
	if t.back == nil || len(t.back.Tables()) == 0 {
		return tx.Commit(ctx)
	}
	return tx.CommitWith(ctx, func(commit catalog.JointCommit) error {
		id := catalog.NewID()
		return t.back.CommitWith(ctx, by, id, func(forget string) error {
			err := commit(id, forget)
			if errors.Is(err, catalog.ErrUndecided) {
				err = fmt.Errorf("%w: %w", table.ErrUndecided, err)
			}
			return err
		})
	})
}

// conflictsMax is how often a restore looks again at what others have changed.
const conflictsMax = 100

// fallBack takes back what the last run of a job wrote after a checkpoint that it has to
// go on from, as newer ones are damaged or gone. What stays is in the job's events.
func (r *runner) fallBack(ctx context.Context, point *manifest.Metadata) {
	taking, err := r.m.takeBack(r.job, point, r.g)
	if err == nil {
		defer taking.close()
		for again, tries := taking.back != nil && len(taking.back.Tables()) > 0, 0; again; again = tries < conflictsMax && taking.again(err) {
			err = taking.back.Commit(ctx, r.job.ID)
			tries++
		}
	}
	if err != nil {
		r.event(ctx, "fallback", "what was written after that checkpoint stays: "+err.Error())
		return
	}
	for _, t := range taking.staying {
		r.event(ctx, "fallback", fmt.Sprintf("table %s keeps the rows that were written after that checkpoint: %s", t.Relation, t.Why))
	}
}

// again reports whether err is that others have changed the tables meanwhile, and
// reads what they did.
func (t *takingBack) again(err error) bool {
	e := (*pgerr.Error)(nil)
	return t.back != nil && errors.As(err, &e) && e.Code == pgerr.SerializationFailure && t.back.Read() == nil
}
