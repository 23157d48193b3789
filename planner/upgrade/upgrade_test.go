package upgrade_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
)

const (
	byAuction = "INSERT INTO o SELECT auction, sum(price) FROM bid GROUP BY auction"
	byBidder  = "INSERT INTO o SELECT bidder, sum(price) FROM bid GROUP BY bidder"
	byBoth    = "INSERT INTO o SELECT auction, sum(price) FROM bid GROUP BY auction, bidder"
	tumble10  = "INSERT INTO o SELECT auction, sum(price) FROM TUMBLE(bid, ts, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end"
	tumble20  = "INSERT INTO o SELECT auction, sum(price) FROM TUMBLE(bid, ts, INTERVAL '20' SECOND) GROUP BY auction, window_start, window_end"
	auctionID = "aggregate(bid by auction)"
	bidderID  = "aggregate(bid by bidder)"
)

func plan(t *testing.T, old, new string, opts upgrade.Options) (*upgrade.Plan, error) {
	t.Helper()
	a, err := fixture.Graph(old)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fixture.Graph(new)
	if err != nil {
		t.Fatal(err)
	}
	return upgrade.Compare(a, b, opts)
}

func TestMapping(t *testing.T) {
	to := func(pairs ...string) upgrade.Mapping {
		m := upgrade.Mapping{To: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			m.To[pairs[i]] = pairs[i+1]
		}
		return m
	}
	discard := func(ids ...string) upgrade.Mapping { return upgrade.Mapping{Discard: ids} }
	for _, c := range []struct {
		name     string
		old, new string
		opts     upgrade.Options
		id       string // of the verdict looked at
		want     upgrade.Result
		why      string
		blocked  bool
	}{
		{"nothing said", byAuction, byBidder, upgrade.Options{}, auctionID, upgrade.Blocked, "no operator", true},
		{"mapped, keys of one type", byAuction, byBidder, upgrade.Options{Mapping: to(auctionID, bidderID)}, bidderID, upgrade.Kept, "mapped from " + auctionID, false},
		{"mapped, another number of keys", byAuction, byBoth, upgrade.Options{Mapping: to(auctionID, "aggregate(bid by auction, bidder)")}, "aggregate(bid by auction, bidder)", upgrade.Blocked, "its key was (auction) and is now (auction, bidder)", true},
		{"mapped, another window", tumble10, tumble20, upgrade.Options{Mapping: to("window_aggregate(bid by auction, tumble ts 10 s)", "window_aggregate(bid by auction, tumble ts 20 s)")}, "window_aggregate(bid by auction, tumble ts 20 s)", upgrade.Blocked, "window", true},
		{"discarded", byAuction, byBidder, upgrade.Options{Mapping: discard(auctionID)}, auctionID, upgrade.Dropped, "discarded by MAP", false},
		{"discarded though it has a place", byAuction, byAuction, upgrade.Options{Mapping: discard(auctionID)}, auctionID, upgrade.Empty, "discarded by MAP", false},
		{"allowed", byAuction, byBidder, upgrade.Options{AllowNonRestored: true}, auctionID, upgrade.Dropped, "no operator", false},
		{"allowed where the key differs", byAuction, byBoth, upgrade.Options{AllowNonRestored: true, Mapping: to(auctionID, "aggregate(bid by auction, bidder)")}, "aggregate(bid by auction, bidder)", upgrade.Empty, "its old state is dropped", false},
		{"known to be empty", byAuction, byBidder, upgrade.Options{Stats: map[string]upgrade.Size{auctionID: {}}}, auctionID, upgrade.Dropped, "empty", false},
		{"a source is positions", byAuction, "INSERT INTO o SELECT auction, sum(price) FROM ask GROUP BY auction", upgrade.Options{Stats: map[string]upgrade.Size{"source(bid)": {}}}, "source(bid)", upgrade.Blocked, "no operator", true},
	} {
		p, err := plan(t, c.old, c.new, c.opts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		found := false
		for _, v := range p.Verdicts {
			if v.Operator != c.id {
				continue
			}
			if found {
				continue // of an id on both sides the new operator's row comes first
			}
			found = true
			if v.Result != c.want || !strings.Contains(v.Why, c.why) {
				t.Errorf("%s: %s is %s (%s), want %s (%s)", c.name, c.id, v.Result, v.Why, c.want, c.why)
			}
		}
		if !found {
			t.Errorf("%s: no verdict on %s", c.name, c.id)
		}
		if (p.Err() != nil) != c.blocked {
			t.Errorf("%s: refused: %v", c.name, p.Err())
		}
	}
}

func TestMappingErrors(t *testing.T) {
	for _, c := range []struct {
		mapping    upgrade.Mapping
		want, hint string
	}{
		{upgrade.Mapping{Discard: []string{"aggregate(bid by auctions)"}}, "no operator \"aggregate(bid by auctions)\" in the state", auctionID},
		{upgrade.Mapping{To: map[string]string{auctionID: "aggregate(bid by bider)"}}, "in the new query", bidderID},
		{upgrade.Mapping{To: map[string]string{auctionID: "sink(o)"}}, "sink is not aggregate", ""},
		{upgrade.Mapping{To: map[string]string{auctionID: bidderID}, Discard: []string{auctionID}}, "both mapped and discarded", ""},
	} {
		_, err := plan(t, byAuction, byBidder, upgrade.Options{Mapping: c.mapping})
		var e *pgerr.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, c.want) || !strings.Contains(e.HintText, c.hint) {
			t.Errorf("%+v: %v", c.mapping, err)
		}
	}
}

// TestTables checks where each column of a restored table comes from.
func TestTables(t *testing.T) {
	p, err := plan(t, "INSERT INTO o SELECT auction, sum(price), min(bidder) FROM bid GROUP BY auction",
		"INSERT INTO o SELECT auction, max(price), count(url), min(bidder) FROM bid GROUP BY auction", upgrade.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Tables) != 1 || p.Operators[auctionID] != auctionID || p.Operators["source(bid)"] != "source(bid)" {
		t.Fatalf("tables %+v, operators %v", p.Tables, p.Operators)
	}
	table := p.Tables[0]
	var got []string
	for i, from := range table.Columns {
		line := table.NewTable.Columns[i].Name + " <- nothing"
		if from >= 0 {
			line = table.NewTable.Columns[i].Name + " <- " + table.OldTable.Columns[from].Name
		}
		got = append(got, line)
	}
	want := []string{"count(*) <- count(*)", "max(price) <- nothing", "count(price) <- count(price)", "count(url) <- nothing",
		"min(bidder) <- min(bidder)", "count(bidder) <- count(bidder)", "count(price) since max(price) <- nothing"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The new maximum goes by the values it saw itself.
	for i := range p.Graph.Operators {
		o := &p.Graph.Operators[i]
		if o.ID != auctionID {
			continue
		}
		companion := o.Aggregate.Outputs[0].Accumulators[1]
		if name := o.Aggregate.Accumulators[companion].Name; name != "count(price) since max(price)" {
			t.Errorf("max(price) goes by %s", name)
		}
	}
	if err := graph.Validate(p.Graph); err != nil {
		t.Error(err)
	}
}

// TestRefusal checks that the error names each operator, its size and what it
// could be mapped to.
func TestRefusal(t *testing.T) {
	p, err := plan(t, byAuction, byBidder, upgrade.Options{Stats: map[string]upgrade.Size{auctionID: {Rows: 120, Bytes: 4096}}})
	if err != nil {
		t.Fatal(err)
	}
	var e *pgerr.Error
	if !errors.As(p.Err(), &e) || e.Code != pgerr.ObjectNotInPrerequisiteState {
		t.Fatalf("got %v", p.Err())
	}
	for _, want := range []string{auctionID, "120 rows", "4096 bytes", bidderID} {
		if !strings.Contains(e.Detail, want) {
			t.Errorf("the detail does not say %q: %s", want, e.Detail)
		}
	}
	if !strings.Contains(e.HintText, "ALLOW NON RESTORED STATE") {
		t.Errorf("hint %q", e.HintText)
	}
}

// TestColumnsLost refuses to give up single state columns until somebody says so.
func TestColumnsLost(t *testing.T) {
	const before, after = "INSERT INTO o SELECT k, sum(x), max(v) FROM notes GROUP BY k", "INSERT INTO o SELECT k, sum(x) FROM notes GROUP BY k"
	id := "aggregate(notes by k)"
	sized := func(rows int64) upgrade.Options {
		return upgrade.Options{Stats: map[string]upgrade.Size{id: {Rows: rows, Bytes: 100 * rows}},
			Tables: map[upgrade.TableID]upgrade.Size{{Operator: id}: {Rows: min(rows, 3), Bytes: 90}, {Operator: id, Table: "max(v)"}: {Rows: max(rows-3, 0), Bytes: 210}}}
	}
	p, err := plan(t, before, after, sized(10))
	if err != nil {
		t.Fatal(err)
	}
	var e *pgerr.Error
	if !errors.As(p.Err(), &e) || e.Message != "state columns of 1 operator would be lost" ||
		e.Detail != id+": max(v), count(v): 3 rows, within 90 bytes; table max(v): 7 rows, 210 bytes" || !strings.Contains(e.HintText, "MAP ('"+id+".max(v)' => DISCARD") {
		t.Errorf("refused with %+v", p.Err())
	}
	for _, c := range []struct {
		name string
		with func(o *upgrade.Options)
		rows int64
		want string // of the refusal
	}{
		{"allowed", func(o *upgrade.Options) { o.AllowNonRestored = true }, 10, ""},
		{"empty", func(*upgrade.Options) {}, 0, ""},
		{"one discarded", func(o *upgrade.Options) { o.Mapping.Discard = []string{id + ".max(v)"} }, 10, "count(v)"},
		{"all discarded", func(o *upgrade.Options) { o.Mapping.Discard = []string{id + ".count(v)", id + ".max(v)"} }, 10, ""},
	} {
		opts := sized(c.rows)
		c.with(&opts)
		if p, err = plan(t, before, after, opts); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := ""
		if errors.As(p.Err(), &e) {
			got = e.Detail
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, "max(v)") {
			t.Errorf("%s: refused with %q", c.name, got)
		}
	}
	opts := sized(10)
	opts.Mapping.Discard = []string{id + ".sum(x)"}
	if _, err := plan(t, before, after, opts); err == nil || !strings.Contains(err.Error(), "has a place in the new query") {
		t.Errorf("to discard what goes on gave %v", err)
	}
}

// TestRestAdded goes on with the sum of intervals of a job that kept it without a rest:
// the rest is nothing so far, which is no news to anybody.
func TestRestAdded(t *testing.T) {
	const query = "INSERT INTO o SELECT customer_id, sum(ts - timestamp '2024-01-01') FROM orders GROUP BY customer_id"
	var old, fresh *graph.Graph
	for _, g := range []**graph.Graph{&old, &fresh} {
		var err error
		if *g, err = fixture.Graph(query); err != nil {
			t.Fatal(err)
		}
	}
	rest := ""
	for i := range old.Operators {
		o := &old.Operators[i]
		if o.Aggregate == nil {
			continue
		}
		a, columns := o.Aggregate, o.Tables[0].Columns
		last := len(a.Accumulators) - 1
		rest = columns[last].Name
		a.Accumulators, o.Tables[0].Columns = a.Accumulators[:last], columns[:last]
		for k := range a.Accumulators {
			a.Accumulators[k].Rest = 0
		}
	}
	if !strings.HasPrefix(rest, "rest of sum(") {
		t.Fatalf("the last column is %q", rest)
	}
	if err := graph.Validate(old); err != nil {
		t.Fatal(err)
	}
	p, err := upgrade.Compare(old, fresh, upgrade.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range p.Verdicts {
		if v.Result != upgrade.Kept || v.Why != "" {
			t.Errorf("%s is %s: %s", v.Operator, v.Result, v.Why)
		}
	}
}
