package format

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// ParseText reads a value of type t by PostgreSQL's input rules, in UTC. The
// result may share text's memory.
func ParseText(t types.Type, text string) (types.Value, error) { return types.ParseText(t, text, nil) }

// AppendText appends row i of c, which is not null, as PostgreSQL prints a value
// of type t, in UTC.
func AppendText(dst []byte, t types.Type, c *batch.Column, i int) []byte {
	switch c.Phys {
	case types.PhysInt:
		return types.AppendIntText(dst, t, c.Int[i], nil)
	case types.PhysDecimal:
		return c.Dec[i].AppendTo(dst)
	case types.PhysBytes:
		text := c.BytesAt(i)
		return types.AppendBytesText(dst, t, unsafe.String(unsafe.SliceData(text), len(text)), nil)
	}
	v := c.Value(i)
	return types.AppendText(dst, t, &v, nil)
}
