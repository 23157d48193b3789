package handler_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/test/random"
)

// TestIndexesEqualScansOfRunningJobs reads a view both ways in one statement, hence in
// one epoch, while its job changes every row of it again and again, restarts, gets
// more tasks, and goes back to a savepoint.
func TestIndexesEqualScansOfRunningJobs(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := start(t, "")
	c.exec(`CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', rows_per_second = '20000')`,
		`CREATE MATERIALIZED VIEW live AS SELECT bidder % 700 AS k, count(*) AS n, max(price) AS p FROM bid GROUP BY bidder % 700`,
		`CREATE MATERIALIZED VIEW firsts AS SELECT k, price FROM (SELECT bidder % 5 AS k, price, row_number() OVER (PARTITION BY bidder % 5 ORDER BY price DESC) AS r FROM bid) AS s WHERE r <= 200`,
		`CREATE INDEX ON live (n, p DESC)`, `CREATE INDEX ON live (p)`, `CREATE INDEX ON firsts (price)`)
	contains(t, c.plan(`SELECT * FROM live WHERE n = 3 AND p < 100`), "index: live_n_p_idx, p below")
	found := 0
	check := func(until time.Duration) {
		t.Helper()
		for end := time.Now().Add(until); time.Now().Before(end); {
			low := rng.IntN(60)
			for _, q := range [][2]string{
				{fmt.Sprintf(`SELECT * FROM live WHERE k = %d`, low), fmt.Sprintf(`SELECT * FROM live WHERE k + 0 = %d`, low)},
				{fmt.Sprintf(`SELECT * FROM live WHERE n BETWEEN %d AND %d`, low, 2*low), fmt.Sprintf(`SELECT * FROM live WHERE n + 0 BETWEEN %d AND %d`, low, 2*low)},
				{fmt.Sprintf(`SELECT * FROM live WHERE p > %d`, low*100_000), fmt.Sprintf(`SELECT * FROM live WHERE p + 0 > %d`, low*100_000)},
				{`SELECT n, p FROM live ORDER BY n DESC, p LIMIT 20`, `SELECT n + 0, p FROM live ORDER BY 1 DESC, 2 LIMIT 20`},
				{`SELECT price FROM firsts ORDER BY price DESC LIMIT 30`, `SELECT price + 0 FROM firsts ORDER BY 1 DESC LIMIT 30`},
				{fmt.Sprintf(`SELECT live.* FROM generate_series(%d, %d) AS s (i) JOIN live ON k = i`, low, low+30),
					fmt.Sprintf(`SELECT live.* FROM generate_series(%d, %d) AS s (i) JOIN live ON k + 0 = i`, low, low+30)},
			} {
				rows := c.query(fmt.Sprintf(`WITH a AS (%s), b AS (%s) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM (SELECT * FROM a EXCEPT ALL SELECT * FROM b) AS d),
					(SELECT count(*) FROM (SELECT * FROM b EXCEPT ALL SELECT * FROM a) AS d)`, q[0], q[1]))
				var n, more, less int
				if _, err := fmt.Sscanf(rows[0], "%d | %d | %d", &n, &more, &less); err != nil {
					t.Fatalf("%q: %v", rows[0], err)
				}
				if found += n; more+less > 0 {
					t.Fatalf("%s: of %d rows a scan has not %d, and %d others", q[0], n, more, less)
				}
			}
		}
	}
	check(1500 * time.Millisecond)
	for end := time.Now().Add(time.Minute); c.query(`SELECT count(*) >= 600 FROM live`)[0] != "t" && time.Now().Before(end); {
		check(100 * time.Millisecond) // fewer rows are not looked up by keys
	}
	contains(t, c.plan(`SELECT live.* FROM generate_series(1, 9) AS s (i) JOIN live ON k = i`), "by keys of")
	c.exec(`SAVEPOINT JOB live AS sp`)
	check(300 * time.Millisecond)
	c.restart()
	check(700 * time.Millisecond)
	c.exec(`ALTER JOB live SET (parallelism = 3)`)
	check(700 * time.Millisecond)
	c.exec(`RESTORE JOB live FROM SAVEPOINT sp`)
	check(700 * time.Millisecond)
	if found < 1000 {
		t.Errorf("%d rows found in all", found)
	}
}
