package scalar

import (
	"strings"

	"github.com/millrace/millrace/types"
)

// The types with their own comparison operators, and the pairs of different
// types that compare without a cast.
var (
	comparable1 = []string{"boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text",
		"char", "bytea", "date", "time", "timestamp", "timestamptz", "interval", "uuid", "jsonb", "name", "oid", "anyarray", "record"}
	comparable2 = [][2]string{
		{"smallint", "integer"}, {"smallint", "bigint"}, {"integer", "bigint"}, {"real", "double precision"},
		{"date", "timestamp"}, {"date", "timestamptz"}, {"timestamp", "timestamptz"}, {"text", "name"},
	}
	// comparisons are the operators generated for each of them.
	comparisons = []string{"=", "<>", "<", "<=", ">", ">="}
)

func generatedOperators() []Function {
	var b strings.Builder
	line := func(op string, args ...string) {
		ret, flags := args[len(args)-1], ""
		if i := strings.Index(ret, " ["); i > 0 {
			ret, flags = ret[:i], ret[i:]
		}
		b.WriteString(op + "(" + strings.Join(args[:len(args)-1], ",") + ") " + ret + flags + "\n")
	}
	compare := func(l, r string) {
		for _, op := range comparisons {
			line(op, l, r, "boolean")
		}
		line("is distinct from", l, r, "boolean [null]")
		line("is not distinct from", l, r, "boolean [null]")
	}
	for _, t := range comparable1 {
		compare(t, t)
	}
	for _, p := range comparable2 {
		compare(p[0], p[1])
		compare(p[1], p[0])
	}
	for _, op := range comparisons {
		line("any "+op, "anycompatible", "anycompatiblearray", "boolean [null]")
		line("all "+op, "anycompatible", "anycompatiblearray", "boolean [null]")
	}
	ints := []string{"smallint", "integer", "bigint"}
	for i, l := range ints {
		for j, r := range ints {
			for _, op := range []string{"+", "-", "*", "/"} {
				line(op, l, r, ints[max(i, j)])
			}
		}
		for _, op := range []string{"%", "&", "|", "#"} {
			line(op, l, l, l)
		}
		line("<<", l, "integer", l)
		line(">>", l, "integer", l)
		line("~", l, l)
		line("-", l, l)
		line("+", l, l)
		line("@", l, l)
	}
	for _, op := range []string{"+", "-", "*", "/"} {
		line(op, "real", "real", "real")
		line(op, "real", "double precision", "double precision")
		line(op, "double precision", "real", "double precision")
		line(op, "double precision", "double precision", "double precision")
		line(op, "numeric", "numeric", "numeric")
	}
	for _, t := range []string{"real", "double precision", "numeric"} {
		line("-", t, t)
		line("+", t, t)
		line("@", t, t)
	}
	return parseSignatures(b.String())
}

// Comparison returns the key of the comparison operator op (one of = <> < <= >
// >=, "is distinct from", "is not distinct from") for two operands of type t,
// and false when t has no order, or no such operator.
func Comparison(op string, t types.Type) (string, bool) {
	name := ""
	switch t.Kind {
	case types.Array:
		name = "anyarray"
	case types.Varchar, types.Unknown, types.Text:
		name = "text"
	default:
		for n, k := range typeNames {
			if k == t.Kind {
				name = n
			}
		}
	}
	key := op + "(" + name + "," + name + ")"
	return key, ByKey(key) != nil
}
