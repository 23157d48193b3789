package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// accumulators fold batches into the rows of a group table, and turn such rows
// into output columns. All aggregating operators share them.
type accumulators struct {
	spec     *graph.Aggregate
	groups   *table
	life     *lifetime // of groups; nil: they stay
	memory   *memory.Share
	counters *exec.Counters
	all      []accumulator
	// filtered are the selections that accumulators outside of distincts read.
	filtered  []selection
	distincts []*distinct
	extrema   []*extremum // min and max that can be retracted
	lists     []*list
	sketches  []*sketch
	outputs   []agg.Output
	failed    int     // the number of the output that write failed with
	ones      []int64 // 1 for each row
	signs     []int64
}

// accumulator is one slot: its kernels, and where its rows come from.
type accumulator struct {
	agg.Accumulator
	spec      graph.Accumulator
	off       uintptr
	selection int  // index in filtered
	kept      bool // by an extremum, a list, a sketch or another accumulator instead of its own kernel
	column    int  // of the state table, keys first
	// nullable is set once a group may be without a value. A slot without one is
	// null for whoever reads the state, and holds the kernel's neutral value.
	nullable bool
}

// selection is the rows of a batch that pass a filter column and are not null in
// an argument column; it is made once per batch for all accumulators that need it.
type selection struct {
	filter, arg int
	with        []int // more argument columns
	guard       guard
	made        bool
	sel         []uint16 // nil: all that the batch selects
	buf         []uint16
}

// newAccumulators builds the kernels of spec over the operator's tables. window
// says that the tables' keys end with a window.
func newAccumulators(op *graph.Operator, spec *graph.Aggregate, env *Env, window bool) (*accumulators, error) {
	a := &accumulators{spec: spec, memory: env.Memory, counters: env.Counters}
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	a.groups = tables[0]
	a.life = newLifetime(env, 0, a.groups.Table)
	next := 1
	for _, d := range spec.Distincts {
		x := newDistinct(d, tables[next], spec.Retractable)
		x.life, x.unseen = newLifetime(env, next, x.values.Table), spec.Unseen
		a.distincts = append(a.distincts, x)
		next++
	}
	for i, s := range spec.Accumulators {
		acc := accumulator{spec: s, off: a.groups.column(i), column: a.groups.keys() + i}
		extremum := spec.Retractable && (s.Func == "min" || s.Func == "max")
		acc.kept = extremum || s.List != nil || s.Sketch > 0 || s.Func == "rest"
		if s.List == nil && s.Sketch == 0 {
			if s.Rest > 0 {
				acc.Accumulator, err = agg.NewExact(s.Func, argType(op, env, s), a.groups.column(s.Rest))
			} else {
				acc.Accumulator, err = agg.New(s.Func, argType(op, env, s), a.groups)
			}
			if err != nil {
				return nil, err
			}
			acc.selection = a.selectionOf(s, a.guardOf(i, acc.kept))
		}
		a.all = append(a.all, acc)
		if extremum {
			a.extrema = append(a.extrema, newExtremum(a, i, tables[next], window))
			next++
		}
	}
	if err := a.openLists(tables[next:], env.Inputs[0]); err != nil {
		return nil, err
	}
	a.zeroAdded(tables)
	a.repair()
	for _, o := range spec.Outputs {
		out, err := a.newOutput(o)
		if err != nil {
			return nil, err
		}
		a.outputs = append(a.outputs, out)
	}
	return a, nil
}

func (a *accumulators) newOutput(o graph.Output) (agg.Output, error) {
	slots := make([]agg.Slot, len(o.Accumulators))
	for i, n := range o.Accumulators {
		s := &a.spec.Accumulators[n]
		slots[i] = agg.Slot{Func: s.Func, Off: a.all[n].off, Type: s.Type}
		if s.Rest > 0 {
			slots[i].Rest = a.all[s.Rest].off
		}
	}
	var more agg.Supplement
	for _, n := range o.Specials {
		more.Specials = append(more.Specials, a.all[n].off)
	}
	if o.Scale > 0 {
		more.Scale = a.all[o.Scale].off
	}
	if acc := &a.all[o.Accumulators[0]]; acc.spec.List != nil {
		return func(rows []unsafe.Pointer, dst *batch.Column) error {
			a.groups.ReadColumn(acc.column, rows, dst)
			return nil
		}, nil
	}
	return agg.NewOutput(o.Func, slots, more, o.Type, a.groups)
}

// openLists makes the lists and sketches over their tables.
func (a *accumulators) openLists(tables []*table, fields []types.Field) error {
	for i := range a.spec.Lists {
		l := newList(a, i, tables[i], a.groups.keys(), fields)
		for k := range a.all {
			if r := a.all[k].spec.List; r != nil && r.List == i {
				if err := l.read(&a.all[k], fields); err != nil {
					return err
				}
			}
		}
		a.lists = append(a.lists, l)
	}
	for i := range a.spec.Sketches {
		a.sketches = append(a.sketches, newSketch(a, i, tables[len(a.lists)+i]))
	}
	return nil
}

// restore fills in what is derived from tables that came with rows. onRead says
// that groups are computed as they are emitted.
func (a *accumulators) restore(onRead bool) error {
	for _, x := range a.extrema {
		if err := x.restore(); err != nil {
			return err
		}
	}
	for _, l := range a.lists {
		l.onRead = onRead
		added := false
		for _, r := range l.readers {
			added = added || slices.Contains(a.groups.Added(), r.acc.column-a.groups.keys())
		}
		if err := l.restore(onRead || added); err != nil {
			return err
		}
	}
	return a.settle()
}

// settleOne is settle for one group.
func (a *accumulators) settleOne(group uint32) error {
	for _, l := range a.lists {
		if err := l.settleOne(group); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets what is derived of a group whose window has closed.
func (a *accumulators) drop(group uint32) {
	for _, x := range a.extrema {
		x.drop(group)
	}
	for _, l := range a.lists {
		l.drop(group)
	}
}

// settle computes what depends on all rows of the groups touched.
func (a *accumulators) settle() error {
	for _, l := range a.lists {
		if err := l.settle(); err != nil {
			return err
		}
	}
	return nil
}

// argType is the type of an accumulator's argument.
func argType(op *graph.Operator, env *Env, s graph.Accumulator) types.Type {
	if s.Arg < 0 {
		return types.Type{}
	}
	return env.Inputs[0][s.Arg].Type
}

// openTables gets the operator's state tables in the graph's order.
func openTables(op *graph.Operator, env *Env) ([]*table, error) {
	if len(op.Tables) == 0 {
		return nil, pgerr.New(pgerr.InternalError, "operator %s has no state table", op.ID)
	}
	var all []*table
	for i := range op.Tables {
		t := env.Table(op.Tables[i].Name)
		if t == nil {
			return nil, pgerr.New(pgerr.InternalError, "operator %s was not given its state table %q", op.ID, op.Tables[i].Name)
		}
		all = append(all, newTable(t))
	}
	return all, nil
}

func (a *accumulators) selectionOf(acc graph.Accumulator, count int) int {
	for i, s := range a.filtered {
		if s.filter == acc.Filter && s.arg == acc.Arg && s.guard.count == count && slices.Equal(s.with, acc.With) {
			return i
		}
	}
	a.filtered = append(a.filtered, selection{filter: acc.Filter, arg: acc.Arg, with: acc.With, guard: guard{count: count}})
	return len(a.filtered) - 1
}

// start gives the accumulators of a new group their neutral values. in is the
// batch that brought its first row, nil if none did.
func (a *accumulators) start(row unsafe.Pointer, in *batch.Batch) {
	for i := range a.all {
		acc := &a.all[i]
		if acc.spec.List != nil {
			a.groups.SetNull(row, acc.column, true)
		}
		if acc.Init == nil {
			continue
		}
		acc.Init(unsafe.Add(row, acc.off))
		if in == nil || acc.spec.Filter >= 0 || in.Cols[acc.spec.Arg].HasNulls || acc.kept {
			acc.nullable = true
			a.groups.SetNull(row, acc.column, true)
		}
	}
}

// zeroAdded makes the columns that a restore found no state for zeros, as those of
// new rows are, for all but the accumulators that know what null means: a null
// that a value is added to would be lost in the next savepoint.
func (a *accumulators) zeroAdded(tables []*table) {
	for _, t := range tables {
		var zero []int
		for _, c := range t.Added() {
			if t != a.groups || a.all[c].Init == nil && a.all[c].spec.List == nil {
				zero = append(zero, t.keys()+c)
			}
		}
		if len(zero) == 0 {
			continue
		}
		_ = t.each(func(id uint32, _ unsafe.Pointer) error {
			row := t.write(id)
			for _, c := range zero {
				t.SetNull(row, c, false)
			}
			if t == a.groups {
				a.adopt(row)
			}
			return nil
		})
	}
}

// adopt makes sums of intervals in a row whose rests were added such as have one.
func (a *accumulators) adopt(row unsafe.Pointer) {
	for i := range a.all {
		if acc := &a.all[i]; acc.spec.Rest > 0 && acc.spec.Type.Kind == types.IntervalK && slices.Contains(a.groups.Added(), acc.spec.Rest) {
			agg.AdoptInterval(unsafe.Add(row, acc.off), unsafe.Add(row, a.all[acc.spec.Rest].off))
		}
	}
}

// repair puts back, after a restore, the neutral values of slots without a value:
// a savepoint keeps only that they are null.
func (a *accumulators) repair() {
	var with []*accumulator
	for i := range a.all {
		if a.all[i].Init != nil {
			with = append(with, &a.all[i])
		}
	}
	if len(with) == 0 {
		return
	}
	_ = a.groups.each(func(id uint32, row unsafe.Pointer) error {
		for _, acc := range with {
			if a.groups.IsNull(row, acc.column) {
				acc.nullable = true
				acc.Init(unsafe.Add(a.groups.write(id), acc.off))
			}
		}
		return nil
	})
}

// setNotNull tells readers of the state that the selected rows' groups have a
// value in the slot.
func (a *accumulators) setNotNull(acc *accumulator, w *work, sel []uint16) {
	if sel == nil {
		for _, r := range w.rows[:w.in.N] {
			a.groups.SetNull(r, acc.column, false)
		}
		return
	}
	for _, i := range sel {
		a.groups.SetNull(w.rows[i], acc.column, false)
	}
}

// present reports whether the group of a state row has rows.
func (a *accumulators) present(row unsafe.Pointer) bool {
	return *(*int64)(unsafe.Add(row, a.all[0].off)) > 0
}

// work is one batch's rows with the groups they belong to.
type work struct {
	in *batch.Batch
	// batch is the number of in, 1 for the first; its rows may come in parts.
	batch uint64
	keys  []*batch.Column // of the group table
	sel   []uint16        // rows to fold; nil: all of in
	ids   []uint32        // group of each row
	rows  []unsafe.Pointer
	sign  []int64        // nil: all +1
	one   unsafe.Pointer // set when all rows are of this group
}

// fold adds the rows of w to their groups.
func (a *accumulators) fold(w *work) error {
	for i := range a.filtered {
		a.filtered[i].made = false
	}
	for _, d := range a.distincts {
		d.fold(w)
	}
	for _, l := range a.lists {
		l.fold(w)
	}
	for _, s := range a.sketches {
		s.fold(w)
	}
	guarded := w.sign != nil && a.spec.Unseen
	if guarded {
		a.leaveUnseen(w)
	}
	in := agg.Input{Rows: w.rows, N: w.in.N, Sign: w.sign, One: w.one}
	for i := range a.all {
		acc := &a.all[i]
		if acc.kept {
			continue
		}
		if acc.spec.Distinct >= 0 {
			if err := a.foldDistinct(acc, w); err != nil {
				return err
			}
			continue
		}
		col := columnOf(w.in, acc.spec.Arg)
		if acc.UpdateIf != nil && !guarded && w.sel == nil && acc.spec.Filter >= 0 && acc.spec.With == nil && (col == nil || !col.HasNulls) {
			if flags := w.in.Cols[acc.spec.Filter]; !flags.HasNulls {
				in.Sel = nil
				acc.UpdateIf(&in, acc.off, flags.Bool)
				continue
			}
		}
		in.Sel = a.rowsOf(acc.selection, w)
		if in.Sel != nil && len(in.Sel) == 0 {
			continue
		}
		in.Other = nil
		if acc.spec.Func == "sum_products" {
			in.Other = w.in.Cols[acc.spec.With[0]]
		}
		if err := acc.Update(&in, acc.off, col); err != nil {
			return err
		}
		if acc.nullable {
			a.setNotNull(acc, w, in.Sel)
		}
	}
	for _, x := range a.extrema {
		x.fold(w, a.rowsOf(a.all[x.number].selection, w))
	}
	return nil
}

// foldDistinct folds in the values whose first copy came or whose last one went.
func (a *accumulators) foldDistinct(acc *accumulator, w *work) error {
	d := a.distincts[acc.spec.Distinct]
	m := &d.masks[acc.spec.Mask]
	if len(m.changed) == 0 {
		return nil
	}
	in := agg.Input{Rows: w.rows, Sel: m.changed, N: w.in.N, One: w.one}
	if w.sign != nil {
		in.Sign = m.sign
	}
	return acc.Update(&in, acc.off, columnOf(w.in, d.spec.Arg))
}

func columnOf(in *batch.Batch, i int) *batch.Column {
	if i < 0 {
		return nil
	}
	return in.Cols[i]
}

// rowsOf is selection number n for the batch of w, nil for all of its rows.
func (a *accumulators) rowsOf(n int, w *work) []uint16 {
	s := &a.filtered[n]
	if !s.made {
		s.made = true
		s.sel = w.sel
		if s.filter >= 0 {
			s.buf = agg.SelectTrue(s.buf, s.sel, w.in.N, w.in.Cols[s.filter])
			s.sel = s.buf
		}
		if col := columnOf(w.in, s.arg); col != nil && col.HasNulls {
			s.buf = agg.SelectNotNull(s.buf, s.sel, w.in.N, col)
			s.sel = s.buf
		}
		for _, c := range s.with {
			if col := w.in.Cols[c]; col.HasNulls {
				s.buf = agg.SelectNotNull(s.buf, s.sel, w.in.N, col)
				s.sel = s.buf
			}
		}
	}
	return s.sel
}

// sign is +1 or -1 for each row, nil when none takes a row away.
func (a *accumulators) sign(in *batch.Batch) []int64 {
	if in.Ops == nil {
		return nil
	}
	if cap(a.signs) < in.N {
		a.signs = make([]int64, in.N, batch.Room(in.N))
	}
	a.signs = a.signs[:in.N]
	any := int64(0)
	for i, op := range in.Ops[:in.N] {
		s := 1 - 2*int64((op^op>>1)&1)
		a.signs[i] = s
		any |= s
	}
	if any > 0 {
		return nil
	}
	invariant.Assert(a.spec.Retractable, "a retraction came to an aggregate of an append-only input")
	return a.signs
}

// merge folds the state rows from into the rows into, in all slots.
func (a *accumulators) merge(into, from []unsafe.Pointer) error {
	for i := range a.all {
		acc := &a.all[i]
		if err := acc.Merge(into, from, acc.off); err != nil {
			return err
		}
		if acc.Init == nil {
			continue
		}
		for k, r := range from {
			if !a.groups.IsNull(r, acc.column) {
				a.groups.SetNull(into[k], acc.column, false)
			}
		}
	}
	return nil
}

// write fills the output columns from state rows.
func (a *accumulators) write(rows []unsafe.Pointer, cols []*batch.Column) error {
	for i, o := range a.outputs {
		if err := o(rows, cols[i]); err != nil {
			a.failed = i
			return err
		}
	}
	return nil
}

// outputColumns makes the columns that write fills.
func (a *accumulators) outputColumns() []*batch.Column {
	cols := make([]*batch.Column, len(a.spec.Outputs))
	for i, o := range a.spec.Outputs {
		cols[i] = &batch.Column{Phys: o.Type.Phys()}
	}
	return cols
}
