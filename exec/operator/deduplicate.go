package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// deduplicate keeps one row per key of append-only input: the first in an order
// and, among rows that the order does not tell apart, by their other columns. Its
// state is one table, that row by its key; in the order of arrival the keys alone.
// Changelog modes: inserts in; inserts and updates out, by arrival inserts alone.
// A batch makes at most one change per key. A key whose row is due begins anew; a
// row that changes nothing writes nothing.
type deduplicate struct {
	exec.Stateless
	rows    *table
	life    *lifetime // of keys; nil: they stay
	keys    []int
	order   *rowOrder
	slots   []int
	diff    *rowDiff
	arrival bool

	cols  []*batch.Column
	ids   []uint32
	state []unsafe.Pointer
	fresh []uint16

	epoch   uint32
	marks   *state.Vector[candidate] // by row
	wins    []uint16                 // batch rows that become a key's row
	updates []uint32                 // rows that one of the batch replaces
	words   []uint64
	prefix  []uint64 // by batch row
}

// candidate is what a batch has for a row's key.
type candidate struct {
	epoch uint32 // of the batch that last had the key
	best  int32  // the first of its rows, if it comes before the row
}

const noneBetter = -1

func newDeduplicate(op *graph.Operator, env *Env, rows *table) exec.Operator {
	spec := op.TopN
	d := &deduplicate{rows: rows, keys: spec.Keys, arrival: spec.Arrival, slots: rowSlots(len(env.Inputs[0]), spec.Keys, nil, spec.Arrival, false),
		wins: []uint16{}, life: newLifetime(env, 0, rows.Table)}
	if !d.arrival {
		d.order = newRowOrder(rows, spec.Order, d.slots, len(spec.Keys))
		d.diff, d.marks = newRowDiff(nil, rows, d.slots, op, env), state.NewVector[candidate](rows.Table)
	}
	return d
}

// OnBatch implements exec.Operator.
func (d *deduplicate) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	d.cols = d.cols[:0]
	for _, c := range d.keys {
		d.cols = append(d.cols, in.Cols[c])
	}
	d.ids, d.state = roomFor(d.ids, in.N), roomFor(d.state, in.N)
	d.fresh = d.rows.find(d.cols, in.N, in.Sel, d.ids, d.state, d.fresh[:0])
	if d.life != nil {
		d.begin(in)
	}
	if err := d.admit(in, out); err != nil {
		return err
	}
	d.life.sweepBatch(in, d.expire)
	return nil
}

// begin makes the batch rows that begin a key, or a key that is due, the fresh
// ones.
func (d *deduplicate) begin(in *batch.Batch) {
	d.fresh = d.fresh[:0]
	for k := range in.Live() {
		i := in.RowAt(k)
		row := d.state[i]
		at := d.life.at(row)
		if at != 0 && !d.life.over(at) {
			continue
		}
		if at != 0 {
			d.life.counters.Expired++
		}
		d.life.write(row)
		d.fresh = append(d.fresh, uint16(i))
	}
}

// OnBarrier implements exec.Stateful.
func (d *deduplicate) OnBarrier(b exec.Barrier, _ exec.Output) error {
	d.life.sweepBarrier(b, d.expire)
	return nil
}

// expire removes a key that is due.
func (d *deduplicate) expire(id uint32, _ unsafe.Pointer) { d.rows.remove(id) }

// admit emits what the batch's rows change, whose keys are found.
func (d *deduplicate) admit(in *batch.Batch, out exec.Output) error {
	if d.arrival {
		if len(d.fresh) == 0 {
			return nil
		}
		return out.Emit(&batch.Batch{N: in.N, Sel: d.fresh, Cols: in.Cols})
	}
	d.contend(in)
	inserted := d.wins
	for _, id := range d.updates {
		d.wins = append(d.wins, uint16(d.marks.At(id).best))
		if d.life != nil {
			d.life.write(d.rows.write(id))
		}
	}
	d.saveOld()
	for c, slot := range d.slots {
		if slot >= len(d.keys) {
			d.rows.WriteColumn(slot, d.state, in.Cols[c], in.N, d.wins)
		}
	}
	if len(inserted) > 0 {
		if err := out.Emit(&batch.Batch{N: in.N, Sel: inserted, Cols: in.Cols}); err != nil {
			return err
		}
	}
	return d.emitUpdates(out)
}

// contend finds the first row of each key of the batch: d.wins are those of new
// keys, in order, d.updates the rows that have one before them.
func (d *deduplicate) contend(in *batch.Batch) {
	if d.epoch++; d.epoch == 0 {
		d.marks.Clear()
		d.epoch = 1
	}
	d.marks.Grow(d.rows.idEnd())
	d.order.in = in
	d.prefix = d.order.prefixes(in, d.prefix)
	d.wins, d.updates = d.wins[:0], d.updates[:0]
	next := 0
	for k := range in.Live() {
		i := in.RowAt(k)
		id := d.ids[i]
		m := d.marks.At(id)
		switch {
		case next < len(d.fresh) && int(d.fresh[next]) == i:
			next++
			*m = candidate{d.epoch, int32(i)}
		case m.epoch != d.epoch:
			*m = candidate{d.epoch, noneBetter}
			fallthrough
		case m.best == noneBetter:
			if d.before(i, id) {
				m.best = int32(i)
				d.updates = append(d.updates, id)
			}
		case d.before(i, uint32(m.best)|inBatch):
			m.best = int32(i)
		}
	}
	d.order.in = nil
	sorted := true
	for _, i := range d.fresh {
		best := uint16(d.marks.At(d.ids[i]).best)
		sorted = sorted && (len(d.wins) == 0 || d.wins[len(d.wins)-1] < best)
		d.wins = append(d.wins, best)
	}
	if !sorted {
		slices.Sort(d.wins)
	}
}

// before reports whether row i of the batch comes before another row.
// hot: prefixes decide almost always, and the row's own is one load.
func (d *deduplicate) before(i int, other uint32) bool {
	var p uint64
	if other&inBatch != 0 {
		p = d.prefix[other&^inBatch]
	} else {
		p = d.order.prefix(d.state[i])
	}
	if q := d.prefix[i]; p != q {
		return q < p
	}
	return d.order.compare(uint32(i)|inBatch, other, len(d.order.keys)) < 0
}

// saveOld copies the rows that are about to be replaced.
func (d *deduplicate) saveOld() {
	d.words = d.words[:0]
	for _, id := range d.updates {
		d.words = append(d.words, unsafe.Slice((*uint64)(d.rows.read(id)), d.rows.width()/8)...)
	}
}

func (d *deduplicate) emitUpdates(out exec.Output) error {
	width := d.rows.width() / 8
	for k, id := range d.updates {
		d.diff.add(batch.UpdateBefore, unsafe.Pointer(&d.words[k*width]), 0)
		d.diff.add(batch.UpdateAfter, d.rows.read(id), 0)
	}
	return d.diff.emit(out)
}
