package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// sketch estimates the number of different values of one argument per group. Its
// table has the registers of a group, some to a row, those in use alone; what
// the estimate is made of is in the group's row.
type sketch struct {
	spec      graph.Sketch
	loose     state.Loose // of the argument
	values    *table
	column    uintptr // of the first registers in a row
	sum, used uintptr // of the slots in a group's row
	hashes    []uint64
	place     []uint8 // of each row's register in its block
	rank      []int64
	block     batch.Column
	keys      []*batch.Column
	sel       []uint16
	ids       []uint32
	rows      []unsafe.Pointer
	fresh     []uint16
	// created, when set, is told of each new block: the batch's row and its id.
	created func(row int, id uint32)
}

// newSketch makes sketch number n of a over its table.
func newSketch(a *accumulators, n int, values *table) *sketch {
	s := &sketch{spec: a.spec.Sketches[n], values: values, column: values.column(0), block: batch.Column{Phys: types.PhysInt}}
	if t := s.spec.Loose; t != nil {
		s.loose = state.Loose{t}
	}
	for i := range a.all {
		switch acc := &a.all[i]; {
		case acc.spec.Sketch != n+1:
		case acc.spec.Func == "sketch_sum":
			s.sum = acc.off
		default:
			s.used = acc.off
		}
	}
	return s
}

// fold notes the values of w's rows.
func (s *sketch) fold(w *work) {
	n, sel := w.in.N, w.sel
	arg := w.in.Cols[s.spec.Arg]
	if s.spec.Filter >= 0 {
		s.sel = agg.SelectTrue(s.sel, sel, n, w.in.Cols[s.spec.Filter])
		sel = s.sel
	}
	if arg.HasNulls {
		s.sel = agg.SelectNotNull(s.sel, sel, n, arg)
		sel = s.sel
	}
	if sel == nil {
		if s.sel = roomFor(s.sel, n); n == 0 {
			return
		}
		for i := range s.sel {
			s.sel[i] = uint16(i)
		}
		sel = s.sel
	}
	s.hashes, s.place, s.rank = roomFor(s.hashes, n), roomFor(s.place, n), roomFor(s.rank, n)
	state.HashColumns(&batch.Batch{N: n, Sel: sel, Cols: []*batch.Column{arg}}, []int{0}, s.loose, s.hashes)
	s.block.Resize(n)
	for _, i := range sel {
		register, rank := agg.SketchPlace(s.hashes[i])
		s.block.Int[i], s.place[i], s.rank[i] = int64(register/graph.SketchBlockRegisters), uint8(register%graph.SketchBlockRegisters), rank
	}
	s.keys = append(append(s.keys[:0], w.keys...), &s.block)
	s.ids, s.rows = roomFor(s.ids, n), roomFor(s.rows, n)
	s.fresh = s.values.findOf(w.ids, s.keys, n, sel, s.ids, s.rows, s.fresh[:0])
	if s.created != nil {
		for _, i := range s.fresh {
			s.created(int(i), s.ids[i])
		}
	}
	for _, i := range sel {
		s.raise(w.rows[i], s.rows[i], s.place[i], s.rank[i])
	}
}

// raise lifts a register to a rank, unless it is there already.
func (s *sketch) raise(group, row unsafe.Pointer, place uint8, rank int64) {
	word := (*int64)(unsafe.Add(row, s.column+uintptr(place/8)*8))
	shift := place % 8 * 8
	old := *word >> shift & 0xff
	if rank <= old {
		return
	}
	*word += (rank - old) << shift
	*(*int64)(unsafe.Add(group, s.sum)) += agg.SketchStep(old, rank)
	if old == 0 {
		*(*int64)(unsafe.Add(group, s.used))++
	}
}
