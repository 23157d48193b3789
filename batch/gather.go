package batch

import (
	"unsafe"

	"github.com/millrace/millrace/types"
)

// gather copies the selected values of src behind those of dst.
func gather[T any](dst, src []T, sel []uint16) {
	for k, i := range sel {
		dst[k] = src[i]
	}
}

// AppendFrom adds the rows of src that sel lists (all n of them when sel is nil)
// at the end of c, which has the same layout. Strings are copied into c's arena,
// which is not fixed.
func (c *Column) AppendFrom(src *Column, sel []uint16, n int) { c.appendFrom(src, sel, n, false) }

// appendFrom is AppendFrom; with share, c may come to refer to a fixed arena of src.
func (c *Column) appendFrom(src *Column, sel []uint16, n int, share bool) {
	at := c.Len()
	if sel != nil {
		n = len(sel)
	}
	c.Resize(at + n)
	switch c.Phys {
	case types.PhysBool:
		appendTyped(c.Bool[at:], src.Bool, sel, n)
	case types.PhysInt:
		appendTyped(c.Int[at:], src.Int, sel, n)
	case types.PhysFloat:
		appendTyped(c.Float[at:], src.Float, sel, n)
	case types.PhysDecimal:
		appendTyped(c.Dec[at:], src.Dec, sel, n)
	case types.PhysInterval:
		appendTyped(c.Interval[at:], src.Interval, sel, n)
	case types.PhysUUID:
		appendTyped(c.UUID[at:], src.UUID, sel, n)
	case types.PhysBytes:
		switch {
		case share && c.shares(at, src):
			appendTyped(c.Views[at:], src.Views, sel, n)
		case c.Fixed:
			c.own(at)
			fallthrough
		default:
			c.appendViews(c.Views[at:], src, sel, n)
		}
	}
	c.appendNulls(at, src, sel, n)
}

func appendTyped[T any](dst, src []T, sel []uint16, n int) {
	if sel == nil {
		copy(dst, src[:n])
		return
	}
	gather(dst, src, sel)
}

// Refer makes c the rows of src that sel lists, without copying strings: it is valid
// as long as src is, and nothing may be added to it. Reset ends that.
func (c *Column) Refer(src *Column, sel []uint16) {
	c.Reset()
	if c.Phys != types.PhysBytes {
		c.appendFrom(src, sel, len(sel), false)
		return
	}
	c.Resize(len(sel))
	gather(c.Views, src.Views, sel)
	c.appendNulls(0, src, sel, len(sel))
	c.kept, c.lent = c.Arena, true
	c.Arena, c.Fixed = src.Arena[:len(src.Arena):len(src.Arena)], src.Fixed
}

// shares reports whether c, whose first at rows are its own, can refer to src's
// strings: they lie in a fixed arena, and c has no other, or none yet.
func (c *Column) shares(at int, src *Column) bool {
	if at == 0 && src.Fixed {
		c.Arena, c.Fixed = src.Arena, true
	}
	return c.Fixed && src.Fixed && unsafe.SliceData(c.Arena) == unsafe.SliceData(src.Arena) && len(c.Arena) == len(src.Arena)
}

// own gives c an arena of its own, with copies of its first n strings.
func (c *Column) own(n int) {
	from := c.Arena
	c.Arena, c.Fixed = nil, false
	for i, v := range c.Views[:n] {
		c.Views[i] = View{uint32(len(c.Arena)), v.Len}
		c.Arena = append(c.Arena, from[v.Off:v.Off+v.Len]...)
	}
}

// LoadStrings returns how many bytes the strings of the rows that sel lists (all n
// when it is nil) have, and brings them into the processor's cache.
// hot: it waits for many of these loads at a time. While it copies, it cannot
// foresee how long the strings are that come next, and waits for each.
func (c *Column) LoadStrings(sel []uint16, n int) (size int) {
	arena, sum := c.Arena, byte(0)
	if sel == nil {
		for _, v := range c.Views[:n] {
			if v.Len > 0 {
				size += int(v.Len)
				sum |= arena[v.Off] | arena[v.Off+v.Len-1]
			}
		}
	} else {
		for _, i := range sel {
			if v := c.Views[i]; v.Len > 0 {
				size += int(v.Len)
				sum |= arena[v.Off] | arena[v.Off+v.Len-1]
			}
		}
	}
	Loaded(sum)
	return size
}

// Loaded takes what was loaded from memory only to have it in the cache: the
// compiler must not leave the loads out.
//
//go:noinline
func Loaded(byte) {}

// appendViews copies strings. Rows with one and the same place in src's arena
// one after the other (constants) are copied once, and not at all if the row that
// is the last so far has that string: so a constant keeps one place however many
// batches are put together.
func (c *Column) appendViews(dst []View, src *Column, sel []uint16, n int) {
	last, place := View{}, View{}
	if at := len(c.Views) - len(dst); at > 0 && n > 0 {
		i := 0
		if sel != nil {
			i = int(sel[0])
		}
		if v := src.Views[i]; v.Len > 0 && v.Len == c.Views[at-1].Len && c.Str(at-1) == src.Str(i) {
			last, place = v, c.Views[at-1]
		}
	}
	src.LoadStrings(sel, n)
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		v := src.Views[i]
		if v != last {
			off := uint32(len(c.Arena))
			c.Arena = append(c.Arena, src.Arena[v.Off:v.Off+v.Len]...)
			last, place = v, View{off, v.Len}
		}
		dst[k] = place
	}
}

func (c *Column) appendNulls(at int, src *Column, sel []uint16, n int) {
	if c.HasNulls {
		c.Nulls = c.Nulls.Grow(at + n)
		clearRange(c.Nulls, at, at+n)
	}
	if !src.HasNulls {
		return
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if src.Nulls.Get(i) {
			c.SetNull(at+k, at+n)
		}
	}
}

// clearRange clears bits lo to hi-1, which Resize may have left from earlier rows.
func clearRange(m Bitmap, lo, hi int) {
	for i := lo; i < hi; i++ {
		if i&63 == 0 && hi-i >= 64 {
			m[i>>6] = 0
			i += 63
			continue
		}
		m.Clear(i)
	}
}

// AppendRow adds row i of src at the end of c.
func (c *Column) AppendRow(src *Column, i int) {
	at := c.Len()
	c.Resize(at + 1)
	switch c.Phys {
	case types.PhysBool:
		c.Bool[at] = src.Bool[i]
	case types.PhysInt:
		c.Int[at] = src.Int[i]
	case types.PhysFloat:
		c.Float[at] = src.Float[i]
	case types.PhysDecimal:
		c.Dec[at] = src.Dec[i]
	case types.PhysBytes:
		c.Views[at] = c.AddStr(src.Str(i))
	case types.PhysInterval:
		c.Interval[at] = src.Interval[i]
	case types.PhysUUID:
		c.UUID[at] = src.UUID[i]
	}
	if src.IsNull(i) {
		c.SetNull(at, at+1)
	} else if c.HasNulls {
		c.Nulls = c.Nulls.Grow(at + 1)
		c.Nulls.Clear(at)
	}
}

// AppendBatch adds the live rows of src, with their ops, at the end of b, which
// has the same layout. b must not have a selection.
func (b *Batch) AppendBatch(src *Batch) {
	b.AppendSelected(src, src.Sel)
}

// AppendSelected adds the rows of src that sel lists, all when sel is nil, with
// their ops. b must not have a selection.
func (b *Batch) AppendSelected(src *Batch, sel []uint16) { b.appendSelected(src, sel, false) }

// AppendSharing is AppendSelected that does not copy strings out of arenas that are
// fixed, as long as one column does not come to more than one of them.
func (b *Batch) AppendSharing(src *Batch, sel []uint16) { b.appendSelected(src, sel, true) }

func (b *Batch) appendSelected(src *Batch, sel []uint16, share bool) {
	n := src.N
	if sel != nil {
		n = len(sel)
	}
	for i, c := range b.Cols {
		c.appendFrom(src.Cols[i], sel, n, share)
	}
	if src.Ops != nil || b.Ops != nil {
		if b.Ops == nil {
			b.Ops = resize(b.Ops, b.N)
			clear(b.Ops)
		}
		b.Ops = resize(b.Ops, b.N+n)
		switch {
		case src.Ops == nil:
			clear(b.Ops[b.N:])
		default:
			appendTyped(b.Ops[b.N:], src.Ops, sel, n)
		}
	}
	b.N += n
}
