package handler

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/session"
)

// jobWay is a way through a job's plan.
type jobWay struct {
	graph.Way
	job string
}

// warnCircle tells whoever gives a job its query that what the job writes comes back to
// it, by itself or through other jobs: it has no end unless it comes to rest.
func warnCircle(s *session.Session, names *catalog.Snapshot, job string, g *graph.Graph) {
	var all []jobWay
	add := func(job string, g *graph.Graph) {
		for _, w := range g.Ways() {
			all = append(all, jobWay{w, job})
		}
	}
	add(job, g)
	own := all
	for _, j := range names.Jobs() {
		if j.Name == job || j.ViewID != "" {
			continue
		}
		if g, err := graph.Decode(j.Graph); err == nil { // else it cannot run
			add(j.Name, g)
		}
	}
	var circle []jobWay
	for _, w := range own {
		if back, ok := shortest(all, w.To, w.From); ok && (circle == nil || len(back)+1 < len(circle)) {
			circle = append([]jobWay{w}, back...)
		}
	}
	if circle == nil {
		return
	}
	table := func(id string) string {
		if r := names.RelationByID(id); r != nil {
			return "table " + r.Name
		}
		return "a table"
	}
	text := []string{table(circle[0].From)}
	for _, w := range circle {
		text = append(text, "job "+w.job, table(w.To))
	}
	n := pgerr.New(pgerr.Warning, "what job %q writes comes back to it", job).At(circle[0].Pos).
		WithDetail("The circle is %s.", strings.Join(text, " -> ")).
		Hint("Unless it comes to rest, by a condition that leaves rows out or as nothing changes any more, every checkpoint brings more.")
	s.SendNotice(session.Notice{Severity: "WARNING", Error: *n})
}

// shortest is the shortest way between two relations, which is empty if they are one.
func shortest(all []jobWay, from, to string) (path []jobWay, ok bool) {
	last := map[string]jobWay{} // the last step to a relation
	queue := []string{from}
	for len(queue) > 0 && queue[0] != to {
		for _, w := range all {
			if _, seen := last[w.To]; w.From == queue[0] && w.To != from && !seen {
				last[w.To] = w
				queue = append(queue, w.To)
			}
		}
		queue = queue[1:]
	}
	for at := to; len(queue) > 0 && at != from; at = last[at].From {
		path = append(path, last[at])
	}
	slices.Reverse(path)
	return path, len(queue) > 0
}
