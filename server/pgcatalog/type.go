package pgcatalog

import (
	"sort"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

func sortStrings(s []string) { sort.Strings(s) }

// typeProducers are the relations about types.
func typeProducers(p map[string]producer) {
	p["pg_catalog.pg_type"] = pgType
	p["pg_catalog.pg_cast"] = pgCast
}

// typeOf describes a type as pg_type has it.
func (c *Catalog) typeOf(t types.Type) typeLine {
	oid := t.OID()
	for _, l := range c.types() {
		if l.oid == oid {
			return l
		}
	}
	return typeLine{name: "record", len: -1, align: "d", storage: "x"}
}

func (c *Catalog) types() []typeLine {
	c.typesOnce.Do(func() { c.typeList = typeLines() })
	return c.typeList
}

func pgType(q *query, out *Rows) error {
	out.Columns("oid", "typname", "typnamespace", "typowner", "typlen", "typbyval", "typtype", "typcategory", "typispreferred",
		"typisdefined", "typdelim", "typelem", "typarray", "typinput", "typoutput", "typreceive", "typsend", "typalign", "typstorage", "typtypmod", "typcollation", "typrelid")
	for _, l := range q.c.types() {
		out.Add(l.oid, l.name, oidCatalogNamespace, oidRole, l.len, l.byval, l.typ, l.category, l.preferred, true, ",", l.elem, l.array,
			l.input, l.output, l.receive, l.send, l.align, l.storage, -1, l.collation, 0)
	}
	for _, k := range q.classes {
		if k.typeOID != 0 {
			out.Add(k.typeOID, k.name, namespaceOID(k.schema), oidRole, -1, false, "c", "C", false, true, ",", 0, 0, 2290, 2291, 2402, 2403, "d", "x", -1, 0, k.oid)
		}
	}
	return nil
}

func pgCast(q *query, out *Rows) error {
	out.Columns("oid", "castsource", "casttarget", "castcontext", "castmethod")
	contexts := map[scalar.CastContext]string{scalar.ImplicitCast: "i", scalar.AssignmentCast: "a", scalar.ExplicitCast: "e"}
	n := uint32(10000)
	for from := types.Bool; from <= types.OID; from++ {
		for to := types.Bool; to <= types.OID; to++ {
			if from == to || from == types.Array || to == types.Array || from == types.Row || to == types.Row {
				continue
			}
			if ctx, ok := contexts[scalar.CastBetween(types.Of(from), types.Of(to))]; ok {
				n++
				out.Add(n, types.Of(from).OID(), types.Of(to).OID(), ctx, "f")
			}
		}
	}
	return nil
}
