package over

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// aggregate is an aggregate function over frames. It folds the rows of a frame in
// their order, as PostgreSQL does. From one row to the next it goes on where it
// can: rows are added as the frame grows and, where taking away is exact, taken
// away as its start moves; else the frame is folded anew.
type aggregate struct {
	frame   *frame
	slots   []slot
	arg     int // column, -1 for count(*)
	filter  int // column, -1 for none
	inverse bool
	output  agg.Output
	strings arena

	row  []uint64 // the state
	rows []unsafe.Pointer
	plus agg.Input
	sign []int64
	one  *batch.Column // of one row

	values batch.Column // the rows that count, without nulls
	before []int        // how many of them come before each row
	exact  bool         // in this partition values can be taken away
	lo, hi int          // what is folded in, among values
}

// slot is one accumulator in the state.
type slot struct {
	agg.Accumulator
	off uintptr
}

// invertible are the accumulators that can take values away.
var invertible = map[string]bool{"count": true, "sum": true, "sum_squares": true, "bool_and": true, "bool_or": true}

// pieceRows is how many rows a kernel takes at once.
const pieceRows = 1024

func newAggregate(w *graph.WindowCall, in []types.Field, f *frame) (call, error) {
	a := &aggregate{frame: f, arg: -1, filter: -1, inverse: true, one: &batch.Column{Phys: w.Type.Phys()}}
	var slots []agg.Slot
	off := uintptr(0)
	for _, s := range w.Accumulators {
		var arg types.Type
		if s.Arg >= 0 {
			a.arg, arg = s.Arg, in[s.Arg].Type
			a.values.Phys = arg.Phys()
		}
		a.filter = s.Filter
		k, err := agg.New(s.Func, arg, &a.strings)
		if err != nil {
			return nil, err
		}
		a.inverse = a.inverse && invertible[s.Func] && s.Type.Phys() != types.PhysFloat
		a.slots = append(a.slots, slot{k, off})
		slots = append(slots, agg.Slot{Func: s.Func, Off: off, Type: s.Type})
		off += uintptr(max(s.Type.Phys().RowWidth(), 8))
	}
	a.row = make([]uint64, off/8)
	for range pieceRows {
		a.rows = append(a.rows, unsafe.Pointer(&a.row[0]))
		a.sign = append(a.sign, -1)
	}
	var err error
	a.output, err = agg.NewOutput(w.Func, slots, agg.Supplement{}, w.Type, &a.strings)
	return a, err
}

func (a *aggregate) run(p *Partition, l *layout, dst *batch.Column) error {
	if err := a.frame.bounds(p, l); err != nil {
		return err
	}
	a.gather(p)
	a.start()
	var parts [3][2]int
	for i := range p.N {
		same := i > 0 && a.frame.lo[i] == a.frame.lo[i-1] && a.frame.hi[i] == a.frame.hi[i-1] && a.frame.spec.Exclude == ""
		if !same {
			if err := a.move(a.frame.ranges(l, i, &parts)); err != nil {
				return err
			}
			if err := a.output(a.rows[:1], a.one); err != nil {
				return err
			}
		}
		copyValue(dst, i, p.N, a.one, 0)
	}
	return nil
}

// gather collects the rows that count.
func (a *aggregate) gather(p *Partition) {
	a.values.Reset()
	a.before = room(a.before, p.N+1)
	n := 0
	for i := range p.N {
		a.before[i] = n
		if a.filter >= 0 {
			if f := p.Cols[a.filter]; f.IsNull(i) || !f.Bool[i] {
				continue
			}
		}
		if a.arg >= 0 {
			if p.Cols[a.arg].IsNull(i) {
				continue
			}
			a.values.AppendRow(p.Cols[a.arg], i)
		}
		n++
	}
	a.before[p.N] = n
	a.exact = a.inverse
	for i := range a.values.Dec { // taking a number away must not leave its scale behind
		d := &a.values.Dec[i]
		a.exact = a.exact && d.Special == types.DecimalFinite && d.Scale == a.values.Dec[0].Scale
	}
}

// start empties the state.
func (a *aggregate) start() {
	clear(a.row)
	a.strings.buf = a.strings.buf[:0]
	for _, s := range a.slots {
		if s.Init != nil {
			s.Init(unsafe.Add(a.rows[0], s.off))
		}
	}
	a.lo, a.hi = 0, 0
}

// move makes the state that of the frame.
func (a *aggregate) move(ranges [][2]int) error {
	if len(ranges) <= 1 && a.frame.spec.Exclude == "" {
		lo, hi := 0, 0
		if len(ranges) == 1 {
			lo, hi = a.before[ranges[0][0]], a.before[ranges[0][1]]
		}
		switch {
		case lo == hi:
			a.start()
			return nil
		case lo >= a.lo && hi >= a.hi && lo <= a.hi && (lo == a.lo || a.exact):
			if err := a.fold(a.lo, lo, a.sign); err != nil {
				return err
			}
			from := a.hi
			a.lo, a.hi = lo, hi
			return a.fold(from, hi, nil)
		}
		a.start()
		a.lo, a.hi = lo, hi
		return a.fold(lo, hi, nil)
	}
	a.start()
	for _, r := range ranges {
		if err := a.fold(a.before[r[0]], a.before[r[1]], nil); err != nil {
			return err
		}
	}
	return nil
}

// fold folds values lo to hi in or, with signs, out.
func (a *aggregate) fold(lo, hi int, sign []int64) error {
	for ; lo < hi; lo += pieceRows {
		n := min(hi-lo, pieceRows)
		in := agg.Input{Rows: a.rows[:n], N: n, One: a.rows[0]}
		if sign != nil {
			in.Sign = sign[:n]
		}
		var col *batch.Column
		if a.arg >= 0 {
			c := part(&a.values, lo, lo+n)
			col = &c
		}
		for _, s := range a.slots {
			if err := s.Update(&in, s.off, col); err != nil {
				return err
			}
		}
	}
	return nil
}

// part is rows lo to hi of a column without nulls.
func part(c *batch.Column, lo, hi int) batch.Column {
	p := batch.Column{Phys: c.Phys, Arena: c.Arena}
	switch c.Phys {
	case types.PhysBool:
		p.Bool = c.Bool[lo:hi]
	case types.PhysInt:
		p.Int = c.Int[lo:hi]
	case types.PhysFloat:
		p.Float = c.Float[lo:hi]
	case types.PhysDecimal:
		p.Dec = c.Dec[lo:hi]
	case types.PhysBytes:
		p.Views = c.Views[lo:hi]
	case types.PhysInterval:
		p.Interval = c.Interval[lo:hi]
	case types.PhysUUID:
		p.UUID = c.UUID[lo:hi]
	}
	return p
}

// arena keeps the strings of the state until start.
type arena struct{ buf []byte }

// Bytes implements agg.Bytes.
func (a *arena) Bytes(v batch.View) []byte { return a.buf[v.Off : v.Off+v.Len] }

// StoreBytes implements agg.Bytes.
func (a *arena) StoreBytes(p []byte) batch.View {
	off := len(a.buf)
	a.buf = append(a.buf, p...)
	return batch.View{Off: uint32(off), Len: uint32(len(p))}
}
