package pgcopy

import (
	"encoding/binary"
	"slices"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// binarySignature begins binary copy data; flags and the header's extension
// follow, both zero.
const binarySignature = "PGCOPY\n\xff\r\n\x00"

// Encoder writes rows as copy data.
type Encoder struct {
	fields  []types.Field
	options Options
	zone    *types.Zone
	quoted  []bool // ForceQuote
	scratch []byte
	signed  bool // the signature of binary data has been written
}

// NewEncoder makes an encoder of rows with these columns. zone is the session's.
func NewEncoder(fields []types.Field, o Options, zone *types.Zone) *Encoder {
	e := &Encoder{fields: fields, options: o, zone: zone, quoted: make([]bool, len(fields))}
	for i, f := range fields {
		e.quoted[i] = slices.Contains(o.ForceQuote, "*") || slices.Contains(o.ForceQuote, f.Name)
		if f.Type.Kind == types.Unknown {
			e.fields[i].Type = types.Of(types.Text)
		}
	}
	return e
}

// Begin appends what comes before the rows.
func (e *Encoder) Begin(dst []byte) []byte {
	if e.options.Format == Binary || !e.options.Header {
		return dst
	}
	for i, f := range e.fields {
		if i > 0 {
			dst = append(dst, e.options.Delimiter)
		}
		if e.options.Format == CSV {
			dst = e.csv(dst, []byte(f.Name), false, len(e.fields) == 1)
		} else {
			dst = e.text(dst, []byte(f.Name))
		}
	}
	return append(dst, '\n')
}

// End appends what comes after the rows.
func (e *Encoder) End(dst []byte) []byte {
	if e.options.Format == Binary {
		return append(e.sign(dst), 0xff, 0xff)
	}
	return dst
}

// sign begins binary data. PostgreSQL sends the signature in one message with the first
// row, and clients that read a row from each message rely on it.
func (e *Encoder) sign(dst []byte) []byte {
	if e.signed {
		return dst
	}
	e.signed = true
	dst = append(dst, binarySignature...)
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
}

// Row appends physical row i of b.
func (e *Encoder) Row(dst []byte, b *batch.Batch, i int) []byte {
	if e.options.Format == Binary {
		dst = binary.BigEndian.AppendUint16(e.sign(dst), uint16(len(e.fields)))
	}
	for j, f := range e.fields {
		c := b.Cols[j]
		null := c.IsNull(i)
		if e.options.Format == Binary {
			dst = e.binary(dst, f.Type, c, i, null)
			continue
		}
		if j > 0 {
			dst = append(dst, e.options.Delimiter)
		}
		if null {
			dst = append(dst, e.options.Null...)
			continue
		}
		v := value(c, i)
		e.scratch = types.AppendText(e.scratch[:0], f.Type, &v, e.zone)
		if e.options.Format == CSV {
			dst = e.csv(dst, e.scratch, e.quoted[j], len(e.fields) == 1)
		} else {
			dst = e.text(dst, e.scratch)
		}
	}
	if e.options.Format != Binary {
		dst = append(dst, '\n')
	}
	return dst
}

func value(c *batch.Column, i int) types.Value {
	if c.Phys == types.PhysBytes {
		return types.Value{Bytes: c.Str(i)}
	}
	return c.Value(i)
}

func (e *Encoder) binary(dst []byte, t types.Type, c *batch.Column, i int, null bool) []byte {
	if null {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	at := len(dst)
	v := value(c, i)
	dst = types.AppendBinary(append(dst, 0, 0, 0, 0), t, &v)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// text appends a value with backslash escapes.
func (e *Encoder) text(dst, s []byte) []byte {
	for _, ch := range s {
		switch ch {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\v':
			dst = append(dst, '\\', 'v')
		case '\\', e.options.Delimiter:
			dst = append(dst, '\\', ch)
		default:
			dst = append(dst, ch)
		}
	}
	return dst
}

// csv appends a value, in quotes where it needs them. only is set when it is
// its line's only one: a lone \. would end the data.
func (e *Encoder) csv(dst, s []byte, quote, only bool) []byte {
	o := &e.options
	if string(s) == o.Null || only && string(s) == `\.` {
		quote = true
	}
	for _, ch := range s {
		if ch == o.Delimiter || ch == o.Quote || ch == '\n' || ch == '\r' {
			quote = true
		}
	}
	if !quote {
		return append(dst, s...)
	}
	dst = append(dst, o.Quote)
	for _, ch := range s {
		if ch == o.Quote || ch == o.Escape {
			dst = append(dst, o.Escape)
		}
		dst = append(dst, ch)
	}
	return append(dst, o.Quote)
}
