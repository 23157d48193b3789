package operator

import (
	"cmp"
	"encoding/binary"
	"math"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// challengers drops the rows that one like them, which it let through before, is ahead
// of. It keeps the best of lately seen rows in a table that fits in a second-level
// cache and is no state: what it does not know gets through. So do rows behind the
// watermark, which the join after it has to count as late, and rows with a null. Where
// state has a lifetime a row counts by when it came, too, and all get through. While
// next to nothing is dropped it does not look. Changelog modes: inserts in and out.
type challengers struct {
	spec  *graph.Challengers
	idle  bool // all rows get through, for ever
	mark  exec.Watermark
	alike []wordColumn
	order []wordColumn
	width int // of an entry and of a row, in words

	entries []uint64 // of each: the hash of what is alike, that itself, the order's values
	words   []uint64 // the batch's rows, as entries
	loose   []bool   // by row: it gets through and is not remembered
	rows    []uint16 // of the batch
	sel     []uint16
	out     batch.Batch

	seen, dropped int // rows since it last looked whether it is worth it
	rest          int // rows that get through before it looks again
}

// wordColumn is a column whose values are words of an entry.
type wordColumn struct {
	column int
	phys   types.Phys
	at     int // the first word
}

const (
	challengerEntries = 1 << 12
	challengerBits    = 12
	// stringWords is how many words a string takes: its length, and its bytes, if there
	// are no more.
	stringWords = 5
	// Of so many rows a part must be dropped, or so many more get through unseen.
	challengersTried = 1 << 14
	challengersPart  = 8
	challengersRest  = 1 << 18
)

func newChallengers(op *graph.Operator, env *Env) exec.Operator {
	c := &challengers{spec: op.Challengers, idle: env.Expires, mark: exec.WatermarkMin, width: 1, sel: []uint16{}}
	add := func(column int) wordColumn {
		w := wordColumn{column: column, phys: env.Inputs[0][column].Type.Phys(), at: c.width}
		c.width += wordsOf(w.phys)
		return w
	}
	for _, column := range c.spec.Alike {
		c.alike = append(c.alike, add(column))
	}
	for _, k := range c.spec.Order {
		c.order = append(c.order, add(k.Column))
	}
	return c
}

func wordsOf(p types.Phys) int {
	switch p {
	case types.PhysDecimal:
		return 3
	case types.PhysUUID, types.PhysInterval:
		return 2
	case types.PhysBytes:
		return stringWords
	}
	return 1
}

// OnBatch implements exec.Operator.
func (c *challengers) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if n := in.Live(); c.idle || c.rest > 0 {
		c.rest -= min(c.rest, n)
		return out.Emit(in)
	}
	if c.entries == nil {
		c.entries = make([]uint64, challengerEntries*c.width)
	}
	c.read(in)
	c.judge()
	c.seen, c.dropped = c.seen+len(c.rows), c.dropped+len(c.rows)-len(c.sel)
	if c.seen >= challengersTried {
		if c.dropped < c.seen/challengersPart {
			c.rest = challengersRest
		}
		c.seen, c.dropped = 0, 0
	}
	switch len(c.sel) {
	case 0:
		return nil
	case len(c.rows):
		return out.Emit(in)
	}
	c.out = batch.Batch{N: in.N, Sel: c.sel, Ops: in.Ops, Cols: in.Cols, Derived: in.Derived}
	return out.Emit(&c.out)
}

// read makes words of the batch's rows.
func (c *challengers) read(in *batch.Batch) {
	c.rows = c.rows[:0]
	for k := range in.Live() {
		c.rows = append(c.rows, uint16(in.RowAt(k)))
	}
	c.words, c.loose = roomFor(c.words, in.N*c.width), roomFor(c.loose, in.N)
	clear(c.loose)
	for _, list := range [][]wordColumn{c.alike, c.order} {
		for _, w := range list {
			c.readColumn(w, in.Cols[w.column])
		}
	}
	if e := c.spec.Late; e != nil && e.Column >= 0 {
		for _, i := range c.rows {
			if saturatingAdd(in.Cols[e.Column].Int[i], e.Shift) < c.mark {
				c.loose[i] = true
			}
		}
	}
}

// readColumn makes words of a column.
// hot: integers, which most are, take a loop of their own.
func (c *challengers) readColumn(w wordColumn, col *batch.Column) {
	words, width := c.words[w.at:], c.width
	if w.phys == types.PhysInt {
		for _, i := range c.rows {
			words[int(i)*width] = uint64(col.Int[i])
		}
	} else {
		for _, i := range c.rows {
			if !setWords(words[int(i)*width:], col, int(i)) {
				c.loose[i] = true
			}
		}
	}
	if col.HasNulls {
		for _, i := range c.rows {
			if col.IsNull(int(i)) {
				c.loose[i] = true
			}
		}
	}
}

// setWords makes words of row i of a column. It reports false for a string that is too
// long.
func setWords(p []uint64, c *batch.Column, i int) bool {
	switch c.Phys {
	case types.PhysBool:
		p[0] = 0
		if c.Bool[i] {
			p[0] = 1
		}
	case types.PhysFloat:
		p[0] = math.Float64bits(c.Float[i])
	case types.PhysDecimal:
		d := c.Dec[i]
		p[0], p[1], p[2] = uint64(d.Hi), d.Lo, uint64(uint32(d.Scale))|uint64(uint32(d.Special))<<32
	case types.PhysUUID:
		p[0], p[1] = binary.LittleEndian.Uint64(c.UUID[i][:8]), binary.LittleEndian.Uint64(c.UUID[i][8:])
	case types.PhysInterval:
		v := c.Interval[i]
		p[0], p[1] = uint64(v.Micros), uint64(uint32(v.Days))|uint64(uint32(v.Months))<<32
	case types.PhysBytes:
		if c.IsNull(i) {
			return true
		}
		s := c.BytesAt(i)
		if len(s) > 8*(stringWords-1) {
			return false
		}
		var b [8 * (stringWords - 1)]byte
		copy(b[:], s)
		p[0] = uint64(len(s))
		for k := range stringWords - 1 {
			p[1+k] = binary.LittleEndian.Uint64(b[8*k:])
		}
	}
	return true
}

// judge selects the rows that get through.
func (c *challengers) judge() {
	c.sel = c.sel[:0]
	order := c.width
	if len(c.order) > 0 {
		order = c.order[0].at
	}
	for _, i := range c.rows {
		if c.loose[i] {
			c.sel = append(c.sel, i)
			continue
		}
		row := c.words[int(i)*c.width:][:c.width]
		h := uint64(0)
		for _, w := range row[1:order] {
			h = (h ^ w) * 0x9e3779b97f4a7c15
			h ^= h >> 29
		}
		row[0] = h | 1 // no entry that is empty
		best := c.entries[int(h>>(64-challengerBits))*c.width:][:c.width]
		alike := true
		for k, w := range row[:order] {
			if best[k] != w {
				alike = false
				break
			}
		}
		if !alike {
			copy(best, row)
			c.sel = append(c.sel, i)
		} else if c.gains(row, best) {
			c.sel = append(c.sel, i)
		}
	}
}

// gains reports whether a row gets through beside the best like it, and makes what is
// better of it a part of that.
func (c *challengers) gains(row, best []uint64) bool {
	gained := false
	for k, w := range c.order {
		by := compareWords(w.phys, row[w.at:], best[w.at:])
		if c.spec.Order[k].Desc {
			by = -by
		}
		end := w.at + wordsOf(w.phys)
		switch {
		case c.spec.Each:
			if by < 0 {
				copy(best[w.at:end], row[w.at:end])
			}
			// Values may be equal and not the same; which one counts is not for here.
			gained = gained || by < 0 || by == 0 && !sameWords(row[w.at:end], best[w.at:end])
		case by < 0:
			copy(best[w.at:], row[w.at:])
			return true
		case by > 0:
			return false
		}
	}
	return gained || !c.spec.Each
}

func sameWords(a, b []uint64) bool {
	for k := range a {
		if a[k] != b[k] {
			return false
		}
	}
	return true
}

// compareWords compares two values as compareValues does.
func compareWords(p types.Phys, a, b []uint64) int {
	switch p {
	case types.PhysInt:
		return cmp.Compare(int64(a[0]), int64(b[0]))
	case types.PhysFloat:
		return types.CompareFloat(math.Float64frombits(a[0]), math.Float64frombits(b[0]))
	}
	return decimalOf(a).Cmp(decimalOf(b))
}

func decimalOf(p []uint64) types.Decimal {
	return types.Decimal{Hi: int64(p[0]), Lo: p[1], Scale: int32(uint32(p[2])), Special: int32(uint32(p[2] >> 32))}
}

// OnWatermark implements exec.Operator.
func (c *challengers) OnWatermark(w exec.Watermark, _ exec.Output) error {
	c.mark = w
	return nil
}

// OnEnd implements exec.Operator.
func (c *challengers) OnEnd(exec.Output) error { return nil }
