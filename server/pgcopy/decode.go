package pgcopy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// rowBytesMax bounds one row of input.
const rowBytesMax = 256 << 20

// Decoder reads copy data, cut anywhere, into batches: Feed it, take batches
// with Next until there is none, and at the end Finish and take the rest.
type Decoder struct {
	fields   []types.Field
	options  Options
	parse    *types.ParseOptions
	pending  []byte // not decoded yet, from pos on
	pos      int
	scan     int // where in pending the search for the row's end goes on
	quoted   bool
	end      string // of each line; "" before the first
	batch    *batch.Batch
	taken    bool
	line     int // where the row that is decoded begins; a row's number in binary
	lines    int // that are behind
	finished bool
	ended    bool // the end marker was seen: text and CSV ignore what follows
	trailing bool // something followed
	begun    bool // the header is behind
	notNull  []bool
	null     []bool
	values   []string // of the current line
	isNull   []bool
	scratch  []byte
}

// NewDecoder makes a decoder of rows with these columns.
func NewDecoder(fields []types.Field, o Options, parse *types.ParseOptions) *Decoder {
	d := &Decoder{fields: fields, options: o, parse: parse,
		notNull: make([]bool, len(fields)), null: make([]bool, len(fields))}
	layout := make([]types.Phys, len(fields))
	for i, f := range fields {
		layout[i] = f.Type.Phys()
		d.notNull[i] = slices.Contains(o.ForceNotNull, "*") || slices.Contains(o.ForceNotNull, f.Name)
		d.null[i] = slices.Contains(o.ForceNull, "*") || slices.Contains(o.ForceNull, f.Name)
	}
	d.batch = batch.New(layout, 0)
	return d
}

// Feed takes the next bytes; they are copied.
func (d *Decoder) Feed(data []byte) {
	if d.ended {
		d.trailing = d.trailing || len(data) > 0
		return
	}
	if d.pos > 0 {
		n := copy(d.pending, d.pending[d.pos:])
		d.pending = d.pending[:n]
		d.scan -= d.pos
		d.pos = 0
	}
	d.pending = append(d.pending, data...)
}

// Finish says that there is no more input.
func (d *Decoder) Finish() { d.finished = true }

// Next returns the next full batch, after Finish also the last one; nil when
// more input is needed or all is read. The batch is good until the next call.
func (d *Decoder) Next() (*batch.Batch, error) {
	if d.taken {
		d.batch.Reset()
		d.taken = false
	}
	for d.batch.N < batch.RowsDefault && !d.ended {
		more, err := d.row()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	if d.ended && d.trailing && d.options.Format == Binary {
		return nil, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "received copy data after EOF marker"))
	}
	if d.batch.N == batch.RowsDefault || (d.finished || d.ended) && d.batch.N > 0 {
		d.taken = true
		return d.batch, nil
	}
	return nil, nil
}

// row decodes one row; more is false when the input does not hold a whole one.
func (d *Decoder) row() (more bool, err error) {
	d.line = d.lines + 1
	if d.options.Format == Binary {
		return d.binaryRow()
	}
	line, ok, err := d.nextLine()
	if err != nil || !ok {
		return false, err
	}
	d.lines += 1 + bytes.Count(line, []byte{'\n'})
	if !utf8.Valid(line) {
		return false, d.fail(-1, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\""))
	}
	if string(line) == `\.` {
		d.ended = true
		return false, nil
	}
	if d.options.Format == CSV {
		err = d.splitCSV(line)
	} else {
		err = d.splitText(line)
	}
	if err != nil {
		return false, err
	}
	if !d.begun {
		d.begun = true
		if d.options.Header {
			return true, d.checkHeader()
		}
	}
	return true, d.add()
}

// nextLine cuts the next line off the input, without its end.
func (d *Decoder) nextLine() (line []byte, ok bool, err error) {
	for i := d.scan; i < len(d.pending); i++ {
		switch ch := d.pending[i]; {
		case d.options.Format == CSV && d.quoted && ch == d.options.Escape && ch != d.options.Quote:
			if i+1 == len(d.pending) && !d.finished {
				d.scan = i
				return nil, false, nil
			}
			i++
		case d.options.Format == CSV && ch == d.options.Quote:
			d.quoted = !d.quoted // a doubled quote toggles twice
		case d.options.Format == Text && ch == '\\':
			if i+1 == len(d.pending) && !d.finished {
				d.scan = i
				return nil, false, nil
			}
			i++
		case (ch == '\n' || ch == '\r') && !d.quoted:
			if ch == '\r' && i+1 == len(d.pending) && !d.finished {
				d.scan = i
				return nil, false, nil
			}
			line = d.pending[d.pos:i]
			end, err := d.lineEnd(d.pending[i:])
			d.pos, d.scan = i+end, i+end
			return line, true, err
		}
	}
	d.scan = len(d.pending)
	switch {
	case len(d.pending)-d.pos > rowBytesMax:
		return nil, false, d.fail(-1, pgerr.New(pgerr.ProgramLimitExceeded, "a line exceeds %d bytes", rowBytesMax))
	case !d.finished || d.pos == len(d.pending):
		return nil, false, nil
	case d.quoted:
		return nil, false, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "unterminated CSV quoted field"))
	}
	line = d.pending[d.pos:]
	d.pos = len(d.pending)
	return line, true, nil
}

// lineEnd is how long the end of a line is that data begins with. All lines end as the
// first one does.
func (d *Decoder) lineEnd(data []byte) (int, error) {
	end := string(data[:1])
	if bytes.HasPrefix(data, []byte("\r\n")) {
		end = "\r\n"
	}
	if d.end == "" {
		d.end = end
	}
	if end == d.end {
		return len(end), nil
	}
	sign, name := `\n`, "newline"
	if end[0] == '\r' && d.end != "\r" {
		sign, name = `\r`, "carriage return"
	}
	if d.options.Format == CSV {
		return 0, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "unquoted %s found in data", name).Hint("Use quoted CSV field to represent %s.", name))
	}
	return 0, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "literal %s found in data", name).Hint("Use \"%s\" to represent %s.", sign, name))
}

// fail tells where in the data an error is; field is -1 for a whole line.
func (d *Decoder) fail(field int, err error) error {
	e, place := *pgerr.From(err), fmt.Sprintf("line %d", d.line)
	if field >= 0 && field < len(d.fields) {
		place += ", column " + d.fields[field].Name + ","
	}
	if e.Detail != "" {
		e.Detail += " "
	}
	e.Detail += "The error is in " + place + " of the copied data."
	return &e
}

func (d *Decoder) checkHeader() error {
	if !d.options.Match {
		return nil
	}
	if len(d.values) != len(d.fields) {
		return d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "wrong number of fields in header line: got %d, expected %d", len(d.values), len(d.fields)))
	}
	for i, f := range d.fields {
		if d.isNull[i] || d.values[i] != f.Name {
			return d.fail(i, pgerr.New(pgerr.BadCopyFileFormat, "column name mismatch in header line field %d: got %q, expected %q", i+1, d.values[i], f.Name))
		}
	}
	return nil
}

// add appends the current line's values to the batch.
func (d *Decoder) add() error {
	if len(d.values) > len(d.fields) {
		return d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "extra data after last expected column"))
	}
	for i, f := range d.fields {
		if i == len(d.values) {
			return d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "missing data for column %q", f.Name))
		}
		v := types.NullValue
		if !d.isNull[i] {
			var err error
			if v, err = types.ParseText(f.Type, d.values[i], d.parse); err != nil {
				return d.fail(i, err)
			}
		}
		d.batch.Cols[i].AppendValue(v)
	}
	d.batch.N++
	return nil
}

// splitText splits a line of the text form into values.
func (d *Decoder) splitText(line []byte) error {
	d.values, d.isNull = d.values[:0], d.isNull[:0]
	if len(d.fields) == 0 && len(line) == 0 {
		return nil
	}
	from := 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && line[i] == '\\' {
			i++
			continue
		}
		if i < len(line) && line[i] != d.options.Delimiter {
			continue
		}
		raw := line[min(from, len(line)):min(i, len(line))]
		from = i + 1
		null := string(raw) == d.options.Null
		d.isNull = append(d.isNull, null)
		if null {
			d.values = append(d.values, "")
			continue
		}
		d.scratch = unescape(d.scratch[:0], raw)
		if bytes.IndexByte(d.scratch, 0) >= 0 || !utf8.Valid(d.scratch) {
			return d.fail(len(d.values), pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\""))
		}
		d.values = append(d.values, string(d.scratch))
	}
	if from <= len(line) { // the line ended in a backslash: its last field is still open
		d.scratch = unescape(d.scratch[:0], line[from:])
		d.values, d.isNull = append(d.values, string(d.scratch)), append(d.isNull, false)
	}
	return nil
}

// unescape resolves the text form's backslashes.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch ch := s[i]; {
		case ch == 'b':
			dst = append(dst, '\b')
		case ch == 'f':
			dst = append(dst, '\f')
		case ch == 'n':
			dst = append(dst, '\n')
		case ch == 'r':
			dst = append(dst, '\r')
		case ch == 't':
			dst = append(dst, '\t')
		case ch == 'v':
			dst = append(dst, '\v')
		case ch >= '0' && ch <= '7':
			v, n := digits(s[i:], 3, 8)
			dst = append(dst, v)
			i += n - 1
		case ch == 'x':
			v, n := digits(s[i+1:], 2, 16)
			if n == 0 {
				dst = append(dst, 'x')
			} else {
				dst = append(dst, v)
			}
			i += n
		default:
			dst = append(dst, ch)
		}
	}
	return dst
}

// digits reads at most max digits.
func digits(s []byte, max, base int) (value byte, n int) {
	v := 0
	for n < max && n < len(s) {
		d := bytes.IndexByte([]byte("0123456789abcdef"), s[n]|0x20)
		if s[n] >= '0' && s[n] <= '9' {
			d = int(s[n] - '0')
		}
		if d < 0 || d >= base {
			break
		}
		v = v*base + d
		n++
	}
	return byte(v), n
}

// splitCSV splits a line of CSV into values.
func (d *Decoder) splitCSV(line []byte) error {
	o := &d.options
	d.values, d.isNull = d.values[:0], d.isNull[:0]
	for i := 0; ; i++ { // i is at the beginning of a field
		d.scratch = d.scratch[:0]
		quoted, in := false, false
		for ; i < len(line); i++ {
			ch := line[i]
			if !in {
				if ch == o.Delimiter {
					break
				}
				if ch == o.Quote {
					quoted, in = true, true
					continue
				}
			} else if ch == o.Escape && i+1 < len(line) && (line[i+1] == o.Quote || line[i+1] == o.Escape) {
				i++
				d.scratch = append(d.scratch, line[i])
				continue
			} else if ch == o.Quote {
				in = false
				continue
			}
			d.scratch = append(d.scratch, ch)
		}
		if in {
			return d.fail(len(d.values), pgerr.New(pgerr.BadCopyFileFormat, "unterminated CSV quoted field"))
		}
		f := len(d.values)
		null := string(d.scratch) == o.Null && (!quoted || f < len(d.null) && d.null[f])
		if f < len(d.notNull) && d.notNull[f] && !quoted {
			null = false
		}
		d.values, d.isNull = append(d.values, string(d.scratch)), append(d.isNull, null)
		if i >= len(line) {
			return nil
		}
	}
}

// binaryRow decodes one tuple of the binary form.
func (d *Decoder) binaryRow() (more bool, err error) {
	if !d.begun {
		if ok, err := d.binaryHeader(); err != nil || !ok {
			return false, err
		}
	}
	in := d.pending[d.pos:]
	if len(in) < 2 {
		if d.finished && len(in) == 0 { // the trailer may be left out, and pgx does
			d.ended = true
			return false, nil
		}
		if d.finished {
			return false, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "unexpected end of the copied data"))
		}
		return false, nil
	}
	n := int(int16(binary.BigEndian.Uint16(in)))
	in = in[2:]
	if n == -1 {
		d.ended, d.trailing = true, len(in) > 0
		return false, nil
	}
	if n != len(d.fields) {
		return false, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "row field count is %d, expected %d", n, len(d.fields)))
	}
	raw := make([][]byte, n)
	for i := range raw {
		if len(in) < 4 {
			return false, d.needMore()
		}
		size := int(int32(binary.BigEndian.Uint32(in)))
		in = in[4:]
		if size == -1 {
			continue
		}
		if size < 0 || size > rowBytesMax {
			return false, d.fail(i, pgerr.New(pgerr.BadCopyFileFormat, "incorrect field size"))
		}
		if len(in) < size {
			return false, d.needMore()
		}
		raw[i], in = in[:size:size], in[size:]
	}
	d.lines++
	for i, f := range d.fields {
		v := types.NullValue
		if raw[i] != nil {
			if v, err = types.ParseBinary(f.Type, raw[i]); err != nil {
				return false, d.fail(i, err)
			}
		}
		d.batch.Cols[i].AppendValue(v)
	}
	d.batch.N++
	d.pos = len(d.pending) - len(in)
	return true, nil
}

func (d *Decoder) needMore() error {
	switch {
	case d.finished:
		return d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "unexpected end of the copied data"))
	case len(d.pending)-d.pos > rowBytesMax:
		return d.fail(-1, pgerr.New(pgerr.ProgramLimitExceeded, "a row exceeds %d bytes", rowBytesMax))
	}
	return nil
}

func (d *Decoder) binaryHeader() (ok bool, err error) {
	in := d.pending[d.pos:]
	fixed := len(binarySignature) + 8
	if len(in) < fixed {
		if d.finished {
			return false, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "COPY file signature not recognized"))
		}
		return false, nil
	}
	if string(in[:len(binarySignature)]) != binarySignature {
		return false, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "COPY file signature not recognized"))
	}
	flags := binary.BigEndian.Uint32(in[len(binarySignature):])
	extension := binary.BigEndian.Uint32(in[len(binarySignature)+4:])
	if flags&0xffff0000 != 0 || extension > 1<<20 {
		return false, d.fail(-1, pgerr.New(pgerr.BadCopyFileFormat, "unrecognized critical flags in COPY file header"))
	}
	if len(in) < fixed+int(extension) {
		return false, d.needMore()
	}
	d.pos += fixed + int(extension)
	d.begun = true
	return true, nil
}
