package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/millrace/millrace/server"
)

// typed is a value of each type: as a literal, and as text comes back.
var typed = []struct{ name, literal, text string }{
	{"boolean", "true", "t"}, {"boolean", "false", "f"},
	{"smallint", "-32768", "-32768"}, {"integer", "2147483647", "2147483647"}, {"bigint", "-9223372036854775808", "-9223372036854775808"},
	{"real", "1.5", "1.5"}, {"real", "'NaN'", "NaN"}, {"double precision", "0.1", "0.1"}, {"double precision", "'-Infinity'", "-Infinity"},
	{"numeric", "12345678901234567890.0123456789", "12345678901234567890.0123456789"}, {"numeric", "-0.5", "-0.5"}, {"numeric", "0", "0"},
	{"numeric", "'NaN'", "NaN"}, {"numeric(12,2)", "1000000000", "1000000000.00"}, {"numeric", "0.000001", "0.000001"},
	{"text", "'héllo, 世界'", "héllo, 世界"}, {"text", "''", ""}, {"varchar(5)", "'abc'", "abc"}, {"char(5)", "'abc'", "abc  "},
	{"bytea", `'\x00ff10'`, `\x00ff10`}, {"date", "'2024-02-29'", "2024-02-29"}, {"date", "'0044-03-15 BC'", "0044-03-15 BC"},
	{"time", "'23:59:59.999999'", "23:59:59.999999"}, {"timestamp", "'2024-02-29 12:34:56.789'", "2024-02-29 12:34:56.789"},
	{"timestamp(3)", "'2024-02-29 12:34:56.789012'", "2024-02-29 12:34:56.789"}, {"timestamp", "'1969-12-31 23:59:59.5'", "1969-12-31 23:59:59.5"},
	{"timestamptz", "'2024-02-29 12:34:56+02'", "2024-02-29 10:34:56+00"}, {"timestamp", "'infinity'", "infinity"},
	{"interval", "'1 year 2 mons 3 days 04:05:06.5'", "1 year 2 mons 3 days 04:05:06.5"}, {"interval", "'-1 day'", "-1 days"},
	{"uuid", "'00112233-4455-6677-8899-aabbccddeeff'", "00112233-4455-6677-8899-aabbccddeeff"}, {"jsonb", `'{"b": [1, null], "a": "x"}'`, `{"a": "x", "b": [1, null]}`},
	{"integer[]", "'{1,NULL,3}'", "{1,NULL,3}"}, {"text[]", `'{a,"b c",NULL,"",null}'`, `{a,"b c",NULL,"",NULL}`}, {"text[]", "'{}'", "{}"},
	{"bigint[]", "'{{1,2},{3,4}}'", "{{1,2},{3,4}}"}, {"numeric[]", "'{1.50,2}'", "{1.50,2}"}, {"timestamp[]", `'{"2024-01-01 00:00:00"}'`, `{"2024-01-01 00:00:00"}`},
	{"row(a int, b text)", `'(1,"x,y")'`, `(1,"x,y")`}, {"row(a int, b text)[]", `'{"(1,)",NULL}'`, `{"(1,)",NULL}`},
	{"boolean[]", "'{t,f}'", "{t,f}"}, {"uuid[]", "'{00112233-4455-6677-8899-aabbccddeeff}'", "{00112233-4455-6677-8899-aabbccddeeff}"},
}

// TestTypesBothWays sends each value as text and binary, in and out, through a
// column of its type.
func TestTypesBothWays(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s).PgConn()
	for i, v := range typed {
		name := fmt.Sprintf("t%d", i)
		if err := c.Exec(bg(), fmt.Sprintf("CREATE TABLE %s (v %s); INSERT INTO %s VALUES (%s)", name, v.name, name, v.literal)).Close(); err != nil {
			t.Errorf("%s %s: %v", v.name, v.literal, err)
			continue
		}
		read := func(sql string, format int16, args [][]byte, formats []int16) []byte {
			t.Helper()
			r := c.ExecParams(bg(), sql, args, nil, formats, []int16{format}).Read()
			if r.Err != nil || len(r.Rows) != 1 {
				t.Errorf("%s %s: %s: %v", v.name, v.literal, sql, r.Err)
				return nil
			}
			return r.Rows[0][0]
		}
		if got := read("SELECT v FROM "+name, 0, nil, nil); string(got) != v.text {
			t.Errorf("%s %s: text is %q, want %q", v.name, v.literal, got, v.text)
		}
		binary := read("SELECT v FROM "+name, 1, nil, nil)
		for format, arg := range map[int16][]byte{0: []byte(v.text), 1: binary} {
			if err := c.ExecParams(bg(), fmt.Sprintf("DECLARE c CURSOR WITH HOLD FOR SELECT $1, v FROM %s WHERE v = $1 LIMIT 1", name), [][]byte{arg}, nil, []int16{format}, nil).Read().Err; err != nil {
				t.Errorf("%s %s: of a cursor, in as format %d: %v", v.name, v.literal, format, err)
			} else if got := read("FETCH c", 0, nil, nil); string(got) != v.text {
				t.Errorf("%s %s: of a cursor, in as format %d, text is %q, want %q", v.name, v.literal, format, got, v.text)
			}
			if err := c.Exec(bg(), "CLOSE ALL").Close(); err != nil {
				t.Error(err)
			}
			insert := fmt.Sprintf("INSERT INTO %s VALUES ($1) RETURNING v", name)
			if got := read(insert, 0, [][]byte{arg}, []int16{format}); string(got) != v.text {
				t.Errorf("%s %s: in as format %d, text is %q, want %q", v.name, v.literal, format, got, v.text)
			}
			// What the server has said of the parameter's type is declared to it.
			st, err := c.Prepare(bg(), "", insert, nil)
			if err != nil {
				t.Errorf("%s: %v", insert, err)
				continue
			}
			r := c.ExecParams(bg(), insert, [][]byte{arg}, st.ParamOIDs, []int16{format}, []int16{1}).Read()
			if r.Err != nil || string(r.Rows[0][0]) != string(binary) {
				t.Errorf("%s %s: in as format %d, binary is %x, want %x, %v", v.name, v.literal, format, r.Rows, binary, r.Err)
			}
		}
		if got := read("SELECT count(*) FROM "+name+" WHERE v IS NOT NULL", 0, nil, nil); string(got) != "5" {
			t.Errorf("%s: %s rows", v.name, got)
		}
		if got := read(fmt.Sprintf("INSERT INTO %s VALUES ($1) RETURNING v IS NULL", name), 0, [][]byte{nil}, []int16{1}); string(got) != "t" {
			t.Errorf("%s: null came in as %q", v.name, got)
		}
	}
}

// TestGoValues round-trips Go values through pgx's own codecs, in each mode.
func TestGoValues(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	at := time.Date(2024, 2, 29, 12, 34, 56, 789000000, time.UTC)
	values := []any{true, int16(-2), int32(7), int64(1) << 40, float32(1.5), 0.25, "héllo", []byte{0, 1, 255}, at, [16]byte{1, 2, 3}, []int32{1, 2}, []string{"a", "b,c"},
		map[string]any{"a": 1.0}}
	casts := []string{"boolean", "smallint", "integer", "bigint", "real", "double precision", "text", "bytea", "timestamptz", "uuid", "integer[]", "text[]", "jsonb"}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		for i, v := range values {
			if mode >= pgx.QueryExecModeExec && (casts[i] == "uuid" || casts[i] == "jsonb") {
				continue // pgx itself wants to know the type first
			}
			out := reflect.New(reflect.TypeOf(v))
			err := c.QueryRow(bg(), "SELECT $1::"+casts[i], mode, v).Scan(out.Interface())
			got := out.Elem().Interface()
			if tm, ok := got.(time.Time); ok {
				got = tm.UTC()
			}
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("mode %s, %s: got %v, want %v: %v", mode, casts[i], got, v, err)
			}
		}
	}
}

// TestManyValues asks for the rows with one of many values, as drivers write IN: with
// comparisons of all with all it would run into the timeout.
func TestManyValues(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	if _, err := c.Exec(bg(), "CREATE TABLE many (id int PRIMARY KEY, a text, n numeric); INSERT INTO many SELECT i, nullif(i, 4)::text, i FROM generate_series(1, 30000) i; SET statement_timeout = '5s'"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1500, 10000} {
		ids, texts := make([]*int32, n), make([]string, n)
		for i := range ids {
			v := int32(3*i + 1)
			ids[i], texts[i] = &v, fmt.Sprint(v)
		}
		for _, q := range []struct {
			where string
			list  any
			want  int
		}{
			{"id = ANY ($1)", ids, n}, {"id = ANY ($1)", append([]*int32{nil}, ids...), n}, {"id <> ALL ($1)", ids, 30000 - n}, {"id <> ALL ($1)", append(ids[:n:n], nil), 0},
			{"a = ANY ($1)", texts, max(n-1, 0)}, {"a <> ALL ($1)", texts, 30000 - n}, {"n = ANY ($1::int[])", ids, n}, {"id = ANY ($1::int[])", nil, 0},
		} {
			var got int
			if err := c.QueryRow(bg(), "SELECT count(*) FROM many WHERE "+q.where, q.list).Scan(&got); err != nil || got != q.want {
				t.Errorf("%s of %d: %d rows, want %d: %v", q.where, n, got, q.want, err)
			}
		}
		rows, _ := c.Query(bg(), "EXPLAIN SELECT count(*) FROM many WHERE id = ANY ($1)", ids)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if found := strings.Contains(strings.Join(plan, "\n"), fmt.Sprintf("many_pkey, %d keys", n)); err != nil || found != (n == 1500) {
			t.Errorf("%d values of 30000 rows: found by the index: %v, %v", n, found, err)
		}
	}
}

func TestBatches(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	b := &pgx.Batch{}
	if got := run(c, "CREATE TABLE t (id int PRIMARY KEY, v text)"); got != "CREATE TABLE" {
		t.Fatal(got)
	}
	for i := range 500 {
		b.Queue("INSERT INTO t VALUES ($1, $2)", i, fmt.Sprint("v", i))
	}
	var n int
	b.Queue("SELECT count(*) FROM t").QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	if err := c.SendBatch(bg(), b).Close(); err != nil || n != 500 {
		t.Fatal(n, err)
	}
	// One that fails takes the whole back.
	b = &pgx.Batch{}
	b.Queue("DELETE FROM t")
	b.Queue("INSERT INTO t VALUES (1, 'a')")
	b.Queue("INSERT INTO t VALUES (1, 'b')")
	b.Queue("SELECT 1")
	if err := c.SendBatch(bg(), b).Close(); code(err) != "23505" {
		t.Fatal(err)
	}
	if got := run(c, "SELECT count(*) FROM t"); got != "(500) SELECT 1" {
		t.Error(got)
	}
}

func TestCopyFrom(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	if got := run(c, "CREATE TABLE t (id bigint PRIMARY KEY, name text, amount numeric, at timestamptz, tags text[], day date GENERATED ALWAYS AS (at::date))"); got != "CREATE TABLE" {
		t.Fatal(got)
	}
	at := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	const rows = 5000
	src := pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		var name any
		if i%3 > 0 {
			name = fmt.Sprint("n", i)
		}
		return []any{i, name, pgtype.Numeric{Int: big.NewInt(int64(i)), Exp: -2, Valid: true}, at, []string{"a", "b"}}, nil
	})
	n, err := c.CopyFrom(bg(), pgx.Identifier{"t"}, []string{"id", "name", "amount", "at", "tags"}, src)
	if err != nil || n != rows {
		t.Fatal(n, err)
	}
	if got := run(c, "SELECT count(*), count(name), sum(amount), min(day), max(array_length(tags, 1)) FROM t"); got != "(5000,3333,124975.00,2024-02-29,2) SELECT 1" {
		t.Error(got)
	}
	_, err = c.CopyFrom(bg(), pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{9001}, {9002}, {1}}))
	if code(err) != "23505" {
		t.Error(err)
	}
	_, err = c.CopyFrom(bg(), pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) { return nil, errors.New("no more") }))
	if code(err) != "57014" {
		t.Error(err)
	}
	if got := run(c, "SELECT count(*) FROM t"); got != "(5000) SELECT 1" {
		t.Error(got)
	}
}

// TestPortals reads a result in parts, as drivers with a fetch size do.
func TestPortals(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	if got := run(c, "BEGIN; CREATE TABLE t (n int)"); !strings.HasPrefix(got, "BEGIN") {
		t.Fatal(got)
	}
	if got := run(c, "INSERT INTO t SELECT g FROM generate_series(1, 10) AS g (g); DECLARE cur CURSOR FOR SELECT n FROM t ORDER BY n; DELETE FROM t WHERE n > 5"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	for _, step := range [][2]string{
		{"FETCH 3 FROM cur", "(1) (2) (3) FETCH 3"}, {"MOVE 2 FROM cur", "MOVE 2"}, {"FETCH FORWARD ALL FROM cur", "(6) (7) (8) (9) (10) FETCH 5"},
		{"FETCH cur", "FETCH 0"}, {"CLOSE cur", "CLOSE CURSOR"}, {"FETCH cur", "!34000"}, {"ROLLBACK", "ROLLBACK"},
		{"DECLARE h CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 3) AS g (g)", "DECLARE CURSOR"}, {"FETCH 2 FROM h", "(1) (2) FETCH 2"},
		{"BEGIN; FETCH NEXT FROM h; COMMIT", "BEGIN (3) FETCH 1 COMMIT"}, {"CLOSE ALL", "CLOSE CURSOR ALL"},
		{"BEGIN; SAVEPOINT a; DECLARE x CURSOR FOR SELECT 1; ROLLBACK TO a; FETCH x", "BEGIN SAVEPOINT DECLARE CURSOR ROLLBACK !34000"}, {"ROLLBACK", "ROLLBACK"},
		{"DECLARE y CURSOR FOR SELECT 1", "!25P01"},
		{"BEGIN; DECLARE z SCROLL CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 2000) AS g (g); FETCH 2 FROM z; COMMIT",
			"BEGIN DECLARE CURSOR (1) (2) FETCH 2 COMMIT"},
		{"FETCH PRIOR z", "(1) FETCH 1"}, {"MOVE 1500 z", "MOVE 1500"}, {"FETCH LAST z", "(2000) FETCH 1"}, {"MOVE BACKWARD 974 z", "MOVE 974"},
		{"FETCH BACKWARD 4 z", "(1025) (1024) (1023) (1022) FETCH 4"}, {"MOVE 0 z", "MOVE 1"}, {"MOVE ABSOLUTE 2001 z", "MOVE 0"}, {"MOVE 0 z", "MOVE 0"},
	} {
		if got := run(c, step[0]); got != step[1] {
			t.Errorf("%s\n got %s\nwant %s", step[0], got, step[1])
		}
	}
}

// TestCursorParameters declares cursors with bound parameters, as drivers do whose
// cursors are named.
func TestCursorParameters(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	if got := run(c, "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'c')"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	declare := func(sql string, oids []uint32, format int16, args ...[]byte) string {
		t.Helper()
		return code(c.PgConn().ExecParams(bg(), sql, args, oids, []int16{format}, nil).Read().Err)
	}
	const ids = "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t WHERE id > $1 ORDER BY id"
	for _, form := range []struct {
		sql    string
		oid    uint32
		format int16
		args   [][]byte
		want   string
	}{
		{ids, 0, 0, [][]byte{[]byte("1")}, "(2) (3) FETCH 2"}, {ids, 0, 1, [][]byte{{0, 0, 0, 2}}, "(3) FETCH 1"}, {ids, 21, 1, [][]byte{{0, 1}}, "(2) (3) FETCH 2"},
		{ids, 20, 1, [][]byte{{0, 0, 0, 1, 0, 0, 0, 0}}, "FETCH 0"}, {ids, 23, 0, [][]byte{[]byte("0")}, "(1) (2) (3) FETCH 3"}, {ids, 23, 1, [][]byte{nil}, "FETCH 0"},
		{"DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT v, $2 FROM t WHERE v = $1", 0, 0, [][]byte{[]byte("a"), []byte("x")}, "(a,x) FETCH 1"},
		{"DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id DESC LIMIT $1", 0, 0, [][]byte{[]byte("1")}, "(3) FETCH 1"},
		{"DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE TO (SELECT id, v || $2 FROM t WHERE id <= $1)", 0, 0, [][]byte{[]byte("1"), []byte("z")}, "(insert,1,1,az) FETCH 1"},
		{"DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE TO (SELECT count(*) FROM t WHERE id > $1)", 0, 0, [][]byte{[]byte("1")}, "(insert,1,2) FETCH 1"},
	} {
		oids := make([]uint32, len(form.args))
		oids[0] = form.oid
		if got := declare(form.sql, oids, form.format, form.args...); got != "" {
			t.Errorf("%s: %s", form.sql, got)
		}
		if got := run(c, "FETCH FORWARD 5 c; CLOSE c"); got != form.want+" CLOSE CURSOR" {
			t.Errorf("%s: %s", form.sql, got)
		}
	}
	for sql, want := range map[string]string{
		"DECLARE c CURSOR FOR SELECT id FROM t WHERE id > $1": "25P01", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t WHERE id > $2": "42P18",
		"DECLARE c CURSOR WITH HOLD FOR SELECT x FROM t WHERE id > $1": "42703",
		"CREATE VIEW w AS SELECT $1":                                   "42P02", "PREPARE p AS SELECT $1": "08P01",
	} {
		if got := declare(sql, nil, 0, []byte("0")); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	if got := run(c, "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t WHERE id > $1"); got != "!42P02" {
		t.Error(got)
	}

	// A statement that was prepared is planned anew, with the columns that there are now.
	d, err := c.Prepare(bg(), "d", "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t WHERE id > $1 AND v = $2")
	if err != nil || fmt.Sprint(d.ParamOIDs, len(d.Fields)) != "[23 25] 0" {
		t.Fatal(d, err)
	}
	for _, want := range []string{"(3,c) FETCH 1", "(3,c,null) FETCH 1"} {
		if _, err := c.Exec(bg(), "d", 1, "c"); err != nil {
			t.Fatal(err)
		}
		if got := run(c, "FETCH ALL c; CLOSE c; ALTER TABLE t ADD COLUMN n int"); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestBinaryCursor reads a cursor whose values come as bytes in a simple query too.
func TestBinaryCursor(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	results, err := c.PgConn().Exec(bg(), "BEGIN; DECLARE b BINARY CURSOR FOR SELECT 66051, 'a'::text; FETCH b; COMMIT").ReadAll()
	if err != nil || len(results) != 4 {
		t.Fatal(len(results), err)
	}
	r := results[2]
	if got := fmt.Sprintf("%d %q", r.FieldDescriptions[0].Format, r.Rows); got != `1 [["\x00\x01\x02\x03" "a"]]` {
		t.Error(got)
	}
}

func TestCancel(t *testing.T) {
	s := start(t, server.Options{})
	c, other := connect(t, s), connect(t, s)
	ctx, cancel := context.WithTimeout(bg(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := c.Exec(ctx, "SELECT count(*) FROM generate_series(1, 100000000000) AS g (g)"); err == nil || time.Since(begun) > 5*time.Second {
		t.Error(err, time.Since(begun))
	}
	// A cancel request leaves the connection usable.
	go func() {
		time.Sleep(200 * time.Millisecond)
		_ = other.PgConn().CancelRequest(bg())
	}()
	if _, err := other.Exec(bg(), "SELECT count(*) FROM generate_series(1, 100000000000) AS g (g)"); code(err) != "57014" {
		t.Error(err)
	}
	for _, step := range [][2]string{{"SELECT 1", "(1) SELECT 1"}, {"SET statement_timeout = '100ms'", "SET"},
		{"SELECT count(*) FROM generate_series(1, 100000000000) AS g (g)", "!57014"}, {"SELECT pg_sleep(10)", "!57014"}, {"SELECT 2", "(2) SELECT 1"}} {
		if got := run(other, step[0]); got != step[1] {
			t.Errorf("%s: %s", step[0], got)
		}
	}
}

func TestIdleInTransaction(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	if got := run(c, "SET idle_in_transaction_session_timeout = 100; BEGIN"); got != "SET BEGIN" {
		t.Fatal(got)
	}
	time.Sleep(400 * time.Millisecond)
	if got := run(c, "SELECT 1"); got != "!25P03" && !strings.Contains(got, "closed") && !strings.Contains(got, "reset") && !strings.Contains(got, "EOF") {
		t.Error(got)
	}
}

// TestChangedTables: a cached statement whose columns are others now is refused
// once, then prepared anew.
func TestChangedTables(t *testing.T) {
	s := start(t, server.Options{})
	c, other := connect(t, s), connect(t, s)
	if got := run(c, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	query := func() (int, error) {
		rows, err := c.Query(bg(), "SELECT * FROM t")
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return len(rows.FieldDescriptions()), rows.Err()
	}
	if n, err := query(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := run(other, "DROP TABLE t; CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	_, err := query()
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "0A000" || e.Message != "cached plan must not change result type" {
		t.Error(err)
	}
	if n, err := query(); n != 2 || err != nil {
		t.Error(n, err)
	}
	// A statement that still fits goes on: the new table is used.
	if _, err := c.Prepare(bg(), "ins", "INSERT INTO t (a) VALUES ($1)"); err != nil {
		t.Fatal(err)
	}
	if got := run(other, "DROP TABLE t; CREATE TABLE t (a int)"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	if _, err := c.Exec(bg(), "ins", 5); err != nil {
		t.Error(err)
	}
	if got := run(other, "SELECT * FROM t"); got != "(5) SELECT 1" {
		t.Error(got)
	}
}

func TestPreparedInSQL(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	for _, step := range [][2]string{
		{"CREATE TABLE t (a int, b text); PREPARE p (int, text) AS INSERT INTO t VALUES ($1, $2) RETURNING a", "CREATE TABLE PREPARE"},
		{"EXECUTE p (1 + 1, 'x' || 'y')", "(2) INSERT 0 1"}, {"EXECUTE p (1)", "!42601"}, {"EXECUTE p ('a', 'b')", "!22P02"},
		{"PREPARE p AS SELECT 1", "!42P05"}, {"PREPARE q AS SELECT b FROM t WHERE a = $1", "PREPARE"}, {"EXECUTE q (2)", "(xy) SELECT 1"},
		{"SELECT name, from_sql FROM pg_prepared_statements ORDER BY name", "(p,t) (q,t) SELECT 2"},
		{"DEALLOCATE p", "DEALLOCATE"}, {"EXECUTE p (1, 'x')", "!26000"}, {"DEALLOCATE ALL", "DEALLOCATE ALL"}, {"DEALLOCATE q", "!26000"},
		{"BEGIN; SET LOCAL timezone = 'Europe/Berlin'; SELECT '2024-07-01 00:00:00Z'::timestamptz::text; COMMIT; SHOW timezone",
			"BEGIN SET (2024-07-01 02:00:00+02) SELECT 1 COMMIT (UTC) SHOW"},
		{"BEGIN; SET application_name = 'x'; ROLLBACK; SHOW application_name", "BEGIN SET ROLLBACK () SHOW"},
		{"RESET ALL; DISCARD ALL", "RESET DISCARD ALL"},
	} {
		if got := run(c, step[0]); got != step[1] {
			t.Errorf("%s\n got %s\nwant %s", step[0], got, step[1])
		}
	}
}

// TestDatabaseSQL uses the pool of database/sql.
func TestDatabaseSQL(t *testing.T) {
	s := start(t, server.Options{})
	db, err := sql.Open("pgx", urlOf(s))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stmt := range []string{"CREATE TABLE t (id bigint PRIMARY KEY, name text, score double precision, at timestamptz)", "INSERT INTO t VALUES (1, 'a', 0.5, '2024-01-01Z')"} {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	st, err := tx.Prepare("INSERT INTO t (id, name, score, at) VALUES ($1, $2, $3, $4)")
	if err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 50; i++ {
		if _, err := st.Exec(i, sql.NullString{String: "x", Valid: i%2 == 0}, float64(i)/4, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 49 {
		t.Error(n, err)
	}
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	rows, err := db.Query("SELECT id, name, score, at FROM t WHERE id < $1 ORDER BY id", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for want := int64(1); rows.Next(); want++ {
		var id int64
		var name sql.NullString
		var score float64
		var at time.Time
		if err := rows.Scan(&id, &name, &score, &at); err != nil || id != want || name.Valid != (id < 3) {
			t.Error(id, name, score, at, err)
		}
	}
	res, err := db.Exec("DELETE FROM t WHERE id > 10")
	if k, _ := res.RowsAffected(); err != nil || k != 39 {
		t.Error(k, err)
	}
	ro, err := db.BeginTx(bg(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelSerializable})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ro.Exec("DELETE FROM t"); code(err) != "25006" {
		t.Error(err)
	}
	_ = ro.Rollback()
}
