package bind

import (
	"math"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// serialTypes are not types but integer columns that count.
var serialTypes = map[string]string{
	"smallserial": "int2", "serial2": "int2",
	"serial": "int4", "serial4": "int4",
	"bigserial": "int8", "serial8": "int8",
}

// IsSerial reports whether a column of that type is an integer that counts.
func IsSerial(t ast.TypeName) bool { return serialTypes[t.Name] != "" }

// identity makes a column one that counts.
func (d *definition) identity(c *ast.ColumnDef, col *catalog.Column) error {
	pos := int(c.Name.Pos)
	x, kind, given := c.Identity, "by default", c.Type
	if name := serialTypes[c.Type.Name]; name != "" {
		if x != nil || c.Default != nil || c.Generated != nil {
			return pgerr.New(pgerr.SyntaxError, "multiple default values specified for column %q of table %q", col.Name, d.rel.Name).At(pos)
		}
		if c.Type.ArrayDims > 0 {
			return pgerr.New(pgerr.FeatureNotSupported, "array of serial is not implemented").At(int(c.Type.Pos))
		}
		x, kind, given.Name = &ast.Identity{At: c.Type.At}, "serial", name
	} else if x.Always {
		kind = "always"
	}
	switch {
	case !d.rel.IsOwnTable():
		return pgerr.NotSupported(int(x.Pos), "an identity column of a relation with a connector").Hint("Millrace's own tables can have them.")
	case c.Default != nil:
		return pgerr.New(pgerr.SyntaxError, "both default and identity specified for column %q of table %q", col.Name, d.rel.Name).At(pos)
	case c.Generated != nil:
		return pgerr.New(pgerr.SyntaxError, "both identity and generation expression specified for column %q of table %q", col.Name, d.rel.Name).At(pos)
	}
	t, err := ResolveType(given)
	if err != nil {
		return err
	}
	limits := map[types.Kind][2]int64{types.Int16: {math.MinInt16, math.MaxInt16}, types.Int32: {math.MinInt32, math.MaxInt32}, types.Int64: {math.MinInt64, math.MaxInt64}}
	limit, ok := limits[t.Kind]
	if !ok {
		return pgerr.New(pgerr.InvalidParameterValue, "identity column type must be smallint, integer, or bigint").At(pos)
	}
	col.Type, col.NotNull = t, true
	col.Identity = &catalog.Identity{Kind: kind, Cycle: x.Cycle, Sequence: chosenName(d.rel, col.Name, "seq")}
	return counting(col.Identity, x, limit, t)
}

// counting fills in by which numbers a sequence counts.
func counting(q *catalog.Identity, x *ast.Identity, limit [2]int64, t types.Type) error {
	or := func(given *int64, otherwise int64) int64 {
		if given != nil {
			return *given
		}
		return otherwise
	}
	bad := func(format string, args ...any) error {
		return pgerr.New(pgerr.InvalidParameterValue, format, args...).At(int(x.Pos))
	}
	q.Increment = or(x.Increment, 1)
	if q.Increment == 0 {
		return bad("INCREMENT must not be zero")
	}
	if q.Increment > 0 {
		q.Min, q.Max = or(x.Min, 1), or(x.Max, limit[1])
		q.Start = or(x.Start, q.Min)
	} else {
		q.Min, q.Max = or(x.Min, limit[0]), or(x.Max, -1)
		q.Start = or(x.Start, q.Max)
	}
	switch {
	case q.Max > limit[1]:
		return bad("MAXVALUE (%d) is out of range for sequence data type %s", q.Max, t)
	case q.Min < limit[0]:
		return bad("MINVALUE (%d) is out of range for sequence data type %s", q.Min, t)
	case q.Min >= q.Max:
		return bad("MINVALUE (%d) must be less than MAXVALUE (%d)", q.Min, q.Max)
	case q.Start < q.Min:
		return bad("START value (%d) cannot be less than MINVALUE (%d)", q.Start, q.Min)
	case q.Start > q.Max:
		return bad("START value (%d) cannot be greater than MAXVALUE (%d)", q.Start, q.Max)
	}
	return nil
}

// identityGiven refuses a value for a column that always counts.
func identityGiven(rel *catalog.Relation, c int, overriding string, pos ast.Pos) error {
	col := &rel.Columns[c]
	if col.Identity == nil || col.Identity.Kind != "always" || overriding != "" {
		return nil
	}
	return pgerr.New(pgerr.GeneratedAlways, "cannot insert a non-DEFAULT value into column %q", col.Name).At(int(pos)).
		WithDetail("Column %q is an identity column defined as GENERATED ALWAYS.", col.Name).Hint("Use OVERRIDING SYSTEM VALUE to override.")
}

// counted reports whether OVERRIDING USER VALUE drops what is given for a column.
func counted(rel *catalog.Relation, c int, overriding string) bool {
	i := rel.Columns[c].Identity
	return overriding == "user" && i != nil && i.Kind != "serial"
}
