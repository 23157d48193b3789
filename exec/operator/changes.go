package operator

import (
	"math"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// changes turns what a batch did to groups into a changelog: per group touched
// one insert, delete or update, however many rows touched it. What was emitted
// before is known without keeping it: it follows from the state row as it was
// before the batch.
type changes struct {
	a       *accumulators
	layout  outputLayout
	upsert  bool
	limit   int // rows per emitted batch, about
	refused refusedGroups

	epoch   uint32
	mark    []uint32 // by group id: the epoch that last touched it
	touched []uint32
	now     []unsafe.Pointer // their state rows
	existed []bool
	absent  []bool   // by touched group: it was there, but a list had no value for it
	old     []uint64 // copies of the touched groups' state rows
	words   int

	rows []unsafe.Pointer
	ops  []batch.Op
	sel  []uint16
	out  batch.Batch
}

// outputLayout says what precedes the aggregates' results in an output row.
type outputLayout struct {
	keys   int
	window func(key int64) (start, end int64) // nil: none
	slot   uintptr                            // of the window in a state row
	end    func(row unsafe.Pointer) int64     // of a window whose end its key does not tell
}

func newChanges(op *graph.Operator, env *Env, a *accumulators, layout outputLayout) *changes {
	c := &changes{a: a, layout: layout, upsert: op.Mode == graph.Upsert, limit: env.BatchRows, words: a.groups.width() / 8,
		refused: newRefusedGroups(op, env, a, layout)}
	c.out.Cols = layout.columns(a)
	c.sel = make([]uint16, 0, batch.Room(1)) // never nil, which would select all
	return c
}

// columns makes the output columns that fill fills.
func (l *outputLayout) columns(a *accumulators) []*batch.Column {
	var cols []*batch.Column
	if l.window != nil {
		cols = append(cols, &batch.Column{Phys: types.PhysInt}, &batch.Column{Phys: types.PhysInt})
	}
	for i := range l.keys {
		cols = append(cols, &batch.Column{Phys: a.groups.keyPhys(i)})
	}
	return append(cols, a.outputColumns()...)
}

// fill writes the output rows of state rows.
func (l *outputLayout) fill(a *accumulators, rows []unsafe.Pointer, cols []*batch.Column) error {
	l.fillKeys(a, rows, cols)
	return a.write(rows, cols[len(cols)-len(a.outputs):])
}

// fillKeys writes what precedes the results.
func (l *outputLayout) fillKeys(a *accumulators, rows []unsafe.Pointer, cols []*batch.Column) {
	if l.window != nil {
		cols[0].Resize(len(rows))
		cols[1].Resize(len(rows))
		for i, r := range rows {
			cols[0].Int[i], cols[1].Int[i] = l.window(*(*int64)(unsafe.Add(r, l.slot)))
		}
		if l.end != nil {
			for i, r := range rows {
				cols[1].Int[i] = l.end(r)
			}
		}
		cols = cols[2:]
	}
	for i := range l.keys {
		a.groups.keyColumn(i, rows, cols[i])
	}
}

// begin forgets the last batch; up to n rows come next.
func (c *changes) begin(n int) {
	c.epoch++
	if c.epoch == 0 {
		clear(c.mark)
		c.epoch = 1
	}
	c.touched, c.now, c.existed, c.absent, c.old = c.touched[:0], c.now[:0], c.existed[:0], c.absent[:0], c.old[:0]
	if need := n * c.words; cap(c.old) < need {
		c.old = make([]uint64, 0, need)
	}
}

// touch notes the groups of w's rows and how they are before w is folded.
func (c *changes) touch(w *work) {
	c.grow()
	if w.one != nil && w.in.N > 0 {
		i := 0
		if w.sel != nil {
			i = int(w.sel[0])
		}
		c.touchGroup(w.ids[i], w.one)
		return
	}
	mark, epoch := c.mark, c.epoch
	if w.sel == nil {
		for i, id := range w.ids[:w.in.N] {
			if mark[id] != epoch {
				c.touchGroup(id, w.rows[i])
			}
		}
		return
	}
	for _, i := range w.sel {
		if id := w.ids[i]; mark[id] != epoch {
			c.touchGroup(id, w.rows[i])
		}
	}
}

// grow makes room for the groups there are.
func (c *changes) grow() {
	if n := c.a.groups.idEnd(); len(c.mark) < n {
		c.mark = append(c.mark, make([]uint32, n-len(c.mark)+n/2)...)
	}
}

func (c *changes) touchGroup(id uint32, row unsafe.Pointer) {
	if c.mark[id] == c.epoch {
		return
	}
	c.mark[id] = c.epoch
	c.touched = append(c.touched, id)
	c.now = append(c.now, row)
	c.existed = append(c.existed, c.a.present(row))
	c.absent = append(c.absent, c.a.refusal(id) != nil)
	c.old = append(c.old, unsafe.Slice((*uint64)(row), c.words)...)
}

// emit sends the changes of the groups touched since begin. always says that a
// group is there even when it has no rows, as a global aggregate's is; its first
// change is then an insert if fresh.
func (c *changes) emit(out exec.Output, always, fresh bool) error {
	c.rows, c.ops = c.rows[:0], c.ops[:0]
	updates := false
	for k, now := range c.now {
		before, after := c.existed[k], c.a.present(now)
		if always {
			before, after = !fresh, true
		}
		if len(c.a.lists) > 0 {
			var err error
			if before, after, err = c.withLists(k, before, after); err != nil {
				return err
			}
		}
		old := c.old[k*c.words : (k+1)*c.words]
		switch {
		case before && after:
			if same(old, now) {
				continue
			}
			updates = true
			c.rows = append(c.rows, unsafe.Pointer(&old[0]), now)
			c.ops = append(c.ops, batch.UpdateBefore, batch.UpdateAfter)
		case after:
			c.rows = append(c.rows, now)
			c.ops = append(c.ops, batch.Insert)
		case before:
			c.rows = append(c.rows, unsafe.Pointer(&old[0]))
			c.ops = append(c.ops, batch.Delete)
		}
	}
	if len(c.rows) == 0 {
		return nil
	}
	for from := 0; from < len(c.rows); {
		to := min(len(c.rows), from+c.limit)
		if to < len(c.rows) && c.ops[to] == batch.UpdateAfter {
			to++
		}
		if err := c.emitRows(out, from, to, updates); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// withLists says whether touched group k had a row and has one, seen what lists have
// no value for.
func (c *changes) withLists(k int, before, after bool) (was, is bool, err error) {
	var f *listFailure
	if after {
		f = c.a.refusal(c.touched[k])
	}
	switch told := before && c.absent[k]; {
	case f != nil && !told:
		err = c.refused.refuse(c.a, c.now[k], f)
	case f == nil && told:
		err = c.refused.takeBack(c.a, unsafe.Pointer(&c.old[k*c.words]))
	}
	return before && !c.absent[k], after && f == nil, err
}

func (c *changes) emitRows(out exec.Output, from, to int, updates bool) error {
	if err := c.layout.fill(c.a, c.rows[from:to], c.out.Cols); err != nil {
		if !c.refused.passable(err) {
			return err
		}
		if to, err = c.dropRefused(from, to); err != nil {
			return err
		}
		if err = c.layout.fill(c.a, c.rows[from:to], c.out.Cols); err != nil {
			return err
		}
	}
	c.out.N, c.out.Ops, c.out.Sel = to-from, c.ops[from:to], nil
	if updates {
		c.sel = dropNoops(&c.out, c.sel[:0], c.upsert)
	}
	if c.out.Live() == 0 {
		return nil
	}
	return out.Emit(&c.out)
}

// dropRefused takes rows of groups without a value out of those from from to to: a
// group that has none any more is deleted, one that has one again is inserted. It
// returns where the rows end that are left.
func (c *changes) dropRefused(from, to int) (int, error) {
	end := from
	keep := func(i int, op batch.Op) {
		c.rows[end], c.ops[end] = c.rows[i], op
		end++
	}
	for i := from; i < to; i++ {
		op := c.ops[i]
		ok, err := c.refused.hasValue(c.a, c.rows[i], op == batch.Insert)
		if err != nil {
			return 0, err
		}
		if op != batch.UpdateBefore {
			if ok {
				keep(i, op)
			} else if op == batch.Delete {
				err = c.refused.takeBack(c.a, c.rows[i])
			}
			if err != nil {
				return 0, err
			}
			continue
		}
		i++
		now, err := c.refused.hasValue(c.a, c.rows[i], ok)
		if err != nil {
			return 0, err
		}
		switch {
		case ok && now:
			keep(i-1, batch.UpdateBefore)
			keep(i, batch.UpdateAfter)
		case now:
			if err := c.refused.takeBack(c.a, c.rows[i-1]); err != nil {
				return 0, err
			}
			keep(i, batch.Insert)
		case ok:
			keep(i-1, batch.Delete)
		}
	}
	return end, nil
}

func same(old []uint64, row unsafe.Pointer) bool {
	now := unsafe.Slice((*uint64)(row), len(old))
	for i, w := range old {
		if now[i] != w {
			return false
		}
	}
	return true
}

// equalRows reports whether two rows are the same in every column. Results come
// last and are the likeliest to differ.
func equalRows(cols []*batch.Column, i, j int) bool {
	for k := len(cols) - 1; k >= 0; k-- {
		if !equalValues(cols[k], i, cols[k], j) {
			return false
		}
	}
	return true
}

// equalValues reports whether two values of one layout are the same, not only
// equal.
func equalValues(x *batch.Column, i int, y *batch.Column, j int) bool {
	if nx, ny := x.IsNull(i), y.IsNull(j); nx || ny {
		return nx == ny
	}
	switch x.Phys {
	case types.PhysFloat:
		f, g := x.Float[i], y.Float[j]
		return math.Float64bits(f) == math.Float64bits(g) || f != f && g != g
	case types.PhysDecimal: // the display scale counts
		return x.Dec[i] == y.Dec[j]
	case types.PhysInterval:
		return x.Interval[i] == y.Interval[j]
	}
	return compareValues(x, i, y, j) == 0
}
