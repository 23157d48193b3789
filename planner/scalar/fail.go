package scalar

import (
	"strings"

	"github.com/millrace/millrace/types"
)

// MayFail reports whether x, its arguments aside, may be an error for some row. It is
// false only of what is plain to have a value for all arguments.
func MayFail(x *Expr) bool {
	switch x.Op {
	case OpCall:
		name, _, _ := strings.Cut(x.Func, "(")
		switch name {
		case "=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from", "->", "->>":
		case "coalesce", "ifnull", "nullif", "if", "lower", "upper", "length", "char_length", "btrim", "ltrim", "rtrim":
		default:
			return true
		}
	case OpCast:
		return !widens(x.Args[0].Type, x.Type)
	}
	return false
}

// CannotFail reports whether neither x nor anything in it may be an error.
func CannotFail(x *Expr) bool {
	fine := true
	Walk(x, func(e *Expr) { fine = fine && !MayFail(e) })
	return fine
}

// widens reports whether each value of a type has one of the other. That of a date long
// after all others, which has no timestamp, is let pass.
func widens(from, to types.Type) bool {
	switch to.Kind {
	case types.Text:
		return true
	case types.Int32, types.Int64:
		return from.Kind == types.Int16 || from.Kind == types.Int32 || from.Kind == to.Kind
	case types.Numeric:
		return !to.HasPrecision && (from.IsInteger() || from.Kind == types.Numeric)
	case types.Float64:
		return from.IsInteger() || from.Kind == types.Float32 || from.Kind == types.Float64
	case types.Timestamp, types.TimestampTZ:
		return from.Kind == types.Date || from.Kind == types.Timestamp || from.Kind == types.TimestampTZ
	}
	return false
}
