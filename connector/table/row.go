package table

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// rowCodec lays one row of a table out in bytes: first a null bit per column,
// padded to eight bytes, then a slot per column, then the bytes that slots of
// variable length refer to. Slots lie at fixed offsets, so a reader picks its
// columns without looking at the others. The layout is durable:
// docs/formats/table-log.md.
type rowCodec struct {
	types []types.Type
	phys  []types.Phys
	slot  []int
	fixed int // bytes before the variable part
}

func newRowCodec(columns []types.Type) *rowCodec {
	c := &rowCodec{types: columns, fixed: (len(columns) + 63) / 64 * 8}
	for _, t := range columns {
		p := t.Phys()
		c.phys = append(c.phys, p)
		c.slot = append(c.slot, c.fixed)
		c.fixed += p.RowWidth()
	}
	return c
}

// rowBytesMax bounds a row, since offsets within it are 32 bits wide.
const rowBytesMax = 1 << 30

// encode appends row i of b.
func (c *rowCodec) encode(dst []byte, b *batch.Batch, i int) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, c.fixed)...)
	for k, p := range c.phys {
		col := b.Cols[k]
		if col.IsNull(i) {
			dst[start+k>>3] |= 1 << (k & 7)
			continue
		}
		at := start + c.slot[k]
		switch p {
		case types.PhysBool:
			if col.Bool[i] {
				dst[at] = 1
			}
		case types.PhysInt:
			binary.LittleEndian.PutUint64(dst[at:], uint64(col.Int[i]))
		case types.PhysFloat:
			binary.LittleEndian.PutUint64(dst[at:], math.Float64bits(col.Float[i]))
		case types.PhysDecimal:
			d := col.Dec[i]
			binary.LittleEndian.PutUint64(dst[at:], d.Lo)
			binary.LittleEndian.PutUint64(dst[at+8:], uint64(d.Hi))
			binary.LittleEndian.PutUint32(dst[at+16:], uint32(d.Scale))
			binary.LittleEndian.PutUint32(dst[at+20:], uint32(d.Special))
		case types.PhysBytes:
			text := col.BytesAt(i)
			binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-start))
			binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(text)))
			dst = append(dst, text...)
		case types.PhysInterval:
			v := col.Interval[i]
			binary.LittleEndian.PutUint64(dst[at:], uint64(v.Micros))
			binary.LittleEndian.PutUint32(dst[at+8:], uint32(v.Days))
			binary.LittleEndian.PutUint32(dst[at+12:], uint32(v.Months))
		case types.PhysUUID:
			copy(dst[at:], col.UUID[i][:])
		}
	}
	return dst
}

// check tells whether data is a row of this layout; after it, reading cannot go
// out of bounds.
func (c *rowCodec) check(data []byte) error {
	if len(data) < c.fixed || len(data) > rowBytesMax {
		return fmt.Errorf("row of %d bytes, want at least %d", len(data), c.fixed)
	}
	for k, p := range c.phys {
		if p != types.PhysBytes || c.isNull(data, k) {
			continue
		}
		off := binary.LittleEndian.Uint32(data[c.slot[k]:])
		n := binary.LittleEndian.Uint32(data[c.slot[k]+4:])
		if uint64(off)+uint64(n) > uint64(len(data)) || n > 0 && int(off) < c.fixed {
			return fmt.Errorf("column %d refers to bytes %d to %d of %d", k, off, uint64(off)+uint64(n), len(data))
		}
	}
	return nil
}

func (c *rowCodec) isNull(data []byte, k int) bool { return data[k>>3]>>(k&7)&1 != 0 }

func (c *rowCodec) bytes(data []byte, k int) []byte {
	off := binary.LittleEndian.Uint32(data[c.slot[k]:])
	n := binary.LittleEndian.Uint32(data[c.slot[k]+4:])
	return data[off : off+n]
}

func (c *rowCodec) decimal(data []byte, k int) types.Decimal {
	at := data[c.slot[k]:]
	return types.Decimal{Lo: binary.LittleEndian.Uint64(at), Hi: int64(binary.LittleEndian.Uint64(at[8:])),
		Scale: int32(binary.LittleEndian.Uint32(at[16:])), Special: int32(binary.LittleEndian.Uint32(at[20:]))}
}

func (c *rowCodec) interval(data []byte, k int) types.Interval {
	at := data[c.slot[k]:]
	return types.Interval{Micros: int64(binary.LittleEndian.Uint64(at)), Days: int32(binary.LittleEndian.Uint32(at[8:])),
		Months: int32(binary.LittleEndian.Uint32(at[12:]))}
}

// decode writes column k of a row to row i of col, which must have it.
func (c *rowCodec) decode(data []byte, k int, col *batch.Column, i int) {
	if c.isNull(data, k) {
		col.SetValue(i, types.Value{})
		col.SetNull(i, i+1)
		return
	}
	at := c.slot[k]
	switch c.phys[k] {
	case types.PhysBool:
		col.Bool[i] = data[at] != 0
	case types.PhysInt:
		col.Int[i] = int64(binary.LittleEndian.Uint64(data[at:]))
	case types.PhysFloat:
		col.Float[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[at:]))
	case types.PhysDecimal:
		col.Dec[i] = c.decimal(data, k)
	case types.PhysBytes:
		text := c.bytes(data, k)
		col.Views[i] = batch.View{Off: uint32(len(col.Arena)), Len: uint32(len(text))}
		col.Arena = append(col.Arena, text...)
	case types.PhysInterval:
		col.Interval[i] = c.interval(data, k)
	case types.PhysUUID:
		copy(col.UUID[i][:], data[at:])
	}
}

// appendKey appends columns keys of a row so that two rows have equal bytes just
// if the columns are equal by SQL (two nulls count as equal here).
func (c *rowCodec) appendKey(dst, data []byte, keys []int) []byte {
	for _, k := range keys {
		if c.isNull(data, k) {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		at := c.slot[k]
		switch c.phys[k] {
		case types.PhysFloat:
			f := math.Float64frombits(binary.LittleEndian.Uint64(data[at:]))
			switch {
			case f == 0:
				f = 0 // and not minus zero
			case f != f:
				f = math.NaN()
			}
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		case types.PhysDecimal:
			d := c.decimal(data, k).Normalize()
			dst = binary.LittleEndian.AppendUint64(dst, d.Lo)
			dst = binary.LittleEndian.AppendUint64(dst, uint64(d.Hi))
			dst = append(dst, byte(d.Scale), byte(d.Special))
		case types.PhysBytes:
			text := c.bytes(data, k)
			if c.types[k].Kind == types.Char || c.types[k].Loose() {
				text = types.AppendEqualForm(nil, c.types[k], string(text))
			}
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(text)))
			dst = append(dst, text...)
		case types.PhysInterval:
			const day = 86_400_000_000
			v := c.interval(data, k)
			days, rest := int64(v.Days)+30*int64(v.Months)+v.Micros/day, v.Micros%day
			if rest < 0 {
				days, rest = days-1, rest+day
			}
			dst = binary.LittleEndian.AppendUint64(dst, uint64(days))
			dst = binary.LittleEndian.AppendUint64(dst, uint64(rest))
		default:
			dst = append(dst, data[at:at+c.phys[k].RowWidth()]...)
		}
	}
	return dst
}
