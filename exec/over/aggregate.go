package over

import (
	"slices"
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
	args    []int // columns, none for count(*): a row counts where all have a value
	filter  int   // column, -1 for none
	inverse bool
	output  agg.Output
	strings arena

	row  []uint64 // the state
	rows []unsafe.Pointer
	plus agg.Input
	sign []int64
	one  *batch.Column // of one row

	values []batch.Column // by argument: the rows that count, without nulls
	before []int          // how many of them come before each row
	pieces []batch.Column // of values, what is being folded
	exact  bool           // in this partition values can be taken away
	lo, hi int            // what is folded in, among values
}

// slot is one accumulator in the state.
type slot struct {
	agg.Accumulator
	off        uintptr
	arg, other int // among the aggregate's arguments, -1 for none
}

// invertible are the accumulators that can take values away; of double precision
// only those that are exact.
var invertible = map[string]bool{"count": true, "sum": true, "sum_squares": true, "sum_products": true, "bool_and": true, "bool_or": true,
	"rest": true, "count_nan": true, "count_inf": true, "count_neg_inf": true}

// pieceRows is how many rows a kernel takes at once.
const pieceRows = 1024

func newAggregate(w *graph.WindowCall, in []types.Field, f *frame) (call, error) {
	a := &aggregate{frame: f, filter: -1, inverse: true, one: &batch.Column{Phys: w.Type.Phys()}}
	var offs []uintptr
	off := uintptr(0)
	for _, s := range w.Accumulators {
		offs = append(offs, off)
		off += uintptr(max(s.Type.Phys().RowWidth(), 8))
	}
	for i, s := range w.Accumulators {
		k, err := a.accumulator(&s, in, offs)
		if err != nil {
			return nil, err
		}
		a.slots = append(a.slots, slot{Accumulator: k, off: offs[i], arg: a.argument(s.Arg, in), other: -1})
		for _, c := range s.With {
			a.slots[i].other = a.argument(c, in)
		}
		if s.Func != "rest" {
			a.filter = s.Filter
		}
		a.inverse = a.inverse && invertible[s.Func] && (s.Type.Phys() != types.PhysFloat || s.Rest > 0 || s.Func == "rest")
	}
	a.row = make([]uint64, off/8)
	for range pieceRows {
		a.rows = append(a.rows, unsafe.Pointer(&a.row[0]))
		a.sign = append(a.sign, -1)
	}
	var err error
	a.output, err = a.newOutput(w, offs)
	return a, err
}

// accumulator is the kernels of one slot; offs are where all of them lie.
func (a *aggregate) accumulator(s *graph.Accumulator, in []types.Field, offs []uintptr) (agg.Accumulator, error) {
	var arg types.Type
	if s.Arg >= 0 {
		arg = in[s.Arg].Type
	}
	if s.Rest > 0 {
		return agg.NewExact(s.Func, arg, offs[s.Rest])
	}
	return agg.New(s.Func, arg, &a.strings)
}

// argument is which of the aggregate's arguments column c is.
func (a *aggregate) argument(c int, in []types.Field) int {
	if c < 0 {
		return -1
	}
	at := slices.Index(a.args, c)
	if at < 0 {
		at = len(a.args)
		a.args, a.values = append(a.args, c), append(a.values, batch.Column{Phys: in[c].Type.Phys()})
	}
	return at
}

func (a *aggregate) newOutput(w *graph.WindowCall, offs []uintptr) (agg.Output, error) {
	list := w.Output
	if list == nil {
		for i := range w.Accumulators {
			list = append(list, i)
		}
	}
	var slots []agg.Slot
	for _, i := range list {
		s := &w.Accumulators[i]
		x := agg.Slot{Func: s.Func, Off: offs[i], Type: s.Type}
		if s.Rest > 0 {
			x.Rest = offs[s.Rest]
		}
		slots = append(slots, x)
	}
	var more agg.Supplement
	for _, i := range w.Specials {
		more.Specials = append(more.Specials, offs[i])
	}
	return agg.NewOutput(w.Func, slots, more, w.Type, &a.strings)
}

func (a *aggregate) run(p *Partition, l *layout, dst *batch.Column) error {
	if err := a.frame.bounds(p, l); err != nil {
		return err
	}
	a.gather(p)
	a.start()
	var parts [3][2]int
	for i := range p.N {
		if !a.frame.sameAsBefore(i) {
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
	for k := range a.values {
		a.values[k].Reset()
	}
	a.before = room(a.before, p.N+1)
	n := 0
	for i := range p.N {
		a.before[i] = n
		if !a.counts(p, i) {
			continue
		}
		for k, c := range a.args {
			a.values[k].AppendRow(p.Cols[c], i)
		}
		n++
	}
	a.before[p.N] = n
	a.exact = a.inverse
	for k := range a.values {
		dec := a.values[k].Dec
		for i := range dec { // taking a number away must not leave its scale behind
			a.exact = a.exact && dec[i].Special == types.DecimalFinite && dec[i].Scale == dec[0].Scale
		}
	}
}

// counts reports whether row i passes the filter and has all arguments.
func (a *aggregate) counts(p *Partition, i int) bool {
	if a.filter >= 0 && (p.Cols[a.filter].IsNull(i) || !p.Cols[a.filter].Bool[i]) {
		return false
	}
	for _, c := range a.args {
		if p.Cols[c].IsNull(i) {
			return false
		}
	}
	return true
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
		a.pieces = a.pieces[:0]
		for k := range a.values {
			a.pieces = append(a.pieces, part(&a.values[k], lo, lo+n))
		}
		for i := range a.slots {
			s := &a.slots[i]
			if s.Update == nil { // another slot writes it
				continue
			}
			var col *batch.Column
			if in.Other = nil; s.arg >= 0 {
				col = &a.pieces[s.arg]
			}
			if s.other >= 0 {
				in.Other = &a.pieces[s.other]
			}
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
