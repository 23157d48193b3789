package connectors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/test/random"
)

// TestUpsertsOnTheRightOfJoins joins rows with an upsert stream by event time, as it is
// when they come, and with the nearest one, through kills. A file has many rows of one
// key one after the other: a join with versions must have seen each of them.
func TestUpsertsOnTheRightOfJoins(t *testing.T) {
	s := start(t)
	rng := random.New(t)
	dir := t.TempDir()
	const keys, rounds = 5, 400
	var file strings.Builder
	for i := range rounds { // at second i key k gets the value i
		k := rng.IntN(keys)
		if i < keys {
			k = i
		}
		fmt.Fprintf(&file, "{\"k\":%d,\"v\":%d,\"since\":\"%s\"}\n", k, i, second(i))
	}
	write(t, dir, "a.json", file.String())
	s.query(`CREATE SOURCE rates (k bigint PRIMARY KEY, v bigint, since timestamp, WATERMARK FOR since AS since) WITH (connector = 'object', path = 'file://` + dir + `', format = 'json')`)
	s.query(`CREATE TABLE asks (id bigint, k bigint, at timestamp, WATERMARK FOR at AS at) APPEND ONLY`)
	var asks []string
	for id := range rounds {
		asks = append(asks, fmt.Sprintf(`(%d, %d, '%s')`, id, rng.IntN(keys+1), second(id)))
	}
	s.query(`INSERT INTO asks VALUES ` + strings.Join(asks, ", "))
	s.query(`CREATE TABLE versions (k bigint, v bigint, since timestamp)`)
	var versions []string
	for _, line := range strings.Split(strings.TrimSpace(file.String()), "\n") {
		var k, v int
		if _, err := fmt.Sscanf(line, `{"k":%d,"v":%d`, &k, &v); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, fmt.Sprintf(`(%d, %d, '%s')`, k, v, second(v)))
	}
	s.query(`INSERT INTO versions VALUES ` + strings.Join(versions, ", "))
	const with = ` WITH (checkpoint_interval = '100ms', parallelism = 2) AS SELECT `
	s.query(`CREATE MATERIALIZED VIEW once` + with + `a.id, a.k, r.v FROM asks a LEFT JOIN rates FOR SYSTEM_TIME AS OF a.at r ON a.k = r.k`)
	s.query(`CREATE MATERIALIZED VIEW now` + with + `a.id, a.k, r.v FROM asks a LEFT JOIN rates FOR SYSTEM_TIME AS OF proctime() r ON a.k = r.k`)
	s.query(`CREATE MATERIALIZED VIEW near` + with + `a.id, a.k, r.v FROM asks a ASOF LEFT JOIN rates r ON a.k = r.k AND a.at >= r.since`)
	s.query(`CREATE MATERIALIZED VIEW after` + with + `a.id, a.k, r.v FROM asks a ASOF JOIN rates r ON a.k = r.k AND a.at <= r.since`)
	check := func(until int, currentIsLast bool) {
		t.Helper()
		s.eventually(`SELECT * FROM once`, s.query(fmt.Sprintf(`SELECT a.id, a.k, r.v FROM asks a LEFT JOIN LATERAL (SELECT v FROM versions x WHERE x.k = a.k AND x.since <= a.at ORDER BY v DESC LIMIT 1) r ON true WHERE a.id < %d`, until))...)
		const newest = `(SELECT k, max(v) AS v, max(since) AS since FROM versions GROUP BY k)`
		s.eventually(`SELECT * FROM near`, s.query(`SELECT a.id, a.k, r.v FROM asks a LEFT JOIN `+newest+` r ON a.k = r.k AND r.since <= a.at`)...)
		s.eventually(`SELECT * FROM after`, s.query(`SELECT a.id, a.k, r.v FROM asks a JOIN `+newest+` r ON a.k = r.k AND r.since >= a.at`)...)
		if currentIsLast {
			s.eventually(`SELECT * FROM now`, s.query(`SELECT a.id, a.k, r.v FROM asks a LEFT JOIN `+newest+` r ON a.k = r.k`)...)
		}
	}
	check(rounds-1, true) // the watermark stands at the last second
	s.checkpoint("once")
	s.restart()
	check(rounds-1, true)
	found := s.query(`SELECT * FROM now`)
	write(t, dir, "b.json", fmt.Sprintf("{\"k\":0,\"v\":%d,\"since\":\"%s\"}\n{\"k\":0,\"v\":%d,\"since\":\"%s\"}\n", rounds+10, second(rounds+10), rounds+20, second(rounds+20)))
	s.query(fmt.Sprintf(`INSERT INTO versions VALUES (0, %d, '%s'), (0, %d, '%s')`, rounds+10, second(rounds+10), rounds+20, second(rounds+20)))
	s.query(fmt.Sprintf(`INSERT INTO asks VALUES (%d, 0, '%s'), (%d, 7, '%s')`, rounds+15, second(rounds+15), rounds+30, second(rounds+30)))
	check(rounds+20, false)
	for _, row := range s.query(fmt.Sprintf(`SELECT * FROM now WHERE id < %d`, rounds)) {
		if !slices.Contains(found, row) {
			t.Errorf("%s was joined again", row)
		}
	}
	s.checkpoint("near")
	s.restart()
	check(rounds+20, false)
}

// TestJoinedRowsExpire lets the right side of joins grow old while the job runs and while
// the server is down.
func TestJoinedRowsExpire(t *testing.T) {
	s := start(t)
	s.query(`CREATE TABLE o (id bigint, k bigint) APPEND ONLY`)
	s.query(`CREATE TABLE c (k bigint PRIMARY KEY, name text)`)
	const with, as = ` WITH (checkpoint_interval = '100ms', state_ttl = '5s') AS SELECT `, ` o.id, name FROM o LEFT JOIN c FOR SYSTEM_TIME AS OF proctime() ON o.k = c.k`
	s.query(`CREATE MATERIALIZED VIEW met` + with + as)
	s.query(`CREATE MATERIALIZED VIEW kept` + with + `/*+ STATE_TTL('c' = '0') */` + as)
	s.query(`CREATE MATERIALIZED VIEW near` + with + `o.id, name FROM o ASOF JOIN c ON o.id >= c.k`)
	s.query(`INSERT INTO c VALUES (1, 'ann')`)
	s.query(`FLUSH`)
	s.query(`INSERT INTO o VALUES (1, 1)`)
	s.eventually(`SELECT * FROM met`, "1|ann")
	s.eventually(`SELECT * FROM near`, "1|ann")
	s.checkpoint("met")
	s.checkpoint("near")
	s.restart()
	time.Sleep(5500 * time.Millisecond)
	s.query(`INSERT INTO o VALUES (2, 1)`)
	s.eventually(`SELECT * FROM met`, "1|ann", "2|NULL")
	s.eventually(`SELECT * FROM kept`, "1|ann", "2|ann")
	s.eventually(`SELECT * FROM near`, "1|ann") // what was joined stays
	s.eventually(`SELECT DISTINCT expired_rows > 0 FROM millrace.operators WHERE id IN ('left_lookup_join(o, c on k)', 'asof_join(o, c)') AND job <> 'kept'`, "t")
	s.query(`UPDATE c SET name = 'eve'`)
	s.query(`FLUSH`)
	s.query(`INSERT INTO o VALUES (3, 1)`)
	s.eventually(`SELECT * FROM met`, "1|ann", "2|NULL", "3|eve")
	s.eventually(`SELECT * FROM kept`, "1|ann", "2|ann", "3|eve")
}

func second(n int) string { return fmt.Sprintf("2024-01-01 00:%02d:%02d", n/60, n%60) }
