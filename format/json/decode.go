// Package json reads and writes JSON lines: one object per line. The decoder is
// directed by the schema: it looks at the wanted fields only, skips the others by
// syntax, and builds no tree. It does not read JSON that is spread over several
// lines or held in one array.
//
// A field is found by the column's exact name; of two fields with one name the
// last counts. A missing field is null, and so is null. Unknown fields are
// ignored. How a value becomes one of the column's type:
//
//	string   by PostgreSQL's text input of the type, so '2024-05-01T10:00:00Z',
//	         '12.50', 'true' and '{1,2}' are read as a cast from text would;
//	         a zone is heeded by timestamptz and ignored by timestamp
//	number   integers must be whole (3.0 is 3, 3.5 is an error) and in range;
//	         numeric is exact, to the last digit, then rounded to the scale;
//	         for timestamps milliseconds since 1970-01-01 UTC, fractions allowed;
//	         for date days since 1970-01-01; for text the number as written
//	true     boolean, or text
//	object   jsonb; a row type; for text the JSON as written
//	array    jsonb; an array type; for text the JSON as written
package json

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Decoder reads JSON lines. It implements format.Decoder.
type Decoder struct {
	fields []field // the wanted columns, in the batch's order
	byName map[string]int
	order  []int // which wanted column the n-th field of the last rows was, -1 for none
	seen   []uint64
	row    uint64 // number of the row being read, for seen
	starts []int
	rows   format.Rows
	scan   scanner
}

type field struct {
	name    string
	typ     types.Type
	notNull bool
	plain   bool // text without a length: bytes go straight to the arena
}

// NewDecoder returns a decoder that fills batches with columns[want[0]], ….
func NewDecoder(columns []format.Column, want []int) *Decoder {
	d := &Decoder{byName: map[string]int{}, seen: make([]uint64, len(want))}
	for i, w := range want {
		c := columns[w]
		plain := c.Type.Kind == types.Text || c.Type.Kind == types.Varchar && !c.Type.HasPrecision
		d.fields = append(d.fields, field{name: c.Name, typ: c.Type, notNull: c.NotNull, plain: plain})
		d.byName[c.Name] = i
	}
	return d
}

// Header passes over a byte-order mark.
func (d *Decoder) Header(data []byte, final bool) (int, bool, error) {
	const mark = "\xef\xbb\xbf"
	if len(data) < len(mark) && !final && bytes.HasPrefix([]byte(mark), data) {
		return 0, false, nil
	}
	if bytes.HasPrefix(data, []byte(mark)) {
		return len(mark), true, nil
	}
	return 0, true, nil
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
		end := bytes.IndexByte(data[pos:], '\n')
		next := pos + end + 1
		if end < 0 {
			if len(data)-pos > format.RowBytesMax {
				end, next = pos+format.RowBytesMax, pos+format.RowBytesMax
				return next, &format.BadRow{Start: pos, End: end, Err: errTooLong()}
			}
			if !final || pos == len(data) {
				break
			}
			end, next = len(data), len(data)
		} else {
			end += pos
		}
		if end-pos > format.RowBytesMax {
			return next, &format.BadRow{Start: pos, End: end, Err: errTooLong()}
		}
		d.scan.data, d.scan.pos = data[pos:end], 0
		if d.scan.space(); d.scan.pos == end-pos { // an empty line is no row
			pos = next
			continue
		}
		if err := d.object(out); err != nil {
			d.rows.Undo()
			return next, &format.BadRow{Start: pos, End: end, Err: err}
		}
		d.starts = append(d.starts, pos)
		out.N++
		pos = next
	}
	return pos, nil
}

func errTooLong() error {
	return pgerr.New(pgerr.ProgramLimitExceeded, "row is longer than %d bytes", format.RowBytesMax)
}

// object reads the line's object into row out.N.
func (d *Decoder) object(out *batch.Batch) error {
	s := &d.scan
	d.row++
	if err := s.expect('{'); err != nil {
		return syntaxError(err)
	}
	if s.peek() == '}' {
		s.pos++
	} else if err := d.members(out); err != nil {
		return err
	}
	if s.space(); s.pos != len(s.data) {
		return syntaxError(errSyntax)
	}
	for i, seen := range d.seen {
		if seen != d.row {
			if err := d.setNull(out, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Decoder) members(out *batch.Batch) error {
	s := &d.scan
	for nth := 0; ; nth++ {
		if s.peek() != '"' {
			return syntaxError(errSyntax)
		}
		name, err := s.str()
		if err != nil {
			return syntaxError(err)
		}
		i := d.lookup(nth, name)
		if err := s.expect(':'); err != nil {
			return syntaxError(err)
		}
		if i < 0 {
			if _, err := s.skip(0); err != nil {
				return syntaxError(err)
			}
		} else if err := d.value(out, i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		case 0:
			return syntaxError(errEnd)
		default:
			return syntaxError(errSyntax)
		}
	}
}

// lookup finds the wanted column of a field. Rows of one stream mostly have
// their fields in one order, so the column at this place last time is tried
// first.
func (d *Decoder) lookup(nth int, name []byte) int {
	if nth < len(d.order) {
		if i := d.order[nth]; i >= 0 && d.fields[i].name == string(name) {
			return i
		}
	}
	i, ok := d.byName[string(name)]
	if !ok {
		return -1
	}
	if nth < 256 {
		for len(d.order) <= nth {
			d.order = append(d.order, -1)
		}
		d.order[nth] = i
	}
	return i
}

func (d *Decoder) setNull(out *batch.Batch, i int) error {
	if d.fields[i].notNull {
		return pgerr.New(pgerr.NotNullViolation, "null value in column %q", d.fields[i].name)
	}
	c := out.Cols[i]
	c.SetZero(out.N)
	c.SetNull(out.N, out.N+1)
	return nil
}

// value reads the next value into column i of row out.N.
func (d *Decoder) value(out *batch.Batch, i int) error {
	s, c, row, f := &d.scan, out.Cols[i], out.N, &d.fields[i]
	twice := d.seen[i] == d.row
	d.seen[i] = d.row
	if twice && c.HasNulls && row>>6 < len(c.Nulls) {
		c.Nulls.Clear(row)
	}
	switch s.peek() {
	case '"':
		text, err := s.str()
		if err != nil {
			return f.wrap(err)
		}
		if f.plain {
			c.Views[row] = batch.View{Off: uint32(len(c.Arena)), Len: uint32(len(text))}
			c.Arena = append(c.Arena, text...)
			return nil
		}
		if f.typ.Kind == types.Timestamp || f.typ.Kind == types.TimestampTZ {
			if us, ok := format.ScanTimestamp(text); ok {
				c.Int[row] = format.RoundMicros(us, f.typ)
				return nil
			}
		}
		if f.typ.Kind == types.JSONB {
			return d.store(c, row, f, textOf(AppendString(nil, text)))
		}
		return d.store(c, row, f, textOf(text))
	case 'n':
		if err := s.literal("null"); err != nil {
			return f.wrap(err)
		}
		return d.setNull(out, i)
	case 't', 'f':
		return d.boolean(c, row, f)
	case '{', '[':
		return d.nested(c, row, f)
	case 0:
		return f.wrap(errEnd)
	}
	text, whole, err := s.number()
	if err != nil {
		return f.wrap(err)
	}
	return d.number(c, row, f, text, whole)
}

func (d *Decoder) boolean(c *batch.Column, row int, f *field) error {
	word, value := "true", true
	if d.scan.data[d.scan.pos] == 'f' {
		word, value = "false", false
	}
	if err := d.scan.literal(word); err != nil {
		return f.wrap(err)
	}
	switch {
	case f.typ.Kind == types.Bool:
		c.Bool[row] = value
		return nil
	case f.typ.IsString() || f.typ.Kind == types.JSONB:
		return d.store(c, row, f, word)
	}
	return f.wrong("boolean")
}

func (d *Decoder) number(c *batch.Column, row int, f *field, text []byte, whole bool) error {
	switch f.typ.Kind {
	case types.Int16, types.Int32, types.Int64, types.OID:
		if whole && len(text) <= 18 {
			n := smallInt(text)
			if f.typ.Kind == types.Int64 || f.inRange(n) {
				c.Int[row] = n
				return nil
			}
		}
		return d.integer(c, row, f, text)
	case types.Float32, types.Float64, types.Numeric, types.JSONB:
		return d.store(c, row, f, textOf(text))
	case types.Timestamp, types.TimestampTZ:
		us, ok := scaled(text, 1000)
		if !ok {
			return f.outOfRange(text)
		}
		c.Int[row] = format.RoundMicros(us, f.typ)
		return nil
	case types.Date:
		days, ok := scaled(text, 1)
		if !ok || !whole || days < -2_440_588 || days > 2_145_031_948 {
			return f.outOfRange(text)
		}
		c.Int[row] = days
		return nil
	}
	if f.typ.IsString() {
		return d.store(c, row, f, textOf(text))
	}
	return f.wrong("number")
}

// smallInt reads a whole number of at most 18 characters.
func smallInt(text []byte) int64 {
	neg := text[0] == '-'
	if neg {
		text = text[1:]
	}
	var n int64
	for _, c := range text {
		n = n*10 + int64(c-'0')
	}
	if neg {
		return -n
	}
	return n
}

func (f *field) inRange(n int64) bool {
	switch f.typ.Kind {
	case types.Int16:
		return n == int64(int16(n))
	case types.Int32:
		return n == int64(int32(n))
	case types.OID:
		return n == int64(uint32(n))
	}
	return true
}

// integer reads a number that is long or written with a fraction or exponent.
func (d *Decoder) integer(c *batch.Column, row int, f *field, text []byte) error {
	n, ok := scaled(text, 1)
	if !ok || !f.inRange(n) {
		return f.outOfRange(text)
	}
	if dec, err := types.ParseDecimal(textOf(text)); err != nil || dec.Cmp(types.DecimalFromInt(n)) != 0 {
		return f.wrap(fmt.Errorf("%s is not a whole number", text))
	}
	c.Int[row] = n
	return nil
}

// scaled returns the number times factor, rounded; ok is false beyond 64 bits.
func scaled(text []byte, factor int64) (int64, bool) {
	if len(text) > 400 {
		return 0, false
	}
	if approx, err := strconv.ParseFloat(textOf(text), 64); err != nil || math.Abs(approx) > math.MaxInt64 {
		return 0, false // also keeps 1e999999999 away from exact arithmetic
	}
	dec, err := types.ParseDecimal(textOf(text))
	if err != nil {
		return 0, false
	}
	if dec, err = dec.Mul(types.DecimalFromInt(factor)); err != nil {
		return 0, false
	}
	n, err := dec.Int64("bigint")
	return n, err == nil
}

// nested reads an object or an array.
func (d *Decoder) nested(c *batch.Column, row int, f *field) error {
	if f.typ.Kind == types.Array || f.typ.Kind == types.Row {
		text, err := d.composite(nil, f.typ, 0)
		if err != nil {
			return f.wrap(err)
		}
		return d.store(c, row, f, textOf(text))
	}
	text, err := d.scan.skip(0)
	if err != nil {
		return f.wrap(err)
	}
	if f.typ.Kind == types.JSONB || f.typ.IsString() {
		return d.store(c, row, f, textOf(text))
	}
	return f.wrong("nested value")
}

// store reads text by the type's input rules.
func (d *Decoder) store(c *batch.Column, row int, f *field, text string) error {
	v, err := format.ParseText(f.typ, text)
	if err != nil {
		return f.wrap(err)
	}
	c.SetValue(row, v)
	return nil
}

func (f *field) wrap(err error) error {
	code := pgerr.From(err).Code
	if code == pgerr.InternalError { // of the scanner
		code = codeOf(err, pgerr.InvalidTextRepresentation)
	}
	return pgerr.New(code, "column %q: %s", f.name, err.Error()).Wrap(err)
}

func (f *field) wrong(what string) error {
	return pgerr.New(pgerr.InvalidTextRepresentation, "column %q: a JSON %s is no %s", f.name, what, f.typ)
}

func (f *field) outOfRange(text []byte) error {
	return pgerr.New(pgerr.NumericValueOutOfRange, "column %q: value %.60q is out of range for type %s", f.name, text, f.typ)
}

func syntaxError(err error) error {
	return pgerr.New(codeOf(err, pgerr.InvalidJSONText), "%s", err.Error()).Wrap(err)
}

// codeOf is the SQLSTATE of a fault of the scanner.
func codeOf(err error, otherwise pgerr.Code) pgerr.Code {
	switch {
	case errors.Is(err, errUTF8):
		return pgerr.CharacterNotInRepertoire
	case errors.Is(err, errNUL):
		return pgerr.UntranslatableCharacter
	}
	return otherwise
}
