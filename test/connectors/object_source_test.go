package connectors

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

// TestFilesOfEveryKind reads formats, compressions and patterns to their end.
func TestFilesOfEveryKind(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "plain.json", "{\"id\":1,\"t\":\"a\"}\n\n{\"t\":\"b\",\"more\":[1],\"id\":2}") // no line end
	write(t, dir, "zip.json.gz", gzipped(t, "{\"id\":3,\"t\":\"c\"}\n"))
	write(t, dir, "std.json.zst", zstandard(t, "{\"id\":4,\"t\":null}\r\n{\"id\":5}\r\n"))
	write(t, dir, "empty.json", "")
	write(t, filepath.Join(dir, "below"), "deep.json", `{"id":6,"t":"f"}`)
	write(t, filepath.Join(dir, "_hidden"), "no.json", `{"id":7,"t":"no"}`)
	write(t, dir, "half.json.tmp", `{"id":8`)
	if err := os.WriteFile(filepath.Join(dir, ".hidden.json"), []byte(`{"id":9}`), 0o644); err != nil {
		t.Fatal(err)
	}
	csv := t.TempDir()
	write(t, csv, "a.csv", "t;id;x\n\"a;\"\"b\"\"\nc\";1;\n;2;\n\"\";3;")
	write(t, csv, "b.csv.gz", gzipped(t, "id;t\n4;NULL\n"))
	for name, with := range map[string]string{
		"everything": "path = 'file://" + dir + "', format = 'json'",
		"pattern":    "path = 'file://" + dir + "/*.json', format = 'json'",
		"one":        "path = 'file://" + dir + "/zip.json.gz', format = 'json', compression = 'gzip'",
		"csv":        "path = 'file://" + csv + "', format = 'csv', header = 'true', delimiter = ';'",
		"nulls":      "path = 'file://" + csv + "/b.csv.gz', format = 'csv', header = 'true', delimiter = ';', \"null\" = 'NULL'",
	} {
		s.query(`CREATE SOURCE ` + name + ` (id bigint, t text, f text METADATA FROM 'path', o bigint METADATA FROM 'offset') WITH (connector = 'object', follow = 'false', ` + with + `)`)
		s.query(`CREATE TABLE out_` + name + ` (id bigint, t text, f text, o bigint)`)
		s.query(`CREATE JOB ` + name + ` AS INSERT INTO out_` + name + ` SELECT * FROM ` + name)
	}
	for name, want := range map[string][]string{
		"everything": {"1|a|plain.json|0", "2|b|plain.json|18", "3|c|zip.json.gz|0", "4|NULL|std.json.zst|0", "5|NULL|std.json.zst|19", "6|f|below/deep.json|0"},
		"pattern":    {"1|a|plain.json|0", "2|b|plain.json|18"},
		"one":        {"3|c|zip.json.gz|0"},
		"csv":        {"1|a;\"b\"\nc|a.csv|7", "2|NULL|a.csv|22", "3||a.csv|26", "4|NULL|b.csv.gz|5"},
		"nulls":      {"4|NULL|b.csv.gz|5"},
	} {
		s.state(name, "finished")
		same(t, name, s.query("SELECT * FROM out_"+name), want...)
		same(t, "a query over "+name, s.query("SELECT * FROM "+name), want...)
	}
	same(t, "dead letters", s.query("SELECT * FROM millrace.dead_letters"))
}

// TestFilesThatCome follows a folder: files that come later are read, those that
// are done are not read again, also when the server is killed in the middle of
// them, and what becomes of a file that changes is told.
func TestFilesThatCome(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	line := func(id int) string { return `{"id":` + itoa(id) + `}` + "\n" }
	var long strings.Builder
	for id := range 4000 {
		long.WriteString(line(id))
	}
	write(t, dir, "a.json", long.String())
	s.query(`CREATE SOURCE s (id bigint) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json', rows_per_second = '2000')`)
	s.query(`CREATE TABLE out (id bigint)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms') AS INSERT INTO out SELECT id FROM s`)
	s.checkpoint("j")
	s.restart()
	write(t, dir, "b.json.gz", gzipped(t, line(4000)+line(4001)))
	s.checkpoint("j")
	s.restart()
	s.eventually(`SELECT count(*), count(DISTINCT id), max(id) FROM out`, "4002|4002|4001")
	same(t, "splits", s.query(`SELECT split, position, rows, finished FROM millrace.source_splits`), "a.json|"+itoa(long.Len())+"|4000|t", "b.json.gz|24|2|t")
	// A file that is done is done: what is appended to it, or put in its place,
	// is not noticed.
	write(t, dir, "a.json", line(5000))
	write(t, dir, "c.json", line(4002))
	s.eventually(`SELECT count(*), max(id) FROM out`, "4003|4002")
	s.restart()
	s.checkpoint("j")
	same(t, "rows", s.query(`SELECT count(*), max(id) FROM out`), "4003|4002")
	same(t, "dead letters", s.query("SELECT * FROM millrace.dead_letters"))
}

// TestFileThatVanishes fails the job with the file's name, and the job goes on
// once the file is back.
func TestFileThatVanishes(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	var long strings.Builder
	for id := range 60_000 {
		long.WriteString(`{"id":` + itoa(id) + `,"text":"so that it is longer than what is read at once"}` + "\n")
	}
	write(t, dir, "a.json", long.String())
	s.query(`CREATE SOURCE s (id bigint) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json', follow = 'false', rows_per_second = '20000')`)
	s.query(`CREATE TABLE out (id bigint)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms', restart_delay = '100ms') AS INSERT INTO out SELECT id FROM s`)
	s.checkpoint("j")
	if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	s.eventually(`SELECT DISTINCT message FROM millrace.job_events WHERE kind = 'failed' AND message LIKE '%a.json%vanished%' LIMIT 1`,
		`source(s): read split a.json: file "a.json" has vanished before it was read to its end`)
	// FLUSH is about own tables, and none is read by the job that fails.
	s.query(`CREATE TABLE t (id bigint)`)
	s.query(`CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t`)
	s.query(`INSERT INTO t VALUES (1)`)
	s.query(`FLUSH`)
	same(t, "the view", s.query(`SELECT * FROM v`), "1")
	write(t, dir, "a.json", long.String())
	s.state("j", "finished")
	same(t, "rows", s.query(`SELECT count(*), count(DISTINCT id) FROM out`), "60000|60000")
}

// TestManyFiles reads far more files than are read side by side, with a window
// that must not lose rows to the order they are read in, and a kill in between.
func TestManyFiles(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	const files, rows = 300, 20
	for f := range files {
		var b strings.Builder
		for i := range rows {
			fmt.Fprintf(&b, "%d,2024-01-01 %02d:%02d:%02d\n", f*rows+i, f/60, f%60, i)
		}
		write(t, dir, fmt.Sprintf("%03d.csv", (f*7)%files), b.String())
	}
	s.query(`CREATE SOURCE s (id bigint, ts timestamp, WATERMARK FOR ts AS ts) WITH (connector = 'object', path = 'file://` + dir + `', format = 'csv', follow = 'false', rows_per_second = '6000')`)
	s.query(`CREATE TABLE out (w timestamp, n bigint, total numeric)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms') AS INSERT INTO out SELECT window_start, count(*), sum(id) FROM TUMBLE(s, ts, INTERVAL '10' MINUTE) GROUP BY window_start, window_end`)
	s.checkpoint("j")
	s.restart()
	s.state("j", "finished")
	var want []string
	for w := range files / 10 {
		first := w * 10 * rows
		want = append(want, fmt.Sprintf("2024-01-01 %02d:%02d:00|%d|%d", w/6, w%6*10, 10*rows, 10*rows*(first+first+10*rows-1)/2))
	}
	same(t, "windows", s.query(`SELECT * FROM out`), want...)
	same(t, "splits", s.query(`SELECT count(*), sum(late_rows) FROM millrace.operators WHERE kind = 'window_aggregate'`), "1|0")
}

// TestStatusAfterRestart asks where a job stands that takes no checkpoint soon:
// where it began from.
func TestStatusAfterRestart(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.json", `{"id":1}`+"\n"+`{"id":2}`+"\n"+`{"id":3}`+"\n")
	s.query(`CREATE SOURCE s (id bigint) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json')`)
	s.query(`CREATE MATERIALIZED VIEW v WITH (checkpoint_interval = '100ms') AS SELECT id, count(*) AS n FROM s GROUP BY id`)
	s.eventually(`SELECT sum(n) FROM v`, "3")
	s.checkpoint("v")
	s.query(`ALTER JOB v SET (checkpoint_interval = '1h')`)
	s.restart()
	s.eventually(`SELECT state FROM millrace.jobs`, "running")
	same(t, "splits", s.query(`SELECT split, position, rows FROM millrace.source_splits`), "a.json|27|3")
	same(t, "state", s.query(`SELECT kind, state_rows FROM millrace.operators WHERE state_rows > 0`), "aggregate|3", "materialize|3")
}
