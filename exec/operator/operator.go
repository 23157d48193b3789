// Package operator is the operators that a graph is made of: one file each,
// except sources and sinks, which the runtime owns. An operator is called by one
// task's goroutine, keeps what must survive in the state tables it is given, and
// otherwise only what can be derived from them: built over restored tables it
// goes on as if nothing had happened. Operators start no goroutines, do no I/O
// and know nothing of SQL.
package operator

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// Env is what an operator is built with, besides its spec.
type Env struct {
	// Table gives the state table of that name (graph.Table.Name) that the
	// runtime made or restored for this operator in this task.
	Table func(name string) *state.Table
	// Inputs are the columns of each input.
	Inputs [][]types.Field
	// Task is this task's number, of Parallelism.
	Task, Parallelism int
	// BatchRows is how many rows an emitted batch aims at.
	BatchRows int
	// CoalesceRows is over how many rows an aggregate puts changes of one group
	// together; it emits at barriers and watermarks in any case. 1: for each batch.
	CoalesceRows int
	// Bounded says that the data is finished: aggregates then emit only at the
	// end, one insert per group, and ORDER BY is possible.
	Bounded bool
	// Context is what expressions and the bad-row reporter run under.
	Context context.Context
	// Eval is what expressions may know, and its Now is its owner's to set; nil
	// means nothing but the time of each batch.
	Eval  *eval.Context
	Clock clock.Clock
	// Memory counts what the operator keeps besides its tables, which count theirs; nil:
	// nobody does.
	Memory *memory.Share
	// BadRow takes rows whose expressions failed, as the job's policy says: an
	// error means that the job must fail. nil: always fail.
	BadRow exec.BadRow
	// Late, when not nil, takes the rows of in that came too late for a window,
	// besides being counted.
	Late func(in *batch.Batch, rows []uint16) error
	// Collect takes the rows of a collect operator, and owns the batch it gets.
	// It blocks while the reader is behind.
	Collect func(b *batch.Batch) error
	// Sealed, when not nil, is told that everything of an epoch was collected.
	Sealed func(epoch uint64) error
	// Subquery runs a graph within this one's to its end and gives its rows to
	// take, which may keep them. The rows of working are those of its Working
	// operators, and of the graphs in it.
	Subquery func(g *graph.Graph, working *WorkingRows, take func(b *batch.Batch) error) error
	// Working gives the rows of a recursive query around this graph.
	Working func(number int) []*batch.Batch
	// Keys takes the values that a keys operator has for the source of that id, in
	// the order in which they came; all: there are too many.
	Keys func(source string, values [][]types.Value, all bool)
	// Rows opens a function in FROM whose rows lie outside of the query; nil: there
	// are none.
	Rows func(function string, args []types.Value) (RowReader, error)
	// Lifetimes are, by number of the operator's tables, how long their entries stay
	// after they were last written, in microseconds; 0, or nothing: for ever. See
	// graph.Operator.Lifetimes, and Extra for the columns that the tables then need.
	Lifetimes []int64
	// Expires says that some operator of the graph has such a lifetime, or may.
	Expires bool
	// Now is the time of the epoch that the operator begins in, in microseconds.
	Now int64
	// Counters are added to as the operator runs, by its goroutine alone.
	Counters *exec.Counters
}

// EnsureDefaults fills in what was left out.
func (e *Env) EnsureDefaults() {
	if e.Parallelism == 0 {
		e.Parallelism = 1
	}
	if e.BatchRows == 0 {
		e.BatchRows = batch.RowsDefault
	}
	if e.CoalesceRows == 0 {
		e.CoalesceRows = 16 * batch.RowsDefault
	}
	if e.Context == nil {
		e.Context = context.Background()
	}
	if e.Clock == nil {
		e.Clock = clock.System{}
	}
	if e.Counters == nil {
		e.Counters = &exec.Counters{}
	}
}

// New builds the operator that op describes. Before the first batch the runtime
// calls OnWatermark with the watermark at which the tables were cut, or with
// WatermarkMin: operators that fire windows go by it.
func New(op *graph.Operator, env Env) (exec.Operator, error) {
	env.EnsureDefaults()
	made, err := build(op, &env)
	if err != nil {
		return nil, &exec.OperatorError{Operator: op.ID, Err: err}
	}
	return made, nil
}

func build(op *graph.Operator, env *Env) (exec.Operator, error) {
	switch op.Kind {
	case graph.ValuesKind:
		return newValues(op, env)
	case graph.FilterKind:
		return newFilter(op, env)
	case graph.KeysKind:
		return newKeys(op, env), nil
	case graph.ContendersKind:
		return newContenders(op, env)
	case graph.ChallengersKind:
		return newChallengers(op, env), nil
	case graph.ProjectKind:
		return newProject(op, env)
	case graph.WindowKind:
		return newWindow(op, env)
	case graph.AggregateKind:
		return newAggregate(op, env)
	case graph.WindowAggregateKind:
		return newWindowAggregate(op, env)
	case graph.UnionKind:
		return union{}, nil
	case graph.SortKind:
		return newSort(op, env)
	case graph.OverKind:
		return newOver(op, env)
	case graph.TopNKind:
		return newTopN(op, env)
	case graph.MaterializeKind:
		return newMaterialize(op, env)
	case graph.UpsertKind:
		return newUpsert(op, env)
	case graph.ConsolidateKind:
		return newConsolidate(op, env)
	case graph.CollectKind:
		return newCollect(env)
	case graph.JoinKind:
		return newJoin(op, env)
	case graph.AsofJoinKind:
		return newAsofJoin(op, env)
	case graph.TemporalJoinKind:
		return newTemporalJoin(op, env)
	case graph.LookupJoinKind:
		return newLookupJoin(op, env)
	case graph.SetOpKind:
		return newSetOp(op, env)
	case graph.ApplyKind:
		return newApply(op, env)
	case graph.FunctionScanKind:
		return newFunctionScan(op, env)
	case graph.ExpandKind:
		return newExpand(op, env)
	case graph.RecursiveKind:
		return newRecursive(op, env)
	case graph.WorkingKind:
		return newWorking(op, env)
	}
	return nil, pgerr.NotSupported(-1, "operator "+string(op.Kind))
}

func layoutOf(fields []types.Field) []types.Phys {
	layout := make([]types.Phys, len(fields))
	for i, f := range fields {
		layout[i] = f.Type.Phys()
	}
	return layout
}
