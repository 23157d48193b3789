package handler_test

import "testing"

// TestUniqueIndexes holds rows to unique indexes through restarts, and refuses them
// where nobody could be told.
func TestUniqueIndexes(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY, k text, n int)`, `INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 1)`, `CREATE TABLE src (id int PRIMARY KEY, k text)`)
	contains(t, c.fails("23505", `CREATE UNIQUE INDEX ON t (n)`).Detail, "Key (n)=(1) is duplicated.")
	c.exec(`CREATE UNIQUE INDEX tk ON t (k)`)
	contains(t, c.plan(`SELECT * FROM t WHERE k = 'a'`), "index: tk")
	c.fails("0A000", `CREATE JOB j AS INSERT INTO t SELECT id, k, id FROM src`)
	for range 2 {
		contains(t, c.fails("23505", `INSERT INTO t VALUES (3, 'a', 3)`).Detail, "Key (k)=(a) already exists.")
		c.exec(`INSERT INTO t VALUES (3, 'a', 3) ON CONFLICT (k) DO UPDATE SET n = t.n + excluded.n`, `FLUSH`)
		c.restart()
	}
	c.expect(`SELECT n FROM t WHERE k = 'a'`, "7")
	c.exec(`DROP INDEX tk`, `INSERT INTO t VALUES (3, 'a', 3)`)
	c.restart()
	c.exec(`INSERT INTO t VALUES (4, 'a', 3)`)
	c.fails("23505", `CREATE UNIQUE INDEX tk ON t (k)`)
	c.exec(`CREATE JOB j AS INSERT INTO t SELECT id, k, id FROM src`)
	contains(t, c.fails("55006", `CREATE UNIQUE INDEX ON t (id, k)`).Message, `job "j" writes to table "t"`)
	c.exec(`CREATE UNIQUE INDEX ON src (k)`) // which it reads

	c.exec(`CREATE MATERIALIZED VIEW m AS SELECT k, n, count(*) AS c FROM t GROUP BY k, n`)
	c.fails("0A000", `CREATE UNIQUE INDEX ON m (k)`)
	c.exec(`CREATE UNIQUE INDEX ON m (c, n, k)`)
	c.expect(`SELECT indexdef FROM pg_indexes WHERE tablename = 'm'`, "CREATE UNIQUE INDEX m_c_n_k_idx ON public.m USING btree (c, n, k)")
	c.exec(`DROP INDEX m_c_n_k_idx`)
}
