package memory

import (
	"testing"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
)

// TestVictim is who is stopped of those that are there, by number, -1 for nobody.
func TestVictim(t *testing.T) {
	const limit = 1000
	now := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		used, live int64
		holders    []holder
		want       int
	}{
		"there is room":                {900, 900, []holder{{held: 900, grown: 900}}, -1},
		"what is dead goes by itself":  {1050, 500, []holder{{held: 900, grown: 900}}, -1},
		"the collector is late":        {1100, 500, []holder{{held: 900, grown: 900}}, 0},
		"the largest grower":           {1000, 1000, []holder{{kind: jobKind, held: 700}, {held: 200, grown: 200}, {held: 50, grown: 50}}, 1},
		"a job that grows":             {1000, 1000, []holder{{kind: jobKind, held: 700, grown: 300}, {held: 20, grown: 20}}, 0},
		"one that is ending":           {1000, 1000, []holder{{held: 700, grown: 700, stopped: true, chosen: now}, {held: 200, grown: 200}}, -1},
		"one that ends late":           {1000, 1000, []holder{{held: 700, grown: 700, stopped: true}, {held: 200, grown: 200}}, 1},
		"nobody but who ends late":     {1000, 1000, []holder{{held: 7, stopped: true}, {kind: jobKind, held: 500}}, -1},
		"nobody grows: a new query":    {1000, 1000, []holder{{kind: jobKind, held: 700}, {number: 1}, {number: 2}}, 2},
		"nobody grows: a large job":    {1000, 1000, []holder{{kind: jobKind, held: 100}, {kind: jobKind, held: 700}, {kind: jobKind, held: 300}}, 1},
		"nobody grows: no small job":   {1000, 1000, []holder{{kind: jobKind, held: 10}}, -1},
		"nobody can stop it":           {1000, 1000, []holder{{held: 700, grown: 700, fixed: true}}, -1},
		"growth below notice":          {1000, 1000, []holder{{kind: jobKind, held: 900, grown: 3}, {number: 1, held: 2, grown: 2}}, 1},
		"nobody is there and it is so": {2000, 2000, nil, -1},
	} {
		s := seen{now: now, used: c.used, live: c.live, limit: limit, holders: c.holders}
		if got := s.victim(); got != c.want {
			t.Errorf("%s: %d is stopped, want %d", name, got, c.want)
		}
	}
}

// TestGrowth is what an account has grown by in the last seconds.
func TestGrowth(t *testing.T) {
	p := NewPool(Options{Limit: 1 << 30})
	a := p.Open(AccountOptions{Kind: "query"})
	share := a.Share("sort")
	now := time.Unix(0, 0)
	share.Add(100)
	if h := a.sample(now); h.grown != 100 {
		t.Errorf("a new account has grown by %d, want all it holds", h.grown)
	}
	for range 40 {
		now = now.Add(time.Second)
		a.sample(now)
	}
	if h := a.sample(now); h.grown != 0 {
		t.Errorf("one that stands still has grown by %d", h.grown)
	}
	share.Add(70)
	if h := a.sample(now.Add(time.Second)); h.grown != 70 {
		t.Errorf("it has grown by %d, want 70", h.grown)
	}
}

// TestBudget stops an account once, when it holds more than its budget.
func TestBudget(t *testing.T) {
	p := NewPool(Options{})
	var stops []error
	over := pgerr.New(pgerr.OutOfMemory, "too much")
	a := p.Open(AccountOptions{Kind: "query", Budget: 100, Over: func(int64) *pgerr.Error { return over }, Stop: func(err error) { stops = append(stops, err) }})
	sort, join := a.Share("sort"), a.Share("join")
	held := sort.Meter()
	if err := held.Set(60); err != nil {
		t.Fatal(err)
	}
	join.Add(40)
	if err := held.Set(60); err != nil || len(stops) > 0 {
		t.Fatal("an account was stopped within its budget")
	}
	if err := sort.Room(1); err != error(over) || len(stops) != 1 { //nolint:errorlint // it is that one
		t.Fatalf("room for more: %v, %d stops", err, len(stops))
	}
	join.Add(100)
	if len(stops) != 1 || a.Err() == nil || over.Detail != "The query held 100 bytes: sort 60 bytes, join 40 bytes. The part sort asked for 1 bytes more." {
		t.Errorf("%d stops, %v, %q", len(stops), a.Err(), over.Detail)
	}
	join.Add(-140)
	if err := held.Set(0); err == nil || a.Held() != 0 || a.Peak() != 200 {
		t.Errorf("it holds %d, %d at the most, %v", a.Held(), a.Peak(), err)
	}
	a.Close()
	if len(p.Accounts()) != 0 {
		t.Error("a closed account is still there")
	}
	var none *Pool
	none.Open(AccountOptions{}).Share("x").Add(1 << 40)
}
