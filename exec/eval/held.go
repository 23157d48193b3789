package eval

import "github.com/millrace/millrace/types"

// A document or array is many times as large when it is taken apart as it is as one
// value. Large ones ask before whether there is room, and count while they are there:
// the query or job that has none is stopped, before it takes all memory at once.

// heldMin is how long a value is that is counted until the call of its row is over.
const heldMin = 256 << 10

// Hold counts n bytes, if they are many, until give is called. An error tells that there
// is no room.
func (c *Context) Hold(n int64) (give func(), err error) { return c.Memory.Hold(n) }

// parseText reads a value, and counts what it takes meanwhile if the text is long.
func (c *Context) parseText(t types.Type, text string, opt *types.ParseOptions) (types.Value, error) {
	if len(text) < heldMin {
		return types.ParseText(t, text, opt)
	}
	give, err := c.Hold(treeBytes(t, text))
	if err != nil {
		return types.NullValue, err
	}
	defer give()
	return types.ParseText(t, text, opt)
}

// treeBytes is about what a value takes that is read as a type from its text.
func treeBytes(t types.Type, text string) int64 {
	switch {
	case t.Kind == types.JSONB:
		return types.JSONTreeBytes(text)
	case t.Kind == types.Array || t.Kind == types.Row:
		return types.ArrayTreeBytes(text)
	}
	return int64(len(text))
}

// hold counts n bytes until the call of the row is over.
func (x *row) hold(n int64) error {
	m := x.f.ctx.Memory
	if err := m.Room(n); err != nil {
		return err
	}
	m.Add(n)
	x.held += n
	return nil
}

// document is JSON text, read.
func (x *row) document(s string) (*types.JSON, error) {
	if len(s) >= heldMin {
		if err := x.hold(types.JSONTreeBytes(s)); err != nil {
			return nil, err
		}
	}
	return types.ParseJSON(s)
}

// list is an encoded array, decoded.
func (x *row) list(elem types.Type, s string) (types.ArrayValue, error) {
	if len(s) >= heldMin {
		if err := x.hold(types.ListBytes(s)); err != nil {
			return types.ArrayValue{}, err
		}
	}
	return types.DecodeArray(elem, s)
}
