package operator

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// boundedJoin pairs the rows of two finished inputs. It keeps both, looks up the right
// side by the equality keys, and emits at the end. It has no state tables:
// finished data is read again, not restored. Changelog modes: inserts in,
// inserts out.
type boundedJoin struct {
	exec.Stateless
	spec     *graph.Join
	sides    [2]*batch.Batch
	fields   [2][]types.Field
	keys     [2]program
	residual *predicate
	rows     int // per emitted batch

	table       *state.Table // right keys → number of the first row of that key
	next        []int32      // right row → the next one of its key, -1 for none
	leftMatched []bool
	matched     []bool // right rows
	pairs       [2][]int
	pending     *batch.Batch
	sel         []uint16
}

// bufferBytesMax is how much text one column of a buffered input may have: what
// a View can address.
const bufferBytesMax = 1<<32 - 1<<26

func newBoundedJoin(op *graph.Operator, env *Env) (exec.Operator, error) {
	j := &boundedJoin{spec: op.Join, rows: env.BatchRows, sel: []uint16{}}
	for i := range j.sides {
		j.fields[i] = env.Inputs[i]
		j.sides[i] = batch.New(layoutOf(env.Inputs[i]), 0)
	}
	var err error
	if j.keys[0], err = compileProgram(op.Join.LeftKeys, op.ID, env, env.Inputs[0]); err != nil {
		return nil, err
	}
	if j.keys[1], err = compileProgram(op.Join.RightKeys, op.ID, env, env.Inputs[1]); err != nil {
		return nil, err
	}
	if op.Join.Residual != nil {
		p, err := compilePredicate(op.Join.Residual, op.ID, env, slices.Concat(env.Inputs[0], env.Inputs[1]))
		if err != nil {
			return nil, err
		}
		j.residual = &p
	}
	j.pending = batch.New(append(layoutOf(env.Inputs[0]), layoutOf(env.Inputs[1])...), 0)
	j.table, err = state.NewTable(keySchema(op.Join.RightKeys, "first"), state.Options{})
	return j, err
}

// keySchema is a scratch table by the values of keys, with bigint columns.
func keySchema(keys []*scalar.Expr, columns ...string) graph.Table {
	var t graph.Table
	for i, k := range keys {
		t.Keys = append(t.Keys, graph.Column{Name: fmt.Sprint("key", i), Type: k.Type})
	}
	for _, c := range columns {
		t.Columns = append(t.Columns, graph.Column{Name: c, Type: types.Of(types.Int64)})
	}
	return t
}

// OnBatch implements exec.Operator.
func (j *boundedJoin) OnBatch(port int, in *batch.Batch, _ exec.Output) error {
	j.sides[port].AppendSelected(in, in.Sel)
	if arenaBytes(j.sides[port]) > bufferBytesMax {
		return pgerr.New(pgerr.ProgramLimitExceeded, "a join's input has more than 4 GB in one column")
	}
	return nil
}

// OnEnd implements exec.Operator.
func (j *boundedJoin) OnEnd(out exec.Output) error {
	defer j.table.Close()
	if err := j.indexRight(); err != nil {
		return err
	}
	left := j.sides[0]
	j.leftMatched, j.matched = make([]bool, left.N), make([]bool, j.sides[1].N)
	for from := 0; from < left.N; from += batch.RowsDefault {
		if err := j.probe(from, min(from+batch.RowsDefault, left.N), out); err != nil {
			return err
		}
	}
	if err := j.flush(out); err != nil {
		return err
	}
	return j.emitUnmatched(out)
}

// indexRight chains the right rows of each key together.
func (j *boundedJoin) indexRight() error {
	right := j.sides[1]
	j.next = make([]int32, right.N)
	for from := 0; from < right.N; from += batch.RowsDefault {
		part := slice(right, from, min(from+batch.RowsDefault, right.N))
		keys, sel, err := j.keysOf(1, part)
		if err != nil {
			return err
		}
		ids, rows := make([]state.RowID, part.N), make([]unsafe.Pointer, part.N)
		j.table.FindOrInsert(keys, part.N, sel, ids, rows, nil)
		for _, i := range sel {
			first := (*int64)(unsafe.Add(rows[i], j.table.Column(0)))
			j.next[from+int(i)] = int32(*first) - 1
			*first = int64(from+int(i)) + 1
		}
	}
	return nil
}

// keysOf computes a side's keys and selects the rows that have all of them: a
// null equals nothing.
func (j *boundedJoin) keysOf(side int, part *batch.Batch) ([]*batch.Column, []uint16, error) {
	keys, sel, err := j.keys[side].run(part)
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate join keys: %w", err)
	}
	if sel == nil {
		sel = identity(part.N)
	}
	kept := make([]uint16, 0, len(sel))
	for _, i := range sel {
		null := false
		for _, k := range keys {
			null = null || k.IsNull(int(i))
		}
		if !null {
			kept = append(kept, i)
		}
	}
	return keys, kept, nil
}

// probe pairs the left rows from..to with their right rows.
func (j *boundedJoin) probe(from, to int, out exec.Output) error {
	part := slice(j.sides[0], from, to)
	keys, sel, err := j.keysOf(0, part)
	if err != nil {
		return err
	}
	ids := make([]state.RowID, part.N)
	j.table.Find(keys, part.N, sel, ids)
	for _, i := range sel {
		if ids[i] == state.NoRow {
			continue
		}
		first := *(*int64)(unsafe.Add(j.table.Read(ids[i]), j.table.Column(0)))
		for r := int32(first) - 1; r >= 0; r = j.next[r] {
			j.pairs[0], j.pairs[1] = append(j.pairs[0], from+int(i)), append(j.pairs[1], int(r))
			if len(j.pairs[0]) >= j.rows {
				if err := j.flush(out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// flush tests the pairs found and emits those that pass, unless only the left
// row counts.
func (j *boundedJoin) flush(out exec.Output) error {
	if len(j.pairs[0]) == 0 {
		return nil
	}
	j.pending.Reset()
	for k, side := range j.pairs {
		at := k * len(j.fields[0])
		for c, col := range j.sides[k].Cols {
			for _, r := range side {
				j.pending.Cols[at+c].AppendRow(col, r)
			}
		}
	}
	j.pending.N = len(j.pairs[0])
	sel := identity(j.pending.N)
	if j.residual != nil {
		kept, err := j.residual.selectRows(j.pending, j.sel)
		if err != nil {
			return fmt.Errorf("evaluate join condition: %w", err)
		}
		j.sel, sel = kept[:0], kept
	}
	for _, i := range sel {
		j.leftMatched[j.pairs[0][i]], j.matched[j.pairs[1][i]] = true, true
	}
	j.pairs[0], j.pairs[1] = j.pairs[0][:0], j.pairs[1][:0]
	if j.spec.Kind == logical.SemiJoin || j.spec.Kind == logical.AntiJoin || len(sel) == 0 {
		return nil
	}
	j.pending.Sel = sel
	return out.Emit(j.pending)
}

// emitUnmatched emits what the join's kind wants of the rows by themselves.
func (j *boundedJoin) emitUnmatched(out exec.Output) error {
	switch j.spec.Kind {
	case logical.SemiJoin:
		return j.emitSide(0, j.leftMatched, true, out)
	case logical.AntiJoin, logical.LeftJoin:
		return j.emitSide(0, j.leftMatched, false, out)
	case logical.RightJoin:
		return j.emitSide(1, j.matched, false, out)
	case logical.FullJoin:
		if err := j.emitSide(0, j.leftMatched, false, out); err != nil {
			return err
		}
		return j.emitSide(1, j.matched, false, out)
	}
	return nil
}

// emitSide emits the rows of one side whose flag is want, with nulls for the
// other side where the output has its columns.
func (j *boundedJoin) emitSide(side int, flags []bool, want bool, out exec.Output) error {
	alone := j.spec.Kind == logical.SemiJoin || j.spec.Kind == logical.AntiJoin
	b, left := j.pending, len(j.fields[0])
	if alone {
		b = batch.New(layoutOf(j.fields[0]), 0)
	}
	b.Reset()
	for r := 0; r <= len(flags); r++ {
		if b.N == j.rows || r == len(flags) && b.N > 0 {
			if err := out.Emit(b); err != nil {
				return err
			}
			b.Reset()
		}
		if r == len(flags) || flags[r] != want {
			continue
		}
		for c := range b.Cols {
			switch {
			case side == 0 && c < left:
				b.Cols[c].AppendRow(j.sides[0].Cols[c], r)
			case side == 1 && c >= left:
				b.Cols[c].AppendRow(j.sides[1].Cols[c-left], r)
			default:
				b.Cols[c].AppendNull()
			}
		}
		b.N++
	}
	return nil
}
