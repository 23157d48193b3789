package operator

import (
	"bytes"
	"cmp"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// joinGroups is the groups of rows of the same join key, for joins that keep them in
// an order. A group has a number, which is that of its list on each side. Rows of which
// a key is null are in none.
type joinGroups struct {
	keys      int
	directory *table
	list      uintptr
	groups    *state.Vector[uint32] // by list: row of the directory
	sides     []*rowGroups

	ids   []uint32
	rows  []unsafe.Pointer
	fresh []uint16
	sel   []uint16
}

// groupless is the group of rows without one.
const groupless = -1

func newJoinGroups(schema *graph.Table, keys int, sides ...*rowGroups) (*joinGroups, error) {
	of := sides[0].rows
	g := &joinGroups{keys: keys, sides: sides, sel: []uint16{}, groups: state.NewVector[uint32](of.Table)}
	var err error
	g.directory, err = newScratch(of, &graph.Table{Keys: schema.Keys[:keys], Columns: []graph.Column{{Name: "list", Type: types.Of(types.Int64)}}})
	if err == nil {
		g.list = g.directory.column(0)
	}
	return g, err
}

// locate gives, by physical row, the groups of the selected rows, whose keys are cols;
// it makes those that are not there.
func (g *joinGroups) locate(cols []*batch.Column, n int, sel []uint16, dst []int32) []int32 {
	dst = roomFor(dst, n)
	cols = cols[:g.keys]
	if !g.selectKeyed(cols, sel, dst) {
		return dst
	}
	g.ids, g.rows = roomFor(g.ids, n), roomFor(g.rows, n)
	g.fresh = g.directory.find(cols, n, g.sel, g.ids, g.rows, g.fresh[:0])
	for _, i := range g.fresh {
		list := uint32(0)
		for _, s := range g.sides {
			list = s.lists.add()
		}
		g.groups.Grow(int(list) + 1)
		*g.groups.At(list) = g.ids[i]
		*(*int64)(unsafe.Add(g.rows[i], g.list)) = int64(list)
	}
	for _, i := range g.sel {
		dst[i] = int32(*(*int64)(unsafe.Add(g.rows[i], g.list)))
	}
	return dst
}

// selectKeyed selects the rows that have a key, and makes the others groupless. It
// reports whether there are any.
func (g *joinGroups) selectKeyed(cols []*batch.Column, sel []uint16, dst []int32) bool {
	g.sel = g.sel[:0]
	for _, i := range sel {
		dst[i] = groupless
		if !anyNull(cols, int(i)) {
			g.sel = append(g.sel, i)
		}
	}
	return len(g.sel) > 0
}

// find is locate without making groups.
func (g *joinGroups) find(cols []*batch.Column, n int, sel []uint16, dst []int32) []int32 {
	dst = roomFor(dst, n)
	cols = cols[:g.keys]
	if !g.selectKeyed(cols, sel, dst) {
		return dst
	}
	g.ids = roomFor(g.ids, n)
	g.directory.Find(cols, n, g.sel, g.ids)
	for _, i := range g.sel {
		if id := g.ids[i]; id != state.NoRow {
			dst[i] = int32(*(*int64)(unsafe.Add(g.directory.read(id), g.list)))
		}
	}
	return dst
}

func anyNull(cols []*batch.Column, i int) bool {
	for _, c := range cols {
		if c.IsNull(i) {
			return true
		}
	}
	return false
}

// drop forgets a group if it has no rows.
func (g *joinGroups) drop(group int32) {
	list := uint32(group)
	if group == groupless {
		return
	}
	row := g.groups.At(list)
	if *row == droppedGroup {
		return
	}
	for _, s := range g.sides {
		if s.lists.len(list) > 0 {
			return
		}
	}
	g.directory.remove(*row)
	*row = droppedGroup
	for _, s := range g.sides {
		s.lists.drop(list)
	}
}

const droppedGroup = 1<<32 - 1

// groupsOf calls each for all rows of a side with their groups.
func (g *joinGroups) groupsOf(t *table, each func(ids []uint32, rows []unsafe.Pointer, groups []int32) error) error {
	var groups []int32
	return newGather(t, g.keys).each(batch.RowsDefault, func(ids []uint32, rows []unsafe.Pointer, keys []*batch.Column) error {
		groups = g.locate(keys, len(ids), identity(len(ids)), groups)
		return each(ids, rows, groups)
	})
}

// sideGroups makes the rows of side i of a join, in the order of column by, -1 for any.
func sideGroups(op *graph.Operator, env *Env, i int, name string, side graph.JoinSide, keys, by int) (*rowGroups, error) {
	t := env.Table(name)
	if t == nil {
		return nil, pgerr.New(pgerr.InternalError, "operator %s was not given its state table %q", op.ID, name)
	}
	spec := rowGroupsSpec{retractable: side.Identity != graph.ByNumber, copies: side.Identity == graph.ByCopies}
	for c := range keys {
		spec.keys = append(spec.keys, c)
	}
	if spec.retractable {
		for c := keys; c < t.Keys(); c++ {
			spec.rowKey = append(spec.rowKey, c)
		}
	}
	if by >= 0 {
		spec.order = []graph.SortKey{{Column: by}}
	}
	g := makeRowGroups(len(env.Inputs[i]), newTable(t), spec)
	if !spec.retractable { // a row that is forgotten must not be taken for one that is equal
		g.order.addNumber(keys)
	}
	return g, nil
}

// numbers hands out the numbers by which appended rows are told apart.
type numbers struct {
	next int64
	col  batch.Column
}

// restored takes note of a row that has number n.
func (x *numbers) restored(n int64) { x.next = max(x.next, n+1) }

func (x *numbers) column(n int, sel []uint16) *batch.Column {
	x.col.Phys = types.PhysInt
	x.col.Resize(n)
	for _, i := range sel {
		x.col.Int[i] = x.next
		x.next++
	}
	return &x.col
}

// cell is where a value is in the rows of a table.
type cell struct {
	t    *table
	slot int
	off  uintptr
}

func newCell(t *table, slot int) cell { return cell{t, slot, t.key(slot)} }

func (c *cell) isNull(row unsafe.Pointer) bool { return c.t.IsNull(row, c.slot) }

func (c *cell) time(row unsafe.Pointer) int64 { return *(*int64)(unsafe.Add(row, c.off)) }

// compareCells compares values of two tables, neither of which is null.
func compareCells(a *cell, x unsafe.Pointer, b *cell, y unsafe.Pointer) int {
	p, q := unsafe.Add(x, a.off), unsafe.Add(y, b.off)
	switch a.t.keyPhys(a.slot) {
	case types.PhysFloat:
		return types.CompareFloat(*(*float64)(p), *(*float64)(q))
	case types.PhysBytes:
		return bytes.Compare(a.t.Bytes(*(*batch.View)(p)), b.t.Bytes(*(*batch.View)(q)))
	case types.PhysDecimal:
		return (*types.Decimal)(p).Cmp(*(*types.Decimal)(q))
	case types.PhysInterval:
		return (*types.Interval)(p).Cmp(*(*types.Interval)(q))
	case types.PhysUUID:
		u, v := (*[16]byte)(p), (*[16]byte)(q)
		return bytes.Compare(u[:], v[:])
	}
	return cmp.Compare(*(*int64)(p), *(*int64)(q))
}

// pairOutput is the rows that a join of two tables' rows is about to emit.
type pairOutput struct {
	tables [2]*table
	slots  [2][]int
	nulls  unsafe.Pointer // a right row of nulls
	output []joinColumn
	limit  int

	rows    [2][]unsafe.Pointer
	ops     []batch.Op
	changes bool
	out     batch.Batch
	sel     []uint16
}

func newPairOutput(op *graph.Operator, env *Env, output []int, left, right *table, slots [2][]int) *pairOutput {
	o := &pairOutput{tables: [2]*table{left, right}, slots: slots, nulls: nullRow(right.Table), limit: env.BatchRows, sel: []uint16{}}
	width := len(env.Inputs[0])
	for i, c := range output {
		side := 0
		if c >= width {
			side, c = 1, c-width
		}
		o.output = append(o.output, joinColumn{side, c})
		o.out.Cols = append(o.out.Cols, &batch.Column{Phys: op.Fields[i].Type.Phys()})
	}
	return o
}

// add adds a pair of rows; a nil right one is all nulls. The rows must stay where they
// are until emit.
func (o *pairOutput) add(left, right unsafe.Pointer, op batch.Op) {
	if right == nil {
		right = o.nulls
	}
	o.rows[0], o.rows[1], o.ops = append(o.rows[0], left), append(o.rows[1], right), append(o.ops, op)
	o.changes = o.changes || op != batch.Insert
}

// emit sends what was added. The halves of an update are never parted.
func (o *pairOutput) emit(out exec.Output) error {
	for from := 0; from < len(o.ops); {
		to := min(len(o.ops), from+o.limit)
		if to < len(o.ops) && o.ops[to] == batch.UpdateAfter {
			to++
		}
		for i, c := range o.output {
			o.tables[c.side].ReadColumn(o.slots[c.side][c.column], o.rows[c.side][from:to], o.out.Cols[i])
		}
		o.out.N, o.out.Ops, o.out.Sel = to-from, nil, nil
		if o.changes {
			o.out.Ops = o.ops[from:to]
			o.sel = dropNoops(&o.out, o.sel[:0], false)
		}
		if o.out.Live() > 0 {
			if err := out.Emit(&o.out); err != nil {
				return err
			}
		}
		from = to
	}
	o.rows[0], o.rows[1], o.ops, o.changes = o.rows[0][:0], o.rows[1][:0], o.ops[:0], false
	return nil
}

// alone emits left rows of a batch with nulls for the right side.
func (o *pairOutput) alone(in *batch.Batch, sel []uint16, out exec.Output) error {
	if len(sel) == 0 {
		return nil
	}
	for i, c := range o.output {
		dst := o.out.Cols[i]
		dst.Reset()
		if c.side == 0 {
			dst.AppendFrom(in.Cols[c.column], sel, len(sel))
			continue
		}
		for range sel {
			dst.AppendNull()
		}
	}
	o.out.N, o.out.Ops, o.out.Sel = len(sel), nil, nil
	return out.Emit(&o.out)
}
