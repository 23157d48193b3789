package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// typeKinds are the type names that the parser leaves, and aliases of types that
// catalogs mention and that are something simpler here.
var typeKinds = map[string]types.Kind{
	"bool": types.Bool, "boolean": types.Bool, "int2": types.Int16, "smallint": types.Int16, "int4": types.Int32, "int": types.Int32,
	"integer": types.Int32, "int8": types.Int64, "bigint": types.Int64, "float4": types.Float32, "real": types.Float32,
	"float8": types.Float64, "double precision": types.Float64, "double": types.Float64, "float": types.Float64,
	"numeric": types.Numeric, "decimal": types.Numeric, "text": types.Text, "string": types.Text,
	"varchar": types.Varchar, "character varying": types.Varchar, "bpchar": types.Char, "char": types.Char, "character": types.Char,
	`"char"`: types.Text, "bytea": types.Bytea, "bytes": types.Bytea, "date": types.Date, "time": types.Time,
	"timestamp": types.Timestamp, "timestamp without time zone": types.Timestamp,
	"timestamptz": types.TimestampTZ, "timestamp with time zone": types.TimestampTZ, "timestamp_ltz": types.TimestampTZ,
	"interval": types.IntervalK, "uuid": types.UUID, "jsonb": types.JSONB, "json": types.JSONB, "jsonpath": types.JSONPathK, "name": types.Name, "oid": types.OID,
	"regclass": types.OID, "regtype": types.OID, "regproc": types.OID, "regprocedure": types.OID, "regnamespace": types.OID,
	"regrole": types.OID, "regoper": types.OID, "regoperator": types.OID, "regcollation": types.OID, "regconfig": types.OID, "regdictionary": types.OID,
	"xid": types.Int64, "cid": types.Int64, "tid": types.Text,
	"xid8": types.Int64, "pg_node_tree": types.Text, "aclitem": types.Text, "pg_lsn": types.Text, "refcursor": types.Text,
	"sql_identifier": types.Name, "character_data": types.Text, "cardinal_number": types.Int32, "yes_or_no": types.Text,
	"time_stamp": types.TimestampTZ, "record": types.Row, "row": types.Row, "void": types.Void, "inet": types.Text, "citext": types.Text,
}

// scaleMax is the most digits that numeric keeps.
const scaleMax = 38

// systemType drops the schema of a built-in type's name.
func systemType(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "pg_catalog."), "information_schema.")
}

// ResolveType gives a type as written its meaning.
func ResolveType(t ast.TypeName) (types.Type, error) {
	name := systemType(t.Name)
	dims := t.ArrayDims
	switch name {
	case "int2vector":
		name, dims = "int2", dims+1
	case "oidvector":
		name, dims = "oid", dims+1
	case "anyarray":
		name, dims = "text", dims+1
	}
	if len(name) > 1 && name[0] == '_' { // PostgreSQL's internal names of arrays
		if _, ok := typeKinds[name[1:]]; ok {
			name, dims = name[1:], dims+1
		}
	}
	k, ok := typeKinds[name]
	if !ok {
		k, ok = typeKinds[strings.ToLower(name)]
	}
	if !ok {
		return types.Type{}, unknownType(t, name)
	}
	out := types.Of(k)
	if err := modifiers(&out, t, name); err != nil {
		return types.Type{}, err
	}
	if k == types.IntervalK {
		out = out.WithIntervalFields(t.Interval)
	}
	for _, f := range t.Fields {
		ft, err := ResolveType(f.Type)
		if err != nil {
			return types.Type{}, err
		}
		out.Fields = append(out.Fields, types.Field{Name: f.Name.Value, Type: ft})
	}
	if dims > 0 { // PostgreSQL does not tell the number of dimensions apart either
		out = types.ArrayOf(out)
	}
	return out, nil
}

func unknownType(t ast.TypeName, name string) error {
	switch name {
	case "timetz":
		return pgerr.NotSupported(int(t.Pos), "the type time with time zone")
	case "bit", "varbit", "xml", "money", "cidr", "macaddr", "tsvector", "tsquery", "point", "box", "hstore":
		return pgerr.NotSupported(int(t.Pos), "the type "+name)
	}
	e := pgerr.New(pgerr.UndefinedObject, "type %q does not exist", name).At(int(t.Pos))
	names := []string{"boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "varchar", "char", "bytea",
		"date", "time", "timestamp", "timestamptz", "interval", "uuid", "jsonb"}
	if near := nearest(name, names); near != "" {
		return e.Hint("Perhaps you meant %q.", near)
	}
	return e
}

// modifiers checks and sets (p), (p, s) and (n).
func modifiers(out *types.Type, t ast.TypeName, name string) error {
	m := t.Modifiers
	if len(m) == 0 {
		if name == "char" || name == "character" { // not bpchar, whose texts are of any length
			out.HasPrecision, out.Precision = true, 1
		}
		return nil
	}
	bad := func(code pgerr.Code, format string, args ...any) error {
		return pgerr.New(code, format, args...).At(int(t.Pos))
	}
	switch out.Kind {
	case types.Numeric:
		p, s := m[0], int32(0)
		if len(m) > 1 {
			s = m[1]
		}
		switch {
		case len(m) > 2:
			return bad(pgerr.InvalidParameterValue, "invalid NUMERIC type modifier")
		case p < 1 || p > 1000:
			return bad(pgerr.InvalidParameterValue, "NUMERIC precision %d must be between 1 and 1000", p)
		case p > scaleMax:
			return bad(pgerr.FeatureNotSupported, "NUMERIC precision %d is more than the %d digits that are supported", p, scaleMax)
		case s < -1000 || s > 1000:
			return bad(pgerr.InvalidParameterValue, "NUMERIC scale %d must be between -1000 and 1000", s)
		case s > scaleMax:
			return bad(pgerr.FeatureNotSupported, "NUMERIC scale %d is more than the %d digits that are supported", s, scaleMax)
		}
		out.HasPrecision, out.Precision, out.Scale = true, p, s
	case types.Varchar, types.Char:
		what := "varchar"
		if out.Kind == types.Char {
			what = "char"
		}
		if m[0] < 1 {
			return bad(pgerr.InvalidParameterValue, "length for type %s must be at least 1", what)
		}
		if m[0] > 10485760 {
			return bad(pgerr.InvalidParameterValue, "length for type %s cannot exceed 10485760", what)
		}
		out.HasPrecision, out.Precision = true, m[0]
	case types.Time, types.Timestamp, types.TimestampTZ, types.IntervalK:
		p := m[0]
		if p > 6 {
			p = 6 // as PostgreSQL does, with a warning there
		}
		out.HasPrecision, out.Precision = true, p
	default:
		return bad(pgerr.SyntaxError, "type modifier is not allowed for type %q", name)
	}
	return nil
}

// shortType is how canonical text writes a type.
func shortType(t types.Type) string {
	switch t.Kind {
	case types.Array:
		return shortType(*t.Elem) + "[]"
	case types.Timestamp, types.TimestampTZ, types.Time, types.Varchar, types.Char:
		name := map[types.Kind]string{types.Timestamp: "timestamp", types.TimestampTZ: "timestamptz", types.Time: "time", types.Varchar: "varchar", types.Char: "char"}[t.Kind]
		long, bareName := t.String(), t.Kind.String()
		if !t.HasPrecision || long == bareName {
			return name
		}
		i, j := strings.IndexByte(long, '('), strings.IndexByte(long, ')')
		if i < 0 || j < 0 {
			return name
		}
		return name + long[i:j+1]
	}
	return t.String()
}
