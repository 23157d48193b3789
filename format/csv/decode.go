// Package csv reads and writes comma-separated values by RFC 4180, with the
// conventions of PostgreSQL's COPY … CSV: a field without quotes that equals the
// null token (nothing, unless said otherwise) is null, a quoted one never is;
// quotes are doubled; a quoted field may hold commas and line ends. Values are
// read and written in PostgreSQL's text form of their types. It guesses neither
// delimiter nor types.
//
// With a header, the first line of each stream names the fields: columns are
// found by name, missing ones are null and unknown ones ignored. Without one,
// fields are the columns in order and every row must have them all.
package csv

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Options are the dialect.
type Options struct {
	Header    bool
	Delimiter byte   // default comma
	Null      string // default: nothing
}

// EnsureDefaults fills in what was left zero.
func (o Options) EnsureDefaults() Options {
	if o.Delimiter == 0 {
		o.Delimiter = ','
	}
	return o
}

// Decoder reads CSV. It implements format.Decoder.
type Decoder struct {
	options Options
	columns []format.Column
	want    []int
	target  []int // field of a row → column of the batch, -1 to ignore
	fields  []cell
	scratch []byte
	starts  []int
	rows    format.Rows
	missing []int // wanted columns without a field
}

// cell is one field of the row at hand.
type cell struct {
	text   []byte
	quoted bool
}

// NewDecoder returns a decoder that fills batches with columns[want[0]], ….
func NewDecoder(columns []format.Column, want []int, o Options) *Decoder {
	d := &Decoder{options: o.EnsureDefaults(), columns: columns, want: want}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	d.mapFields(names)
	return d
}

// mapFields says which column each field of a row goes to.
func (d *Decoder) mapFields(names []string) {
	d.target = make([]int, len(names))
	found := make([]bool, len(d.want))
	for i, name := range names {
		d.target[i] = -1
		for k, w := range d.want {
			if d.columns[w].Name == name {
				d.target[i], found[k] = k, true
			}
		}
	}
	d.missing = d.missing[:0]
	for k, ok := range found {
		if !ok {
			d.missing = append(d.missing, k)
		}
	}
}

// Header reads the line of names, if the dialect has one.
func (d *Decoder) Header(data []byte, final bool) (int, bool, error) {
	const mark = "\xef\xbb\xbf"
	skip := 0
	switch {
	case bytes.HasPrefix(data, []byte(mark)):
		skip = len(mark)
	case len(data) < len(mark) && !final && bytes.HasPrefix([]byte(mark), data):
		return 0, false, nil
	}
	if !d.options.Header {
		return skip, true, nil
	}
	if len(data) == skip {
		return skip, final, nil // an empty stream has no names to miss
	}
	n, ok, err := d.row(data[skip:], final)
	if err != nil {
		return 0, false, pgerr.New(pgerr.BadCopyFileFormat, "CSV header: %s", err.Error()).Wrap(err)
	}
	if !ok {
		if len(data)-skip > format.RowBytesMax {
			return 0, false, pgerr.New(pgerr.ProgramLimitExceeded, "CSV header is longer than %d bytes", format.RowBytesMax)
		}
		return 0, final, nil
	}
	names := make([]string, len(d.fields))
	for i, f := range d.fields {
		names[i] = strings.TrimSpace(string(f.text))
		for _, earlier := range names[:i] {
			if earlier == names[i] {
				return 0, false, pgerr.New(pgerr.BadCopyFileFormat, "CSV header names field %q twice", names[i])
			}
		}
	}
	if err := d.checkNames(names); err != nil {
		return 0, false, err
	}
	d.mapFields(names)
	return skip + n, true, nil
}

// checkNames refuses a header that cannot be one of this relation's files: all columns of
// all rows would be null, and nobody would be told.
func (d *Decoder) checkNames(names []string) error {
	known, readable := len(d.columns) == 0, true
	for _, name := range names {
		if strings.ContainsRune(name, '\r') {
			return pgerr.New(pgerr.BadCopyFileFormat, "CSV header has a carriage return in it: lines end with a line feed")
		}
		known = known || slices.ContainsFunc(d.columns, func(c format.Column) bool { return c.Name == name })
		readable = readable && utf8.ValidString(name) && !strings.ContainsRune(name, 0)
	}
	switch {
	case known:
		return nil
	case !readable:
		return pgerr.New(pgerr.CharacterNotInRepertoire, "CSV header is not in UTF-8")
	}
	var columns []string
	for _, c := range d.columns {
		columns = append(columns, c.Name)
	}
	return pgerr.New(pgerr.BadCopyFileFormat, "CSV header names none of the columns %s", strings.Join(columns, ", "))
}

// Starts implements format.Decoder.
func (d *Decoder) Starts() []int { return d.starts }

// Decode implements format.Decoder.
func (d *Decoder) Decode(data []byte, final bool, out *batch.Batch, max int) (int, *format.BadRow) {
	d.rows.Begin(out, max)
	defer d.rows.End()
	d.starts = d.starts[:0]
	pos := 0
	for !d.rows.Full() {
		for len(d.target) > 1 && (pos < len(data) && data[pos] == '\n' || pos+1 < len(data) && data[pos] == '\r' && data[pos+1] == '\n') {
			pos++ // an empty line is no row, unless a row is one field
		}
		if pos == len(data) {
			break
		}
		n, ok, err := d.row(data[pos:], final)
		if err == nil && !ok {
			if len(data)-pos <= format.RowBytesMax && !final {
				break
			}
			// A quote that never closes: give up its line, not the stream.
			n, err = lineLength(data[pos:]), errUnclosed()
		} else if err == nil && n > format.RowBytesMax {
			n, err = lineLength(data[pos:]), errUnclosed()
		}
		if err == nil {
			err = d.store(out)
		}
		if err != nil {
			d.rows.Undo()
			return pos + n, &format.BadRow{Start: pos, End: pos + len(bytes.TrimRight(data[pos:pos+n], "\r\n")), Err: err}
		}
		d.starts = append(d.starts, pos)
		out.N++
		pos += n
	}
	return pos, nil
}

func lineLength(data []byte) int {
	limit := min(len(data), format.RowBytesMax)
	if end := bytes.IndexByte(data[:limit], '\n'); end >= 0 {
		return end + 1
	}
	return limit
}

func errUnclosed() error {
	return pgerr.New(pgerr.BadCopyFileFormat, "CSV quoted field is not closed, or the row is longer than %d bytes", format.RowBytesMax)
}

// row splits the first row of data into d.fields and returns its length with
// the line end. ok is false when the row does not end within data. On an error
// the length is that of the line.
func (d *Decoder) row(data []byte, final bool) (n int, ok bool, err error) {
	d.fields, d.scratch = d.fields[:0], d.scratch[:0]
	delimiter, pos := d.options.Delimiter, 0
	for {
		if pos < len(data) && data[pos] == '"' {
			text, next, closed := d.quoted(data, pos+1)
			if !closed || next == len(data) && !final {
				return 0, false, nil
			}
			d.fields = append(d.fields, cell{text, true})
			pos = next
			if pos+1 < len(data) && data[pos] == '\r' && data[pos+1] == '\n' || pos+1 == len(data) && data[pos] == '\r' && final {
				pos++
			} else if pos+1 == len(data) && data[pos] == '\r' {
				return 0, false, nil
			}
			if pos >= len(data) {
				return len(data), true, nil
			}
			switch data[pos] {
			case delimiter:
				pos++
				continue
			case '\n':
				return pos + 1, true, nil
			}
			rest := lineLength(data[pos:])
			if data[pos+rest-1] != '\n' && !final && len(data) <= format.RowBytesMax {
				return 0, false, nil
			}
			return pos + rest, false, pgerr.New(pgerr.BadCopyFileFormat, "text after the closing quote of a CSV field")
		}
		end := pos
		for end < len(data) && data[end] != delimiter && data[end] != '\n' {
			end++
		}
		if end == len(data) && !final {
			return 0, false, nil
		}
		if end < len(data) && data[end] == delimiter {
			d.fields = append(d.fields, cell{data[pos:end], false})
			pos = end + 1
			continue
		}
		text := data[pos:end]
		if len(text) > 0 && text[len(text)-1] == '\r' {
			text = text[:len(text)-1]
		}
		d.fields = append(d.fields, cell{text, false})
		return min(end+1, len(data)), true, nil
	}
}

// quoted reads from behind an opening quote to behind the closing one.
func (d *Decoder) quoted(data []byte, pos int) (text []byte, next int, closed bool) {
	start, from := pos, len(d.scratch)
	for {
		end := bytes.IndexByte(data[pos:], '"')
		if end < 0 || pos+end-start > format.RowBytesMax {
			return nil, 0, false
		}
		end += pos
		if end+1 < len(data) && data[end+1] == '"' {
			d.scratch = append(d.scratch, data[pos:end+1]...)
			pos = end + 2
			continue
		}
		if from == len(d.scratch) && pos == start {
			return data[start:end], end + 1, true
		}
		d.scratch = append(d.scratch, data[pos:end]...)
		return d.scratch[from:], end + 1, true
	}
}

// store writes d.fields into row out.N.
func (d *Decoder) store(out *batch.Batch) error {
	if len(d.fields) != len(d.target) {
		what := "missing data: the row has %d fields, not %d"
		if len(d.fields) > len(d.target) {
			what = "extra data: the row has %d fields, not %d"
		}
		return pgerr.New(pgerr.BadCopyFileFormat, what, len(d.fields), len(d.target))
	}
	for i, f := range d.fields {
		k := d.target[i]
		if k < 0 {
			continue
		}
		if !f.quoted && string(f.text) == d.options.Null {
			if err := d.setNull(out, k); err != nil {
				return err
			}
			continue
		}
		if err := d.value(out.Cols[k], out.N, &d.columns[d.want[k]], f.text); err != nil {
			return err
		}
	}
	for _, k := range d.missing {
		if err := d.setNull(out, k); err != nil {
			return err
		}
	}
	return nil
}

func (d *Decoder) setNull(out *batch.Batch, k int) error {
	if c := d.columns[d.want[k]]; c.NotNull {
		return pgerr.New(pgerr.NotNullViolation, "null value in column %q", c.Name)
	}
	out.Cols[k].SetZero(out.N)
	out.Cols[k].SetNull(out.N, out.N+1)
	return nil
}

// value reads one field. Plain integers, texts and timestamps go the short way.
func (d *Decoder) value(c *batch.Column, row int, col *format.Column, text []byte) error {
	switch col.Type.Kind {
	case types.Text, types.Varchar:
		if !utf8.Valid(text) {
			return wrap(col, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\""))
		}
		if col.Type.Kind == types.Text || !col.Type.HasPrecision {
			if bytes.IndexByte(text, 0) >= 0 {
				return wrap(col, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00"))
			}
			c.Views[row] = batch.View{Off: uint32(len(c.Arena)), Len: uint32(len(text))}
			c.Arena = append(c.Arena, text...)
			return nil
		}
	case types.Int64:
		if n, ok := digits(text); ok {
			c.Int[row] = n
			return nil
		}
	case types.Timestamp, types.TimestampTZ:
		if us, ok := format.ScanTimestamp(text); ok {
			c.Int[row] = format.RoundMicros(us, col.Type)
			return nil
		}
	}
	v, err := format.ParseText(col.Type, unsafe.String(unsafe.SliceData(text), len(text)))
	if err != nil {
		return wrap(col, err)
	}
	c.SetValue(row, v)
	return nil
}

// digits reads a plain whole number of at most 18 digits.
func digits(text []byte) (int64, bool) {
	t := text
	if len(t) > 0 && t[0] == '-' {
		t = t[1:]
	}
	if len(t) == 0 || len(t) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range t {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(t) < len(text) {
		n = -n
	}
	return n, true
}

func wrap(col *format.Column, err error) error {
	return pgerr.New(pgerr.From(err).Code, "column %q: %s", col.Name, err.Error()).Wrap(err)
}
