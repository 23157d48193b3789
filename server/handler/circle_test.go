package handler_test

import (
	"strings"
	"testing"
)

// TestCircle warns who makes a job that what it writes comes back to it, and no other.
func TestCircle(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (id int PRIMARY KEY, x int)`, `CREATE TABLE b (id int PRIMARY KEY, x int)`, `CREATE TABLE d (id int PRIMARY KEY, x int)`,
		`CREATE TABLE ev (id int) APPEND ONLY`, `CREATE MATERIALIZED VIEW v AS SELECT x AS id, max(id) AS x FROM a GROUP BY x`)
	// told runs a statement, and returns the circle that it warns of.
	told := func(sql string) string {
		t.Helper()
		c.noticed()
		c.exec(sql)
		circle := ""
		for _, n := range c.told {
			if !strings.Contains(n.Message, "comes back to it") {
				continue
			}
			if n.Severity != "WARNING" || n.Code != "01000" || !strings.HasPrefix(n.Message, `what job "j" writes`) || !strings.Contains(n.Hint, "comes to rest") {
				t.Errorf("%s: %s %s: %s, hint %q", sql, n.Severity, n.Code, n.Message, n.Hint)
			}
			if from := strings.Index(sql, " FROM a WHERE"); from >= 0 && int(n.Position) != from+len(" FROM a") {
				t.Errorf("%s: position %d", sql, n.Position)
			}
			circle = n.Detail
		}
		return circle
	}
	const direct = "The circle is table a -> job j -> table a."
	for _, x := range []struct{ other, query, circle string }{
		{"", `INSERT INTO a SELECT id + 1, x FROM a WHERE id < 3`, direct},
		{"", `INSERT INTO a SELECT id + 1, x FROM v WHERE id < 3`, direct},
		{"", `INSERT INTO a SELECT id, (SELECT max(id) FROM a) FROM b`, direct},
		{"", `INSERT INTO b SELECT id, x FROM a`, ""},
		{"", `BEGIN INSERT INTO b SELECT id, x FROM a; INSERT INTO a SELECT id, x FROM d; END`, ""},
		{"", `BEGIN INSERT INTO b SELECT id, x FROM a; INSERT INTO a SELECT id + 1, x FROM b WHERE id < 3; END`, "The circle is table a -> job j -> table b -> job j -> table a."},
		// What a row is looked up in does nothing by itself.
		{"", `INSERT INTO a SELECT ev.id, coalesce(a.x, 0) + 1 FROM ev LEFT JOIN a FOR SYSTEM_TIME AS OF proctime() ON a.id = ev.id`, ""},
		{`INSERT INTO d SELECT id, x FROM b`, `INSERT INTO b SELECT id, x FROM a`, ""},
		{`INSERT INTO a SELECT id, x FROM b WHERE id < 3`, `INSERT INTO b SELECT id + 1, x FROM v`, "The circle is table a -> job j -> table b -> job other -> table a."},
		{`INSERT INTO b SELECT id + 1, x FROM b WHERE id < 3`, `INSERT INTO b SELECT id, x FROM a`, ""}, // the circle is not of j
	} {
		if x.other != "" {
			c.exec(`CREATE JOB other AS ` + x.other)
		}
		if got := told(`CREATE JOB j AS ` + x.query); got != x.circle {
			t.Errorf("CREATE JOB j AS %s: %q", x.query, got)
		}
		c.exec(`SAVEPOINT JOB j AS s`)
		if !strings.HasPrefix(x.query, "BEGIN") {
			if got := told(`ALTER JOB j AS ` + x.query); got != x.circle {
				t.Errorf("ALTER JOB j AS %s: %q", x.query, got)
			}
			if got := told(`RESTORE JOB j FROM SAVEPOINT s ALLOW NON RESTORED STATE AS ` + x.query); got != x.circle {
				t.Errorf("RESTORE JOB j AS %s: %q", x.query, got)
			}
		}
		c.exec(`DROP JOB j`)
		if got := told(`CREATE JOB j FROM SAVEPOINT s`); got != x.circle {
			t.Errorf("CREATE JOB j FROM SAVEPOINT, %s: %q", x.query, got)
		}
		c.exec(`DROP JOB j`, `DROP JOB IF EXISTS other`, `DROP SAVEPOINT s`)
	}
}
