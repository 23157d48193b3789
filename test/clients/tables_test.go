package clients

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/server"
)

// TestErrorFields checks the names that programs find in an error: of the table
// and of the column or constraint.
func TestErrorFields(t *testing.T) {
	c := connect(t, start(t, server.Options{}))
	for _, sql := range []string{"CREATE TABLE t (id int PRIMARY KEY, n text NOT NULL)", "INSERT INTO t VALUES (1, 'a')"} {
		if _, err := c.Exec(bg(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []struct{ sql, code, column, constraint string }{
		{"INSERT INTO t VALUES (1, 'b')", "23505", "", "t_pkey"},
		{"INSERT INTO t VALUES (2, 'b'), (2, 'c')", "23505", "", "t_pkey"},
		{"INSERT INTO t VALUES (2, NULL)", "23502", "n", ""},
		{"UPDATE t SET id = NULL", "23502", "id", ""},
	} {
		_, err := c.Exec(bg(), e.sql)
		var got *pgconn.PgError
		if !errors.As(err, &got) || got.Code != e.code || got.SchemaName != "public" || got.TableName != "t" || got.ColumnName != e.column || got.ConstraintName != e.constraint {
			t.Errorf("%s: %#v", e.sql, err)
		}
	}
}

// TestColumnOrigins checks that a result tells which columns are whose, as
// PostgreSQL does: through joins, subqueries, groups and copies, not through
// expressions, casts and set operations; a view's columns are its own.
func TestColumnOrigins(t *testing.T) {
	c := connect(t, start(t, server.Options{}))
	for _, sql := range []string{"CREATE TABLE t (id int PRIMARY KEY, n text)", "CREATE TABLE u (x int, y text)", "CREATE VIEW v AS SELECT y, x FROM u",
		"INSERT INTO t VALUES (1, 'a')"} {
		if _, err := c.Exec(bg(), sql); err != nil {
			t.Fatal(err)
		}
	}
	names := map[uint32]string{0: ""}
	for _, name := range []string{"t", "u", "v", "pg_class"} {
		var oid uint32
		if err := c.QueryRow(bg(), "SELECT $1::text::regclass::oid", name).Scan(&oid); err != nil {
			t.Fatal(err)
		}
		names[oid] = name
	}
	type origin struct {
		table  string
		column uint16
	}
	for _, q := range []struct {
		sql  string
		want []origin
	}{
		{"SELECT n, id, id + 1, n || '', n::varchar(3) FROM t", []origin{{"t", 2}, {"t", 1}, {}, {}, {}}},
		{"SELECT * FROM t LEFT JOIN u ON t.id = u.x", []origin{{"t", 1}, {"t", 2}, {"u", 1}, {"u", 2}}},
		{"SELECT a.n FROM (SELECT n FROM t ORDER BY id LIMIT 1) a", []origin{{"t", 2}}},
		{"WITH w AS (SELECT n AS m FROM t) SELECT m FROM w", []origin{{"t", 2}}},
		{"SELECT n, count(*) FROM t GROUP BY n ORDER BY 2", []origin{{"t", 2}, {}}},
		{"SELECT DISTINCT n FROM t", []origin{{"t", 2}}},
		{"SELECT id FROM t UNION ALL SELECT x FROM u", []origin{{}}},
		{"SELECT x, y FROM v", []origin{{"v", 2}, {"v", 1}}},
		{"SELECT relname FROM pg_class", []origin{{"pg_class", 2}}},
		{"INSERT INTO t VALUES (2, 'b') RETURNING n, id, id + 1", []origin{{"t", 2}, {"t", 1}, {}}},
		{"UPDATE t SET n = 'c' FROM (VALUES (2)) k (id) WHERE k.id = t.id RETURNING t.n, k.id", []origin{{"t", 2}, {}}},
	} {
		rows, err := c.Query(bg(), q.sql)
		if err != nil {
			t.Fatal(err)
		}
		var got []origin
		for _, f := range rows.FieldDescriptions() {
			got = append(got, origin{names[f.TableOID], f.TableAttributeNumber})
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", q.sql, err)
		}
		if len(got) != len(q.want) {
			t.Fatalf("%s: %v", q.sql, got)
		}
		for i := range got {
			if got[i] != q.want[i] {
				t.Errorf("%s: column %d is %v, want %v", q.sql, i+1, got[i], q.want[i])
			}
		}
	}
}

// TestRegisteredNames checks what a person or a tool sees of object ids and of
// vectors of numbers: names, and numbers with spaces in between.
func TestRegisteredNames(t *testing.T) {
	c := connect(t, start(t, server.Options{}))
	if _, err := c.Exec(bg(), "CREATE TABLE t (a int, b int, PRIMARY KEY (b, a))"); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"SELECT 't'::regclass, 'int4'::regtype":                                                                                       "t integer",
		"SELECT 't'::regclass::oid = (SELECT oid FROM pg_class WHERE relname = 't'), 'x'":                                             "true x",
		"SELECT indkey, indkey[1]::text FROM pg_index WHERE indrelid = 't'::regclass":                                                 "2 1 1",
		"SELECT format_type(atttypid, atttypmod), 'x' FROM pg_attribute WHERE attrelid = 'pg_index'::regclass AND attname = 'indkey'": "int2vector x",
		"SELECT has_column_privilege('t', 'a', 'SELECT'), string_agg(word, ' ') FROM pg_get_keywords() WHERE word = 'select'":         "true select",
	} {
		var a, b any
		if err := c.QueryRow(bg(), sql).Scan(&a, &b); err != nil || fmt.Sprintf("%v %v", a, b) != want {
			t.Errorf("%s: %v %v %v, want %s", sql, a, b, err, want)
		}
	}
}
