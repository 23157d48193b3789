package lower_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
)

// TestIDs freezes the ids of operators with state and the names of their state
// columns. They are in every checkpoint and savepoint: testdata/ids must never
// be rewritten, only added to.
func TestIDs(t *testing.T) {
	queries := 0
	datadriven.RunTest(t, "testdata/ids", func(t *testing.T, d *datadriven.TestData) string {
		queries++
		g, err := fixture.Graph(d.Input)
		if err != nil {
			return "ERROR " + err.Error() + "\n"
		}
		return ids(g)
	})
	if queries < 40 {
		t.Errorf("only %d queries are frozen", queries)
	}
}

func ids(g *graph.Graph) string {
	var s strings.Builder
	for _, o := range g.Operators {
		if len(o.Tables) == 0 && o.Source == nil && o.Sink == nil {
			continue
		}
		s.WriteString(o.ID + "\n")
		for _, t := range o.Tables {
			s.WriteString("  " + t.Name + "[" + strings.Join(names(t.Keys), "; ") + "] " + strings.Join(names(t.Columns), "; ") + "\n")
		}
	}
	return s.String()
}

func names(list []graph.Column) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.Name)
	}
	return out
}

// TestSpelling checks that ids and state columns do not depend on how a query is
// written: each group is one meaning.
func TestSpelling(t *testing.T) {
	window := "window_aggregate(bid by auction, tumble ts 10 s)"
	for _, c := range []struct {
		id      string
		queries []string
	}{
		{"aggregate(orders by customer_id)", []string{
			"INSERT INTO o SELECT customer_id, sum(amount) FROM orders GROUP BY customer_id",
			"insert into o select x.customer_id as c, sum(x.amount) as s from orders as x group by x.customer_id",
			"INSERT INTO o SELECT c, sum(a) FROM (SELECT customer_id AS c, amount AS a FROM orders) s GROUP BY c",
			"INSERT INTO o WITH w AS (SELECT * FROM orders) SELECT customer_id, sum(amount) FROM w GROUP BY 1",
			"INSERT INTO o SELECT customer_id, sum(amount) FROM public.orders GROUP BY 1 HAVING sum(amount) > 3",
			"INSERT INTO o SELECT sum(amount), customer_id FROM orders WHERE status = 'x' GROUP BY customer_id",
		}},
		{window, []string{
			"INSERT INTO o SELECT auction, sum(price) FROM TUMBLE(bid, ts, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end",
			"INSERT INTO o SELECT auction, sum(price) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10 seconds')) GROUP BY window_end, auction, window_start",
			"INSERT INTO o SELECT auction, sum(price) FROM bid GROUP BY auction, TUMBLE(ts, INTERVAL '0:00:10')",
			"INSERT INTO o SELECT a, sum(p), we FROM (SELECT auction AS a, price AS p, window_start AS ws, window_end AS we FROM TUMBLE(bid, ts, INTERVAL '10' SECOND)) b GROUP BY a, ws, we",
			"INSERT INTO o SELECT auction, sum(price) FROM TUMBLE(bid, ts, INTERVAL '10' SECOND) WHERE bidder > 7 GROUP BY auction, window_start, window_end",
		}},
		{"aggregate(bid by auction, channel)", []string{
			"INSERT INTO o SELECT auction, channel, sum(price) FROM bid GROUP BY auction, channel",
			"INSERT INTO o SELECT auction, channel, sum(price) FROM bid GROUP BY channel, auction",
		}},
		{"aggregate(bid by price * 2)", []string{
			"INSERT INTO o SELECT price*2, sum(price) FROM bid GROUP BY price*2",
			"INSERT INTO o SELECT d, sum(price) FROM (SELECT price * 2 AS d, price FROM bid) x GROUP BY d",
			"INSERT INTO o SELECT (price * 2) AS q, sum(price) FROM bid b GROUP BY (b.price * 2)",
		}},
		{"aggregate(union by customer_id)", []string{
			"INSERT INTO o SELECT customer_id, sum(amount) FROM (SELECT * FROM orders UNION ALL SELECT * FROM returns) x GROUP BY customer_id",
			"INSERT INTO o SELECT customer_id, sum(amount) FROM (SELECT * FROM returns UNION ALL SELECT * FROM orders) x GROUP BY customer_id",
			"INSERT INTO o SELECT c, sum(a) FROM (SELECT amount AS a, customer_id AS c FROM returns UNION ALL SELECT amount, customer_id FROM orders) x GROUP BY c",
		}},
	} {
		want := ""
		for i, q := range c.queries {
			g, err := fixture.Graph(q)
			if err != nil {
				t.Errorf("%s: %v", q, err)
				continue
			}
			got := ""
			for _, o := range g.Operators {
				if o.ID == c.id {
					got = strings.Join(names(o.Tables[0].Keys), ";") + "|" + strings.Join(names(o.Tables[0].Columns), ";")
				}
			}
			if i == 0 {
				want = got
			}
			if got == "" || got != want {
				t.Errorf("%s\n got %q, want %q in\n%s", q, got, want, ids(g))
			}
		}
	}
}
