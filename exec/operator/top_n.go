package operator

import (
	"math"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// topN keeps the rows of each group that number From to To in an order. Its state
// is one table of rows: over a changelog all of them, else those that number up to
// To; the sorted lists of them are derived. Rows that the order does not tell
// apart are numbered by their other columns, so that the result depends on the
// rows alone, never on when they came. Changelog modes: any but upsert in; out, per
// some batches, the difference that they made: nothing is held back over a barrier
// or a watermark, and nothing is taken away that was not emitted.
type topN struct {
	spec    *graph.TopN
	groups  *rowGroups
	diff    *rowDiff
	ties    bool // numbers depend on which rows the order does not tell apart
	places  bool // output rows are told apart by their number in the group
	fold    int
	pending int
	// windowed groups are dropped when their window closes, not when they are
	// empty.
	windowed bool

	touched []touchedGroup
	old     []numbered // windows as they were when their group was touched
	window  []numbered
	prefix  []uint64

	// Over append-only input.
	next     int64 // of the state key "row"
	accepted []acceptedRow
	found    []*entry // of lists: those of accepted rows
	rowCol   batch.Column
	sel      []uint16
	fresh    []uint16
	ids      []uint32
	rows     []unsafe.Pointer
	gone     []uint32
}

// numbered is a row in a group's window.
type numbered struct {
	id     uint32
	number int64
}

// touchedGroup is a group that has changed, and its window before that in
// topN.old.
type touchedGroup struct {
	group    uint32 // row of the directory
	list     uint32
	from, to int
}

// acceptedRow is a row of the batch that was put into a list.
type acceptedRow struct {
	list   uint32
	row    uint16
	prefix uint64
}

// newTopN builds the operator for one of three kinds of input and order.
func newTopN(op *graph.Operator, env *Env) (exec.Operator, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	spec := op.TopN
	if spec.Single() {
		return newDeduplicate(op, env, tables[0]), nil
	}
	t := &topN{spec: spec, fold: env.CoalesceRows, rowCol: batch.Column{Phys: types.PhysInt}}
	t.places = spec.Func == "row_number" && (spec.Numbered || spec.From == spec.To && !spec.WithTies)
	t.ties = spec.Func != "row_number" || spec.WithTies
	if t.groups, err = newRowGroups(op, env, tables[0], rowGroupsSpec{keys: spec.Keys, order: spec.Order, retractable: spec.Retractable,
		rowKey: spec.RowKey, copies: spec.Copies}); err != nil {
		return nil, err
	}
	t.groups.touch = t.touch
	t.diff = newRowDiff(t.groups, tables[0], t.groups.slots, op, env)
	var made exec.Operator = t
	if !spec.Retractable {
		if err := t.restore(); err != nil {
			return nil, err
		}
		made = &topNAppend{t}
	}
	if spec.Window != nil {
		made = newTopNWindow(op, env, t, made)
	}
	return made, nil
}

// OnBatch implements exec.Operator.
func (t *topN) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	if err := t.groups.apply(in); err != nil {
		return err
	}
	return t.applied(in, out)
}

// applied ends a batch.
func (t *topN) applied(in *batch.Batch, out exec.Output) error {
	if t.pending += in.Live(); t.pending >= t.fold {
		if err := t.flush(out); err != nil {
			return err
		}
	}
	t.groups.sweepBatch(in)
	return nil
}

// OnBarrier implements exec.Stateful.
func (t *topN) OnBarrier(b exec.Barrier, out exec.Output) error {
	err := t.flush(out)
	t.groups.sweepBarrier(b)
	return err
}

// OnWatermark implements exec.Operator.
func (t *topN) OnWatermark(_ exec.Watermark, out exec.Output) error { return t.flush(out) }

// OnEnd implements exec.Operator.
func (t *topN) OnEnd(out exec.Output) error { return t.flush(out) }

// touch notes a group before its first change since the last flush.
func (t *topN) touch(group, list uint32) error {
	from := len(t.old)
	t.old, _ = t.windowOf(list, t.old)
	t.touched = append(t.touched, touchedGroup{group: group, list: list, from: from, to: len(t.old)})
	return nil
}

// windowOf appends the rows of a list that number From to To. kept is how many
// entries number up to To.
func (t *topN) windowOf(list uint32, dst []numbered) (out []numbered, kept int) {
	s, g := t.spec, t.groups
	if !t.ties && !s.Copies {
		return t.placesOf(list, dst)
	}
	var place, rank, dense int64 = 0, 0, 0
	var before entry
	g.lists.scan(list, func(e *entry) bool {
		tied := t.ties && place > 0 && g.order.tied(before, *e)
		before = *e
		for range g.copiesOf(e.id) {
			place++
			if !tied {
				rank, dense = place, dense+1
			}
			number := place
			switch s.Func {
			case "rank":
				number = rank
			case "dense_rank":
				number = dense
			}
			if number > s.To && !(tied && s.WithTies) {
				return false
			}
			if number >= s.From {
				dst = append(dst, numbered{e.id, number})
			}
			tied = t.ties
		}
		kept++
		return true
	})
	return dst, kept
}

// placesOf is windowOf where rows are numbered one by one.
func (t *topN) placesOf(list uint32, dst []numbered) (out []numbered, kept int) {
	lists, number := &t.groups.lists, int64(0)
	h := lists.lists.At(list)
	for k := range lists.parts(h) {
		for _, e := range lists.part(h, k) {
			if number++; number > t.spec.To {
				return dst, int(t.spec.To)
			}
			if number >= t.spec.From {
				dst = append(dst, numbered{e.id, number})
			}
		}
	}
	return dst, int(number)
}

// flush emits what has changed since the last one.
func (t *topN) flush(out exec.Output) error {
	t.pending = 0
	if len(t.touched)+len(t.gone)+len(t.groups.absent)+len(t.groups.words) == 0 {
		return nil
	}
	for i := range t.touched {
		g := &t.touched[i]
		t.window, _ = t.windowOf(g.list, t.window[:0])
		old := t.old[g.from:g.to]
		if t.places {
			t.diff.byPlace(old, t.window)
		} else {
			t.diff.byRow(old, t.window, t.spec.Numbered)
		}
	}
	if err := t.diff.emit(out); err != nil {
		return err
	}
	for _, g := range t.touched {
		if !t.windowed && t.groups.lists.len(g.list) == 0 {
			t.groups.dropGroup(g.group, g.list)
		} else {
			t.groups.wrote(g.list)
		}
	}
	for _, id := range t.gone {
		t.groups.rows.remove(id)
	}
	t.gone, t.touched, t.old = t.gone[:0], t.touched[:0], t.old[:0]
	t.groups.settle()
	return nil
}

// topNAppend is topN over rows that are never taken back: those that number
// beyond To are forgotten, and most rows are refused at a glance.
type topNAppend struct{ *topN }

// restore forgets rows that an older query kept, and goes on numbering them.
func (t *topN) restore() error {
	g := t.groups
	column := g.rows.key(len(t.spec.Keys))
	err := g.rows.each(func(_ uint32, row unsafe.Pointer) error {
		t.next = max(t.next, *(*int64)(unsafe.Add(row, column))+1)
		return nil
	})
	if err != nil {
		return err
	}
	err = g.directory.each(func(_ uint32, group unsafe.Pointer) error {
		t.trim(group)
		return nil
	})
	for _, id := range t.gone {
		g.rows.remove(id)
	}
	t.gone = t.gone[:0]
	return err
}

// trim cuts a group's list to what can still count, and notes what no longer can.
func (t *topN) trim(group unsafe.Pointer) {
	g := t.groups
	list, bound := g.listOf(group), uint64(math.MaxUint64)
	n := int(min(t.spec.To, math.MaxInt32))
	if t.ties {
		t.window, n = t.windowOf(list, t.window[:0])
	}
	g.lists.cut(list, n, func(id uint32) {
		if id&inBatch == 0 {
			t.gone = append(t.gone, id)
		}
	})
	if t.isFull(list) {
		bound = 0
		if g.lists.len(list) > 0 {
			bound = g.lists.last(list).prefix
		}
	}
	g.setBound(group, bound)
}

// isFull reports whether a row that comes behind the list's last can not count.
func (t *topN) isFull(list uint32) bool {
	if t.spec.Func != "dense_rank" {
		return int64(t.groups.lists.len(list)) >= t.spec.To
	}
	var dense int64
	var before entry
	t.groups.lists.scan(list, func(e *entry) bool {
		if dense == 0 || !t.groups.order.tied(before, *e) {
			dense++
		}
		before = *e
		return dense < t.spec.To
	})
	return dense >= t.spec.To
}

// OnBatch implements exec.Operator.
func (t *topNAppend) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 || t.spec.To == 0 {
		return nil
	}
	g := t.groups
	groups := g.find(in)
	t.prefix = g.order.prefixes(in, t.prefix)
	g.order.in = in
	t.accepted = t.accepted[:0]
	// hot: most rows of a busy group are refused by the group's bound.
	if in.Sel == nil {
		for i, p := range t.prefix[:in.N] {
			if p <= g.boundOf(groups[i]) {
				t.offer(groups[i], g.groupIDs[i], entry{p, uint32(i) | inBatch})
			}
		}
	} else {
		for _, i := range in.Sel {
			if p := t.prefix[i]; p <= g.boundOf(groups[i]) {
				t.offer(groups[i], g.groupIDs[i], entry{p, uint32(i) | inBatch})
			}
		}
	}
	t.keep(in)
	g.order.in = nil
	return t.applied(in, out)
}

// offer adds a row of the batch to its group's list if it counts.
func (t *topN) offer(group unsafe.Pointer, id uint32, e entry) {
	g := t.groups
	list := g.listOf(group)
	if !t.ties {
		t.offerPlace(group, id, list, e)
		return
	}
	if g.boundOf(group) != math.MaxUint64 {
		if last := g.lists.last(list); e.prefix == last.prefix && g.order.compare(e.id, last.id, g.order.n) > 0 {
			return
		}
	}
	_ = g.touchOnce(id, list) // which only notes the window
	t.accept(list, e)
	g.lists.insert(list, e, g.order)
	t.trim(group)
}

// offerPlace is offer where rows are numbered one by one.
func (t *topN) offerPlace(group unsafe.Pointer, id, list uint32, e entry) {
	g := t.groups
	most := int(min(t.spec.To, math.MaxInt32))
	cut, full, ok := g.lists.insertBounded(list, e, g.order, most, func() { _ = g.touchOnce(id, list) })
	if !ok {
		return
	}
	t.accept(list, e)
	if !full {
		return
	}
	if cut&inBatch == 0 {
		t.gone = append(t.gone, cut)
	}
	g.setBound(group, g.lists.last(list).prefix)
}

func (t *topN) accept(list uint32, e entry) {
	t.accepted = append(t.accepted, acceptedRow{list: list, row: uint16(e.id &^ inBatch), prefix: e.prefix})
}

// keep gives the rows of the batch that lists hold a place in the state.
func (t *topN) keep(in *batch.Batch) {
	g := t.groups
	t.sel, t.found = t.sel[:0], t.found[:0]
	for _, a := range t.accepted {
		if e := g.lists.find(a.list, entry{a.prefix, uint32(a.row) | inBatch}, g.order); e != nil { // else a better one came
			t.sel, t.found = append(t.sel, a.row), append(t.found, e)
		}
	}
	if len(t.sel) == 0 {
		return
	}
	t.rowCol.Resize(in.N)
	for _, i := range t.sel {
		t.rowCol.Int[i] = t.next
		t.next++
	}
	t.ids, t.rows = roomFor(t.ids, in.N), roomFor(t.rows, in.N)
	t.fresh = g.store(in, t.sel, &t.rowCol, t.ids, t.rows, t.fresh[:0])
	for k, i := range t.sel {
		t.found[k].id = t.ids[i]
	}
}
