package operator

import (
	"math"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// rowGroups is a table of input rows and, derived from it, the sorted list of the
// rows of each group. It applies changelogs to them, and remembers until settle
// how rows were that have changed.
type rowGroups struct {
	spec     rowGroupsSpec
	rows     *table
	life     *lifetime // of groups; nil: they stay
	order    *rowOrder
	slots    []int // table column of each input column, -1 for none
	counters *exec.Counters
	empty    bool // rows that are stored with a number are new ones in which nothing is
	lists    rowLists
	// directory has a row per group: the keys, its list, and its bound: a prefix
	// that no row of the group may exceed any more.
	directory *table
	list      uintptr
	bound     uintptr
	written   uintptr // when the group was last written, if it has a lifetime
	stored    uintptr // the same, in the state: it is there in one of the group's rows
	// created, if not nil, is told of new groups.
	created func(group uint32, row unsafe.Pointer)
	// touch is told of a group before its first change since settle.
	touch func(group, list uint32) error
	// late, if not nil, takes a row that is taken away although it is not there, or one
	// that such a row has become, and reports whether it comes late.
	late       func(in *batch.Batch, row int) bool
	lateBefore bool // the last row was late, and the next is what it has become

	epoch  uint32                  // a list that has seen it was touched since settle
	words  []uint64                // copies of rows as they were
	saved  *state.Vector[savedRow] // by row, over changelogs
	absent []uint32                // rows that were not present, at some time since settle

	keys, rowKeys []*batch.Column
	groupIDs      []uint32
	groupRows     []unsafe.Pointer
	ids           []uint32
	state         []unsafe.Pointer
	fresh         []uint16
	prefix        []uint64
	one           []uint16
}

// savedRow is what is noted of a row.
type savedRow struct {
	epoch   uint32 // in which it was saved
	at      uint32 // in words
	present bool   // it is in its list
}

// rowGroupsSpec is what a graph.TopN or graph.Over says of them.
type rowGroupsSpec struct {
	keys        []int
	order       []graph.SortKey
	retractable bool
	rowKey      []int
	copies      bool
}

func newRowGroups(op *graph.Operator, env *Env, rows *table, spec rowGroupsSpec) (*rowGroups, error) {
	g := makeRowGroups(len(env.Inputs[0]), rows, spec)
	g.counters = env.Counters
	schema := graph.Table{Keys: op.Tables[0].Keys[:len(spec.keys)], Columns: []graph.Column{{Name: "list", Type: types.Of(types.Int64)}, {Name: "bound", Type: types.Of(types.Int64)}}}
	if g.life = newLifetime(env, 0, rows.Table); g.life != nil {
		schema.Columns = append(schema.Columns, graph.Column{Name: "written", Type: types.Of(types.Int64)})
	}
	var err error
	if g.directory, err = newScratch(rows, &schema); err != nil {
		return nil, err
	}
	g.list, g.bound = g.directory.column(0), g.directory.column(1)
	if g.life != nil {
		g.stored, g.written = g.life.off, g.directory.column(2)
		g.life.t, g.life.off = g.directory.Table, g.written
	}
	return g, g.index()
}

// makeRowGroups is newRowGroups without a directory, for operators that have one of
// their own; its lists are empty.
func makeRowGroups(width int, rows *table, spec rowGroupsSpec) *rowGroups {
	g := &rowGroups{spec: spec, rows: rows, epoch: 1, one: make([]uint16, 1), lists: newRowLists(rows.Table), saved: state.NewVector[savedRow](rows.Table)}
	g.empty = rows.Schema().Unindexed
	g.slots = rowSlots(width, spec.keys, spec.rowKey, spec.copies, !spec.retractable)
	g.order = newRowOrder(rows, spec.order, g.slots, len(spec.keys))
	return g
}

// rowSlots says where input columns are in a table made by graph.TopN.Tables.
func rowSlots(width int, keys, rowKey []int, copies, numbered bool) []int {
	slots := make([]int, width)
	for i := range slots {
		slots[i] = -1
	}
	n := 0
	place := func(c int) {
		if slots[c] < 0 {
			slots[c] = n
			n++
		}
	}
	for _, c := range keys {
		slots[c] = n
		n++
	}
	for _, c := range rowKey {
		place(c)
	}
	if numbered {
		n++ // the number of the row
	}
	if !copies {
		for c := range slots {
			place(c)
		}
	}
	return slots
}

// index makes directory and lists from the rows.
func (g *rowGroups) index() error {
	n := len(g.spec.keys)
	return newGather(g.rows, n).each(batch.RowsDefault, func(ids []uint32, rows []unsafe.Pointer, keys []*batch.Column) error {
		g.locate(keys, len(ids), nil)
		g.growRows()
		for i, id := range ids {
			g.setPresent(id, true)
			g.lists.insert(g.listOf(g.groupRows[i]), entry{g.order.prefix(rows[i]), id}, g.order)
			if g.life != nil {
				at := (*int64)(unsafe.Add(g.groupRows[i], g.written))
				*at = max(*at, *(*int64)(unsafe.Add(rows[i], g.stored)))
			}
		}
		return nil
	})
}

// find gives the directory's rows for the rows of a batch, and their ids in
// groupIDs.
func (g *rowGroups) find(in *batch.Batch) []unsafe.Pointer {
	g.keys = g.keys[:0]
	for _, c := range g.spec.keys {
		g.keys = append(g.keys, in.Cols[c])
	}
	g.locate(g.keys, in.N, in.Sel)
	if g.life != nil {
		g.restart(in)
	}
	return g.groupRows
}

func (g *rowGroups) locate(keys []*batch.Column, n int, sel []uint16) {
	g.groupIDs, g.groupRows = roomFor(g.groupIDs, n), roomFor(g.groupRows, n)
	g.fresh = g.directory.find(keys, n, sel, g.groupIDs, g.groupRows, g.fresh[:0])
	for _, i := range g.fresh {
		*(*uint64)(unsafe.Add(g.groupRows[i], g.list)) = uint64(g.lists.add())
		g.setBound(g.groupRows[i], math.MaxUint64)
		if g.created != nil {
			g.created(g.groupIDs[i], g.groupRows[i])
		}
	}
}

func (g *rowGroups) listOf(group unsafe.Pointer) uint32 {
	return uint32(*(*uint64)(unsafe.Add(group, g.list)))
}

func (g *rowGroups) boundOf(group unsafe.Pointer) uint64 {
	return *(*uint64)(unsafe.Add(group, g.bound))
}

func (g *rowGroups) setBound(group unsafe.Pointer, b uint64) {
	*(*uint64)(unsafe.Add(group, g.bound)) = b
}

// touchOnce tells touch of a group unless it has been told since settle.
func (g *rowGroups) touchOnce(group, list uint32) error {
	seen := g.lists.seen(list)
	if *seen == g.epoch {
		return nil
	}
	*seen = g.epoch
	if g.life != nil {
		g.life.write(g.directory.write(group))
	}
	return g.touch(group, list)
}

// dropGroup forgets a group without rows.
func (g *rowGroups) dropGroup(group, list uint32) {
	g.directory.remove(group)
	g.lists.drop(list)
}

// store makes state rows of the batch rows that sel lists; last, if not nil, is
// one more key.
func (g *rowGroups) store(in *batch.Batch, sel []uint16, last *batch.Column, ids []uint32, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	g.rowKeys = g.rowKeys[:0]
	n := g.rows.keys()
	if last != nil {
		n--
	}
	for slot := range n {
		g.rowKeys = append(g.rowKeys, in.Cols[g.inputOf(slot)])
	}
	if last != nil {
		g.rowKeys = append(g.rowKeys, last)
	}
	fresh = g.rows.FindOrInsert(g.rowKeys, in.N, sel, ids, rows, fresh) // rows seldom come back
	if last != nil {
		for c, slot := range g.slots {
			switch {
			case slot < n:
			case g.empty:
				g.rows.FillColumn(slot, rows, in.Cols[c], sel)
			default:
				g.rows.WriteColumn(slot, rows, in.Cols[c], in.N, sel)
			}
		}
	}
	return fresh
}

func (g *rowGroups) inputOf(slot int) int {
	for c, s := range g.slots {
		if s == slot {
			return c
		}
	}
	return -1
}

// copiesOf is how often a row of the table is there.
func (g *rowGroups) copiesOf(id uint32) int64 {
	if !g.spec.copies {
		return 1
	}
	return *(*int64)(unsafe.Add(g.rows.read(id), g.rows.column(0)))
}

func (g *rowGroups) growRows() { g.saved.Grow(g.rows.idEnd()) }

// isPresent reports whether a row is in its list; setPresent says so.
func (g *rowGroups) isPresent(id uint32) bool { return g.saved.At(id).present }

func (g *rowGroups) setPresent(id uint32, is bool) { g.saved.At(id).present = is }

// apply carries a batch of changes out, row by row. A row that is inserted
// although it is there replaces the one of its key; one that is taken away
// although it is not is left alone.
func (g *rowGroups) apply(in *batch.Batch) error {
	groups := g.find(in)
	g.ids, g.state = roomFor(g.ids, in.N), roomFor(g.state, in.N)
	g.fresh = g.store(in, in.Sel, nil, g.ids, g.state, g.fresh[:0])
	g.growRows()
	for _, i := range g.fresh {
		g.setPresent(g.ids[i], false)
		g.absent = append(g.absent, g.ids[i])
	}
	g.prefix = g.order.prefixes(in, g.prefix)
	for k := range in.Live() {
		i := in.RowAt(k)
		id, list := g.ids[i], g.listOf(groups[i])
		takes := in.Op(i).Retracts()
		missing := takes && !g.isPresent(id)
		late := (missing || g.lateBefore && in.Op(i) == batch.UpdateAfter) && g.late != nil && g.late(in, i)
		if missing && !late {
			g.counters.Unmatched++
		}
		missing, g.lateBefore = missing || late, late && in.Op(i) == batch.UpdateBefore
		if missing && g.lists.len(list) > 0 { // else it may have made the group, which goes again
			continue
		}
		if err := g.touchOnce(g.groupIDs[i], list); err != nil {
			return err
		}
		switch {
		case missing:
		case takes:
			g.takeAway(id, list)
		case g.spec.copies:
			n := (*int64)(unsafe.Add(g.state[i], g.rows.column(0)))
			if *n++; !g.isPresent(id) {
				*n = 1
				g.setPresent(id, true)
				g.lists.insert(list, entry{g.prefix[i], id}, g.order)
			}
		default:
			g.replace(in, i, list)
		}
	}
	return nil
}

// takeAway removes a row, or one copy of it.
func (g *rowGroups) takeAway(id, list uint32) {
	row := g.rows.write(id)
	if g.spec.copies {
		n := (*int64)(unsafe.Add(row, g.rows.column(0)))
		if *n--; *n > 0 {
			return
		}
	}
	g.lists.remove(list, entry{g.order.prefix(row), id}, g.order)
	g.setPresent(id, false)
	g.absent = append(g.absent, id)
}

// replace puts row i of a batch in the place of the row of its key, if there is one.
func (g *rowGroups) replace(in *batch.Batch, i int, list uint32) {
	id := g.ids[i]
	if g.isPresent(id) {
		g.lists.remove(list, entry{g.order.prefix(g.state[i]), id}, g.order)
	}
	g.save(id)
	g.one[0] = uint16(i)
	for c, slot := range g.slots {
		if slot >= g.rows.keys() || g.rows.LooksVary(slot) {
			g.rows.WriteColumn(slot, g.state, in.Cols[c], in.N, g.one)
		}
	}
	g.setPresent(id, true)
	g.lists.insert(list, entry{g.prefix[i], id}, g.order)
}

// save remembers a row as it is, once between two calls of settle.
func (g *rowGroups) save(id uint32) {
	s := g.saved.At(id)
	if s.epoch == g.epoch {
		return
	}
	s.epoch, s.at = g.epoch, uint32(len(g.words))
	g.words = append(g.words, unsafe.Slice((*uint64)(g.rows.read(id)), g.rows.width()/8)...)
}

// before is a row as it was at the last settle.
func (g *rowGroups) before(id uint32) unsafe.Pointer {
	if g.isChanged(id) {
		return unsafe.Pointer(&g.words[g.saved.At(id).at])
	}
	return g.rows.read(id)
}

// isChanged reports whether a row was replaced since the last settle.
func (g *rowGroups) isChanged(id uint32) bool {
	return int(id) < g.saved.Len() && g.saved.At(id).epoch == g.epoch
}

// settle forgets how rows were, and removes those that are gone.
func (g *rowGroups) settle() {
	for _, id := range g.absent {
		if !g.isPresent(id) && g.rows.Live(id) {
			g.rows.remove(id)
		}
	}
	g.absent, g.words = g.absent[:0], g.words[:0]
	g.epoch++
	if g.epoch == 0 {
		g.lists.forgetSeen()
		for id := range g.saved.Len() {
			g.saved.At(uint32(id)).epoch = 0
		}
		g.epoch = 1
	}
}
