package scalar

import "github.com/millrace/millrace/types"

// CastContext is where a cast may be applied: implicit ones anywhere, assignment
// ones when a value is stored in a column, explicit ones only where written.
type CastContext uint8

// The contexts, from the narrowest to the widest use.
const (
	NoCast CastContext = iota
	ExplicitCast
	AssignmentCast
	ImplicitCast
)

type castKey struct{ from, to types.Kind }

// casts is PostgreSQL's pg_cast for our types.
var casts = map[castKey]CastContext{
	{types.Int16, types.Int32}: ImplicitCast, {types.Int16, types.Int64}: ImplicitCast,
	{types.Int16, types.Float32}: ImplicitCast, {types.Int16, types.Float64}: ImplicitCast,
	{types.Int16, types.Numeric}: ImplicitCast, {types.Int16, types.OID}: ImplicitCast,
	{types.Int32, types.Int16}: AssignmentCast, {types.Int32, types.Int64}: ImplicitCast,
	{types.Int32, types.Float32}: ImplicitCast, {types.Int32, types.Float64}: ImplicitCast,
	{types.Int32, types.Numeric}: ImplicitCast, {types.Int32, types.OID}: ImplicitCast,
	{types.Int32, types.Bool}: ExplicitCast, {types.Int64, types.Int16}: AssignmentCast,
	{types.Int64, types.Int32}: AssignmentCast, {types.Int64, types.Float32}: ImplicitCast,
	{types.Int64, types.Float64}: ImplicitCast, {types.Int64, types.Numeric}: ImplicitCast,
	{types.Int64, types.OID}: ImplicitCast, {types.Float32, types.Int16}: AssignmentCast,
	{types.Float32, types.Int32}: AssignmentCast, {types.Float32, types.Int64}: AssignmentCast,
	{types.Float32, types.Float64}: ImplicitCast, {types.Float32, types.Numeric}: AssignmentCast,
	{types.Float64, types.Int16}: AssignmentCast, {types.Float64, types.Int32}: AssignmentCast,
	{types.Float64, types.Int64}: AssignmentCast, {types.Float64, types.Float32}: AssignmentCast,
	{types.Float64, types.Numeric}: AssignmentCast, {types.Numeric, types.Int16}: AssignmentCast,
	{types.Numeric, types.Int32}: AssignmentCast, {types.Numeric, types.Int64}: AssignmentCast,
	{types.Numeric, types.Float32}: ImplicitCast, {types.Numeric, types.Float64}: ImplicitCast,
	{types.Bool, types.Int32}: ExplicitCast, {types.Text, types.Varchar}: ImplicitCast,
	{types.Text, types.Char}: ImplicitCast, {types.Text, types.Name}: ImplicitCast,
	{types.Varchar, types.Text}: ImplicitCast, {types.Varchar, types.Char}: ImplicitCast,
	{types.Varchar, types.Name}: ImplicitCast, {types.Char, types.Text}: ImplicitCast,
	{types.Char, types.Varchar}: ImplicitCast, {types.Char, types.Name}: ImplicitCast,
	{types.Name, types.Text}: ImplicitCast, {types.Name, types.Varchar}: AssignmentCast,
	{types.Name, types.Char}: AssignmentCast, {types.OID, types.Int64}: AssignmentCast,
	{types.OID, types.Int32}: AssignmentCast, {types.Date, types.Timestamp}: ImplicitCast,
	{types.Date, types.TimestampTZ}: ImplicitCast, {types.Time, types.IntervalK}: ImplicitCast,
	{types.Timestamp, types.Date}: AssignmentCast, {types.Timestamp, types.Time}: AssignmentCast,
	{types.Timestamp, types.TimestampTZ}: ImplicitCast, {types.TimestampTZ, types.Date}: AssignmentCast,
	{types.TimestampTZ, types.Time}: AssignmentCast, {types.TimestampTZ, types.Timestamp}: AssignmentCast,
	{types.IntervalK, types.Time}: AssignmentCast, {types.JSONB, types.Bool}: ExplicitCast,
	{types.JSONB, types.Int16}: ExplicitCast, {types.JSONB, types.Int32}: ExplicitCast,
	{types.JSONB, types.Int64}: ExplicitCast, {types.JSONB, types.Float32}: ExplicitCast,
	{types.JSONB, types.Float64}: ExplicitCast, {types.JSONB, types.Numeric}: ExplicitCast,
}

// CastBetween tells in which contexts a value of type from may become one of
// type to: the catalog's casts, else by text (any type to a string by
// assignment, a string to any type when explicit), arrays by their elements.
// The same kind is implicit, whatever the modifiers; unknown literals reach
// every type.
func CastBetween(from, to types.Type) CastContext {
	switch {
	case to.Kind == types.Void || to.Kind == types.Invalid || to.Kind == types.Unknown:
		return NoCast
	case from.Kind == types.Unknown:
		return ImplicitCast
	case from.Kind == types.Array && to.Kind == types.Array:
		return CastBetween(*from.Elem, *to.Elem)
	case from.Kind == types.Row && to.Kind == types.Row:
		return castRows(from, to)
	case from.Kind == to.Kind:
		return ImplicitCast
	}
	if c, ok := casts[castKey{from.Kind, to.Kind}]; ok {
		return c
	}
	if to.IsString() {
		return AssignmentCast
	}
	if from.IsString() {
		return ExplicitCast
	}
	return NoCast
}

func castRows(from, to types.Type) CastContext {
	if len(to.Fields) == 0 {
		return ImplicitCast
	}
	if len(from.Fields) != len(to.Fields) {
		return NoCast
	}
	c := ImplicitCast
	for i := range to.Fields {
		c = min(c, CastBetween(from.Fields[i].Type, to.Fields[i].Type))
	}
	return c
}

// Category is PostgreSQL's typcategory: B N S D T A C U X.
func Category(k types.Kind) byte {
	switch k {
	case types.Bool:
		return 'B'
	case types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Numeric, types.OID:
		return 'N'
	case types.Text, types.Varchar, types.Char, types.Name:
		return 'S'
	case types.Date, types.Time, types.Timestamp, types.TimestampTZ:
		return 'D'
	case types.IntervalK:
		return 'T'
	case types.Array:
		return 'A'
	case types.Row:
		return 'C'
	case types.Unknown:
		return 'X'
	}
	return 'U'
}

// Preferred reports whether k is the preferred type of its category.
func Preferred(k types.Kind) bool {
	switch k {
	case types.Bool, types.Float64, types.OID, types.Text, types.TimestampTZ, types.IntervalK:
		return true
	}
	return false
}
