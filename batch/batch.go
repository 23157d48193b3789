// Package batch is the unit of data flow: up to a thousand rows in typed columns
// with null bitmaps, a selection and an op per row. It knows types, not
// expressions, and does no I/O.
//
// A batch belongs to whoever produced it. A receiver may read it until its call
// returns and must copy what it keeps; only the producer refills it.
package batch

import (
	"unsafe"

	"github.com/millrace/millrace/types"
)

// RowsDefault is how many rows a producer aims at; RowsMax is the most a
// selection can address.
const (
	RowsDefault = 1024
	RowsMax     = 1 << 15
)

// roomSmall is the room of scratch that has seen a few rows only: statements that read
// single rows are many, and each has scratch of its own.
const roomSmall = 32

// Room is how much room scratch for n rows gets: where there are many rows, other
// batches will have as many as producers aim at.
func Room(n int) int {
	if n <= roomSmall {
		return roomSmall
	}
	return max(n, RowsDefault)
}

// Op is what a row does to the relation that the changelog describes.
type Op uint8

// The ops. Deletes and updates-before take a row away.
const (
	Insert       Op = 0
	Delete       Op = 1
	UpdateBefore Op = 2
	UpdateAfter  Op = 3
)

var opNames = [...]string{"insert", "delete", "update_before", "update_after"}

// String returns the op as SUBSCRIBE spells it.
func (o Op) String() string { return opNames[o] }

// Retracts reports whether the row is taken away.
func (o Op) Retracts() bool { return o == Delete || o == UpdateBefore }

// View is a string as a place in a column's arena.
type View struct{ Off, Len uint32 }

// Column holds one value per row in the slice of its layout. The other slices
// are nil. When HasNulls is set, bit i of Nulls tells that row i is null, and
// the value there is the layout's zero.
type Column struct {
	Phys     types.Phys
	HasNulls bool
	Nulls    Bitmap
	Bool     []bool
	Int      []int64
	Float    []float64
	Dec      []types.Decimal
	Views    []View
	Arena    []byte // what Views point into; append-only while the batch lives
	// Fixed says that nobody writes or adds to Arena any more: who keeps views may
	// keep the arena in place of copies.
	Fixed    bool
	Interval []types.Interval
	UUID     [][16]byte

	lent bool   // Arena is another column's
	kept []byte // the column's own meanwhile
}

// Batch is N rows in columns. Sel, if not nil, lists the live rows in ascending
// order; the others are to be ignored. Ops, if not nil, has one op for each of
// the N rows; nil means that all are inserts. Derived is what is known of the rows
// besides: only an operator that passes on Cols as they are passes it on.
type Batch struct {
	N    int
	Sel  []uint16
	Ops  []Op
	Cols []*Column

	Derived []Derived
}

// Derived is an expression over a batch's columns that was computed on the way and
// may be wanted again.
type Derived struct {
	Expr   string // equal for equal expressions
	Column *Column
	All    bool   // computed for all rows, else
	Rows   Bitmap // for these
}

// Bytes is about what the batch takes.
func (b *Batch) Bytes() int64 {
	n := int64(0)
	for _, c := range b.Cols {
		n += 16*int64(b.N) + int64(cap(c.Arena))
	}
	return n
}

// Live is the number of rows that count.
func (b *Batch) Live() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Op returns the op of physical row i.
func (b *Batch) Op(i int) Op {
	if b.Ops == nil {
		return Insert
	}
	return b.Ops[i]
}

// RowAt maps the k-th live row to its physical row.
func (b *Batch) RowAt(k int) int {
	if b.Sel != nil {
		return int(b.Sel[k])
	}
	return k
}

// Without is the batch without the live rows that skip counts, in order, from 0.
func (b *Batch) Without(skip []int) *Batch {
	out := *b
	out.Sel = make([]uint16, 0, b.Live()-len(skip))
	for k := range b.Live() {
		if len(skip) > 0 && skip[0] == k {
			skip = skip[1:]
			continue
		}
		out.Sel = append(out.Sel, uint16(b.RowAt(k)))
	}
	return &out
}

// New allocates a batch with one column of each layout and room for rows rows.
func New(layout []types.Phys, rows int) *Batch {
	b := &Batch{Cols: make([]*Column, len(layout))}
	for i, p := range layout {
		b.Cols[i] = NewColumn(p, rows)
	}
	return b
}

// NewColumn allocates a column of rows rows, without nulls.
func NewColumn(p types.Phys, rows int) *Column {
	c := &Column{Phys: p}
	c.Resize(rows)
	return c
}

// Reset makes the batch empty and keeps its memory.
func (b *Batch) Reset() {
	b.N, b.Sel, b.Ops = 0, nil, nil
	for _, c := range b.Cols {
		c.Reset()
	}
}

// Reset empties the column and keeps its memory.
func (c *Column) Reset() {
	c.HasNulls = false
	if c.lent {
		c.Arena, c.kept, c.lent, c.Fixed = c.kept, nil, false, false
	}
	if c.Fixed {
		c.Arena, c.Fixed = nil, false
	}
	c.Arena = c.Arena[:0]
	c.Resize(0)
}

func resize[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	t := make([]T, n, max(n, 2*cap(s)))
	copy(t, s)
	return t
}

// Resize sets the number of rows. Rows gained hold whatever was there before:
// the caller fills them. Nulls is grown along with them, with new bits clear.
func (c *Column) Resize(n int) {
	switch c.Phys {
	case types.PhysBool:
		c.Bool = resize(c.Bool, n)
	case types.PhysInt:
		c.Int = resize(c.Int, n)
	case types.PhysFloat:
		c.Float = resize(c.Float, n)
	case types.PhysDecimal:
		c.Dec = resize(c.Dec, n)
	case types.PhysBytes:
		c.Views = resize(c.Views, n)
	case types.PhysInterval:
		c.Interval = resize(c.Interval, n)
	case types.PhysUUID:
		c.UUID = resize(c.UUID, n)
	}
	if c.HasNulls {
		c.Nulls = c.Nulls.Grow(n)
	}
}

// Len is the number of rows the column holds.
func (c *Column) Len() int {
	switch c.Phys {
	case types.PhysBool:
		return len(c.Bool)
	case types.PhysInt:
		return len(c.Int)
	case types.PhysFloat:
		return len(c.Float)
	case types.PhysDecimal:
		return len(c.Dec)
	case types.PhysBytes:
		return len(c.Views)
	case types.PhysInterval:
		return len(c.Interval)
	case types.PhysUUID:
		return len(c.UUID)
	}
	return 0
}

// IsNull reports whether row i is null.
func (c *Column) IsNull(i int) bool { return c.HasNulls && c.Nulls.Get(i) }

// SetNull makes row i null. The column must already hold row i; n is the
// number of rows the bitmap must cover.
func (c *Column) SetNull(i, n int) {
	if !c.HasNulls {
		c.HasNulls = true
		c.Nulls = c.Nulls[:0].Grow(n)
	}
	c.Nulls = c.Nulls.Grow(max(n, i+1))
	c.Nulls.Set(i)
}

// Str returns row i of a PhysBytes column without copying: valid as long as the
// batch is.
func (c *Column) Str(i int) string {
	v := c.Views[i]
	if v.Len == 0 {
		return ""
	}
	return unsafe.String(&c.Arena[v.Off], int(v.Len))
}

// BytesAt is Str as a byte slice that must not be written.
func (c *Column) BytesAt(i int) []byte {
	v := c.Views[i]
	return c.Arena[v.Off : v.Off+v.Len : v.Off+v.Len]
}

// AddStr puts s into the arena and returns its view.
func (c *Column) AddStr(s string) View {
	off := len(c.Arena)
	c.Arena = append(c.Arena, s...)
	return View{uint32(off), uint32(len(s))}
}
