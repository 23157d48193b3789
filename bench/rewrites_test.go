package bench

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/planner/explain"
)

// TestRewrites checks in EXPLAIN that the rewrites that the figures rest on are in
// effect.
func TestRewrites(t *testing.T) {
	plans := map[string]string{}
	for _, q := range Queries() {
		g, err := Plan(q.SQL)
		if err != nil {
			t.Fatal(err)
		}
		plans[q.Name] = strings.Join(explain.Graph(g), "\n")
	}
	for _, want := range []struct{ rewrite, query, text string }{
		{"columns pruned into the source", "q2", "reads: public.bid (auction, price) through nexmark"},
		{"columns pruned into the source", "q16", "reads: public.bid (auction, bidder, price, channel, date_time) through nexmark"},
		{"panes shared by windows that hop", "q5", "pane_start timestamp(3)"},
		{"one windowed aggregate for both sides", "q5", "window_aggregate(bid by auction, hop date_time 10 s slide 2 s)  (shared, see above)"},
		{"distinct values shared by filters", "q15", "state distinct(bidder): (to_char(date_time, 'YYYY-MM-DD') text, bidder bigint) -> count(*) bigint, count(*) filter (price < 10000) bigint"},
		{"filters before join state", "q20", "-> filter(category = 10)"},
		{"the best rows of windows alone before join state", "q7", "-> contenders(bid for max(price), tumble date_time 10 s)"},
		{"no bids but those that may be the best of their moment before join state", "q4", "-> challengers(bid)"},
		{"the same for the first rows of a join", "q9", "passes: rows with greater price than those before with the same auction, date_time"},
		{"both sides of a join with windows forgotten", "q7", "keeps: left rows until the watermark is past date_time + 10 s, right rows until it is past window_end"},
		{"columns pruned before join state", "q3", "state left: (seller bigint, row bigint) -> id bigint"},
	} {
		if !strings.Contains(plans[want.query], want.text) {
			t.Errorf("%s: %s should have %q:\n%s", want.rewrite, want.query, want.text, plans[want.query])
		}
	}
	if n := strings.Count(plans["q15"], "state distinct("); n != 2 {
		t.Errorf("q15 keeps distinct values %d times, want once per argument", n)
	}
	if join, filter := strings.Index(plans["q20"], "join("), strings.Index(plans["q20"], "filter("); filter < join {
		t.Errorf("q20 filters after its join:\n%s", plans["q20"])
	}
}
