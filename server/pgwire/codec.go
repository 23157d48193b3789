package pgwire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// Format codes of parameters and columns.
const (
	textFormat   = 0
	binaryFormat = 1
)

// formatOf applies the rule for format code lists: none is text, one is for all.
func formatOf(codes []int16, i int) int16 {
	switch {
	case len(codes) == 0:
		return textFormat
	case len(codes) == 1:
		return codes[0]
	case i < len(codes):
		return codes[i]
	}
	return textFormat
}

// putLength writes the length of the message whose length word is at index at
// and which ends with the buffer.
func putLength(b []byte, at int) { binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at)) }

// rowDescription describes columns.
func rowDescription(columns []session.Column, formats []int16) *pgproto3.RowDescription {
	m := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(columns))}
	for i, c := range columns {
		m.Fields[i] = pgproto3.FieldDescription{
			Name: []byte(c.Name), TableOID: c.Relation, TableAttributeNumber: uint16(c.Attribute),
			DataTypeOID: oidOf(c.Type), DataTypeSize: c.Type.Size(), TypeModifier: c.Type.Typmod(), Format: formatOf(formats, i),
		}
	}
	return m
}

// oidOf is the OID by which clients know a type. An untyped literal is text to
// them.
func oidOf(t types.Type) uint32 {
	if t.Kind == types.Unknown || t.Kind == types.Invalid {
		t = types.Of(types.Text)
	}
	return t.OID()
}

// typeByOID is the declared type of a parameter; the zero Type for 0 and
// unknown, which leave it open.
func typeByOID(oid uint32) (types.Type, bool) {
	if oid == 0 || oid == 705 {
		return types.Type{}, true
	}
	return types.TypeOfOID(oid)
}

// decodeParameter reads one parameter of Bind.
func decodeParameter(t types.Type, format int16, raw []byte, s *session.Session) (types.Value, error) {
	switch format {
	case textFormat:
		if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
			return types.Value{}, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
		}
		return types.ParseText(t, string(raw), s.ParseOptions())
	case binaryFormat:
		return types.ParseBinary(t, raw)
	}
	return types.Value{}, pgerr.New(pgerr.InvalidParameterValue, "unsupported format code: %d", format)
}

// rowEncoder writes DataRows straight from columns.
type rowEncoder struct {
	columns []columnEncoder
}

// columnEncoder knows how one column is written.
type columnEncoder struct {
	t      types.Type
	phys   types.Phys
	binary bool
	plain  bool // PhysBytes that travel as they are
	digits bool // PhysInt whose text is a number
	width  int  // of a PhysInt in binary, 0 when it is more than its bytes
	zone   *types.Zone
}

func (e *rowEncoder) prepare(columns []session.Column, formats []int16, s *session.Session) error {
	e.columns = e.columns[:0]
	for i, c := range columns {
		t := c.Type
		if t.Kind == types.Unknown {
			t = types.Of(types.Text)
		}
		w := columnEncoder{t: t, phys: t.Phys(), binary: formatOf(formats, i) == binaryFormat, zone: s.TimeZone()}
		switch t.Kind {
		case types.Text, types.Varchar, types.Char, types.Name:
			w.plain = true
		case types.Bytea:
			w.plain = w.binary
		case types.JSONB, types.Void:
			w.plain = !w.binary
		case types.Int16:
			w.digits, w.width = true, 2
		case types.Int32, types.OID:
			w.digits, w.width = true, 4
		case types.Int64:
			w.digits, w.width = true, 8
		}
		e.columns = append(e.columns, w)
	}
	return nil
}

// append adds DataRows for the live rows of b from live row k on, until the
// buffer is worth flushing, and returns the live row to go on with.
//
// hot: one pass over the row's columns, no allocation but the buffer's growth.
func (e *rowEncoder) append(dst []byte, b *batch.Batch, k int) ([]byte, int, error) {
	n := len(e.columns)
	for ; k < b.Live() && len(dst) < flushBytes; k++ {
		i := b.RowAt(k)
		start := len(dst)
		dst = append(dst, 'D', 0, 0, 0, 0, byte(n>>8), byte(n))
		for j := range e.columns {
			c := b.Cols[j]
			if c.IsNull(i) {
				dst = append(dst, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			dst = e.columns[j].append(dst, c, i)
		}
		putLength(dst, start+1)
	}
	return dst, k, nil
}

// append adds one value with its length before it.
func (w *columnEncoder) append(dst []byte, c *batch.Column, i int) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch {
	case w.plain:
		dst = append(dst, c.BytesAt(i)...)
	case w.digits && !w.binary:
		dst = types.AppendInt(dst, c.Int[i])
	case w.digits:
		switch v := c.Int[i]; w.width {
		case 2:
			dst = binary.BigEndian.AppendUint16(dst, uint16(v))
		case 4:
			dst = binary.BigEndian.AppendUint32(dst, uint32(v))
		default:
			dst = binary.BigEndian.AppendUint64(dst, uint64(v))
		}
	case w.binary:
		v := valueAt(c, i)
		dst = types.AppendBinary(dst, w.t, &v)
	default:
		switch w.phys {
		case types.PhysBool:
			dst = types.AppendBool(dst, c.Bool[i])
		case types.PhysInt:
			dst = types.AppendIntText(dst, w.t, c.Int[i], w.zone)
		case types.PhysFloat:
			bits := 64
			if w.t.Kind == types.Float32 {
				bits = 32
			}
			dst = types.AppendFloat(dst, c.Float[i], bits)
		case types.PhysDecimal:
			dst = c.Dec[i].AppendTo(dst)
		case types.PhysBytes:
			dst = types.AppendBytesText(dst, w.t, c.Str(i), w.zone)
		case types.PhysInterval:
			dst = c.Interval[i].AppendTo(dst)
		case types.PhysUUID:
			dst = types.AppendUUID(dst, c.UUID[i])
		}
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// valueAt is row i without copying its bytes: good as long as the batch is.
func valueAt(c *batch.Column, i int) types.Value {
	if c.Phys == types.PhysBytes {
		return types.Value{Bytes: c.Str(i)}
	}
	return c.Value(i)
}
