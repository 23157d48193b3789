package connectors

import (
	"strings"
	"testing"
	"time"
)

// badRows is a file of which only the first and the last row can be decoded.
const badRows = `{"id":1,"a":10,"t":"x"}
{"id":2,"a":"zz","t":"x"}
{"id":3,
no json
{"id":4,"a":1,"t":"too long"}
{"a":5,"t":"x"}
` + "{\"id\":6,\"a\":1,\"t\":\"\xff\xfe\"}\n" + `{"id":7,"a":99999999999,"t":"x"}
{"id":8,"a":20,"t":"x"}`

// TestUndecodableRows has a source that meets every kind of bad row under each
// policy.
func TestUndecodableRows(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.json", badRows)
	write(t, dir, "b.json", `{"id":9,"a":30,"t":"x"}`)
	for _, policy := range []string{"dead_letter", "skip", "fail"} {
		s.query(`CREATE SOURCE s_` + policy + ` (id bigint NOT NULL, a int, t varchar(5)) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json',
			bad_data = '` + policy + `', follow = 'false')`)
		s.query(`CREATE TABLE out_` + policy + ` (id bigint, a int)`)
		s.query(`CREATE JOB ` + policy + ` WITH (checkpoint_interval = '200ms') AS INSERT INTO out_` + policy + ` SELECT id, a FROM s_` + policy + ` WHERE t <> ''`)
	}
	for _, policy := range []string{"dead_letter", "skip"} {
		s.state(policy, "finished")
		same(t, policy, s.query("SELECT * FROM out_"+policy), "1|10", "8|20", "9|30")
		same(t, "bad rows of "+policy, s.query("SELECT bad_rows FROM millrace.operators WHERE kind = 'source' AND job = '"+policy+"'"), "7")
	}
	const letters = "SELECT code, position, error, encode(raw, 'escape') FROM millrace.dead_letters WHERE job = 'dead_letter' ORDER BY id"
	want := []string{
		`22P02|24|column "a": invalid input syntax for type integer: "zz"|{"id":2,"a":"zz","t":"x"}`,
		`22032|50|malformed JSON|{"id":3,`,
		`22032|59|malformed JSON|no json`,
		`22001|67|column "t": value too long for type character varying(5)|{"id":4,"a":1,"t":"too long"}`,
		`23502|97|null value in column "id"|{"a":5,"t":"x"}`,
		`22021|113|column "t": invalid byte sequence for encoding "UTF8"|{"id":6,"a":1,"t":"\377\376"}`,
		`22003|137|column "a": value "99999999999" is out of range for type integer|{"id":7,"a":99999999999,"t":"x"}`,
	}
	same(t, "dead letters", s.query(letters), want...)
	same(t, "where they are from", s.query("SELECT DISTINCT job, operator, relation, partition FROM millrace.dead_letters"), "dead_letter|source(s_dead_letter)|public.s_dead_letter|a.json")
	if got := s.metric(`millrace_dead_letters_total`); got != "7" {
		t.Errorf("millrace_dead_letters_total is %s", got)
	}
	if got := s.metric(`millrace_operator_bad_rows_total{job="skip",operator="source(s_skip)"}`); got != "7" {
		t.Errorf("millrace_operator_bad_rows_total is %s", got)
	}
	s.state("fail", "failed")
	const place = `column "a": invalid input syntax for type integer: "zz", in the row at position 24 of partition "a.json": {"id":2,"a":"zz","t":"x"}`
	for _, sql := range []string{"SELECT failure FROM millrace.jobs WHERE name = 'fail'", "SELECT message FROM millrace.job_events WHERE job = 'fail' AND kind = 'failed'"} {
		if got := s.query(sql); len(got) != 1 || !strings.Contains(got[0], place) || !strings.HasPrefix(got[0], "source(s_fail): ") {
			t.Errorf("%s: %q", sql, got)
		}
	}
	s.refuse("SELECT * FROM s_fail", "22P02", "", `in the row at position 24 of partition "a.json"`)
	same(t, "a query over the source", s.query("SELECT * FROM s_skip"), "1|10|x", "8|20|x", "9|30|x")
	// Columns that nobody asks for are not decoded, and so cannot be bad.
	same(t, "a query over one column", s.query("SELECT id FROM s_skip"), "1", "2", "4", "7", "8", "9")
	s.restart()
	s.state("fail", "failed")
	same(t, "dead letters after a restart", s.query(letters), want...)
}

// TestOverlongRows has rows that are longer than any row may be: their beginning
// is kept, and the rows around them are read.
func TestOverlongRows(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	long := strings.Repeat("x", 17<<20)
	write(t, dir, "a.json", `{"id":1,"t":"a"}`+"\n"+`{"id":2,"t":"`+long+`"}`+"\n"+`{"id":3,"t":"c"}`+"\n")
	write(t, dir, "b.json", `{"id":4,"t":"`+long) // without an end
	s.query(`CREATE SOURCE s (id bigint, t text) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json', follow = 'false')`)
	s.query(`CREATE TABLE out (id bigint, t text)`)
	s.query(`CREATE JOB j AS INSERT INTO out SELECT id, t FROM s`)
	s.state("j", "finished")
	same(t, "rows", s.query(`SELECT * FROM out`), "1|a", "3|c")
	same(t, "dead letters", s.query(`SELECT partition, position, error, length(raw) FROM millrace.dead_letters`),
		"a.json|17|row is longer than 16777216 bytes|4194304", "b.json|0|row is longer than 16777216 bytes|4194304")
}

// TestBadExpressions has rows whose expressions fail in the middle of a job, in
// its filter, its projection and its generated columns, and rows that a table
// refuses; the server is killed and the job starts from the beginning and from
// checkpoints: each row is kept once.
func TestBadExpressions(t *testing.T) {
	s := start(t)
	s.query(`CREATE SOURCE s (id bigint, half bigint GENERATED ALWAYS AS (100 / (id % 50))) WITH (connector = 'datagen', rows = '1000', rows_per_second = '400',
		"fields.id.kind" = 'sequence', "fields.id.min" = '0')`)
	s.query(`CREATE TABLE out (id bigint PRIMARY KEY, q bigint NOT NULL, t smallint)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '300ms') AS INSERT INTO out
		SELECT id, nullif(half, 100), (id * 40)::smallint FROM s WHERE 7 / (id % 30) >= 0`)
	for range 3 {
		time.Sleep(700 * time.Millisecond)
		s.restart()
	}
	s.state("j", "finished")
	// Of ids 0…999: id % 50 = 0 fails in the source (20). Of the others id % 30 = 0
	// fails in the filter (34 less the 7 that are multiples of 150), id * 40 > 32767
	// in the projection (those past 819), and half = 100, where id % 50 = 1, is
	// refused by the table.
	var filter, project, sink, good int
	for id := range 1000 {
		switch {
		case id%50 == 0:
		case id%30 == 0:
			filter++
		case id*40 > 32767:
			project++
		case id%50 == 1:
			sink++
		default:
			good++
		}
	}
	same(t, "rows", s.query("SELECT count(*) FROM out"), itoa(good))
	same(t, "dead letters", s.query("SELECT operator, code, error, relation, count(*), count(DISTINCT raw) FROM millrace.dead_letters GROUP BY operator, code, error, relation"),
		`source(s)|22012|division by zero in 100 / (id % 50)|public.s|20|20`,
		`filter(7 / (id % 30) >= 0)|22012|division by zero in 7 / (id % 30)|NULL|`+itoa(filter)+"|"+itoa(filter),
		`project|22003|smallint out of range in (id * 40)::smallint|NULL|`+itoa(project)+"|"+itoa(project),
		`sink(out)|23502|null value in column "q" of relation "out" violates not-null constraint|public.out|`+itoa(sink)+"|"+itoa(sink))
	same(t, "a letter's row", s.query("SELECT encode(raw, 'escape') FROM millrace.dead_letters WHERE code = '23502' ORDER BY id LIMIT 1"), `{"id":1,"q":null,"t":40}`)
}

// TestFailOnBadExpression names the row, in events and in SHOW JOBS, and the job
// goes on where it was once the policy lets it.
func TestFailOnBadExpression(t *testing.T) {
	s := start(t)
	s.query(`CREATE TABLE a (id int PRIMARY KEY, d int)`)
	s.query(`CREATE TABLE b (id int PRIMARY KEY, q int)`)
	s.query(`CREATE JOB j WITH (bad_data = 'fail', checkpoint_interval = '200ms') AS INSERT INTO b SELECT id, 10 / d FROM a`)
	s.query(`INSERT INTO a VALUES (1, 5)`)
	s.eventually(`SELECT * FROM b`, "1|2")
	s.query(`INSERT INTO a VALUES (2, 0), (3, 2)`)
	s.state("j", "failed")
	if got := s.query(`SELECT failure FROM millrace.jobs`)[0]; !strings.Contains(got, `division by zero in 10 / d, in the row: {"id":2,"d":0}`) {
		t.Error(got)
	}
	s.restart()
	s.state("j", "failed")
	// A failed job is tried again by a new server, and may be about to fail.
	s.query(`ALTER JOB j SET (bad_data = 'dead_letter')`)
	if _, err := s.try(`RESUME JOB j`); err != nil && !strings.Contains(err.Error(), "is running") {
		t.Fatal(err)
	}
	s.eventually(`SELECT * FROM b`, "1|2", "3|5")
	s.checkpoint("j")
	same(t, "dead letters", s.query(`SELECT error, encode(raw, 'escape') FROM millrace.dead_letters`), `division by zero in 10 / d|{"id":2,"d":0}`)
	// What takes a bad row back is no bad row again.
	s.query(`UPDATE a SET d = 1 WHERE id = 2`)
	s.query(`DELETE FROM a WHERE id = 3`)
	s.query(`FLUSH`)
	same(t, "rows", s.query(`SELECT * FROM b`), "1|2", "2|10")
	same(t, "dead letters", s.query(`SELECT count(*) FROM millrace.dead_letters`), "1")
}

// TestRowsWithoutTime has rows that have no window told once each, in whichever way
// sessions are found, and taken in when they get a time.
func TestRowsWithoutTime(t *testing.T) {
	s := start(t)
	s.query(`CREATE TABLE e (id int, ts timestamp, WATERMARK FOR ts AS ts) APPEND ONLY`)
	s.query(`CREATE TABLE c (id int PRIMARY KEY, k int, ts timestamp)`)
	const sessions = ` FROM SESSION(e, ts, INTERVAL '3' SECOND) GROUP BY window_start, window_end`
	s.query(`CREATE MATERIALIZED VIEW counted AS SELECT window_start, count(*) AS n` + sessions)
	s.query(`CREATE MATERIALIZED VIEW listed AS SELECT window_start, array_agg(id) AS ids` + sessions)
	s.query(`CREATE MATERIALIZED VIEW closed AS SELECT window_start, array_agg(id) AS ids` + sessions + ` EMIT ON WINDOW CLOSE`)
	const changing = ` AS SELECT k, window_start, count(*) AS n FROM SESSION(TABLE c PARTITION BY k, DESCRIPTOR(ts), INTERVAL '3' SECOND) GROUP BY k, window_start`
	s.query(`CREATE MATERIALIZED VIEW changing` + changing)
	s.query(`CREATE MATERIALIZED VIEW strict WITH (bad_data = 'fail')` + changing)
	s.query(`INSERT INTO e VALUES (1, '2024-01-01 00:00:01'), (2, NULL), (3, 'infinity')`)
	s.query(`INSERT INTO c VALUES (1, 1, '2024-01-01 00:00:01'), (2, 1, NULL), (3, 1, '2024-01-01 00:00:02')`)
	s.state("strict", "failed")
	s.query(`FLUSH`) // or the others may read the rows as they are after what follows
	s.query(`UPDATE c SET ts = '2024-01-01 00:00:03' WHERE id = 2`)
	s.query(`DELETE FROM c WHERE id = 3`)
	s.query(`FLUSH`)
	same(t, "rows", s.query(`SELECT * FROM changing`), "1|2024-01-01 00:00:01|2")
	same(t, "listed rows", s.query(`SELECT ids FROM listed`), "{1}")
	for _, job := range []string{"counted", "listed", "closed", "changing"} {
		s.checkpoint(job)
		want := []string{`22004|the row has no time for its window: column "ts" is null`}
		if job != "changing" {
			want = append(want, `22008|the row has no window: column "ts" is infinite`)
		}
		same(t, "dead letters of "+job, s.query(`SELECT code, error FROM millrace.dead_letters WHERE job = '`+job+`' ORDER BY code`), want...)
	}
}

// TestLateRows has rows behind the watermark kept.
func TestLateRows(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.json", `{"id":1,"ts":"2024-01-01 00:00:01"}
{"id":2,"ts":"2024-01-01 00:00:25"}
{"id":3,"ts":"2024-01-01 00:00:02"}
{"id":4,"ts":null}
{"id":5,"ts":"2024-01-01 00:00:26"}
`)
	s.query(`CREATE SOURCE s (id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json')`)
	s.query(`CREATE TABLE out (w timestamp, n bigint)`)
	for _, policy := range []string{"drop", "dead_letter"} {
		s.query(`CREATE JOB ` + policy + ` WITH (parallelism = 1, checkpoint_interval = '200ms', late_data = '` + policy + `') AS INSERT INTO out
			SELECT window_start, count(id) FROM TUMBLE(s, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end`)
	}
	s.eventually(`SELECT job, late_rows, bad_rows FROM millrace.operators WHERE kind = 'window_aggregate'`, "drop|1|1", "dead_letter|1|1")
	s.eventually(`SELECT * FROM out`, "2024-01-01 00:00:00|1", "2024-01-01 00:00:00|1")
	s.checkpoint("dead_letter")
	s.restart()
	s.checkpoint("dead_letter")
	same(t, "late rows", s.query(`SELECT operator, code, error, encode(raw, 'escape') FROM millrace.dead_letters WHERE code = '22008'`),
		`window_aggregate(s, tumble ts 10 s)|22008|the row is late: its window has closed|{"ts":"2024-01-01T00:00:02","id":3}`)
	same(t, "rows without a time", s.query(`SELECT job, code, error, encode(raw, 'escape') FROM millrace.dead_letters WHERE code <> '22008'`),
		`drop|22004|the row has no time for its window: column "ts" is null|{"ts":null,"id":4}`,
		`dead_letter|22004|the row has no time for its window: column "ts" is null|{"ts":null,"id":4}`)
}
