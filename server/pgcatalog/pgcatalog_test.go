package pgcatalog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

type silent struct{}

func (silent) Notice(session.Notice)          {}
func (silent) ParameterStatus(string, string) {}

func open(t *testing.T) (*Catalog, *session.Session) {
	t.Helper()
	ctx := context.Background()
	store, err := catalog.Open(ctx, "sqlite://"+t.TempDir()+"/meta.db", catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	tx := store.Begin()
	create := func(r catalog.Relation) *catalog.Relation {
		r.Schema = "public"
		out, err := tx.CreateRelation(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	orders := create(catalog.Relation{Name: "orders", Kind: catalog.Table, PrimaryKey: []int{0}, Columns: []catalog.Column{
		{Name: "id", Type: types.Of(types.Int64), NotNull: true},
		{Name: "amount", Type: types.Type{Kind: types.Numeric, Precision: 12, Scale: 2, HasPrecision: true}, Default: "0"},
		{Name: "Tags", Type: types.ArrayOf(types.Of(types.Text))},
		{Name: "day", Type: types.Of(types.Date), Generated: "now()::date"},
		{Name: "code", Type: types.Type{Kind: types.Varchar, Precision: 5, HasPrecision: true}},
	}})
	create(catalog.Relation{Name: "bid", Kind: catalog.Source, Options: map[string]string{"connector": "object", "secret_key": "hush"},
		Columns: []catalog.Column{{Name: "price", Type: types.Of(types.Int64)}}})
	totals := create(catalog.Relation{Name: "totals", Kind: catalog.MaterializedView, Query: "SELECT 1", ID: "mv", JobID: "job1", PrimaryKey: []int{0},
		Depends: []string{orders.ID}, Columns: []catalog.Column{{Name: "n", Type: types.Of(types.Int64)}}})
	create(catalog.Relation{Name: "v", Kind: catalog.View, Query: "SELECT 2", Depends: []string{totals.ID}, Columns: []catalog.Column{{Name: "n", Type: types.Of(types.Int64)}}})
	create(catalog.Relation{Name: "totals_n", Kind: catalog.Index, Depends: []string{totals.ID}, Columns: []catalog.Column{{Name: "n", Type: types.Of(types.Int64)}}})
	if _, err := tx.CreateJob(catalog.Job{ID: "job1", Name: "totals", ViewID: "mv", State: "running", Wanted: "running", SQL: "CREATE …",
		Options: map[string]string{"parallelism": "2", "api_token": "hush"}, Lineage: []string{"job0"}}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for _, job := range []string{"job0", "job1"} {
		if err := store.PutCheckpoint(ctx, catalog.Checkpoint{JobID: job, N: 7, State: "complete", Started: time.UnixMilli(1000), Ended: time.UnixMilli(3500)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.AddEvent(ctx, catalog.Event{JobID: "job1", Kind: "started", Message: "hello"}); err != nil {
		t.Fatal(err)
	}
	manager := session.NewManager(session.Options{Parse: func(string) ([]ast.Parsed, error) { return nil, nil }})
	s, err := manager.Open(session.Start{User: "millrace", Database: "millrace", Remote: "127.0.0.1:99"}, silent{})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Store: store, Sessions: manager}), s
}

// table renders some columns of a relation's rows that match a filter.
func table(t *testing.T, c *Catalog, s *session.Session, relation, columns string, keep func(func(string) string) bool) string {
	t.Helper()
	d := c.byName[relation]
	if d == nil {
		t.Fatalf("there is no %s", relation)
	}
	rows, err := c.Rows(context.Background(), s, d.relation)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, row := range rows {
		value := func(name string) string {
			for i, col := range d.relation.Columns {
				if col.Name == name {
					if row[i].Null {
						return "NULL"
					}
					return string(types.AppendText(nil, col.Type, &row[i], nil))
				}
			}
			t.Fatalf("%s has no column %s", relation, name)
			return ""
		}
		if keep != nil && !keep(value) {
			continue
		}
		var parts []string
		for _, name := range strings.Fields(columns) {
			parts = append(parts, value(name))
		}
		lines = append(lines, strings.Join(parts, "|"))
	}
	return strings.Join(lines, "\n")
}

func TestEveryRelationAnswers(t *testing.T) {
	c, s := open(t)
	filled := 0
	for _, r := range c.Relations() {
		for _, sess := range []*session.Session{s, nil} {
			rows, err := c.Rows(context.Background(), sess, r)
			if err != nil {
				t.Errorf("%s: %v", r.Name, err)
			}
			if len(rows) > 0 {
				filled++
			}
			for _, row := range rows {
				for i, col := range r.Columns {
					if col.NotNull && row[i].Null {
						t.Errorf("%s.%s is null", r.Name, col.Name)
					}
					if !row[i].Null && col.Type.Phys() == types.PhysBytes {
						types.AppendText(nil, col.Type, &row[i], nil) // must be well formed
						if col.Type.Kind == types.Array {
							if _, err := types.DecodeArray(*col.Type.Elem, row[i].Bytes); err != nil {
								t.Errorf("%s.%s: %v", r.Name, col.Name, err)
							}
						}
					}
				}
			}
		}
	}
	if filled < 60 {
		t.Errorf("only %d relations have rows", filled)
	}
}

func TestOIDsAreUniqueAndStable(t *testing.T) {
	c, _ := open(t)
	m := c.model(c.options.Store.Snapshot())
	seen := map[uint32]string{}
	for _, k := range m.classes {
		if k.oid == 0 || seen[k.oid] != "" {
			t.Errorf("%s and %s share OID %d", k.name, seen[k.oid], k.oid)
		}
		seen[k.oid] = k.name
	}
	again := c.newModel(c.options.Store.Snapshot())
	for i, k := range m.classes {
		if again.classes[i].oid != k.oid {
			t.Errorf("OID of %s went from %d to %d", k.name, k.oid, again.classes[i].oid)
		}
	}
	if m.byName[[2]string{"pg_catalog", "pg_class"}].oid != 1259 {
		t.Error("pg_class has a wrong OID")
	}
}

func TestRows(t *testing.T) {
	c, s := open(t)
	public := func(column, schema string) func(func(string) string) bool {
		return func(v func(string) string) bool { return v(column) == schema }
	}
	orders := fmt.Sprint(c.model(c.options.Store.Snapshot()).byName[[2]string{"public", "orders"}].oid)
	for _, x := range []struct {
		relation, columns string
		keep              func(func(string) string) bool
		want              string
	}{
		{"pg_catalog.pg_namespace", "oid nspname", nil, "11|pg_catalog\n2200|public\n13000|information_schema\n13001|millrace"},
		{"pg_catalog.pg_class", "relname relkind relam relnatts relhasindex reltuples", public("relnamespace", "2200"),
			"bid|r|2|1|f|-1\norders|r|2|5|t|-1\norders_pkey|i|403|1|f|-1\ntotals|m|2|1|t|-1\ntotals_n|i|403|1|f|-1\ntotals_pkey|i|403|1|f|-1\nv|v|0|1|f|-1"},
		{"pg_catalog.pg_class", "relname reloptions", func(v func(string) string) bool { return v("relname") == "bid" },
			"bid|{connector=object,secret_key=******}"},
		{"pg_catalog.pg_attribute", "attname atttypid atttypmod attlen attnum attndims attnotnull atthasdef attgenerated attcollation", public("attrelid", orders),
			"id|20|-1|8|1|0|t|f||0\namount|1700|786438|-1|2|0|f|t||0\nTags|1009|-1|-1|3|1|f|f||100\nday|1082|-1|4|4|0|f|t|s|0\ncode|1043|9|-1|5|0|f|f||100"},
		{"pg_catalog.pg_index", "indisunique indisprimary indkey", public("indrelid", orders), "t|t|1"},
		{"pg_catalog.pg_constraint", "conname contype conkey", public("conrelid", orders), "orders_pkey|p|{1}"},
		{"pg_catalog.pg_attrdef", "adnum adbin", public("adrelid", orders), "2|0\n4|now()::date"},
		{"pg_catalog.pg_tables", "tablename tableowner hasindexes", public("schemaname", "public"), "bid|millrace|f\norders|millrace|t"},
		{"pg_catalog.pg_matviews", "matviewname definition", nil, "totals| SELECT 1;"},
		{"pg_catalog.pg_indexes", "indexname indexdef", public("tablename", "orders"), "orders_pkey|CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)"},
		{"pg_catalog.pg_type", "oid typname typlen typcategory typelem typarray", public("typname", "_int8"), "1016|_int8|-1|A|20|0"},
		{"pg_catalog.pg_database", "datname encoding", nil, "millrace|6"},
		{"pg_catalog.pg_settings", "setting unit vartype", public("name", "statement_timeout"), "0|ms|integer"},
		{"pg_catalog.pg_timezone_names", "abbrev utc_offset is_dst", public("name", "Asia/Kolkata"), "IST|05:30:00|f"},
		{"pg_catalog.pg_timezone_abbrevs", "utc_offset is_dst", public("abbrev", "EDT"), "-04:00:00|t"},
		{"pg_catalog.pg_stat_activity", "datname client_addr client_port state", nil, "millrace|127.0.0.1|99|idle"},
		{"information_schema.tables", "table_name table_type is_insertable_into", public("table_schema", "public"), "bid|BASE TABLE|NO\norders|BASE TABLE|YES\nv|VIEW|NO"},
		{"information_schema.columns", "column_name ordinal_position is_nullable data_type numeric_precision numeric_scale character_maximum_length udt_name is_generated",
			public("table_name", "orders"), "id|1|NO|bigint|64|0|NULL|int8|NEVER\namount|2|YES|numeric|12|2|NULL|numeric|NEVER\nTags|3|YES|ARRAY|NULL|NULL|NULL|_text|NEVER\n" +
				"day|4|YES|date|NULL|NULL|NULL|date|ALWAYS\ncode|5|YES|character varying|NULL|NULL|5|varchar|NEVER"},
		{"information_schema.key_column_usage", "constraint_name column_name ordinal_position", public("table_name", "orders"), "orders_pkey|id|1"},
		{"millrace.jobs", "id name kind state options lineage last_checkpoint", nil, `job1|totals|materialized view|running|{"api_token": "******", "parallelism": "2"}|{job0}|7`},
		{"millrace.checkpoints", "job_id job n duration", nil, "job0|totals|7|00:00:02.5\njob1|totals|7|00:00:02.5"},
		{"millrace.job_events", "job kind message", nil, "totals|started|hello"},
	} {
		if got := table(t, c, s, x.relation, x.columns, x.keep); got != x.want {
			t.Errorf("%s\n got %s\nwant %s", x.relation, got, x.want)
		}
	}
}

func TestEveryExternalFunctionHasABody(t *testing.T) {
	c, _ := open(t)
	scalar.All(func(f *scalar.Function) {
		if f.External && c.functions[f.Key] == nil {
			t.Errorf("%s has no body", f.Key)
		}
	})
}

func TestFunctions(t *testing.T) {
	c, s := open(t)
	m := c.model(c.options.Store.Snapshot())
	oid := func(name string) types.Value { return number8(int64(m.byName[[2]string{"public", name}].oid)) }
	null := types.NullValue
	for _, x := range []struct {
		key  string
		args []types.Value
		typ  types.Type
		want string
	}{
		{"current_schemas(boolean)", []types.Value{boolean(true)}, types.ArrayOf(types.Of(types.Name)), "{pg_catalog,public}"},
		{"current_schemas(boolean)", []types.Value{boolean(false)}, types.ArrayOf(types.Of(types.Name)), "{public}"},
		{"current_setting(text)", []types.Value{text("datestyle")}, types.Of(types.Text), "ISO, MDY"},
		{"current_setting(text,boolean)", []types.Value{text("no.such"), boolean(true)}, types.Of(types.Text), "NULL"},
		{"set_config(text,text,boolean)", []types.Value{text("search_path"), text("millrace, public"), boolean(false)}, types.Of(types.Text), "millrace, public"},
		{"format_type(oid,integer)", []types.Value{number8(1700), number8(786438)}, types.Of(types.Text), "numeric(12,2)"},
		{"format_type(oid,integer)", []types.Value{number8(1043), number8(9)}, types.Of(types.Text), "character varying(5)"},
		{"format_type(oid,integer)", []types.Value{number8(1016), null}, types.Of(types.Text), "bigint[]"},
		{"format_type(oid,integer)", []types.Value{number8(1009), number8(-1)}, types.Of(types.Text), "text[]"},
		{"format_type(oid,integer)", []types.Value{number8(1184), number8(3)}, types.Of(types.Text), "timestamp(3) with time zone"},
		{"format_type(oid,integer)", []types.Value{number8(2205), null}, types.Of(types.Text), "regclass"},
		{"format_type(oid,integer)", []types.Value{number8(424242), null}, types.Of(types.Text), "???"},
		{"format_type(oid,integer)", []types.Value{null, null}, types.Of(types.Text), "NULL"},
		{"pg_get_userbyid(oid)", []types.Value{number8(10)}, types.Of(types.Name), "millrace"},
		{"pg_get_userbyid(oid)", []types.Value{number8(11)}, types.Of(types.Name), "unknown (OID=11)"},
		{"pg_table_is_visible(oid)", []types.Value{oid("orders")}, types.Of(types.Bool), "t"},
		{"pg_table_is_visible(oid)", []types.Value{number8(1)}, types.Of(types.Bool), "NULL"},
		{"pg_get_indexdef(oid,integer,boolean)", []types.Value{oid("orders_pkey"), number8(1), boolean(true)}, types.Of(types.Text), "id"},
		{"pg_get_indexdef(oid)", []types.Value{oid("totals_n")}, types.Of(types.Text), "CREATE INDEX totals_n ON public.totals USING btree (n)"},
		{"pg_get_viewdef(oid)", []types.Value{oid("v")}, types.Of(types.Text), " SELECT 2;"},
		{"pg_encoding_to_char(integer)", []types.Value{number8(6)}, types.Of(types.Name), "UTF8"},
		{"to_regclass(text)", []types.Value{text("pg_class")}, types.Of(types.OID), "1259"},
		{"to_regclass(text)", []types.Value{text(`Pg_Catalog."pg_class"`)}, types.Of(types.OID), "1259"},
		{"to_regclass(text)", []types.Value{text("1259")}, types.Of(types.OID), "1259"},
		{"to_regclass(text)", []types.Value{text("nope")}, types.Of(types.OID), "NULL"},
		{"regclass_in(text)", []types.Value{text("nope")}, types.Of(types.OID), `relation "nope" does not exist`},
		{"to_regtype(text)", []types.Value{text("character varying")}, types.Of(types.OID), "1043"},
		{"to_regtype(text)", []types.Value{text("int4[]")}, types.Of(types.OID), "1007"},
		{"to_regtype(text)", []types.Value{text("nope")}, types.Of(types.OID), "NULL"},
		{"regclass_text(oid)", []types.Value{number8(1259)}, types.Of(types.Text), "pg_class"},
		{"to_regnamespace(text)", []types.Value{text("public")}, types.Of(types.OID), "2200"},
		{"has_table_privilege(oid,text)", []types.Value{oid("orders"), text("SELECT")}, types.Of(types.Bool), "t"},
		{"pg_get_triggerdef(oid,boolean)", []types.Value{number8(1), boolean(true)}, types.Of(types.Text), "NULL"},
		{"pg_cancel_backend(integer)", []types.Value{number8(1)}, types.Of(types.Bool), "f"},
	} {
		v, err := c.Function(context.Background(), s)(x.key, x.args, x.typ)
		got := "NULL"
		if err != nil {
			got = err.Error()
		} else if !v.Null {
			got = string(types.AppendText(nil, x.typ, &v, nil))
		}
		if got != x.want {
			t.Errorf("%s%v: got %s, want %s", x.key, x.args, got, x.want)
		}
	}
	if _, err := c.Function(context.Background(), s)("nope()", nil, types.Of(types.Text)); err == nil {
		t.Error("an unknown function answers")
	}
}
