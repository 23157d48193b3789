package pgcatalog

import (
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/types"
)

// relationProducers are the relations about relations: pg_class and its kin.
func relationProducers(p map[string]producer) {
	p["pg_catalog.pg_namespace"] = pgNamespace
	p["pg_catalog.pg_class"] = pgClass
	p["pg_catalog.pg_attribute"] = pgAttribute
	p["pg_catalog.pg_attrdef"] = pgAttrdef
	p["pg_catalog.pg_index"] = pgIndex
	p["pg_catalog.pg_constraint"] = pgConstraint
	p["pg_catalog.pg_depend"] = pgDepend
	p["pg_catalog.pg_rewrite"] = pgRewrite
	p["pg_catalog.pg_am"] = pgAm
	p["pg_catalog.pg_collation"] = pgCollation
	p["pg_catalog.pg_tablespace"] = pgTablespace
}

func pgNamespace(_ *query, out *Rows) error {
	out.Columns("oid", "nspname", "nspowner")
	for _, n := range namespaces {
		out.Add(n.oid, n.name, oidRole)
	}
	return nil
}

func pgClass(q *query, out *Rows) error {
	out.Columns("oid", "relname", "relnamespace", "reltype", "relowner", "relam", "relfilenode", "relpages", "reltuples", "relhasindex",
		"relpersistence", "relkind", "relnatts", "relchecks", "relhasrules", "relispopulated", "relreplident", "reloptions")
	for _, k := range q.classes {
		am := 0
		switch k.kind {
		case "r", "m":
			am = oidHeap
		case "i":
			am = oidBtree
		}
		rows, bytes := q.size(k.relation)
		var options any
		if k.relation != nil && len(k.relation.Options) > 0 {
			options = optionList(k.relation)
		}
		out.Add(k.oid, k.name, namespaceOID(k.schema), k.typeOID, oidRole, am, k.oid, max(bytes, 0)/8192, rows, len(q.indexes(k)) > 0,
			"p", k.kind, len(k.columns), checkCount(k), k.kind == "v", true, "d", options)
	}
	return nil
}

// size asks for a relation's rows and bytes; -1 when nobody knows.
func (q *query) size(r *catalog.Relation) (rows, bytes int64) {
	if r == nil || r.Kind == catalog.System || q.c.options.Provider == nil {
		return -1, -1
	}
	return q.c.options.Provider.RelationSize(r)
}

func pgAttribute(q *query, out *Rows) error {
	out.Columns("attrelid", "attname", "atttypid", "attstattarget", "attlen", "attnum", "attndims", "attcacheoff", "atttypmod", "attbyval",
		"attalign", "attstorage", "attnotnull", "atthasdef", "attidentity", "attgenerated", "attislocal", "attcollation")
	for _, k := range q.classes {
		for i, c := range k.columns {
			t := q.c.typeOf(c.Type)
			dims := 0
			if c.Type.Kind == types.Array {
				dims = 1
			}
			generated := ""
			if c.Generated != "" && k.kind == "r" {
				generated = "s"
			}
			out.Add(k.oid, c.Name, c.Type.OID(), -1, t.len, i+1, dims, -1, c.Type.Typmod(), t.byval, t.align, t.storage,
				c.NotNull || inPrimaryKey(k, i), k.kind == "r" && defaultOf(k, i) != "", attIdentity(c), generated, true, t.collation)
		}
	}
	return nil
}

func inPrimaryKey(k *class, column int) bool {
	if k.relation != nil && k.kind != "i" {
		for _, i := range k.relation.PrimaryKey {
			if i == column {
				return true
			}
		}
	}
	return false
}

func attIdentity(c catalog.Column) string {
	if c.Identity == nil {
		return ""
	}
	return map[string]string{"always": "a", "by default": "d"}[c.Identity.Kind]
}

// defaultOf is a column's default or generation expression.
func defaultOf(k *class, i int) string {
	c := k.columns[i]
	switch {
	case c.Generated != "":
		return c.Generated
	case c.Identity != nil && c.Identity.Kind == "serial":
		return "nextval('" + strings.ReplaceAll(quote(c.Identity.Sequence), "'", "''") + "'::regclass)"
	}
	return c.Default
}

func pgAttrdef(q *query, out *Rows) error {
	out.Columns("oid", "adrelid", "adnum", "adbin")
	for _, k := range q.classes {
		for i := range k.columns {
			if x := defaultOf(k, i); x != "" && k.kind == "r" {
				out.Add(k.oid^uint32(i+1)<<20|firstUserOID, k.oid, i+1, x)
			}
		}
	}
	return nil
}

func pgIndex(q *query, out *Rows) error {
	out.Columns("indexrelid", "indrelid", "indnatts", "indnkeyatts", "indisunique", "indnullsnotdistinct", "indisprimary", "indimmediate", "indisvalid",
		"indisready", "indislive", "indkey", "indcollation", "indclass", "indoption")
	for _, k := range q.classes {
		if k.kind != "i" {
			continue
		}
		zeros, options := make(lowerZero, len(k.keys)), make(lowerZero, len(k.keys))
		for i := range k.keys {
			options[i] = indexOption(k, i)
		}
		out.Add(k.oid, k.base.oid, len(k.keys), len(k.keys), k.isUnique(), nullsClause(k) != "", k.primary, true, true, true, true, lowerZero(k.keys), zeros, zeros, options)
	}
	return nil
}

// indexOption is the order of a column of an index in pg_index's bits.
func indexOption(k *class, i int) (bits int64) {
	if k.relation == nil {
		return 0
	}
	o := k.relation.IndexOrder(i)
	if o.Desc {
		bits |= 1
	}
	if o.NullsFirst {
		bits |= 2
	}
	return bits
}

func pgDepend(q *query, out *Rows) error {
	out.Columns("classid", "objid", "refclassid", "refobjid", "refobjsubid", "deptype")
	for _, s := range q.sequences {
		out.Add(oidClassClass, s.oid, oidClassClass, s.base.oid, s.column+1, s.dependence())
	}
	for _, k := range q.classes {
		switch {
		case k.unique != nil:
			out.Add(oidClassConstraint, k.constraintOID(), oidClassClass, k.base.oid, 0, "a")
			out.Add(oidClassClass, k.oid, oidClassConstraint, k.constraintOID(), 0, "i")
		case k.kind == "i":
			out.Add(oidClassClass, k.oid, oidClassClass, k.base.oid, 0, "a")
		case k.relation != nil && (k.kind == "v" || k.kind == "m"):
			out.Add(oidClassRewrite, ruleOID(k), oidClassClass, k.oid, 0, "i")
			for _, id := range k.relation.Depends {
				if base := q.byID[id]; base != nil {
					out.Add(oidClassRewrite, ruleOID(k), oidClassClass, base.oid, 0, "n")
				}
			}
		}
	}
	return nil
}

func ruleOID(k *class) uint32 { return k.oid ^ 0x10000000 | firstUserOID }

func pgRewrite(q *query, out *Rows) error {
	out.Columns("oid", "rulename", "ev_class", "ev_type", "ev_enabled", "is_instead")
	for _, k := range q.classes {
		if k.relation != nil && k.relation.Kind != catalog.System && (k.kind == "v" || k.kind == "m") {
			out.Add(ruleOID(k), "_RETURN", k.oid, "1", "O", true)
		}
	}
	return nil
}

func pgAm(_ *query, out *Rows) error {
	out.Columns("oid", "amname", "amtype")
	out.Add(oidHeap, "heap", "t")
	out.Add(oidBtree, "btree", "i")
	return nil
}

func pgCollation(_ *query, out *Rows) error {
	out.Columns("oid", "collname", "collnamespace", "collowner", "collprovider", "collisdeterministic", "collencoding", "collcollate", "collctype")
	out.Add(oidDefaultCollation, "default", oidCatalogNamespace, oidRole, "d", true, -1, nil, nil)
	out.Add(950, "C", oidCatalogNamespace, oidRole, "c", true, -1, "C", "C")
	return nil
}

func pgTablespace(_ *query, out *Rows) error {
	out.Columns("oid", "spcname", "spcowner")
	out.Add(oidDefaultTablespace, "pg_default", oidRole)
	return nil
}

// optionList writes WITH options as reloptions has them, secrets masked.
func optionList(r *catalog.Relation) []string {
	var out []string
	for name, v := range r.Options {
		if Secret(name) {
			v = "******"
		}
		out = append(out, name+"="+v)
	}
	sortStrings(out)
	return out
}

// Secret reports whether an option's value must never be shown.
func Secret(option string) bool {
	o := strings.ToLower(option)
	for _, part := range []string{"password", "secret", "access_key", "token", "credential", "private_key"} {
		if strings.Contains(o, part) {
			return true
		}
	}
	return false
}
