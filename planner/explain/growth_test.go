package explain

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/planner/fixture"
)

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
