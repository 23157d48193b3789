package connectors

import (
	"testing"
	"time"
)

// TestFinishedFilesDoNotHoldTimeBack has files that end at different times, and
// fewer of them than tasks: time goes on with the one that has come furthest.
func TestFinishedFilesDoNotHoldTimeBack(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.json", `{"id":1,"ts":"2024-01-01 00:00:01"}`)
	write(t, dir, "b.json", `{"id":2,"ts":"2024-01-01 00:00:02"}
{"id":3,"ts":"2024-01-01 00:00:31"}`)
	s.query(`CREATE SOURCE s (id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json')`)
	s.query(`CREATE TABLE out (w timestamp, n bigint)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms', parallelism = 4) AS INSERT INTO out
		SELECT window_start, count(*) FROM TUMBLE(s, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end`)
	s.eventually(`SELECT * FROM out`, "2024-01-01 00:00:00|2")
	s.restart()
	write(t, dir, "c.json", `{"id":4,"ts":"2024-01-01 00:00:45"}`)
	s.eventually(`SELECT * FROM out`, "2024-01-01 00:00:00|2", "2024-01-01 00:00:30|1")
}

// TestProcessingTime has windows that the clock closes, without any row coming.
func TestProcessingTime(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.json", `{"id":1}
{"id":2}`)
	s.query(`CREATE SOURCE s (id bigint, p timestamptz GENERATED ALWAYS AS (proctime())) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json')`)
	s.query(`CREATE TABLE out (w timestamptz, n bigint)`)
	begun := time.Now()
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms', parallelism = 3) AS INSERT INTO out
		SELECT window_start, count(*) FROM TUMBLE(s, p, INTERVAL '1' SECOND) GROUP BY window_start, window_end`)
	s.eventually(`SELECT sum(n) FROM out`, "2")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the window closed after %s", took)
	}
	s.restart()
	write(t, dir, "b.json", `{"id":3}`)
	s.eventually(`SELECT sum(n), bool_and(w BETWEEN now() - INTERVAL '5 minutes' AND now()) FROM out`, "3|t")
}

// TestComputedWatermark has a watermark over a generated column.
func TestComputedWatermark(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.csv", "1,1704067201000\n2,1704067215000\n3,1704067202000\n4,1704067240000\n")
	s.query(`CREATE SOURCE s (id bigint, ms bigint, ts timestamp GENERATED ALWAYS AS (TIMESTAMP '1970-01-01' + ms * INTERVAL '1 millisecond'),
		WATERMARK FOR ts AS ts - (1 + id % 1) * INTERVAL '10' SECOND) WITH (connector = 'object', path = 'file://` + dir + `', format = 'csv', follow = 'false')`)
	s.query(`CREATE TABLE out (w timestamp, n bigint)`)
	s.query(`CREATE JOB j WITH (parallelism = 1) AS INSERT INTO out SELECT window_start, count(*) FROM TUMBLE(s, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end`)
	s.state("j", "finished")
	same(t, "windows", s.query(`SELECT * FROM out`), "2024-01-01 00:00:00|2", "2024-01-01 00:00:10|1", "2024-01-01 00:00:40|1")
	s.refuse(`CREATE SOURCE x (id bigint, ts text, WATERMARK FOR ts AS ts) WITH (connector = 'datagen')`, "42804", "ts AS ts", "timestamp")
	s.refuse(`CREATE SOURCE x (id bigint, ts timestamp, WATERMARK FOR t AS ts) WITH (connector = 'datagen')`, "42703", "t AS ts", "does not exist")
	s.refuse(`CREATE SOURCE x (id bigint, ts timestamp, WATERMARK FOR ts AS ts - id) WITH (connector = 'datagen')`, "42883", "", "")
	s.refuse(`CREATE SINK x (id bigint, ts timestamp, WATERMARK FOR ts AS ts) WITH (connector = 'blackhole')`, "42P16", "WATERMARK", "watermark")
}
