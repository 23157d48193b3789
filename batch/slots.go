package batch

import "github.com/millrace/millrace/types"

// Peek is Value without copying: a string in it is the column's memory, valid as
// long as the batch is.
func (c *Column) Peek(i int) types.Value {
	var v types.Value
	if c.IsNull(i) {
		return types.NullValue
	}
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
		v.Bytes = c.Str(i)
	case types.PhysInterval:
		v.Interval = c.Interval[i]
	case types.PhysUUID:
		v.UUID = c.UUID[i]
	}
	return v
}

// Set writes row i, which the column must hold already. Strings are copied into
// the arena.
func (c *Column) Set(i int, v types.Value) {
	if v.Null {
		c.SetNull(i, c.Len())
		c.SetZero(i)
		return
	}
	if c.HasNulls {
		c.Nulls = c.Nulls.Grow(i + 1)
		c.Nulls.Clear(i)
	}
	c.SetValue(i, v)
}

// SetZero writes the layout's zero into row i, as nulls have it.
func (c *Column) SetZero(i int) {
	switch c.Phys {
	case types.PhysBool:
		c.Bool[i] = false
	case types.PhysInt:
		c.Int[i] = 0
	case types.PhysFloat:
		c.Float[i] = 0
	case types.PhysDecimal:
		c.Dec[i] = types.Decimal{}
	case types.PhysBytes:
		c.Views[i] = View{}
	case types.PhysInterval:
		c.Interval[i] = types.Interval{}
	case types.PhysUUID:
		c.UUID[i] = [16]byte{}
	}
}

// Append adds a row at the end, null or not. Strings are copied into the arena.
func (c *Column) Append(v types.Value) {
	n := c.Len()
	c.Resize(n + 1)
	c.Set(n, v)
}

// AppendNull adds a null at the end.
func (c *Column) AppendNull() { c.Append(types.NullValue) }

// AppendText appends the text of row i, which is not null, to dst without
// allocating. t is the column's type, z the session's time zone.
func (c *Column) AppendText(dst []byte, i int, t types.Type, z *types.Zone) []byte {
	switch c.Phys {
	case types.PhysInt:
		return types.AppendIntText(dst, t, c.Int[i], z)
	case types.PhysBytes:
		return types.AppendBytesText(dst, t, c.Str(i), z)
	}
	v := c.Peek(i)
	return types.AppendText(dst, t, &v, z)
}

// AppendBinary appends row i, which is not null, in PostgreSQL's binary format.
func (c *Column) AppendBinary(dst []byte, i int, t types.Type) []byte {
	v := c.Peek(i)
	return types.AppendBinary(dst, t, &v)
}
