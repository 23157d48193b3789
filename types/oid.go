package types

// oids are PostgreSQL's type OIDs: the type, and the array of it.
var oids = [...]struct{ oid, array uint32 }{
	Unknown: {705, 1009}, Bool: {16, 1000}, Int16: {21, 1005}, Int32: {23, 1007}, Int64: {20, 1016}, Float32: {700, 1021},
	Float64: {701, 1022}, Numeric: {1700, 1231}, Text: {25, 1009}, Varchar: {1043, 1015}, Char: {1042, 1014},
	Bytea: {17, 1001}, Date: {1082, 1182}, Time: {1083, 1183}, Timestamp: {1114, 1115}, TimestampTZ: {1184, 1185},
	IntervalK: {1186, 1187}, UUID: {2950, 2951}, JSONB: {3802, 3807}, Row: {2249, 2287}, Name: {19, 1003}, OID: {26, 1028},
	Void: {2278, 0}, JSONPathK: {4072, 4073},
}

// The OIDs of the vectors.
const (
	int2VectorOID = 22
	oidVectorOID  = 30
)

// OID is PostgreSQL's type OID of t.
func (t Type) OID() uint32 {
	if t.Kind == Array {
		e := *t.Elem
		if t.Vector {
			return map[bool]uint32{true: oidVectorOID, false: int2VectorOID}[e.Kind == OID]
		}
		for e.Kind == Array {
			e = *e.Elem
		}
		if int(e.Kind) < len(oids) {
			return oids[e.Kind].array
		}
		return 0
	}
	if int(t.Kind) < len(oids) {
		return oids[t.Kind].oid
	}
	return 0
}

// TypeOfOID finds the type of an OID, false for one that is unknown here. json
// is taken for jsonb, regclass and its kin for oid.
func TypeOfOID(oid uint32) (Type, bool) {
	switch oid {
	case 114:
		return Of(JSONB), true
	case 199:
		return ArrayOf(Of(JSONB)), true
	case 24, 2202, 2203, 2204, 2205, 2206, 4089, 4096:
		return Of(OID), true
	case int2VectorOID:
		return VectorOf(Of(Int16)), true
	case oidVectorOID:
		return VectorOf(Of(OID)), true
	case 1009:
		return ArrayOf(Of(Text)), true
	case 0:
		return Type{}, false
	}
	for k, o := range oids {
		if o.oid == oid {
			return Of(Kind(k)), true
		}
		if o.array == oid {
			return ArrayOf(Of(Kind(k))), true
		}
	}
	return Type{}, false
}

// Typmod is PostgreSQL's atttypmod of t, -1 without modifiers.
func (t Type) Typmod() int32 {
	if t.Kind == Array {
		return t.Elem.Typmod()
	}
	if !t.HasPrecision {
		return -1
	}
	switch t.Kind {
	case Numeric:
		return t.Precision<<16 | t.Scale&0x7ff + 4
	case Varchar, Char:
		return t.Precision + 4
	case Time, Timestamp, TimestampTZ:
		return t.Precision
	case IntervalK:
		switch {
		case t.Scale == 0:
			return 0x7fff<<16 | t.Precision
		case t.Precision == intervalMicros:
			return t.Scale<<16 | 0xffff
		}
		return t.Scale<<16 | t.Precision
	}
	return -1
}

// WithTypmod sets the modifiers that PostgreSQL's typmod stands for.
func (t Type) WithTypmod(mod int32) Type {
	if t.Kind == Array {
		if t.Vector {
			return t
		}
		return ArrayOf(t.Elem.WithTypmod(mod))
	}
	t.Precision, t.Scale, t.HasPrecision = 0, 0, false
	if mod < 0 {
		return t
	}
	switch t.Kind {
	case Numeric:
		if mod >= 4 {
			t.Precision, t.Scale, t.HasPrecision = (mod-4)>>16&0xffff, ((mod-4)&0x7ff^1024)-1024, true
		}
	case Varchar, Char:
		if mod >= 4 {
			t.Precision, t.HasPrecision = mod-4, true
		}
	case Time, Timestamp, TimestampTZ:
		t.Precision, t.HasPrecision = mod, true
	case IntervalK:
		t.Precision, t.HasPrecision = min(mod&0xffff, intervalMicros), true
		if t.Scale = mod >> 16; t.Scale == 0x7fff {
			t.Scale, t.HasPrecision = 0, mod&0xffff != 0xffff
		}
		if !t.HasPrecision {
			t.Precision = 0
		}
	}
	return t
}

// Size is PostgreSQL's typlen: the width in bytes, -1 for variable.
func (t Type) Size() int16 {
	switch t.Kind {
	case Bool:
		return 1
	case Int16:
		return 2
	case Int32, Float32, Date, OID, Void:
		return 4
	case Int64, Float64, Time, Timestamp, TimestampTZ:
		return 8
	case IntervalK, UUID:
		return 16
	case Name:
		return 64
	case Unknown:
		return -2
	}
	return -1
}
