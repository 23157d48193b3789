package csv

import (
	"bytes"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
)

// Encoder writes CSV. It implements format.Encoder.
type Encoder struct {
	options Options
	columns []format.Column
	ops     bool
	scratch []byte
}

// NewEncoder returns an encoder of rows with those columns. With ops, each row
// begins with a field op that says what the row does to the relation.
func NewEncoder(columns []format.Column, o Options, ops bool) *Encoder {
	return &Encoder{options: o.EnsureDefaults(), columns: columns, ops: ops}
}

// Header writes the line of names, if the dialect has one.
func (e *Encoder) Header(dst []byte) []byte {
	if !e.options.Header {
		return dst
	}
	if e.ops {
		dst = append(append(dst, "op"...), e.options.Delimiter)
	}
	for i, c := range e.columns {
		if i > 0 {
			dst = append(dst, e.options.Delimiter)
		}
		dst = e.field(dst, []byte(c.Name), len(e.columns) == 1)
	}
	return append(dst, '\n')
}

// Encode implements format.Encoder.
func (e *Encoder) Encode(dst []byte, b *batch.Batch) []byte {
	alone := len(e.columns) == 1 && !e.ops
	for k := range b.Live() {
		row := b.RowAt(k)
		if e.ops {
			dst = append(append(dst, b.Op(row).String()...), e.options.Delimiter)
		}
		for i, col := range e.columns {
			if i > 0 {
				dst = append(dst, e.options.Delimiter)
			}
			c := b.Cols[i]
			switch {
			case c.IsNull(row):
				dst = append(dst, e.options.Null...)
			case col.Type.IsString():
				dst = e.field(dst, c.BytesAt(row), alone)
			default:
				e.scratch = format.AppendText(e.scratch[:0], col.Type, c, row)
				dst = e.field(dst, e.scratch, alone)
			}
		}
		dst = append(dst, '\n')
	}
	return dst
}

// field writes text, in quotes where it could be read as something else: a
// delimiter, a quote, a line end, the null token, blanks at an end, or a lone
// field that would look like an empty line.
func (e *Encoder) field(dst, text []byte, alone bool) []byte {
	quote := string(text) == e.options.Null || alone && len(text) == 0
	if !quote {
		for _, c := range text {
			if c == '"' || c == '\n' || c == '\r' || c == e.options.Delimiter {
				quote = true
				break
			}
		}
	}
	if !quote {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, text[:i+1]...), '"')
		text = text[i+1:]
	}
	return append(append(dst, text...), '"')
}
