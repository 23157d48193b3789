package exec

import (
	"maps"
	"sync/atomic"

	"github.com/millrace/millrace/planner/graph"
)

// gate holds back the sources on the left of a lookup join until the rows that were
// on its right when the run began have come to it, so that no left row misses them.
type gate struct {
	port   int              // of the join, that has to catch up
	closed atomic.Int64     // tasks of the join that wait for it
	at     []*atomic.Uint64 // by task of the join: all rows up to here have come to the port
	holds  []*sourceTask
}

// passGate says that the node's port has caught up.
func (n *node) passGate() {
	if n.gate == nil || n.passed {
		return
	}
	n.gate.closed.Add(-1)
	n.passed = true
}

// gates makes the gates of a graph: by join, and those that each source waits for; and
// it says which operators are waited for, sources among them. A source that its own gate waits for, directly or
// through others, is not held back: it would be for ever.
func gates(g *graph.Graph) (joins map[int]*gate, sources map[int][]*gate, awaited map[int]bool) {
	joins, sources, awaited = map[int]*gate{}, map[int][]*gate{}, map[int]bool{}
	waits := map[int]map[int]bool{} // sources that a source waits for
	type held struct {
		join  int
		left  map[int]bool
		right map[int]bool
		all   map[int]bool // operators on the right
	}
	var all []held
	for i := range g.Operators {
		if g.Operators[i].Kind != graph.LookupJoinKind {
			continue
		}
		in := g.Operators[i].Inputs
		h := held{join: i}
		h.left, _ = sourcesOf(g, in[0].Operator, false)
		h.right, h.all = sourcesOf(g, in[1].Operator, true)
		all = append(all, h)
		for l := range h.left {
			if waits[l] == nil {
				waits[l] = map[int]bool{}
			}
			for r := range h.right {
				waits[l][r] = true
			}
		}
	}
	for _, h := range all {
		x := &gate{port: 1}
		joins[h.join] = x
		for l := range h.left {
			if !reaches(waits, l, l) {
				sources[l] = append(sources[l], x)
				maps.Copy(awaited, h.all)
			}
		}
	}
	return joins, sources, awaited
}

// sourcesOf are the sources that rows of an operator come from and, with looked, those
// that they were joined with when they came; seen has all operators on the way.
func sourcesOf(g *graph.Graph, op int, looked bool) (found, seen map[int]bool) {
	seen = map[int]bool{op: true}
	found = map[int]bool{}
	for i := op; i >= 0; i-- {
		if !seen[i] {
			continue
		}
		for k, in := range g.Operators[i].Inputs {
			if k == 0 || looked || g.Operators[i].Kind != graph.LookupJoinKind {
				seen[in.Operator] = true
			}
		}
		if len(g.Operators[i].Inputs) == 0 {
			found[i] = true
		}
	}
	return found, seen
}

// reaches reports whether there is a way from one source to another over those that
// they wait for.
func reaches(waits map[int]map[int]bool, from, to int) bool {
	seen := map[int]bool{}
	next := []int{from}
	for len(next) > 0 {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		for r := range waits[at] {
			if r == to {
				return true
			}
			if !seen[r] {
				seen[r] = true
				next = append(next, r)
			}
		}
	}
	return false
}

// isHeld reports whether the source is to wait for a gate.
func (s *sourceTask) isHeld() bool {
	for _, g := range s.gates {
		if g.closed.Load() > 0 {
			return true
		}
	}
	return false
}

// hasCaughtUp reports whether the splits have once had nothing more to deliver.
func (s *sourceTask) hasCaughtUp() bool {
	if s.ended || s.in.Source == nil {
		return s.ended
	}
	for _, sp := range s.splits {
		if !sp.reachedEnd && !sp.state.Ended {
			return false
		}
	}
	return !s.isHeld()
}
