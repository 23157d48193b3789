package types

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// ParseOptions are what the text of some types depends on. The zero value, or
// nil, means UTC and no current time ('now' and 'today' are refused).
type ParseOptions struct {
	Zone *Zone        // the session's time zone
	Now  func() int64 // the current time, microseconds since 1970 UTC
}

func (o *ParseOptions) zone() *Zone {
	if o == nil || o.Zone == nil {
		return UTC
	}
	return o.Zone
}

// local gives the current time on the session's wall clock.
func (o *ParseOptions) local() func() int64 {
	if o == nil || o.Now == nil {
		return nil
	}
	return func() int64 { return o.zone().ToLocal(o.Now()) }
}

// AppendText appends a value that is not null as PostgreSQL's output function
// prints it. z is the session's time zone; nil is UTC.
func AppendText(dst []byte, t Type, v *Value, z *Zone) []byte {
	switch t.Phys() {
	case PhysBool:
		return AppendBool(dst, v.Bool)
	case PhysInt:
		return AppendIntText(dst, t, v.Int, z)
	case PhysFloat:
		return AppendFloat(dst, v.Float, t.floatBits())
	case PhysDecimal:
		return v.Dec.AppendTo(dst)
	case PhysInterval:
		return v.Interval.AppendTo(dst)
	case PhysUUID:
		return AppendUUID(dst, v.UUID)
	}
	return AppendBytesText(dst, t, v.Bytes, z)
}

func (t Type) floatBits() int {
	if t.Kind == Float32 {
		return 32
	}
	return 64
}

// AppendIntText appends the text of a PhysInt value of type t.
func AppendIntText(dst []byte, t Type, v int64, z *Zone) []byte {
	switch t.Kind {
	case Date:
		return AppendDate(dst, v)
	case Time:
		return AppendTime(dst, v)
	case Timestamp:
		return AppendTimestamp(dst, v)
	case TimestampTZ:
		if z == nil {
			z = UTC
		}
		return AppendTimestampTZ(dst, v, z)
	}
	return AppendInt(dst, v)
}

// AppendBytesText appends the text of a PhysBytes value of type t.
func AppendBytesText(dst []byte, t Type, s string, z *Zone) []byte {
	switch t.Kind {
	case Bytea:
		return AppendBytea(dst, s)
	case Array:
		if t.Vector {
			return appendVector(dst, *t.Elem, s)
		}
		return appendArray(dst, *t.Elem, s, z)
	case Row:
		return appendRow(dst, t.Fields, s, z)
	}
	return append(dst, s...)
}

// ParseText reads a value as PostgreSQL's input function does, and applies the
// type's modifiers as a cast would not: too long a varchar is refused (22001),
// except for trailing blanks.
func ParseText(t Type, s string, opt *ParseOptions) (v Value, err error) {
	switch t.Kind {
	case Bool:
		v.Bool, err = ParseBool(s)
	case Int16, Int32, Int64, OID:
		v.Int, err = ParseInt(s, t.Kind)
	case Float32, Float64:
		v.Float, err = ParseFloat(s, t.floatBits())
	case Numeric:
		if v.Dec, err = ParseDecimal(s); err == nil && t.HasPrecision {
			v.Dec, err = v.Dec.WithTypmod(t.Precision, t.Scale)
		}
	case Date:
		v.Int, err = ParseDate(s, opt.local())
	case Time:
		v.Int, err = ParseTime(s, opt.local())
	case Timestamp:
		v.Int, err = ParseTimestamp(s, opt.local())
	case TimestampTZ:
		v.Int, err = ParseTimestampTZ(s, opt.zone(), opt.local())
	case IntervalK:
		v.Interval, err = ParseInterval(s, t.intervalFields(), intervalPrecision(t))
	case UUID:
		v.UUID, err = ParseUUID(s)
	case JSONB:
		v.Bytes, err = CanonicalJSON(s)
	case JSONPathK:
		v.Bytes, err = CanonicalJSONPath(s)
	case Bytea:
		v.Bytes, err = ParseBytea(s)
	case Array:
		v.Bytes, err = parseArray(s, *t.Elem, opt)
	case Row:
		v.Bytes, err = parseRow(s, t.Fields, opt)
	case Varchar, Char:
		v.Bytes, err = FitString(t, s, false)
	case Name:
		v.Bytes = s
		for len(v.Bytes) > 63 {
			_, n := utf8.DecodeLastRuneInString(v.Bytes)
			v.Bytes = v.Bytes[:len(v.Bytes)-n]
		}
	case Text, Unknown:
		v.Bytes = s
	case Void:
	default:
		err = pgerr.New(pgerr.FeatureNotSupported, "input of type %s is not supported yet", t)
	}
	if t.HasPrecision && err == nil && (t.Kind == Time || t.Kind == Timestamp || t.Kind == TimestampTZ) {
		v.Int = RoundMicros(v.Int, t.Precision)
	}
	return v, err
}

func intervalPrecision(t Type) int32 {
	if t.HasPrecision {
		return t.Precision
	}
	return -1
}

// FitString applies varchar(n) and char(n): a longer string is cut when the cast
// is explicit, else refused unless only blanks are lost; char is padded.
func FitString(t Type, s string, explicit bool) (string, error) {
	if !t.HasPrecision {
		return s, nil
	}
	n := utf8.RuneCountInString(s)
	limit := int(t.Precision)
	if n > limit {
		cut := len(s)
		i := 0
		for pos := range s {
			if i == limit {
				cut = pos
				break
			}
			i++
		}
		if !explicit && strings.Trim(s[cut:], " ") != "" {
			return "", pgerr.New(pgerr.StringDataRightTruncation, "value too long for type %s", t)
		}
		return s[:cut], nil
	}
	if t.Kind == Char && n < limit {
		return s + strings.Repeat(" ", limit-n), nil
	}
	return s, nil
}
