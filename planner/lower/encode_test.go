package lower_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
)

var samples = []string{
	"INSERT INTO o SELECT auction, price * 2, lower(channel) FROM bid WHERE price > 10 OR channel IN ('a', 'b')",
	"INSERT INTO o SELECT auction, count(*), avg(price) FROM HOP(bid, ts, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end",
	"INSERT INTO a KEY (1) SELECT auction, count(DISTINCT bidder) FILTER (WHERE price > 5), max(price) FROM bid GROUP BY auction; INSERT INTO b SELECT url, CASE WHEN price > 5 THEN 1.5 END FROM bid UNION ALL SELECT url, 2.25 FROM ask",
	"CREATE MATERIALIZED VIEW mv AS SELECT customer_id, sum(amount), min(status) FROM orders GROUP BY customer_id",
	"SELECT o.id, r.amount FROM orders o LEFT JOIN returns r ON o.id = r.id AND r.amount > o.amount ORDER BY 2 DESC LIMIT 3",
	"SELECT id FROM orders WHERE customer_id IN (SELECT k FROM notes WHERE v = orders.status) INTERSECT SELECT g::bigint FROM generate_series(1, 3) AS t(g)",
}

var create = flag.Bool("create-golden", false, "write the samples as planner/graph/testdata/v1.json, if that is not there")

// TestRoundTrip encodes graphs and reads them back. The golden file is made of
// them, once.
func TestRoundTrip(t *testing.T) {
	var all []json.RawMessage
	for _, sql := range samples {
		g, err := fixture.Graph(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		data, err := graph.Encode(g)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		back, err := graph.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		again, err := graph.Encode(back)
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("%s: decoding and encoding gives another graph (%v)", sql, err)
		}
		all = append(all, data)
	}
	if !*create {
		return
	}
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile("../graph/testdata/v1.json", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(out, '\n')); err != nil {
		t.Fatal(err)
	}
}
