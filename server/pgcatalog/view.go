package pgcatalog

import "github.com/millrace/millrace/catalog"

// viewProducers are PostgreSQL's convenience views over the catalogs.
func viewProducers(p map[string]producer) {
	p["pg_catalog.pg_tables"] = pgTables
	p["pg_catalog.pg_views"] = pgViews
	p["pg_catalog.pg_matviews"] = pgMatviews
	p["pg_catalog.pg_indexes"] = pgIndexes
	p["pg_catalog.pg_stat_user_tables"] = func(q *query, out *Rows) error { return pgStatTables(q, out, false) }
	p["pg_catalog.pg_stat_all_tables"] = func(q *query, out *Rows) error { return pgStatTables(q, out, true) }
}

func pgTables(q *query, out *Rows) error {
	out.Columns("schemaname", "tablename", "tableowner", "hasindexes", "hasrules", "hastriggers", "rowsecurity")
	for _, k := range q.classes {
		if k.kind == "r" {
			out.Add(k.schema, k.name, q.role(), len(q.indexes(k)) > 0, false, false, false)
		}
	}
	return nil
}

func pgViews(q *query, out *Rows) error {
	out.Columns("schemaname", "viewname", "viewowner", "definition")
	for _, k := range q.classes {
		if k.kind == "v" {
			out.Add(k.schema, k.name, q.role(), viewDefinition(k))
		}
	}
	return nil
}

func pgMatviews(q *query, out *Rows) error {
	out.Columns("schemaname", "matviewname", "matviewowner", "hasindexes", "ispopulated", "definition")
	for _, k := range q.classes {
		if k.kind == "m" {
			out.Add(k.schema, k.name, q.role(), len(q.indexes(k)) > 0, true, viewDefinition(k))
		}
	}
	return nil
}

// viewDefinition is a view's query as pg_get_viewdef gives it.
func viewDefinition(k *class) string {
	if k.relation == nil || k.relation.Query == "" {
		return ""
	}
	return " " + k.relation.Query + ";"
}

func pgIndexes(q *query, out *Rows) error {
	out.Columns("schemaname", "tablename", "indexname", "indexdef")
	for _, k := range q.classes {
		if k.kind == "i" {
			out.Add(k.schema, k.base.name, k.name, indexDefinition(k))
		}
	}
	return nil
}

// indexDefinition is CREATE INDEX as pg_get_indexdef gives it.
func indexDefinition(k *class) string {
	unique := ""
	if k.isUnique() {
		unique = "UNIQUE "
	}
	return "CREATE " + unique + "INDEX " + quote(k.name) + " ON " + quote(k.base.schema) + "." + quote(k.base.name) +
		" USING btree (" + columnList(k) + ")" + nullsClause(k)
}

func pgStatTables(q *query, out *Rows, all bool) error {
	out.Columns("relid", "schemaname", "relname", "n_live_tup")
	for _, k := range q.classes {
		if k.kind != "r" && k.kind != "m" || !all && k.relation.Kind == catalog.System {
			continue
		}
		rows, _ := q.size(k.relation)
		out.Add(k.oid, k.schema, k.name, max(rows, 0))
	}
	return nil
}
