package pgcatalog

import (
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/types"
)

// constraint is a primary key, a UNIQUE or a CHECK.
type constraint struct {
	oid   uint32
	name  string
	kind  string // contype
	base  *class
	index *class  // nil for a CHECK
	keys  []int64 // of columns, from 1
	check string
}

// constraintOID is the OID of the constraint behind an index.
func (k *class) constraintOID() uint32 { return k.oid ^ 0x20000000 | firstUserOID }

// constraints lists all of them, by name within a schema.
func (m *model) constraints() (out []constraint) {
	for _, k := range m.classes {
		if k.unique != nil {
			c := constraint{oid: k.constraintOID(), name: k.name, kind: "u", base: k.base, index: k, keys: k.keys}
			if k.primary {
				c.kind = "p"
			}
			out = append(out, c)
		}
		if k.kind != "r" {
			continue
		}
		for _, x := range k.relation.Checks {
			c := constraint{oid: checkOID(k, x), name: x.Name, kind: "c", base: k, check: x.X}
			for _, i := range x.Columns {
				c.keys = append(c.keys, int64(i+1))
			}
			out = append(out, c)
		}
	}
	return out
}

func checkOID(k *class, c catalog.Check) uint32 {
	return stableOID("check", k.relation.ID+" "+c.Name, func(uint32) bool { return false })
}

func checkCount(k *class) int {
	if k.kind != "r" || k.relation == nil {
		return 0
	}
	return len(k.relation.Checks)
}

// definition is what pg_get_constraintdef says; pretty leaves out parentheses.
func (c *constraint) definition(pretty bool) string {
	switch c.kind {
	case "p":
		return "PRIMARY KEY (" + columnList(c.index) + ")"
	case "u":
		return "UNIQUE" + nullsClause(c.index) + " (" + columnList(c.index) + ")"
	}
	if pretty {
		return "CHECK (" + c.check + ")"
	}
	return "CHECK ((" + c.check + "))"
}

func nullsClause(k *class) string {
	if u := k.uniqueness(); u != nil && !k.primary && u.NullsNotDistinct {
		return " NULLS NOT DISTINCT"
	}
	return ""
}

// uniqueness is what an index says about rows, nil for nothing.
func (k *class) uniqueness() *catalog.Unique {
	if k.unique == nil && k.relation != nil && len(k.relation.Unique) > 0 {
		return &k.relation.Unique[0]
	}
	return k.unique
}

func (k *class) isUnique() bool { return k.uniqueness() != nil }

func constraintDef(q *query, args []types.Value) (types.Value, error) {
	for _, c := range q.constraints() {
		if int64(c.oid) == args[0].Int {
			return text(c.definition(len(args) > 1 && args[1].Bool)), nil
		}
	}
	return types.NullValue, nil
}

func pgConstraint(q *query, out *Rows) error {
	out.Columns("oid", "conname", "connamespace", "contype", "convalidated", "conrelid", "conindid", "confupdtype", "confdeltype",
		"confmatchtype", "conislocal", "connoinherit", "conkey", "conbin")
	for _, c := range q.constraints() {
		var index uint32
		var bin any
		if c.index != nil {
			index = c.index.oid
		} else {
			bin = c.check
		}
		out.Add(c.oid, c.name, namespaceOID(c.base.schema), c.kind, true, c.base.oid, index, " ", " ", " ", true, c.index != nil, c.keys, bin)
	}
	return nil
}

// notNull lists the columns of a relation that are not null, which the information
// schema takes for CHECK constraints.
func notNull(k *class, f func(column int, name string)) {
	if k.kind != "r" || k.relation.Kind == catalog.System {
		return
	}
	for i, c := range k.columns {
		if c.NotNull || inPrimaryKey(k, i) {
			f(i, strings.Join([]string{oidText(namespaceOID(k.schema)), oidText(k.oid), oidText(uint32(i + 1)), "not_null"}, "_"))
		}
	}
}

func infoTableConstraints(q *query, out *Rows) error {
	out.Columns("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog", "table_schema", "table_name",
		"constraint_type", "is_deferrable", "initially_deferred", "enforced", "nulls_distinct")
	kinds := map[string]string{"p": "PRIMARY KEY", "u": "UNIQUE", "c": "CHECK"}
	for _, c := range q.constraints() {
		var distinct any
		if c.kind == "u" {
			distinct = yesNo(!c.index.unique.NullsNotDistinct)
		}
		out.Add(q.database(), c.base.schema, c.name, q.database(), c.base.schema, c.base.name, kinds[c.kind], "NO", "NO", "YES", distinct)
	}
	for _, k := range q.classes {
		notNull(k, func(_ int, name string) {
			out.Add(q.database(), k.schema, name, q.database(), k.schema, k.name, "CHECK", "NO", "NO", "YES", nil)
		})
	}
	return nil
}

func infoCheckConstraints(q *query, out *Rows) error {
	out.Columns("constraint_catalog", "constraint_schema", "constraint_name", "check_clause")
	for _, c := range q.constraints() {
		if c.kind == "c" {
			out.Add(q.database(), c.base.schema, c.name, "(("+c.check+"))")
		}
	}
	for _, k := range q.classes {
		notNull(k, func(i int, name string) {
			out.Add(q.database(), k.schema, name, quote(k.columns[i].Name)+" IS NOT NULL")
		})
	}
	return nil
}

func infoKeyColumnUsage(q *query, out *Rows) error {
	out.Columns("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog", "table_schema", "table_name", "column_name", "ordinal_position")
	for _, k := range q.classes {
		if k.unique != nil {
			for i, c := range k.columns {
				out.Add(q.database(), k.schema, k.name, q.database(), k.base.schema, k.base.name, c.Name, i+1)
			}
		}
	}
	return nil
}

func infoConstraintColumnUsage(q *query, out *Rows) error {
	out.Columns("table_catalog", "table_schema", "table_name", "column_name", "constraint_catalog", "constraint_schema", "constraint_name")
	for _, c := range q.constraints() {
		for _, n := range c.keys {
			out.Add(q.database(), c.base.schema, c.base.name, c.base.columns[n-1].Name, q.database(), c.base.schema, c.name)
		}
	}
	return nil
}
