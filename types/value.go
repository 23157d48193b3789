package types

// Decimal is a numeric value: coefficient × 10^-Scale, with a signed 128-bit
// coefficient in two's complement (Hi, Lo). Scale is PostgreSQL's display scale,
// 0 to 38; Special is 0, or one of DecimalNaN, DecimalInf, DecimalNegInf.
// Pointer-free, 24 bytes.
type Decimal struct {
	Hi      int64
	Lo      uint64
	Scale   int32
	Special int32
}

// Values of Decimal.Special.
const (
	DecimalFinite int32 = 0
	DecimalNaN    int32 = 1
	DecimalInf    int32 = 2
	DecimalNegInf int32 = 3
)

// Interval is PostgreSQL's interval. Pointer-free, 16 bytes.
type Interval struct {
	Micros int64
	Days   int32
	Months int32
}

// Value is one SQL value at the edges of the engine: constants in plans,
// parameters, rows of catalog relations. Only the field of the type's layout is
// meaningful. Hot paths use batch columns instead.
type Value struct {
	Null     bool
	Bool     bool
	Int      int64
	Float    float64
	Dec      Decimal
	Bytes    string // PhysBytes: text as it is, jsonb in canonical text, arrays and rows in their row encoding
	Interval Interval
	UUID     [16]byte
}

// ValueBytesMax is how long a value that is computed may be: text, an array, JSON.
const ValueBytesMax = 1 << 28

// NullValue is SQL NULL.
var NullValue = Value{Null: true}
