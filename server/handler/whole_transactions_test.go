package handler_test

import (
	"bytes"
	"context"
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
	stop := readWhole(c, `SELECT count(*) FROM parts WHERE n <> 300`, `SELECT count(*) FROM halves`)
	for txn := range 60 {
		first := txn * 300
		insert := func(table string) string {
			return fmt.Sprintf(`INSERT INTO %s SELECT i, %d FROM generate_series(%d, %d) AS i;`, table, txn, first, first+299)
		}
		c.exec(`BEGIN;` + insert("a") + insert("b") + `COMMIT`)
	}
	stop()
	c.exec(`FLUSH`)
	c.expect(`SELECT count(*), min(one) FROM alone`, "9000 | 1")
	c.expect(`SELECT count(*) FROM millrace.jobs WHERE state <> 'running'`, "0")
}

// TestSinksStayWhole reads the tables that one job writes over and over, and views over
// them, while transactions change what it reads: no reader must see what the job wrote
// of one to some of its tables.
func TestSinksStayWhole(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (id int PRIMARY KEY, bal int)`, `CREATE TABLE b (id int PRIMARY KEY, bal int)`,
		`INSERT INTO a SELECT i, 100 FROM generate_series(1, 20) AS i`, `INSERT INTO b SELECT i, 100 FROM generate_series(1, 20) AS i`,
		`CREATE TABLE s1 (id int, bal int)`, `CREATE TABLE s2 (id int PRIMARY KEY, bal int)`, `CREATE SINK none (id int, bal int) WITH (connector = 'blackhole')`,
		`CREATE JOB j WITH (checkpoint_interval = '20ms') AS BEGIN
			INSERT INTO s1 SELECT * FROM a; INSERT INTO none SELECT * FROM a; INSERT INTO s2 SELECT * FROM b; INSERT INTO s1 SELECT -id, 0 FROM b; END`, `FLUSH`,
		`CREATE MATERIALIZED VIEW v AS SELECT (SELECT sum(bal) FROM s1) + (SELECT sum(bal) FROM s2) AS s`,
		`CREATE MATERIALIZED VIEW pairs AS SELECT s1.bal + s2.bal AS s FROM s1 JOIN s2 USING (id)`, `FLUSH`)
	stop := readWhole(c, `SELECT count(*) FROM (SELECT sum(bal) AS s FROM (SELECT bal FROM s1 UNION ALL SELECT bal FROM s2) AS q) AS q WHERE s <> 4000`,
		`SELECT count(*) FROM s1 JOIN s2 USING (id) WHERE s1.bal + s2.bal <> 200`, `SELECT count(*) FROM v WHERE s <> 4000`, `SELECT count(*) FROM pairs WHERE s <> 200`)
	for i := range 300 {
		c.exec(fmt.Sprintf(`BEGIN; UPDATE a SET bal = bal - 7 WHERE id = %d; UPDATE b SET bal = bal + 7 WHERE id = %[1]d; COMMIT`, i%20+1))
	}
	stop()
	c.exec(`FLUSH`)
	c.expect(`SELECT sum(bal) FROM s2`, "4100")
}

// readWhole reads on and on what is to be 0 in every row, until it is told to stop.
func readWhole(c *client, queries ...string) (stop func()) {
	c.t.Helper()
	reader, err := pgx.ConnectConfig(c.ctx, c.conn.Config().Copy())
	if err != nil {
		c.t.Fatal(err)
	}
	done, seen := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(seen)
		for reads := 0; ; reads++ {
			for _, q := range queries {
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
				return
			default:
			}
		}
	}()
	return func() {
		c.t.Helper()
		close(done)
		if err := <-seen; err != nil {
			c.t.Fatal(err)
		}
		reader.Close(c.ctx)
	}
}

// TestSubscriptionsSeeWholeTransactions follows queries while transactions change their
// tables, from the first rows on and then for a while: at the end of each epoch the changes
// must have led to what some transaction left.
func TestSubscriptionsSeeWholeTransactions(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (id int PRIMARY KEY, bal int)`, `CREATE TABLE b (id int PRIMARY KEY, bal int)`,
		`INSERT INTO a SELECT i, 100 FROM generate_series(1, 2000) AS i`, `INSERT INTO b SELECT i, 100 FROM generate_series(1, 2000) AS i`)
	seen := make(chan error, 2)
	follow := func(query, want string, times, epochs int) {
		conn, err := pgx.ConnectConfig(c.ctx, c.conn.Config().Copy())
		if err != nil {
			seen <- err
			return
		}
		defer conn.Close(context.Background())
		for n := 0; n < times && err == nil; n++ {
			if err = followEpochs(c.ctx, conn, query, want, epochs); err != nil {
				err = fmt.Errorf("%s: subscription %d: %w", query, n, err)
			}
		}
		seen <- err
	}
	go follow(`SELECT sum(bal) FROM (SELECT bal FROM a UNION ALL SELECT bal FROM b) AS q`, "400000", 40, 1)
	go follow(`SELECT count(*), sum(a.bal + b.bal) FROM a JOIN b USING (id)`, "2000 | 400000", 4, 10)
	for txn, followers := 0, 2; followers > 0; txn++ {
		c.exec(fmt.Sprintf(`BEGIN; UPDATE a SET bal = bal - 1 WHERE id / 100 = %d; UPDATE b SET bal = bal + 1 WHERE id / 100 = %[1]d; COMMIT`, txn%20))
		select {
		case err := <-seen:
			followers--
			if err != nil {
				t.Error(err)
			}
		default:
		}
	}
}

// followEpochs subscribes to a query and applies the changes: at the end of each of so many
// epochs there must be the one row wanted.
func followEpochs(ctx context.Context, conn *pgx.Conn, query, want string, epochs int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(ctx, `DECLARE c CURSOR FOR SUBSCRIBE TO (`+query+`) WITH (progress = true)`); err != nil {
		return err
	}
	copies := map[string]int{}
	for epoch := 0; epoch < epochs; {
		rows, err := tx.Query(ctx, `FETCH 1000 FROM c`)
		if err != nil {
			return err
		}
		for rows.Next() {
			op, row := string(rows.RawValues()[0]), string(bytes.Join(rows.RawValues()[2:], []byte(" | ")))
			switch op {
			case "progress":
				if epoch++; len(copies) != 1 || copies[want] != 1 {
					return fmt.Errorf("epoch %d: %v", epoch, copies)
				}
			case "insert", "update_after":
				copies[row]++
			default:
				if copies[row]--; copies[row] == 0 {
					delete(copies, row)
				}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// TestLookupsMeetTheirTransaction writes orders with their customers, which no order must
// miss: customers that a filter, a union or another lookup comes before, too.
func TestLookupsMeetTheirTransaction(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE cust (id int PRIMARY KEY, city int)`, `CREATE TABLE city (id int PRIMARY KEY, name text)`, `CREATE TABLE ord (id int PRIMARY KEY, c int) APPEND ONLY`,
		`CREATE TABLE late (id int PRIMARY KEY, city int) APPEND ONLY`,
		`CREATE MATERIALIZED VIEW plain AS SELECT o.id, c.city FROM ord o LEFT JOIN cust FOR SYSTEM_TIME AS OF proctime() c ON o.c = c.id`,
		`CREATE MATERIALIZED VIEW twice AS SELECT o.id, t.name FROM ord o LEFT JOIN cust FOR SYSTEM_TIME AS OF proctime() c ON o.c = c.id LEFT JOIN city FOR SYSTEM_TIME AS OF proctime() t ON t.id = c.city`,
		`CREATE VIEW placed AS SELECT l.id, t.name FROM late l LEFT JOIN city FOR SYSTEM_TIME AS OF proctime() t ON t.id = l.city`,
		`CREATE MATERIALIZED VIEW nested AS SELECT o.id, p.name FROM ord o LEFT JOIN placed FOR SYSTEM_TIME AS OF proctime() p ON o.c = p.id`,
		`CREATE VIEW merged AS SELECT id, city FROM cust WHERE id >= 0 UNION ALL SELECT id, city FROM late WHERE id < 0`,
		`CREATE MATERIALIZED VIEW either AS SELECT o.id, m.city FROM ord o LEFT JOIN merged FOR SYSTEM_TIME AS OF proctime() m ON o.c = m.id`)
	for i := range 300 {
		c.exec(fmt.Sprintf(`BEGIN; INSERT INTO ord VALUES (%d, %[1]d); INSERT INTO city VALUES (%[1]d, 'n'); INSERT INTO cust VALUES (%[1]d, %[1]d); INSERT INTO late VALUES (%[1]d, %[1]d); COMMIT`, i))
	}
	c.exec(`FLUSH`)
	c.expect(`SELECT count(*), count(city) FROM plain`, "300 | 300")
	c.expect(`SELECT count(*), count(name) FROM twice`, "300 | 300")
	c.expect(`SELECT count(*), count(name) FROM nested`, "300 | 300")
	c.expect(`SELECT count(*), count(city) FROM either`, "300 | 300")
}
