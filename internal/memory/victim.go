package memory

import "time"

// sample is what an account held at some time.
type sample struct {
	at   time.Time
	held int64
}

// holder is what a look saw of an account.
type holder struct {
	account *Account
	kind    string
	number  int64 // later accounts have higher ones
	held    int64
	grown   int64     // lately
	stopped bool      // it has been told to end
	chosen  time.Time // when it was made a victim
	fixed   bool      // nobody can stop it
}

// seen is what a look saw.
type seen struct {
	now        time.Time
	used, live int64 // live: as of the last collection
	limit      int64
	holders    []holder
}

// over reports whether the process holds more than it may: what is live counts, unless
// even the collector is late.
func (s *seen) over() bool {
	return s.live > s.limit*15/16 && s.used > s.limit*15/16 || s.overdrawn()
}

// overdrawn reports whether nobody waits for the collector any more.
func (s *seen) overdrawn() bool { return float64(s.used) > overdraft*float64(s.limit) }

// full reports whether nothing should come that stays: there is still a little room
// before somebody must be stopped.
func (s *seen) full() bool { return s.over() || s.live > s.limit*7/8 && s.used > s.limit*7/8 }

// victim is who is to be stopped, -1 for nobody. It is who grew most of late: a large
// one that stands still harms nobody. If nobody grew by much, what grows is not counted
// yet: it is what some statement computes, and the newest statement goes, or else the
// largest. A small job never does, nor what a transaction has not changed.
func (s *seen) victim() int {
	if !s.over() {
		return -1
	}
	best, most, ending := -1, int64(0), false
	for i, h := range s.holders {
		if h.stopped {
			if s.now.Sub(h.chosen) < graceMax {
				return -1 // it is about to give its memory back
			}
			ending = true
			continue
		}
		if h.grown > max(most, s.limit/32) && !h.fixed {
			best, most = i, h.grown
		}
	}
	if best >= 0 || ending { // who still ends is who holds what nobody counts
		return best
	}
	for i, h := range s.holders {
		switch {
		case h.fixed || (h.kind == jobKind || h.kind == Transaction) && h.held < s.limit/16:
		case best < 0 || s.holders[best].before(h):
			best = i
		}
	}
	return best
}

// Kinds of accounts that are told apart. A transaction's are rows that it has changed.
const (
	jobKind     = "job"
	Transaction = "transaction"
)

// before reports whether o is rather to be stopped than h, of which neither grows.
func (h holder) before(o holder) bool {
	switch {
	case (h.kind == jobKind) != (o.kind == jobKind):
		return h.kind == jobKind
	case h.kind == jobKind:
		return o.held > h.held
	}
	return o.number > h.number
}

// sample notes what an account holds, and says how it has grown.
func (a *Account) sample(now time.Time) holder {
	held := a.Held()
	for len(a.history) > 0 && now.Sub(a.history[0].at) > historySpan {
		a.history, a.settled = a.history[1:], true
	}
	least := int64(0) // an account that is younger than the span began with nothing
	if len(a.history) > 0 && a.settled {
		least = a.history[0].held
		for _, s := range a.history {
			least = min(least, s.held)
		}
	}
	if n := len(a.history); n == 0 || now.Sub(a.history[n-1].at) >= historySpan/16 {
		a.history = append(a.history, sample{now, held})
	}
	stopped := a.Err() != nil
	if stopped && a.chosen.IsZero() {
		a.chosen = now
	}
	return holder{account: a, kind: a.Kind, number: a.number, held: held, grown: held - least, stopped: stopped, chosen: a.chosen, fixed: a.Stop == nil}
}
