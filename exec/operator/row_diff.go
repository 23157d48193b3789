package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// rowDiff turns what became of groups' rows into a changelog. Output rows are the
// input's columns and, maybe, a number.
type rowDiff struct {
	g        *rowGroups // nil where windows are not compared
	table    *table
	slots    []int // table column of each input column
	numbered bool
	upsert   bool
	limit    int

	rows    []unsafe.Pointer
	numbers []int64
	ops     []batch.Op
	out     batch.Batch
	sel     []uint16
	first   []uint16          // by row of the batch: the first one that is the same
	seats   [diffSeats]uint16 // by a hash of the row: where it was last

	seen  *state.Vector[seenRow] // by row
	round uint32
}

// seenRow is how a row was.
type seenRow struct {
	round  uint32 // in which it was noted
	times  int32  // it was there
	number int64
}

// diffSeats is a power of two.
const diffSeats = 1 << 10

func newRowDiff(g *rowGroups, t *table, slots []int, op *graph.Operator, env *Env) *rowDiff {
	d := &rowDiff{g: g, table: t, slots: slots, numbered: len(op.Fields) > len(slots), upsert: op.Mode == graph.Upsert, limit: env.BatchRows, seen: state.NewVector[seenRow](t.Table)}
	for _, slot := range slots {
		d.out.Cols = append(d.out.Cols, &batch.Column{Phys: t.keyPhys(slot)})
	}
	if d.numbered {
		d.out.Cols = append(d.out.Cols, &batch.Column{Phys: types.PhysInt})
	}
	return d
}

func (d *rowDiff) add(op batch.Op, row unsafe.Pointer, number int64) {
	d.rows, d.numbers, d.ops = append(d.rows, row), append(d.numbers, number), append(d.ops, op)
}

// byPlace compares two windows place by place.
func (d *rowDiff) byPlace(old, now []numbered) {
	for i := range max(len(old), len(now)) {
		switch {
		case i >= len(now):
			d.add(batch.Delete, d.g.before(old[i].id), old[i].number)
		case i >= len(old):
			d.add(batch.Insert, d.table.read(now[i].id), now[i].number)
		case old[i].id != now[i].id || d.g.isChanged(now[i].id):
			d.add(batch.UpdateBefore, d.g.before(old[i].id), old[i].number)
			d.add(batch.UpdateAfter, d.table.read(now[i].id), now[i].number)
		}
	}
}

// byRow compares two windows row by row; with numbers a row's number is part of
// it.
func (d *rowDiff) byRow(old, now []numbered, numbers bool) {
	d.round++
	d.seen.Grow(d.table.idEnd())
	if d.round == 0 {
		d.seen.Clear()
		d.round = 1
	}
	for _, o := range old {
		s := d.seen.At(o.id)
		if s.round != d.round {
			*s = seenRow{round: d.round, number: o.number}
		}
		s.times++
	}
	first := len(d.rows)
	for _, n := range now {
		s := d.seen.At(n.id)
		if s.round != d.round || s.times == 0 {
			d.add(batch.Insert, d.table.read(n.id), n.number)
			continue
		}
		s.times--
		if was := s.number; d.g.isChanged(n.id) || numbers && was != n.number {
			d.add(batch.UpdateBefore, d.g.before(n.id), was)
			d.add(batch.UpdateAfter, d.table.read(n.id), n.number)
		}
	}
	// What goes comes first.
	goes := len(d.rows)
	for _, o := range old {
		if s := d.seen.At(o.id); s.times > 0 {
			s.times--
			d.add(batch.Delete, d.g.before(o.id), o.number)
		}
	}
	rotate(d.rows[first:], goes-first)
	rotate(d.numbers[first:], goes-first)
	rotate(d.ops[first:], goes-first)
}

// rotate moves the first n elements to the end.
func rotate[T any](s []T, n int) {
	if n == 0 || n == len(s) {
		return
	}
	moved := append([]T(nil), s[:n]...)
	copy(s, s[n:])
	copy(s[len(s)-n:], moved)
}

// emit sends what was added.
func (d *rowDiff) emit(out exec.Output) error {
	for from := 0; from < len(d.rows); {
		to := min(len(d.rows), from+d.limit)
		if to < len(d.rows) && d.ops[to] == batch.UpdateAfter {
			to++
		}
		if err := d.emitRows(out, from, to); err != nil {
			return err
		}
		from = to
	}
	d.rows, d.numbers, d.ops = d.rows[:0], d.numbers[:0], d.ops[:0]
	return nil
}

func (d *rowDiff) emitRows(out exec.Output, from, to int) error {
	rows := d.rows[from:to]
	d.alike(rows)
	d.table.ReadColumns(d.slots, rows, d.first, d.out.Cols)
	if d.numbered {
		n := d.out.Cols[len(d.out.Cols)-1]
		n.Resize(len(rows))
		copy(n.Int, d.numbers[from:to])
	}
	d.out.N, d.out.Ops, d.out.Sel = len(rows), d.ops[from:to], nil
	d.sel = dropNoops(&d.out, d.sel[:0], d.upsert)
	if d.out.Live() == 0 {
		return nil
	}
	return out.Emit(&d.out)
}

// alike finds the first one among equals: a row that moves to another place is
// there twice.
func (d *rowDiff) alike(rows []unsafe.Pointer) {
	d.first = roomFor(d.first, len(rows))
	for i, r := range rows {
		seat := &d.seats[uint64(uintptr(r))*0x9e3779b97f4a7c15>>54]
		d.first[i] = uint16(i)
		if s := int(*seat); s < i && rows[s] == r {
			d.first[i] = d.first[s]
		}
		*seat = d.first[i]
	}
}

// dropNoops deselects, in the memory of sel, updates that change no column and,
// where readers want upserts, the rows before updates.
func dropNoops(b *batch.Batch, sel []uint16, upsert bool) []uint16 {
	if sel == nil {
		sel = emptySelection
	}
	all := true
	for i := 0; i < b.N; i++ {
		if b.Ops[i] != batch.UpdateBefore {
			sel = append(sel, uint16(i))
			continue
		}
		switch {
		case equalRows(b.Cols, i, i+1):
			i++
			all = false
		case upsert:
			all = false
		default:
			sel = append(sel, uint16(i))
		}
	}
	if !all {
		b.Sel = sel
	}
	return sel
}
