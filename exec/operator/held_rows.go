package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// heldRows holds what a changelog adds up to until the windows of its rows close, and
// emits it then, once. Its state is a table of the rows, by their key, or by all
// columns with the number of copies; which windows they are of is derived. Rows of
// closed windows are late. Changelog modes: any in, inserts out.
type heldRows struct {
	exec.Stateless
	rows   *table
	spec   *graph.OverWindow
	by     materialize // by key
	copies bool
	slots  []int // table column of each input column
	end    uintptr
	isKey  bool // end is one
	ends   *sliceIndex
	mark   exec.Watermark
	late   lateRows
	limit  int
	list   []unsafe.Pointer
	out    batch.Batch
}

func newHeldRows(op *graph.Operator, env *Env) (exec.Operator, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	spec := op.Over
	h := &heldRows{rows: tables[0], spec: spec.Window, copies: spec.Copies, limit: env.BatchRows, mark: exec.WatermarkMin, late: lateRows{env: env},
		slots: rowSlots(len(op.Fields), spec.Keys, spec.RowKey, spec.Copies, false)}
	h.by.rows = h.rows
	for slot := range op.Fields {
		c := slices.Index(h.slots, slot)
		if c < 0 {
			return nil, pgerr.New(pgerr.InternalError, "the state table of %s does not have its columns", op.ID)
		}
		if slot < h.rows.keys() {
			h.by.key = append(h.by.key, c)
		} else {
			h.by.others = append(h.by.others, c)
		}
		h.out.Cols = append(h.out.Cols, &batch.Column{Phys: op.Fields[slot].Type.Phys()})
	}
	at := h.slots[h.spec.End]
	if h.isKey = at < h.rows.keys(); h.isKey {
		h.end = h.rows.key(at)
	} else {
		h.end = h.rows.column(at - h.rows.keys())
	}
	h.ends = newSliceIndex(h.rows, h.end)
	h.ends.holes = true
	return h, nil
}

// OnBatch implements exec.Operator.
func (h *heldRows) OnBatch(_ int, in *batch.Batch, _ exec.Output) error {
	ends := in.Cols[h.spec.End].Int
	in, err := h.late.leaveOut(in, ends, h.mark)
	if err != nil || in.Live() == 0 {
		return err
	}
	m := &h.by
	m.find(in)
	if h.copies {
		(&multiset{m}).count(in)
		for _, i := range m.fresh {
			if h.rows.Live(m.ids[i]) {
				h.ends.add(ends[i], m.ids[i])
			}
		}
		h.ends.thin()
		return nil
	}
	for _, i := range m.fresh {
		if !h.isKey { // no time that a window ends at
			*(*int64)(unsafe.Add(m.state[i], h.end)) = noEnd
		} else {
			h.ends.add(ends[i], m.ids[i])
		}
	}
	m.pickLast(in)
	if !h.isKey {
		for _, i := range m.last {
			if *(*int64)(unsafe.Add(m.state[i], h.end)) != ends[i] {
				h.ends.add(ends[i], m.ids[i])
			}
		}
	}
	m.store(in)
	h.ends.thin()
	return nil
}

// OnWatermark implements exec.Operator.
func (h *heldRows) OnWatermark(mark exec.Watermark, out exec.Output) error {
	if mark = closedTo(mark, h.spec.After); mark <= h.mark {
		return nil
	}
	h.mark = mark
	for {
		end, ok := h.ends.first()
		if !ok || end > mark {
			return nil
		}
		if err := h.emit(end, out); err != nil {
			return err
		}
		h.ends.drop(end)
	}
}

// emit inserts the rows of the windows that end at end.
func (h *heldRows) emit(end int64, out exec.Output) error {
	h.ends.compact(end)
	h.list = h.list[:0]
	for _, id := range h.ends.rows(end) {
		row := h.rows.read(id)
		n := int64(1)
		if h.copies {
			n = *(*int64)(unsafe.Add(row, h.rows.column(0)))
		}
		for ; n > 0; n-- {
			if h.list = append(h.list, row); len(h.list) == h.limit {
				if err := h.emitRows(out); err != nil {
					return err
				}
			}
		}
	}
	return h.emitRows(out)
}

func (h *heldRows) emitRows(out exec.Output) error {
	if len(h.list) == 0 {
		return nil
	}
	for c, slot := range h.slots {
		h.rows.ReadColumn(slot, h.list, h.out.Cols[c])
	}
	h.out.N = len(h.list)
	h.list = h.list[:0]
	return out.Emit(&h.out)
}

// OnEnd implements exec.Operator: the watermark's end has closed every window.
func (h *heldRows) OnEnd(exec.Output) error { return nil }
