package handler_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestTransactionsStayWhole reads views over and over while transactions change their
// tables: no reader must see half of one, of one table or of two.
func TestTransactionsStayWhole(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (id int PRIMARY KEY, txn int)`, `CREATE TABLE b (id int PRIMARY KEY, txn int)`,
		`CREATE MATERIALIZED VIEW parts WITH (batch_rows = '64') AS SELECT txn, count(*) AS n FROM a GROUP BY txn`,
		`CREATE MATERIALIZED VIEW alone WITH (batch_rows = '64', bad_data = 'fail') AS SELECT a.id, b.id AS bid, 1 / count(b.id) OVER (PARTITION BY a.id) AS one FROM a LEFT JOIN b USING (id) WHERE a.id % 2 = 0`,
		`CREATE MATERIALIZED VIEW halves AS SELECT a.id AS aid, b.id AS bid FROM a FULL JOIN b USING (id) WHERE a.id IS NULL OR b.id IS NULL`)
	reader, err := pgx.ConnectConfig(c.ctx, c.conn.Config().Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(c.ctx)
	done := make(chan struct{})
	seen := make(chan error, 1)
	go func() {
		for reads := 0; ; reads++ {
			for _, q := range []string{`SELECT count(*) FROM parts WHERE n <> 300`, `SELECT count(*) FROM halves`} {
				var n int
				if err := reader.QueryRow(c.ctx, q).Scan(&n); err != nil || n > 0 {
					seen <- fmt.Errorf("%s: %d, %v", q, n, err)
					return
				}
			}
			select {
			case <-done:
				if reads < 20 {
					seen <- fmt.Errorf("%d reads are too few", reads)
				}
				close(seen)
				return
			default:
			}
		}
	}()
	for txn := range 60 {
		first := txn * 300
		insert := func(table string) string {
			return fmt.Sprintf(`INSERT INTO %s SELECT i, %d FROM generate_series(%d, %d) AS i;`, table, txn, first, first+299)
		}
		c.exec(`BEGIN;` + insert("a") + insert("b") + `COMMIT`)
	}
	close(done)
	if err := <-seen; err != nil {
		t.Fatal(err)
	}
	c.exec(`FLUSH`)
	c.expect(`SELECT count(*), min(one) FROM alone`, "9000 | 1")
	c.expect(`SELECT count(*) FROM millrace.jobs WHERE state <> 'running'`, "0")
}
