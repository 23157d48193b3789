package handler_test

import "testing"

// TestLikeWatermark makes tables like one with a watermark, which is copied only if asked for.
func TestLikeWatermark(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (id int PRIMARY KEY, at timestamp, r row(x int, y text[]), WATERMARK FOR at AS at - INTERVAL '1 s')`, `CREATE TABLE p (m bpchar, ms bpchar[], c char, cs char(3)[])`, `CREATE TABLE q (LIKE p)`)
	c.exec(`COMMENT ON COLUMN p.m IS 'any length'`, `CREATE TABLE commented (LIKE p INCLUDING COMMENTS)`)
	c.expect(`SELECT col_description('commented'::regclass, 1)`, "any length")
	c.exec(`INSERT INTO q VALUES ('abc', '{abc}', 'a', '{abc}')`)
	c.fails("22001", `INSERT INTO q (c) VALUES ('abc')`)
	for _, x := range []struct{ like, told, definition string }{
		{`LIKE a`, "the watermark of a is not copied", "CREATE TABLE b (\n  id integer NOT NULL,\n  at timestamp,\n  r row(x integer, y text[])\n)"},
		{`LIKE a EXCLUDING WATERMARKS`, "", "CREATE TABLE b (\n  id integer NOT NULL,\n  at timestamp,\n  r row(x integer, y text[])\n)"},
		{`LIKE a, WATERMARK FOR at AS at`, "", "CREATE TABLE b (\n  id integer NOT NULL,\n  at timestamp,\n  r row(x integer, y text[]),\n  WATERMARK FOR at AS at\n)"},
		{`LIKE a INCLUDING ALL`, "", "CREATE TABLE b (\n  id integer NOT NULL PRIMARY KEY,\n  at timestamp,\n  r row(x integer, y text[]),\n  WATERMARK FOR at AS at - INTERVAL '1 s'\n)"},
	} {
		c.noticed()
		c.exec(`CREATE TABLE b (` + x.like + `)`)
		if got := c.noticed(); x.told == "" && got != "" {
			t.Errorf("%s: %s", x.like, got)
		} else {
			contains(t, got, x.told)
		}
		c.expect(`SHOW CREATE TABLE b`, "b | "+x.definition)
		c.exec(`DROP TABLE b`)
	}
}
