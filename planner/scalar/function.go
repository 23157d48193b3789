package scalar

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/millrace/millrace/types"
)

// Pseudo-types that only appear in signatures. Any takes each argument as it is.
// AnyElement and AnyArray within one signature must agree exactly after unknown
// literals took the others' type (AnyArray's element is AnyElement). The
// AnyCompatible family agrees after the binder coerced all of them to their
// common type (PostgreSQL's select_common_type, as for CASE and UNION).
const (
	Any                types.Kind = 250
	AnyElement         types.Kind = 251
	AnyArray           types.Kind = 252
	AnyCompatible      types.Kind = 253
	AnyCompatibleArray types.Kind = 254
)

// IsPseudo reports whether k stands for a family of types in a signature.
func IsPseudo(k types.Kind) bool { return k >= Any && k <= AnyCompatibleArray }

// Volatility tells when a call may be evaluated ahead of time.
type Volatility uint8

// The volatilities. Immutable calls over constants are folded; stable ones keep
// their value within a statement (in a job: within a batch).
const (
	Immutable Volatility = iota
	Stable
	Volatile
)

// Function is one overload of a scalar function or operator.
//
// The binder resolves a call as PostgreSQL does: take the overloads with that
// name and a matching argument count (Variadic repeats the last argument one or
// more times; for concat, format, jsonb_build_* zero or more); an exact match of kinds wins (varchar counts
// as text: they are binary coercible); else keep those that every argument can
// reach by an implicit cast (unknown literals reach everything), prefer most
// exact matches, then preferred types (double precision, text, timestamptz,
// interval, bool, oid within their category), then for unknowns the string category or
// the other operand's type; more than one left is 42725, none 42883. Arguments
// are then wrapped in OpCast to Args, and the call is
// Expr{Op: OpCall, Func: Key, Type: Return(argument types)}.
type Function struct {
	Name     string
	Key      string // such as "substr(text,integer,integer)"; stored in graphs
	Args     []types.Type
	Variadic bool
	Ret      types.Type // may be a pseudo-type; ask Return
	// Strict calls are null when an argument is null, without being evaluated.
	Strict     bool
	Volatility Volatility
	Operator   bool
	// External functions are answered by eval.Context.External, which the server
	// supplies: catalog look-ups such as pg_get_userbyid.
	External bool
	Doc      string
}

// Return gives the type of a call's result for the actual argument types (after
// coercion). row(...) gives a record with fields f1, f2, …; field(record,integer)
// gives Void: the binder knows the field and sets the type itself.
func (f *Function) Return(args []types.Type) types.Type {
	switch f.Key {
	case "row(any...)":
		t := types.Of(types.Row)
		for i, a := range args {
			t.Fields = append(t.Fields, types.Field{Name: fmt.Sprintf("f%d", i+1), Type: a})
		}
		return t
	case "array(anycompatible...)":
		if len(args) > 0 && args[0].Kind == types.Array {
			return args[0]
		}
	}
	if !IsPseudo(f.Ret.Kind) {
		return f.Ret
	}
	compatible := f.Ret.Kind == AnyCompatible || f.Ret.Kind == AnyCompatibleArray
	var elem types.Type
	for i, a := range args {
		if a.Kind == types.Unknown {
			continue
		}
		p := f.arg(i)
		var e types.Type
		switch {
		case p == AnyElement && !compatible, p == AnyCompatible && compatible:
			e = a
		case (p == AnyArray && !compatible || p == AnyCompatibleArray && compatible) && a.Elem != nil:
			e = *a.Elem
		default:
			continue
		}
		if elem.Kind == types.Invalid {
			elem = e
		} else if !elem.Equal(e) && elem.Kind == e.Kind && elem.Elem == nil && elem.Fields == nil {
			elem = types.Of(elem.Kind) // modifiers differ: none
		}
	}
	if elem.Kind == types.Invalid {
		elem = types.Of(types.Text)
	}
	if f.Ret.Kind == AnyArray || f.Ret.Kind == AnyCompatibleArray {
		if elem.Kind == types.Array {
			return elem
		}
		return types.ArrayOf(elem)
	}
	return elem
}

func (f *Function) arg(i int) types.Kind {
	if i >= len(f.Args) {
		i = len(f.Args) - 1
	}
	if i < 0 {
		return types.Invalid
	}
	return f.Args[i].Kind
}

type functionTable struct {
	functions, operators map[string][]Function
	byKey                map[string]*Function
	names                []string
}

var table = sync.OnceValue(func() *functionTable {
	t := &functionTable{functions: map[string][]Function{}, operators: map[string][]Function{}, byKey: map[string]*Function{}}
	for _, group := range []string{stringFunctions, numberFunctions, timeFunctions, jsonFunctions, arrayFunctions, otherFunctions} {
		for _, f := range parseSignatures(group) {
			t.functions[f.Name] = append(t.functions[f.Name], f)
		}
	}
	for _, f := range parseSignatures(catalogFunctions) {
		f.External = true
		t.functions[f.Name] = append(t.functions[f.Name], f)
	}
	for _, f := range append(parseSignatures(operators), generatedOperators()...) {
		f.Operator = true
		t.operators[f.Name] = append(t.operators[f.Name], f)
	}
	for name := range t.functions {
		t.names = append(t.names, name)
	}
	sort.Strings(t.names)
	for _, m := range []map[string][]Function{t.functions, t.operators} {
		for _, list := range m {
			for i := range list {
				if t.byKey[list[i].Key] != nil {
					panic("scalar: two functions have the key " + list[i].Key)
				}
				t.byKey[list[i].Key] = &list[i]
			}
		}
	}
	return t
})

// Functions returns the overloads of a function, nil when there are none. The
// name is lower case without a schema. The result must not be changed.
func Functions(name string) []Function { return table().functions[name] }

// Operators returns the overloads of an operator: "+", "=", "->>", "~~" …, and
// under a name: "like" (~~), "not like", "ilike", "not ilike", "similar to",
// "is distinct from", "is not distinct from", "at time zone" (value, zone), and
// "any =", "all <" … for x op ANY|ALL (array). Prefix operators have one
// argument. The result must not be changed.
func Operators(op string) []Function {
	switch op {
	case "like":
		op = "~~"
	case "not like":
		op = "!~~"
	case "ilike":
		op = "~~*"
	case "not ilike":
		op = "!~~*"
	case "!=":
		op = "<>"
	}
	return table().operators[op]
}

// ByKey finds a function or operator by its key, nil when there is none.
func ByKey(key string) *Function { return table().byKey[key] }

// Names lists all function names in order, for near-name hints.
func Names() []string { return table().names }

// All calls f for each function and operator, in order of key.
func All(f func(*Function)) {
	t := table()
	keys := make([]string, 0, len(t.byKey))
	for k := range t.byKey {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		f(t.byKey[k])
	}
}

var typeNames = map[string]types.Kind{
	"boolean": types.Bool, "smallint": types.Int16, "integer": types.Int32, "bigint": types.Int64,
	"real": types.Float32, "double precision": types.Float64, "numeric": types.Numeric, "text": types.Text,
	"varchar": types.Varchar, "char": types.Char, "bytea": types.Bytea, "date": types.Date, "time": types.Time,
	"timestamp": types.Timestamp, "timestamptz": types.TimestampTZ, "interval": types.IntervalK, "uuid": types.UUID,
	"jsonb": types.JSONB, "jsonpath": types.JSONPathK, "record": types.Row, "name": types.Name, "oid": types.OID, "void": types.Void,
	"any": Any, "anyelement": AnyElement, "anyarray": AnyArray, "anycompatible": AnyCompatible,
	"anycompatiblearray": AnyCompatibleArray,
}

func parseType(s string) types.Type {
	if e, ok := strings.CutSuffix(s, "[]"); ok {
		return types.ArrayOf(parseType(e))
	}
	k, ok := typeNames[s]
	if !ok {
		panic("scalar: unknown type in a signature: " + s)
	}
	return types.Of(k)
}

// parseSignatures reads lines such as
//
//	substr(text,integer,integer) text              -- doc
//	concat(any...) text [null stable]              -- called with nulls too
func parseSignatures(s string) []Function {
	var out []Function
	for line := range strings.Lines(s) {
		line, doc, _ := strings.Cut(line, " -- ")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		f := Function{Strict: true, Doc: strings.TrimSpace(doc)}
		if i := strings.LastIndex(line, " ["); i > 0 && !strings.HasSuffix(line, "[]") {
			for flag := range strings.FieldsSeq(strings.Trim(line[i:], " []")) {
				switch flag {
				case "null":
					f.Strict = false
				case "stable":
					f.Volatility = Stable
				case "volatile":
					f.Volatility = Volatile
				default:
					panic("scalar: unknown flag: " + line)
				}
			}
			line = line[:i]
		}
		open, end := strings.Index(line, "("), strings.LastIndex(line, ")")
		f.Name, f.Key = line[:open], line[:end+1]
		f.Ret = parseType(strings.TrimSpace(line[end+1:]))
		for i, a := range strings.Split(line[open+1:end], ",") {
			if a == "" && i == 0 {
				break
			}
			a, v := strings.CutSuffix(a, "...")
			f.Variadic = v
			f.Args = append(f.Args, parseType(a))
		}
		out = append(out, f)
	}
	return out
}
