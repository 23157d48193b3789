package explain

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/planner/fixture"
)

// A subquery that depends on times is joined with different values of these, which the
// watermark does not free; the hint does not ask for the interval that is there.
func TestTimesOfSubqueries(t *testing.T) {
	for sql, words := range map[string]string{
		`CREATE MATERIALIZED VIEW mv AS SELECT a.price, (SELECT count(*) FROM ask b WHERE b.auction = a.auction AND b.ts BETWEEN a.ts - INTERVAL '5' SECOND AND a.ts) AS n FROM bid a`:                            "all rows of ask: the other side is of different values, bid per auction, ts, which have no event time, and",
		`CREATE MATERIALIZED VIEW mv AS SELECT a.price, c.price AS q FROM bid a, LATERAL (SELECT price FROM ask b WHERE b.auction = a.auction AND b.ts BETWEEN a.ts - INTERVAL '5' SECOND AND a.ts LIMIT 1) AS c`: "all rows of ask: the other side is of different values, bid per auction, ts, which have no event time, and",
		`CREATE MATERIALIZED VIEW mv AS SELECT a.price, c.m FROM bid a, LATERAL (SELECT max(price) AS m FROM ask b WHERE b.auction = a.auction AND b.ts <= a.ts) AS c`:                                            "all rows of bid: the condition compares times, but rows of",
	} {
		g, err := fixture.Graph(sql)
		if err != nil {
			t.Fatal(sql, err)
		}
		found := false
		for _, w := range Growths(g, 0) {
			found = found || strings.Contains(w.Message, words) && strings.Contains(w.Hint, "join with GROUP BY, or with EXISTS")
			if strings.Contains(w.Message, "join") && (strings.Contains(w.Message, "no interval") || strings.Contains(w.Hint, "BETWEEN")) {
				t.Errorf("%s: %s; %s", sql, w.Message, w.Hint)
			}
		}
		if !found {
			t.Errorf("%s: %+v", sql, Growths(g, 0))
		}
	}
}

// Joins without a condition are warned of, unless one side has one row at most.
func TestPairs(t *testing.T) {
	for sql, want := range map[string]bool{
		`CREATE MATERIALIZED VIEW mv AS SELECT a.id FROM orders a, returns b`:                                      true,
		`CREATE MATERIALIZED VIEW mv AS SELECT a.id FROM orders a, (SELECT DISTINCT status FROM returns) b`:        true,
		`CREATE MATERIALIZED VIEW mv AS SELECT id, (SELECT max(amount) FROM returns) AS m FROM orders`:             false,
		`CREATE MATERIALIZED VIEW mv AS SELECT id, customer_id IN (SELECT customer_id FROM returns) q FROM orders`: false,
	} {
		g, err := fixture.Graph(sql)
		if err != nil {
			t.Fatal(sql, err)
		}
		warned := false
		for _, w := range Growths(g, 0) {
			warned = warned || strings.Contains(w.Message, "has no condition")
		}
		if warned != want {
			t.Errorf("%s: warned of pairs: %v", sql, warned)
		}
	}
}
