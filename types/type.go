// Package types is the SQL type system: types, their PostgreSQL OIDs, values,
// text and binary forms, decimal and interval arithmetic. It does no I/O and
// knows no expression.
package types

import "fmt"

// Kind is a SQL type without its modifiers. Its numbers are stored in plans and
// segments: append only.
type Kind uint8

// The kinds.
const (
	Invalid     Kind = 0
	Unknown     Kind = 1 // an untyped literal or NULL
	Bool        Kind = 2
	Int16       Kind = 3
	Int32       Kind = 4
	Int64       Kind = 5
	Float32     Kind = 6
	Float64     Kind = 7
	Numeric     Kind = 8
	Text        Kind = 9
	Varchar     Kind = 10
	Char        Kind = 11 // bpchar
	Bytea       Kind = 12
	Date        Kind = 13 // days since 1970-01-01
	Time        Kind = 14 // microseconds since midnight
	Timestamp   Kind = 15 // microseconds since 1970-01-01, no zone
	TimestampTZ Kind = 16 // microseconds since 1970-01-01 UTC
	IntervalK   Kind = 17
	UUID        Kind = 18
	JSONB       Kind = 19
	Array       Kind = 20
	Row         Kind = 21
	Name        Kind = 22 // pg_catalog's name
	OID         Kind = 23
	Void        Kind = 24
	JSONPathK   Kind = 25 // its text is canonical
)

// Phys is how a kind lies in a batch column and in a state row.
type Phys uint8

// The physical layouts and their width in a state row, in bytes.
const (
	PhysNone     Phys = iota
	PhysBool          // 1 byte in a batch, 8 in a row
	PhysInt           // int64: all integers, dates, times, timestamps, OIDs
	PhysFloat         // float64: real too, rounded to float32 after each operation
	PhysDecimal       // Decimal, 24 bytes
	PhysBytes         // View into an arena: text, bytea, jsonb, arrays, rows
	PhysInterval      // Interval, 16 bytes
	PhysUUID          // [16]byte
)

// Type is a SQL type with its modifiers. The zero Type is Invalid. Types are
// compared with Equal.
type Type struct {
	Kind Kind `json:"kind"`
	// Precision is the p of numeric(p,s), the n of varchar(n) and char(n), and
	// the fractional-second digits of time types; 0 means none was given,
	// except for time types, where HasPrecision tells.
	Precision    int32 `json:"precision,omitempty"`
	Scale        int32 `json:"scale,omitempty"`
	HasPrecision bool  `json:"has_precision,omitempty"`
	Elem         *Type `json:"elem,omitempty"` // Array
	// Vector marks int2vector and oidvector, the arrays of system relations that
	// print as numbers with spaces in between. They are arrays otherwise.
	Vector bool    `json:"vector,omitempty"`
	Fields []Field `json:"fields,omitempty"` // Row
}

// Field is one column of a row type or of a relation.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Of returns the type of kind k without modifiers.
func Of(k Kind) Type { return Type{Kind: k} }

// ArrayOf returns the type elem[].
func ArrayOf(elem Type) Type { return Type{Kind: Array, Elem: &elem} }

// VectorOf returns int2vector for int2, oidvector for oid.
func VectorOf(elem Type) Type { return Type{Kind: Array, Elem: &elem, Vector: true} }

// Equal reports whether two types are the same, modifiers included.
func (t Type) Equal(u Type) bool {
	if t.Kind != u.Kind || t.Precision != u.Precision || t.Scale != u.Scale || t.HasPrecision != u.HasPrecision || len(t.Fields) != len(u.Fields) {
		return false
	}
	if (t.Elem == nil) != (u.Elem == nil) || t.Elem != nil && !t.Elem.Equal(*u.Elem) {
		return false
	}
	for i := range t.Fields {
		if t.Fields[i].Name != u.Fields[i].Name || !t.Fields[i].Type.Equal(u.Fields[i].Type) {
			return false
		}
	}
	return true
}

// Phys returns the physical layout of values of t.
func (t Type) Phys() Phys {
	switch t.Kind {
	case Bool:
		return PhysBool
	case Int16, Int32, Int64, Date, Time, Timestamp, TimestampTZ, OID:
		return PhysInt
	case Float32, Float64:
		return PhysFloat
	case Numeric:
		return PhysDecimal
	case Unknown, Text, Varchar, Char, Bytea, JSONB, Array, Row, Name, Void, JSONPathK:
		return PhysBytes
	case IntervalK:
		return PhysInterval
	case UUID:
		return PhysUUID
	}
	return PhysNone
}

// RowWidth is the width of the layout in a state row, in bytes. PhysBytes is a
// View.
func (p Phys) RowWidth() int {
	switch p {
	case PhysDecimal:
		return 24
	case PhysInterval, PhysUUID:
		return 16
	default:
		return 8
	}
}

var kindNames = [...]string{
	Invalid: "invalid", Unknown: "unknown", Bool: "boolean", Int16: "smallint", Int32: "integer", Int64: "bigint",
	Float32: "real", Float64: "double precision", Numeric: "numeric", Text: "text", Varchar: "character varying",
	Char: "character", Bytea: "bytea", Date: "date", Time: "time without time zone",
	Timestamp: "timestamp without time zone", TimestampTZ: "timestamp with time zone", IntervalK: "interval",
	UUID: "uuid", JSONB: "jsonb", Array: "array", Row: "record", Name: "name", OID: "oid", Void: "void", JSONPathK: "jsonpath",
}

// String returns PostgreSQL's name of the kind, as format_type prints it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", k)
}

// String returns PostgreSQL's name of the type with its modifiers, such as
// numeric(12,2), timestamp(3) without time zone, or bigint[].
func (t Type) String() string {
	switch t.Kind {
	case Array:
		if t.Vector {
			return map[bool]string{true: "oidvector", false: "int2vector"}[t.Elem.Kind == OID]
		}
		return t.Elem.String() + "[]"
	case Numeric:
		if t.HasPrecision {
			return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
		}
	case Varchar, Char:
		if t.HasPrecision {
			return fmt.Sprintf("%s(%d)", t.Kind, t.Precision)
		}
	case IntervalK:
		return t.intervalName()
	case Time, Timestamp, TimestampTZ:
		if t.HasPrecision {
			base := map[Kind]string{Time: "time", Timestamp: "timestamp", TimestampTZ: "timestamp"}[t.Kind]
			zone := " without time zone"
			if t.Kind == TimestampTZ {
				zone = " with time zone"
			}
			return fmt.Sprintf("%s(%d)%s", base, t.Precision, zone)
		}
	}
	return t.Kind.String()
}

// IsNumber reports whether t is an integer, float or numeric type.
func (t Type) IsNumber() bool { return t.Kind >= Int16 && t.Kind <= Numeric }

// IsInteger reports whether t is smallint, integer or bigint.
func (t Type) IsInteger() bool { return t.Kind >= Int16 && t.Kind <= Int64 }

// IsString reports whether t is a character type.
func (t Type) IsString() bool {
	return t.Kind == Text || t.Kind == Varchar || t.Kind == Char || t.Kind == Name || t.Kind == Unknown
}

// IsTime reports whether t is a date or time type without interval.
func (t Type) IsTime() bool { return t.Kind >= Date && t.Kind <= TimestampTZ }
