package connectors

import (
	"testing"
	"time"
)

// TestNexmark declares the streams in every way, and reads one exactly once
// through a kill.
func TestNexmark(t *testing.T) {
	s := start(t)
	s.query(`CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', events = '10000')`)
	s.query(`CREATE SOURCE auction WITH (connector = 'nexmark', stream = 'auction', events = '10000')`)
	s.query(`CREATE SOURCE person WITH (connector = 'nexmark', stream = 'person', events = '10000')`)
	s.query(`CREATE SOURCE part (price bigint, date_time timestamp(3), auction bigint, p timestamptz GENERATED ALWAYS AS (proctime()),
		WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND) WITH (connector = 'nexmark', stream = 'bid', events = '10000', event_rate = '100')`)
	s.query(`CREATE SOURCE marked (cents bigint GENERATED ALWAYS AS (price * 100), WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
		WITH (connector = 'nexmark', stream = 'bid', events = '10000', event_rate = '100', rows_per_second = '5000')`)
	same(t, "shares", s.query(`SELECT (SELECT count(*) FROM bid), (SELECT count(*) FROM auction), (SELECT count(*) FROM person)`), "9200|600|200")
	same(t, "columns", s.query(`SELECT attname FROM pg_attribute WHERE attrelid = 'marked'::regclass AND attnum > 0`),
		"auction", "bidder", "price", "channel", "url", "date_time", "extra", "cents")
	same(t, "the same bids", s.query(`SELECT sum(price), count(DISTINCT auction) FROM part`), s.query(`SELECT (sum(cents) / 100)::bigint, count(DISTINCT auction) FROM marked`)[0])
	other := s.query(`SELECT sum(price) FROM bid`)[0]
	s.query(`CREATE SOURCE seeded WITH (connector = 'nexmark', stream = 'bid', events = '10000', seed = '7')`)
	if got := s.query(`SELECT sum(price) FROM seeded`)[0]; got == other {
		t.Error("another seed gives the same prices")
	}
	s.query(`CREATE TABLE w (start timestamp(3), n bigint, total numeric)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms') AS INSERT INTO w SELECT window_start, count(*), sum(cents)
		FROM TUMBLE(marked, date_time, INTERVAL '10' SECOND) GROUP BY window_start, window_end`)
	for range 2 {
		time.Sleep(500 * time.Millisecond)
		s.restart()
	}
	s.state("j", "finished")
	same(t, "windows", s.query(`SELECT * FROM w`), s.query(`SELECT window_start, count(*), sum(cents) FROM TUMBLE(marked, date_time, INTERVAL '10' SECOND) GROUP BY window_start, window_end`)...)
	same(t, "late", s.query(`SELECT count(*) FROM millrace.dead_letters`), "0")
}

// TestDatagen has columns of both kinds with every option, a blackhole that
// counts, and a rate.
func TestDatagen(t *testing.T) {
	s := start(t)
	s.query(`CREATE SOURCE d (id bigint, pct int, price numeric(8,2), name varchar(6), raw bytea, at timestamp, maybe text, flag boolean, u uuid, tags text[])
		WITH (connector = 'datagen', rows = '1000', seed = '5', fields.id.kind = 'sequence', fields.id.min = '10', fields.id.max = '509',
		fields.pct.min = '-1', fields.pct.max = '1', fields.price.min = '9.50', fields.price.max = '10.25', fields.name.length = '4', fields.raw.length = '3',
		fields.at.min = '2024-01-01', fields.at.max = '2024-01-01 00:00:01', fields.maybe.null_rate = '0.5', fields.tags.length = '2')`)
	same(t, "bounds", s.query(`SELECT count(*), count(DISTINCT id), min(id), max(id), min(pct), max(pct), min(price) >= 9.5 AND max(price) <= 10.25, min(length(name)), max(length(name)),
		max(length(raw)), min(at) >= '2024-01-01' AND max(at) <= '2024-01-01 00:00:01', count(maybe) BETWEEN 400 AND 600, count(DISTINCT flag), count(DISTINCT u), max(cardinality(tags)) FROM d`),
		"1000|500|10|509|-1|1|t|4|4|3|t|t|2|1000|2")
	same(t, "again", s.query(`SELECT md5(string_agg(d.u::text || d.name, '' ORDER BY d.u)) FROM d`), s.query(`SELECT md5(string_agg(d.u::text || d.name, '' ORDER BY d.u)) FROM d`)[0])
	s.query(`CREATE SOURCE slow (id bigint) WITH (connector = 'datagen', rows_per_second = '100')`)
	s.query(`CREATE SINK hole (id bigint) WITH (connector = 'blackhole', delivery = 'at_least_once')`)
	s.query(`CREATE JOB limited WITH (checkpoint_interval = '100ms') AS INSERT INTO hole SELECT id FROM slow`)
	s.query(`CREATE JOB all_of_it WITH (checkpoint_interval = '100ms') AS INSERT INTO hole SELECT id FROM d`)
	s.state("all_of_it", "finished")
	same(t, "dropped", s.query(`SELECT input_rows FROM millrace.operators WHERE job = 'all_of_it' AND kind = 'sink'`), "1000")
	s.eventually(`SELECT input_rows > 0 FROM millrace.operators WHERE job = 'limited' AND kind = 'sink'`, "t")
	begun := time.Now()
	before := number(t, s.query(`SELECT input_rows FROM millrace.operators WHERE job = 'limited' AND kind = 'sink'`)[0])
	time.Sleep(2 * time.Second)
	after := number(t, s.query(`SELECT input_rows FROM millrace.operators WHERE job = 'limited' AND kind = 'sink'`)[0])
	if rate := float64(after-before) / time.Since(begun).Seconds(); rate < 60 || rate > 115 {
		t.Errorf("%.0f rows a second, limit 100", rate)
	}
}
