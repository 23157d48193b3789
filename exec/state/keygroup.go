package state

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// KeyGroups is how many groups keys are spread over, for every job for ever.
const KeyGroups = 1024

// GroupRange is the key groups [Lo, Hi) that a task owns.
type GroupRange struct {
	Lo int `json:"lo"`
	Hi int `json:"hi"`
}

// AllGroups is the range of a single task.
var AllGroups = GroupRange{0, KeyGroups}

// Has reports whether the range holds group g.
func (r GroupRange) Has(g int) bool { return g >= r.Lo && g < r.Hi }

// KeyGroup is the key group of a hash made by HashColumns.
func KeyGroup(hash uint64) int { return int(hash % KeyGroups) }

// The constants of the key hash. The hash decides which task owns a key and is
// part of every savepoint: it is described in docs/formats/key-groups.md, frozen
// by a golden test, and never changes.
const (
	hashA    = 0xa0761d6478bd642f
	hashB    = 0xe7037ed1a0b428db
	hashC    = 0x8ebc6af09c88c6e3
	hashD    = 0x589965cc75374cc3
	hashNull = 0x9ae16a3b2f90404f
	hashNone = 0 // of no columns at all: the group of task 0
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func hashInt(v uint64) uint64        { return mix(v^hashA, hashB) }
func hashTwo(a, b uint64) uint64     { return mix(mix(a^hashA, hashB)^hashC, b^hashD) }
func combineHash(h, c uint64) uint64 { return mix(h^hashC, c^hashD) }

// hashFloat treats -0 as 0, and all NaNs as one.
func hashFloat(f float64) uint64 { return hashInt(floatBits(f)) }

func floatBits(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return 0x7ff8000000000001
	}
	return math.Float64bits(f)
}

// hashDecimal is the same for numbers that are equal, whatever their scale.
func hashDecimal(d types.Decimal) uint64 {
	if d.Special != types.DecimalFinite {
		return hashTwo(uint64(d.Special), hashNull)
	}
	hi, lo, scale := uint64(d.Hi), d.Lo, d.Scale
	neg := d.Hi < 0
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	if hi|lo == 0 {
		return hashTwo(0, 0)
	}
	for scale > 0 {
		q, r := bits.Div64(0, hi, 10)
		p, r := bits.Div64(r, lo, 10)
		if r != 0 {
			break
		}
		hi, lo, scale = q, p, scale-1
	}
	sign := uint64(0)
	if neg {
		sign = 1 << 32
	}
	return combineHash(hashTwo(lo, hi), uint64(uint32(scale))|sign)
}

// hashInterval goes by PostgreSQL's equality: a month is 30 days of 24 hours.
func hashInterval(v types.Interval) uint64 {
	hi, lo := intervalSpan(v)
	return hashTwo(lo, hi)
}

// intervalSpan is an interval's length in microseconds, 128 bits.
func intervalSpan(v types.Interval) (hi, lo uint64) {
	days := int64(v.Months)*30 + int64(v.Days)
	const dayMicros = 86_400_000_000
	abs := uint64(days)
	if days < 0 {
		abs = -abs
	}
	hi, lo = bits.Mul64(abs, dayMicros)
	if days < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var carry uint64
	lo, carry = bits.Add64(lo, uint64(v.Micros), 0)
	hi += uint64(v.Micros>>63) + carry
	return hi, lo
}

func hashUUID(u *[16]byte) uint64 {
	return hashTwo(binary.LittleEndian.Uint64(u[:8]), binary.LittleEndian.Uint64(u[8:]))
}

// hashBytes reads strings eight bytes at a time; the last words of a longer one
// overlap.
func hashBytes(p []byte) uint64 {
	n := len(p)
	h := uint64(hashC)
	var a, b uint64
	switch {
	case n > 16:
		for len(p) > 16 {
			h = mix(binary.LittleEndian.Uint64(p)^hashB, binary.LittleEndian.Uint64(p[8:])^h)
			p = p[16:]
		}
		// The last 16 bytes of the string, which may overlap what was read.
		p = unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(p)), len(p)-16)), 16)
		a, b = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[n-4:]))
	case n > 0:
		a = uint64(p[0])<<16 | uint64(p[n>>1])<<8 | uint64(p[n-1])
	}
	return mix(hashA^uint64(n), mix(a^hashB, b^h)^hashD)
}

// HashColumns hashes the key that columns cols of in make up, into out by
// physical row: the live rows of in when it has a selection, else the first N.
// Equal keys hash alike; a null equals a null; loose is that of cols. It is the hash
// that key groups come from, so it decides which task a row goes to.
func HashColumns(in *batch.Batch, cols []int, loose Loose, out []uint64) {
	var few [8]*batch.Column
	keys := few[:0]
	for _, c := range cols {
		keys = append(keys, in.Cols[c])
	}
	hashKeys(keys, loose, in.N, in.Sel, out)
}

// HashKeys is HashColumns over columns of no batch, for the first n rows or those that
// sel lists.
func HashKeys(keys []*batch.Column, loose Loose, n int, sel []uint16, out []uint64) {
	hashKeys(keys, loose, n, sel, out)
}

// hashKeys is HashColumns over columns of no batch.
func hashKeys(keys []*batch.Column, loose Loose, n int, sel []uint16, out []uint64) {
	if len(keys) == 0 {
		for i := range out[:n] {
			out[i] = hashNone
		}
		return
	}
	if sel == nil {
		sel = identity(n)
	}
	for k, c := range keys {
		hashColumn(c, loose.of(k), sel, out, k == 0)
	}
}

// put stores a column's hash for a row: alone if it is the first one.
func put(out []uint64, i uint16, h uint64, first bool) {
	if first {
		out[i] = h
	} else {
		out[i] = combineHash(out[i], h)
	}
}

// hot: integers without nulls have loops of their own.
func hashColumn(c *batch.Column, loose *types.Type, sel []uint16, out []uint64, first bool) {
	if c.HasNulls {
		for _, i := range sel {
			h := uint64(hashNull)
			if !c.Nulls.Get(int(i)) {
				h = hashAt(c, loose, int(i))
			}
			put(out, i, h, first)
		}
		return
	}
	switch c.Phys {
	case types.PhysInt:
		if first {
			for _, i := range sel {
				out[i] = hashInt(uint64(c.Int[i]))
			}
			return
		}
		for _, i := range sel {
			out[i] = combineHash(out[i], hashInt(uint64(c.Int[i])))
		}
	case types.PhysBytes:
		last, h := batch.View{}, hashBytes(nil)
		for _, i := range sel { // constants are hashed once
			if v := c.Views[i]; v != last {
				last = v
				if loose == nil {
					h = hashBytes(c.BytesAt(int(i)))
				} else {
					h = hashLoose(loose, c.BytesAt(int(i)))
				}
			}
			if first {
				out[i] = h
			} else {
				out[i] = combineHash(out[i], h)
			}
		}
	default:
		for _, i := range sel {
			put(out, i, hashAt(c, loose, int(i)), first)
		}
	}
}

// hashAt hashes a value that is not null.
func hashAt(c *batch.Column, loose *types.Type, i int) uint64 {
	switch c.Phys {
	case types.PhysBool:
		if c.Bool[i] {
			return hashInt(1)
		}
		return hashInt(0)
	case types.PhysInt:
		return hashInt(uint64(c.Int[i]))
	case types.PhysFloat:
		return hashFloat(c.Float[i])
	case types.PhysDecimal:
		return hashDecimal(c.Dec[i])
	case types.PhysBytes:
		if loose != nil {
			return hashLoose(loose, c.BytesAt(i))
		}
		return hashBytes(c.BytesAt(i))
	case types.PhysInterval:
		return hashInterval(c.Interval[i])
	case types.PhysUUID:
		return hashUUID(&c.UUID[i])
	}
	return hashNull
}

// identities is the selection of all rows of the largest batch.
var identities = func() (s [batch.RowsMax]uint16) {
	for i := range s {
		s[i] = uint16(i)
	}
	return s
}()

// identity is the selection of the first n rows. It must not be written.
func identity(n int) []uint16 { return identities[:n] }

// Identity is the selection of the first n rows. It must not be written.
func Identity(n int) []uint16 { return identities[:n] }
