package pgcatalog

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/types"
)

// informationSchema is the SQL standard's view of the same things.
func informationSchema(p map[string]producer) {
	p["information_schema.information_schema_catalog_name"] = func(q *query, out *Rows) error {
		out.Add(q.database())
		return nil
	}
	p["information_schema.schemata"] = func(q *query, out *Rows) error {
		out.Columns("catalog_name", "schema_name", "schema_owner")
		for _, n := range namespaces {
			out.Add(q.database(), n.name, q.role())
		}
		return nil
	}
	p["information_schema.enabled_roles"] = func(q *query, out *Rows) error {
		out.Add(q.role())
		return nil
	}
	p["information_schema.character_sets"] = func(q *query, out *Rows) error {
		out.Columns("character_set_name", "character_repertoire", "form_of_use", "default_collate_catalog", "default_collate_schema", "default_collate_name")
		out.Add("UTF8", "UCS", "UTF8", q.database(), "pg_catalog", "default")
		return nil
	}
	p["information_schema.tables"] = infoTables
	p["information_schema.columns"] = infoColumns
	p["information_schema.views"] = infoViews
	p["information_schema.table_constraints"] = infoTableConstraints
	p["information_schema.key_column_usage"] = infoKeyColumnUsage
	p["information_schema.check_constraints"] = infoCheckConstraints
	p["information_schema.constraint_column_usage"] = infoConstraintColumnUsage
	p["information_schema.routines"] = infoRoutines
	p["information_schema.table_privileges"] = infoTablePrivileges
	p["information_schema.role_table_grants"] = infoTablePrivileges
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

func writable(k *class) bool { return k.relation != nil && k.relation.IsOwnTable() }

func infoTables(q *query, out *Rows) error {
	out.Columns("table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into", "is_typed")
	for _, k := range q.classes {
		typ := map[string]string{"r": "BASE TABLE", "v": "VIEW"}[k.kind] // materialized views are not in the standard
		if typ != "" {
			out.Add(q.database(), k.schema, k.name, typ, yesNo(writable(k)), "NO")
		}
	}
	return nil
}

func infoViews(q *query, out *Rows) error {
	out.Columns("table_catalog", "table_schema", "table_name", "view_definition", "check_option", "is_updatable", "is_insertable_into",
		"is_trigger_updatable", "is_trigger_deletable", "is_trigger_insertable_into")
	for _, k := range q.classes {
		if k.kind == "v" {
			out.Add(q.database(), k.schema, k.name, viewDefinition(k), "NONE", "NO", "NO", "NO", "NO", "NO")
		}
	}
	return nil
}

func infoColumns(q *query, out *Rows) error {
	out.Columns("table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "column_default", "is_nullable", "data_type",
		"character_maximum_length", "character_octet_length", "numeric_precision", "numeric_precision_radix", "numeric_scale", "datetime_precision",
		"udt_catalog", "udt_schema", "udt_name", "dtd_identifier", "is_self_referencing", "is_identity", "identity_generation", "identity_start", "identity_increment", "identity_maximum", "identity_minimum", "identity_cycle", "is_generated",
		"generation_expression", "is_updatable")
	for _, k := range q.classes {
		if k.kind != "r" && k.kind != "v" {
			continue
		}
		for i, c := range k.columns {
			var def, gen any
			generated := "NEVER"
			if c.Generated != "" {
				generated, gen = "ALWAYS", c.Generated
			} else if x := defaultOf(k, i); x != "" {
				def = x
			}
			d := identityOf(c)
			n := numbersOf(c.Type)
			data := types.Of(c.Type.Kind).Kind.String()
			if c.Type.Kind == types.Array {
				data = "ARRAY"
			}
			out.Add(q.database(), k.schema, k.name, c.Name, i+1, def, yesNo(!c.NotNull && !inPrimaryKey(k, i)), data,
				n.length, n.octets, n.precision, n.radix, n.scale, n.datetime,
				q.database(), "pg_catalog", q.c.typeOf(c.Type).name, itoa(i+1), "NO", yesNo(d.kind != nil), d.kind, d.start, d.increment, d.maximum, d.minimum, d.cycle, generated, gen, yesNo(writable(k)))
		}
	}
	return nil
}

// identity is the identity columns of information_schema.columns, nil for null.
type identity struct{ kind, start, increment, maximum, minimum, cycle any }

func identityOf(c catalog.Column) identity {
	x := c.Identity
	if x == nil || x.Kind == "serial" {
		return identity{cycle: "NO"}
	}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	return identity{strings.ToUpper(x.Kind), n(x.Start), n(x.Increment), n(x.Max), n(x.Min), yesNo(x.Cycle)}
}

// numbers are the type columns of information_schema.columns, nil for null.
type numbers struct{ length, octets, precision, radix, scale, datetime any }

func numbersOf(t types.Type) numbers {
	var n numbers
	switch t.Kind {
	case types.Varchar, types.Char:
		if t.HasPrecision {
			n.length, n.octets = t.Precision, t.Precision*4
		} else {
			n.octets = 1 << 30
		}
	case types.Text:
		n.octets = 1 << 30
	case types.Int16:
		n.precision, n.radix, n.scale = 16, 2, 0
	case types.Int32:
		n.precision, n.radix, n.scale = 32, 2, 0
	case types.Int64:
		n.precision, n.radix, n.scale = 64, 2, 0
	case types.Float32:
		n.precision, n.radix = 24, 2
	case types.Float64:
		n.precision, n.radix = 53, 2
	case types.Numeric:
		n.radix = 10
		if t.HasPrecision {
			n.precision, n.scale = t.Precision, t.Scale
		}
	case types.Date:
		n.datetime = 0
	case types.Time, types.Timestamp, types.TimestampTZ, types.IntervalK:
		n.datetime = 6
		if t.HasPrecision {
			n.datetime = t.Precision
		}
	}
	return n
}

func infoRoutines(q *query, out *Rows) error {
	out.Columns("specific_catalog", "specific_schema", "specific_name", "routine_catalog", "routine_schema", "routine_name", "routine_type",
		"data_type", "routine_body", "external_language", "is_deterministic")
	for _, p := range q.procs {
		out.Add(q.database(), "pg_catalog", p.f.Name+"_"+oidText(p.oid), q.database(), "pg_catalog", p.f.Name, "FUNCTION",
			signatureName(p.f.Ret), "EXTERNAL", "INTERNAL", yesNo(volatility(p.f) == "i"))
	}
	return nil
}

func infoTablePrivileges(q *query, out *Rows) error {
	out.Columns("grantor", "grantee", "table_catalog", "table_schema", "table_name", "privilege_type", "is_grantable", "with_hierarchy")
	for _, k := range q.classes {
		if k.kind == "i" || k.kind == "S" || k.relation.Kind == catalog.System {
			continue
		}
		rights := []string{"SELECT"}
		if writable(k) {
			rights = []string{"INSERT", "SELECT", "UPDATE", "DELETE"}
		}
		for _, r := range rights {
			out.Add(q.role(), q.role(), q.database(), k.schema, k.name, r, "YES", yesNo(r == "SELECT"))
		}
	}
	return nil
}
