package batch

import "github.com/millrace/millrace/types"

// AppendValue adds one row. It is for the edges, where rows come one by one;
// operators write into the slices.
func (c *Column) AppendValue(v types.Value) {
	i := c.Len()
	c.Resize(i + 1)
	c.SetValue(i, v)
	if v.Null {
		c.SetNull(i, i+1)
	}
}

// SetValue writes the value into row i, which must exist; the null bit is the
// caller's.
func (c *Column) SetValue(i int, v types.Value) {
	switch c.Phys {
	case types.PhysBool:
		c.Bool[i] = v.Bool
	case types.PhysInt:
		c.Int[i] = v.Int
	case types.PhysFloat:
		c.Float[i] = v.Float
	case types.PhysDecimal:
		c.Dec[i] = v.Dec
	case types.PhysBytes:
		c.Views[i] = c.AddStr(v.Bytes)
	case types.PhysInterval:
		c.Interval[i] = v.Interval
	case types.PhysUUID:
		c.UUID[i] = v.UUID
	}
}

// Value returns row i, copied out of the arena.
func (c *Column) Value(i int) types.Value {
	if c.IsNull(i) {
		return types.NullValue
	}
	var v types.Value
	switch c.Phys {
	case types.PhysBool:
		v.Bool = c.Bool[i]
	case types.PhysInt:
		v.Int = c.Int[i]
	case types.PhysFloat:
		v.Float = c.Float[i]
	case types.PhysDecimal:
		v.Dec = c.Dec[i]
	case types.PhysBytes:
		v.Bytes = string(c.BytesAt(i))
	case types.PhysInterval:
		v.Interval = c.Interval[i]
	case types.PhysUUID:
		v.UUID = c.UUID[i]
	}
	return v
}

// FromValues makes a batch of rows given one by one, with one column for each
// type.
func FromValues(columns []types.Type, rows [][]types.Value) *Batch {
	layout := make([]types.Phys, len(columns))
	for i, t := range columns {
		layout[i] = t.Phys()
	}
	b := New(layout, 0)
	for _, row := range rows {
		for i, c := range b.Cols {
			c.AppendValue(row[i])
		}
	}
	b.N = len(rows)
	return b
}
