package operator

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// rowOrder orders the rows of a table, and rows of a batch that are not in it
// yet: by the keys of an order and then, so that no two different rows are equal,
// by all columns. A row is named by its id, one of the batch by its number with
// inBatch set.
type rowOrder struct {
	t    *table
	in   *batch.Batch
	keys []orderColumn // the order's, then those that break ties
	n    int           // how many are the order's
}

const inBatch = 1 << 31

// orderColumn is where a compared column is: in a batch, and in a row.
type orderColumn struct {
	graph.SortKey
	slot  int // table column, keys first
	phys  types.Phys
	off   uintptr
	exact bool // values that are equal in SQL but differ are told apart
	// valued is the type where values do not order as their bytes do.
	valued *types.Type
}

// newRowOrder orders rows whose input column c is table column slots[c]. Rows that
// are compared have equal values in the first equal slots.
func newRowOrder(t *table, order []graph.SortKey, slots []int, equal int) *rowOrder {
	o := &rowOrder{t: t}
	add := func(k graph.SortKey, exact bool) {
		s := slots[k.Column]
		if s < 0 {
			return // not kept: it makes no difference
		}
		valued := valuedType(t.Type(s))
		if exact && valued == nil && equalIsSame(t.Phys(s)) && (s < equal || slices.ContainsFunc(order, func(by graph.SortKey) bool { return slots[by.Column] == s })) {
			return // nor does what was found equal
		}
		o.keys = append(o.keys, orderColumn{SortKey: k, slot: s, phys: t.Phys(s), off: t.key(s), exact: exact, valued: valued})
	}
	for _, k := range order {
		add(k, false)
	}
	o.n = len(o.keys)
	for c := range slots {
		add(graph.SortKey{Column: c}, true)
	}
	return o
}

// equalIsSame reports whether values that are equal in SQL, and order as their bytes
// do, cannot differ.
func equalIsSame(p types.Phys) bool {
	switch p {
	case types.PhysInt, types.PhysBool, types.PhysBytes, types.PhysUUID:
		return true
	}
	return false
}

// addNumber tells rows apart that are equal in all columns of the input, by the number
// that the table has in a slot of its own. Rows of a batch have none yet.
func (o *rowOrder) addNumber(slot int) {
	o.keys = append(o.keys, orderColumn{SortKey: graph.SortKey{Column: -1}, slot: slot, phys: types.PhysInt, off: o.t.key(slot), exact: true})
}

// compare orders two rows by the first n keys.
func (o *rowOrder) compare(a, b uint32, n int) int {
	ra, rb := o.row(a), o.row(b)
	for i := range n {
		if c := o.compareColumn(&o.keys[i], a, ra, b, rb); c != 0 {
			return c
		}
	}
	return 0
}

func (o *rowOrder) row(id uint32) unsafe.Pointer {
	if id&inBatch != 0 {
		return nil
	}
	return o.t.read(id)
}

// tied reports whether the order does not tell two rows apart.
func (o *rowOrder) tied(a, b entry) bool {
	return a.prefix == b.prefix && o.compare(a.id, b.id, o.n) == 0
}

// compareEntries orders entries completely.
func (o *rowOrder) compareEntries(a, b entry) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return o.compare(a.id, b.id, len(o.keys))
}

func (o *rowOrder) compareColumn(k *orderColumn, a uint32, ra unsafe.Pointer, b uint32, rb unsafe.Pointer) int {
	na, nb := o.isNull(k, a, ra), o.isNull(k, b, rb)
	if na || nb {
		switch {
		case na && nb:
			return 0
		case na == k.NullsFirst:
			return -1
		}
		return 1
	}
	var c int
	switch k.phys {
	case types.PhysInt:
		c = cmp.Compare(o.intOf(k, a, ra), o.intOf(k, b, rb))
	case types.PhysBool:
		c = cmp.Compare(o.boolOf(k, a, ra), o.boolOf(k, b, rb))
	case types.PhysFloat:
		x, y := o.floatOf(k, a, ra), o.floatOf(k, b, rb)
		if c = types.CompareFloat(x, y); c == 0 && k.exact {
			c = cmp.Compare(math.Float64bits(x), math.Float64bits(y))
		}
	case types.PhysBytes:
		x, y := o.bytesOf(k, a, ra), o.bytesOf(k, b, rb)
		if k.valued != nil {
			c = types.CompareBytes(*k.valued, string(x), string(y))
		}
		if k.valued == nil || c == 0 && k.exact {
			c = bytes.Compare(x, y)
		}
	case types.PhysDecimal:
		x, y := o.decimalOf(k, a, ra), o.decimalOf(k, b, rb)
		if c = x.Cmp(*y); c == 0 && k.exact {
			c = cmp.Compare(x.Scale, y.Scale)
		}
	case types.PhysInterval:
		x, y := o.intervalOf(k, a, ra), o.intervalOf(k, b, rb)
		if c = x.Cmp(*y); c == 0 && k.exact {
			c = cmp.Or(cmp.Compare(x.Months, y.Months), cmp.Compare(x.Days, y.Days))
		}
	case types.PhysUUID:
		x, y := o.uuidOf(k, a, ra), o.uuidOf(k, b, rb)
		c = bytes.Compare(x[:], y[:])
	}
	if k.Desc {
		return -c
	}
	return c
}

func (o *rowOrder) isNull(k *orderColumn, id uint32, row unsafe.Pointer) bool {
	if row == nil {
		return o.in.Cols[k.Column].IsNull(int(id &^ inBatch))
	}
	return o.t.IsNull(row, k.slot)
}

func (o *rowOrder) intOf(k *orderColumn, id uint32, row unsafe.Pointer) int64 {
	if row == nil {
		return o.in.Cols[k.Column].Int[id&^inBatch]
	}
	return *(*int64)(unsafe.Add(row, k.off))
}

func (o *rowOrder) boolOf(k *orderColumn, id uint32, row unsafe.Pointer) int64 {
	if row != nil {
		return *(*int64)(unsafe.Add(row, k.off))
	}
	if o.in.Cols[k.Column].Bool[id&^inBatch] {
		return 1
	}
	return 0
}

func (o *rowOrder) floatOf(k *orderColumn, id uint32, row unsafe.Pointer) float64 {
	if row == nil {
		return o.in.Cols[k.Column].Float[id&^inBatch]
	}
	return *(*float64)(unsafe.Add(row, k.off))
}

func (o *rowOrder) bytesOf(k *orderColumn, id uint32, row unsafe.Pointer) []byte {
	if row == nil {
		return o.in.Cols[k.Column].BytesAt(int(id &^ inBatch))
	}
	return o.t.Bytes(*(*batch.View)(unsafe.Add(row, k.off)))
}

func (o *rowOrder) decimalOf(k *orderColumn, id uint32, row unsafe.Pointer) *types.Decimal {
	if row == nil {
		return &o.in.Cols[k.Column].Dec[id&^inBatch]
	}
	return (*types.Decimal)(unsafe.Add(row, k.off))
}

func (o *rowOrder) intervalOf(k *orderColumn, id uint32, row unsafe.Pointer) *types.Interval {
	if row == nil {
		return &o.in.Cols[k.Column].Interval[id&^inBatch]
	}
	return (*types.Interval)(unsafe.Add(row, k.off))
}

func (o *rowOrder) uuidOf(k *orderColumn, id uint32, row unsafe.Pointer) *[16]byte {
	if row == nil {
		return &o.in.Cols[k.Column].UUID[id&^inBatch]
	}
	return (*[16]byte)(unsafe.Add(row, k.off))
}

// prefixes are the rows' first keys in a form that orders as an unsigned number
// does; equal prefixes decide nothing.
func (o *rowOrder) prefixes(in *batch.Batch, dst []uint64) []uint64 {
	dst = roomFor(dst, in.N)
	if o.n == 0 {
		clear(dst)
		return dst
	}
	k := &o.keys[0]
	c := in.Cols[k.Column]
	if c.Phys == types.PhysInt && !c.HasNulls {
		for i, v := range c.Int[:in.N] {
			dst[i] = bounded(intPrefix(v), k.Desc)
		}
		return dst
	}
	for n := range in.Live() {
		i := in.RowAt(n)
		dst[i] = columnPrefix(k.SortKey, c, i, k.valued != nil)
	}
	return dst
}

// prefix is that of a row of the table.
func (o *rowOrder) prefix(row unsafe.Pointer) uint64 {
	if o.n == 0 {
		return 0
	}
	k := &o.keys[0]
	if o.t.IsNull(row, k.slot) {
		return nullPrefix(k.SortKey)
	}
	if k.valued != nil {
		return 1
	}
	switch k.phys {
	case types.PhysInt:
		return bounded(intPrefix(o.intOf(k, 0, row)), k.Desc)
	case types.PhysFloat:
		return bounded(floatPrefix(o.floatOf(k, 0, row)), k.Desc)
	case types.PhysBytes:
		return bounded(bytesPrefix(o.bytesOf(k, 0, row)), k.Desc)
	}
	return 1
}

// columnPrefix is a column's value as a prefix.
func columnPrefix(k graph.SortKey, c *batch.Column, i int, valued bool) uint64 {
	if c.IsNull(i) {
		return nullPrefix(k)
	}
	if valued {
		return 1
	}
	switch c.Phys {
	case types.PhysInt:
		return bounded(intPrefix(c.Int[i]), k.Desc)
	case types.PhysFloat:
		return bounded(floatPrefix(c.Float[i]), k.Desc)
	case types.PhysBytes:
		return bounded(bytesPrefix(c.BytesAt(i)), k.Desc)
	}
	return 1
}

func nullPrefix(k graph.SortKey) uint64 {
	if k.NullsFirst {
		return 0
	}
	return math.MaxUint64
}

// bounded leaves both ends of the range to nulls.
func bounded(p uint64, desc bool) uint64 {
	if desc {
		p = ^p
	}
	return min(max(p>>1, 1), math.MaxUint64-1)
}

func intPrefix(v int64) uint64 { return uint64(v) ^ 1<<63 }

func floatPrefix(v float64) uint64 {
	switch {
	case v != v:
		return math.MaxUint64
	case v == 0:
		return 1 << 63 // minus zero is zero
	}
	p := math.Float64bits(v)
	if p>>63 != 0 {
		return ^p
	}
	return p | 1<<63
}

func bytesPrefix(s []byte) (p uint64) {
	for n := range 8 {
		p <<= 8
		if n < len(s) {
			p |= uint64(s[n])
		}
	}
	return p
}
