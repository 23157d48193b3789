package json

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/types"
)

// Encoder writes one object per line. It implements format.Encoder. Numbers are
// written exactly, jsonb and arrays nested, timestamps as ISO 8601 with a T as
// PostgreSQL's to_jsonb does, everything else as the text of its type in a
// string. NaN and the infinities, for which JSON has no number, become strings.
// Nulls are written.
type Encoder struct {
	columns []format.Column
	heads   [][]byte // `{"a":` and then `,"b":` …
	ops     bool
	scratch []byte
}

// NewEncoder returns an encoder of rows with those columns. With ops, each
// object begins with a field op that says what the row does to the relation.
func NewEncoder(columns []format.Column, ops bool) *Encoder {
	e := &Encoder{columns: columns, ops: ops}
	for i, c := range columns {
		head := []byte{','}
		if i == 0 && !ops {
			head[0] = '{'
		}
		e.heads = append(e.heads, append(AppendString(head, []byte(c.Name)), ':'))
	}
	return e
}

// Header writes nothing.
func (e *Encoder) Header(dst []byte) []byte { return dst }

// Encode implements format.Encoder.
func (e *Encoder) Encode(dst []byte, b *batch.Batch) []byte {
	for k := range b.Live() {
		row := b.RowAt(k)
		switch {
		case e.ops:
			dst = append(append(append(dst, `{"op":"`...), b.Op(row).String()...), '"')
		case len(e.columns) == 0:
			dst = append(dst, '{')
		}
		for i, col := range e.columns {
			dst = append(dst, e.heads[i]...)
			dst = e.value(dst, col.Type, b.Cols[i], row)
		}
		dst = append(dst, '}', '\n')
	}
	return dst
}

func (e *Encoder) value(dst []byte, t types.Type, c *batch.Column, row int) []byte {
	if c.IsNull(row) {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case types.Bool:
		return strconv.AppendBool(dst, c.Bool[row])
	case types.Int16, types.Int32, types.Int64, types.OID:
		return strconv.AppendInt(dst, c.Int[row], 10)
	case types.Float32, types.Float64:
		if f := c.Float[row]; !math.IsNaN(f) && !math.IsInf(f, 0) {
			return format.AppendText(dst, t, c, row)
		}
	case types.Numeric:
		if c.Dec[row].Special == types.DecimalFinite {
			return format.AppendText(dst, t, c, row)
		}
	case types.JSONB:
		return append(dst, c.BytesAt(row)...)
	case types.Text, types.Varchar, types.Char, types.Name, types.Unknown:
		return AppendString(dst, c.BytesAt(row))
	case types.Timestamp, types.TimestampTZ:
		e.scratch = format.AppendText(e.scratch[:0], t, c, row)
		if len(e.scratch) > 10 && e.scratch[10] == ' ' && e.scratch[4] == '-' {
			e.scratch[10] = 'T'
		}
		return AppendString(dst, e.scratch)
	case types.Array, types.Row:
		return e.composite(dst, t, textOf(c.BytesAt(row)))
	}
	e.scratch = format.AppendText(e.scratch[:0], t, c, row)
	return AppendString(dst, e.scratch)
}

// composite writes an array or a row value from its encoding, and null for one
// that is damaged.
func (e *Encoder) composite(dst []byte, t types.Type, encoded string) []byte {
	if t.Kind == types.Array {
		a, err := types.DecodeArray(*t.Elem, encoded)
		switch {
		case err != nil:
			return append(dst, "null"...)
		case len(a.Dims) == 0:
			return append(dst, "[]"...)
		}
		dst, _ = e.dimension(dst, *t.Elem, a.Dims, a.Elems)
		return dst
	}
	values, err := types.DecodeRow(t.Fields, encoded)
	if err != nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, f := range t.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, []byte(f.Name)), ':')
		dst = e.one(dst, f.Type, values[i])
	}
	return append(dst, '}')
}

// dimension writes the first of dims and returns the elements left.
func (e *Encoder) dimension(dst []byte, elem types.Type, dims []types.Dimension, elems []types.Value) ([]byte, []types.Value) {
	dst = append(dst, '[')
	for i := range dims[0].Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if len(dims) > 1 {
			dst, elems = e.dimension(dst, elem, dims[1:], elems)
			continue
		}
		dst, elems = e.one(dst, elem, elems[0]), elems[1:]
	}
	return append(dst, ']'), elems
}

func (e *Encoder) one(dst []byte, t types.Type, v types.Value) []byte {
	c := batch.NewColumn(t.Phys(), 0)
	c.AppendValue(v)
	return (&Encoder{}).value(dst, t, c, 0)
}

// AppendString writes s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so that the line is JSON whatever comes in.
func AppendString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
