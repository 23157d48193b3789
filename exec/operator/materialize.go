package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// materialize keeps its input as a table for readers: it is its state. With a
// key it has one row per key, the last one that came; without, each distinct row
// and how many copies of it there are. The runtime seals the table at barriers
// and readers go through its snapshots. Changelog modes: any in (upserts need a
// key); the input goes out again, as it came, to those that follow the view.
type materialize struct {
	exec.Stateless
	rows   *table
	key    []int
	others []int // input columns that are not key
	ids    []uint32
	state  []unsafe.Pointer
	fresh  []uint16
	cols   []*batch.Column
	mark   []uint32
	epoch  uint32
	last   []uint16 // by order of keys' first touch: the row that counts
	gone   []uint32
}

func newMaterialize(op *graph.Operator, env *Env) (exec.Operator, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	m := &materialize{rows: tables[0], key: op.Materialize.Key}
	if m.key == nil {
		for i := range op.Fields {
			m.key = append(m.key, i)
		}
		return &multiset{materialize: m}, nil
	}
	isKey := make([]bool, len(op.Fields))
	for _, k := range m.key {
		isKey[k] = true
	}
	for i := range op.Fields {
		if !isKey[i] {
			m.others = append(m.others, i)
		}
	}
	if m.rows.keys() != len(m.key) {
		return nil, pgerr.New(pgerr.InternalError, "the state table of %s does not have its key", op.ID)
	}
	return m, nil
}

func (m *materialize) find(in *batch.Batch) {
	m.cols = m.cols[:0]
	for _, k := range m.key {
		m.cols = append(m.cols, in.Cols[k])
	}
	m.ids, m.state = roomFor(m.ids, in.N), roomFor(m.state, in.N)
	m.fresh = m.rows.find(m.cols, in.N, in.Sel, m.ids, m.state, m.fresh[:0])
}

// OnBatch implements exec.Operator.
func (m *materialize) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	m.find(in)
	m.pickLast(in)
	m.store(in)
	return out.Emit(in)
}

// store writes the rows that count, and removes those of keys that are gone.
func (m *materialize) store(in *batch.Batch) {
	if len(m.last) == 0 {
		m.last = emptySelection
	}
	for _, id := range m.gone {
		m.rows.remove(id)
	}
	for i, c := range m.others {
		m.rows.WriteColumn(len(m.key)+i, m.state, in.Cols[c], in.N, m.last)
	}
	for k, c := range m.key {
		if m.rows.LooksVary(k) {
			m.rows.WriteColumn(k, m.state, in.Cols[c], in.N, m.last)
		}
	}
}

// pickLast finds, for each key of the batch, the last row, which is the one that
// counts. Keys whose last row takes away go to m.gone, the others to m.last.
func (m *materialize) pickLast(in *batch.Batch) {
	m.epoch++
	if n := m.rows.idEnd(); len(m.mark) < n {
		m.mark = append(m.mark, make([]uint32, n-len(m.mark)+n/2)...)
	}
	if m.epoch == 0 {
		clear(m.mark)
		m.epoch = 1
	}
	m.last, m.gone = m.last[:0], m.gone[:0]
	for k := in.Live() - 1; k >= 0; k-- {
		i := in.RowAt(k)
		id := m.ids[i]
		if m.mark[id] == m.epoch {
			continue
		}
		m.mark[id] = m.epoch
		if in.Op(i).Retracts() {
			m.gone = append(m.gone, id)
		} else {
			m.last = append(m.last, uint16(i))
		}
	}
}

// multiset is materialize without a key.
type multiset struct{ *materialize }

// OnBatch implements exec.Operator.
func (m *multiset) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	m.find(in)
	m.count(in)
	return out.Emit(in)
}

// count adds the batch up to the copies of its rows, and removes those of which none
// is left.
func (m *multiset) count(in *batch.Batch) {
	copies := m.rows.column(0)
	for k := range in.Live() {
		i := in.RowAt(k)
		if in.Op(i).Retracts() {
			*(*int64)(unsafe.Add(m.state[i], copies))--
		} else {
			*(*int64)(unsafe.Add(m.state[i], copies))++
		}
	}
	m.gone = m.gone[:0]
	for k := range in.Live() {
		i := in.RowAt(k)
		if n := (*int64)(unsafe.Add(m.state[i], copies)); *n == 0 {
			*n = removed
			m.gone = append(m.gone, m.ids[i])
		}
	}
	for _, id := range m.gone {
		m.rows.remove(id)
	}
}
