package connectors

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/test/servers"
)

// TestFilesAreOfCheckpoints writes files in each format and compression, reads
// them back through a source, and looks that none is visible before the
// checkpoint that covers it.
func TestFilesAreOfCheckpoints(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	s.query(`CREATE TABLE t (id bigint, n numeric(10,2), ts timestamp, tx text) APPEND ONLY`)
	const columns = ` (id bigint, n numeric(10,2), ts timestamp, tx text) WITH (connector = 'object', `
	kinds := map[string]string{
		"json": "format = 'json'", "json_gzip": "format = 'json', compression = 'gzip'", "json_zstd": "format = 'json', compression = 'zstd'",
		"csv": "format = 'csv', header = 'true'", "csv_plain": "format = 'csv', \"null\" = '\\N', delimiter = '|', compression = 'gzip'",
	}
	var names []string
	for name, with := range kinds {
		s.query(`CREATE SINK k_` + name + columns + `path = 'file://` + dir + `/` + name + `', ` + with + `)`)
		s.query(`CREATE SOURCE s_` + name + columns + `path = 'file://` + dir + `/` + name + `', follow = 'false', ` + with + `)`)
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names { // two jobs into each sink: each has names of its own
		for i := range 2 {
			s.query(fmt.Sprintf(`CREATE JOB %s_%d WITH (checkpoint_interval = '1h') AS INSERT INTO k_%s SELECT id + %d, n, ts, tx FROM t`, name, i, name, i*100))
		}
	}
	s.query(`INSERT INTO t VALUES (1, 1.50, '2024-01-01 00:00:00.123456', 'a "quoted"; text'), (2, NULL, NULL, NULL), (3, -0.01, '1969-12-31 23:59:59', E'two\nlines|,')`)
	time.Sleep(time.Second)
	for _, name := range names {
		if got := visible(t, filepath.Join(dir, name)); len(got) > 0 {
			t.Errorf("%s: visible before a checkpoint: %q", name, got)
		}
		for i := range 2 {
			s.query(fmt.Sprintf("STOP JOB %s_%d DRAIN", name, i))
		}
	}
	want := []string{"1|1.50|2024-01-01 00:00:00.123456|a \"quoted\"; text", "2|NULL|NULL|NULL", "3|-0.01|1969-12-31 23:59:59|two\nlines|,"}
	for _, w := range want {
		want = append(want, "10"+w)
	}
	for _, name := range names {
		same(t, name, s.query("SELECT id, n, ts, tx FROM s_"+name), want...)
	}
	header, err := filepath.Glob(filepath.Join(dir, "csv", "part-*.csv"))
	if err != nil || len(header) == 0 {
		t.Fatal(header, err)
	}
	if data, err := os.ReadFile(header[0]); err != nil || !strings.HasPrefix(string(data), "id,n,ts,tx\n") {
		t.Errorf("%v: %q", err, data)
	}
}

// TestChangesInFiles has an aggregate written to files: each line says what it
// does, and adding up gives the result.
func TestChangesInFiles(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	s.query(`CREATE TABLE t (id bigint PRIMARY KEY, k text, v bigint)`)
	s.query(`CREATE SINK k (k text, n bigint, total numeric) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json')`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms', parallelism = 1) AS INSERT INTO k SELECT k, count(*), sum(v) FROM t GROUP BY k`)
	steps := []string{
		`INSERT INTO t VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', 5)`,
		`UPDATE t SET v = 10 WHERE id = 1`,
		`DELETE FROM t WHERE id = 3`,
	}
	for _, sql := range steps {
		s.query(sql)
		s.query("FLUSH")
		s.checkpoint("j")
	}
	s.restart()
	s.checkpoint("j")
	got := visible(t, dir)
	same(t, "changes", got,
		`{"op":"insert","k":"a","n":2,"total":3}`, `{"op":"insert","k":"b","n":1,"total":5}`,
		`{"op":"update_before","k":"a","n":2,"total":3}`, `{"op":"update_after","k":"a","n":2,"total":12}`,
		`{"op":"delete","k":"b","n":1,"total":5}`)
	s.query(`CREATE SINK op_taken (op text, n bigint) WITH (connector = 'object', path = 'file://` + dir + `/x', format = 'json')`)
	_, err := s.try(`CREATE JOB x AS INSERT INTO op_taken SELECT k, count(*) FROM t GROUP BY k`)
	if err == nil {
		s.eventually(`SELECT DISTINCT failure LIKE '%column "op" collides%' FROM millrace.jobs WHERE name = 'x'`, "t")
	}
}

// TestTableOfFiles is written by one job and read by another.
func TestTableOfFiles(t *testing.T) {
	s := start(t)
	dir := t.TempDir() + "/made"
	s.query(`CREATE TABLE f (id bigint NOT NULL, twice bigint GENERATED ALWAYS AS (id * 2), tx text) APPEND ONLY WITH (connector = 'object', path = 'file://` + dir + `', format = 'csv')`)
	s.query(`CREATE TABLE a (id bigint, tx text) APPEND ONLY`)
	s.query(`CREATE TABLE b (id bigint, twice bigint, tx text)`)
	s.query(`CREATE JOB w WITH (checkpoint_interval = '100ms') AS INSERT INTO f SELECT id, tx FROM a`)
	s.query(`CREATE JOB r WITH (checkpoint_interval = '100ms') AS INSERT INTO b SELECT id, twice, tx FROM f`)
	s.query(`INSERT INTO a VALUES (1, 'one'), (NULL, 'refused')`)
	s.eventually(`SELECT * FROM b`, "1|2|one")
	s.restart()
	s.query(`INSERT INTO a VALUES (2, '')`)
	s.eventually(`SELECT * FROM b`, "1|2|one", "2|4|")
	s.eventually(`SELECT operator, error, relation FROM millrace.dead_letters`, `sink(f)|null value in column "id" of relation "f" violates not-null constraint|public.f`)
}

// TestBucketExactlyOnce copies a bucket's files through a job into another
// prefix while the server is killed, and finds every row once.
func TestBucketExactlyOnce(t *testing.T) {
	minio := servers.StartMinIO(t, "files")
	s := start(t, minio.Env()...)
	for _, e := range minio.Env() {
		k, v, _ := strings.Cut(e, "=")
		t.Setenv(k, v)
	}
	ctx := context.Background()
	in, err := object.Open(ctx, minio.URL("files", "in"))
	if err != nil {
		t.Fatal(err)
	}
	const files, rows = 6, 500
	put := func(f int) {
		var b strings.Builder
		for i := range rows {
			fmt.Fprintf(&b, "%d,row %d of file %d\n", f*rows+i, i, f)
		}
		data, name := b.String(), fmt.Sprintf("f%d.csv", f)
		if f%2 == 1 {
			data, name = gzipped(t, data), name+".gz"
		}
		if err := in.Put(ctx, name, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	for f := range files / 2 {
		put(f)
	}
	s.query(`CREATE SOURCE src (id bigint, tx text) WITH (connector = 'object', path = '` + minio.URL("files", "in") + `', format = 'csv', rows_per_second = '1000')`)
	s.query(`CREATE SINK snk (id bigint, tx text) WITH (connector = 'object', path = '` + minio.URL("files", "out") + `', format = 'csv', compression = 'zstd', roll_bytes = '2kB', roll_interval = '50ms')`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '200ms') AS INSERT INTO snk SELECT id, tx FROM src`)
	for f := files / 2; f < files; f++ {
		time.Sleep(600 * time.Millisecond)
		s.restart()
		put(f)
	}
	s.query(`CREATE SOURCE back (id bigint, tx text) WITH (connector = 'object', path = '` + minio.URL("files", "out") + `', format = 'csv', follow = 'false')`)
	s.eventually(`SELECT count(*), count(DISTINCT id), min(id), max(id) FROM back`, fmt.Sprintf("%d|%d|0|%d", files*rows, files*rows, files*rows-1))
	s.checkpoint("j")
	same(t, "rows that were read", s.query(`SELECT count(*), count(DISTINCT id) FROM back`), fmt.Sprintf("%d|%d", files*rows, files*rows))
	if n := len(s.query("SELECT DISTINCT tx FROM back WHERE id < 3")); n != 3 {
		t.Error(n)
	}
	out, err := object.Open(ctx, minio.URL("files", "out"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := out.List(ctx, "_pending/")
	if err != nil || len(list) > 1 {
		t.Errorf("left pending: %v %v", list, err)
	}
	same(t, "dead letters", s.query("SELECT * FROM millrace.dead_letters"))
}
