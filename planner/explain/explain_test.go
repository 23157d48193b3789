package explain

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
)

// TestScripts runs testdata/*: SQL in; out come the plan (graph), the state
// columns (state), or, of two statements separated by a line "--", what becomes
// of the first one's state under the second (restore).
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "graph":
				return withGraph(t, d.Input, func(g *graph.Graph) string { return strings.Join(Graph(g), "\n") + "\n" })
			case "state":
				return withGraph(t, d.Input, func(g *graph.Graph) string { return rows(State(g)) })
			case "restore":
				return restore(t, d.Input)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func withGraph(t *testing.T, sql string, print func(*graph.Graph) string) string {
	g, err := fixture.Graph(sql)
	if err != nil {
		return errorText(err)
	}
	data, err := graph.Encode(g)
	if err != nil {
		t.Errorf("%s: %v", sql, err)
		return "INVALID " + err.Error() + "\n"
	}
	back, err := graph.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return print(back)
}

func restore(t *testing.T, sql string) string {
	before, after, _ := strings.Cut(sql, "\n--\n")
	return withGraph(t, before, func(old *graph.Graph) string {
		return withGraph(t, after, func(new *graph.Graph) string {
			stats := map[string]upgrade.Size{}
			for _, o := range old.Operators {
				stats[o.ID] = upgrade.Size{Rows: 7, Bytes: 700}
			}
			plan, err := upgrade.Compare(old, new, upgrade.Options{Stats: stats})
			if err != nil {
				return errorText(err)
			}
			out := rows(Verdicts(plan.Verdicts))
			if err := plan.Err(); err != nil {
				out += errorText(err)
			}
			return out
		})
	})
}

func rows(list [][]string) string {
	var s strings.Builder
	for _, r := range list {
		s.WriteString(strings.TrimRight(strings.Join(r, " | "), " |") + "\n")
	}
	return s.String()
}

func errorText(err error) string {
	var e *pgerr.Error
	if !errors.As(err, &e) {
		return "INTERNAL " + err.Error() + "\n"
	}
	s := fmt.Sprintf("ERROR %s at %d: %s\n", e.Code, e.Position, e.Message)
	if e.Detail != "" {
		s += "DETAIL: " + e.Detail + "\n"
	}
	if e.HintText != "" {
		s += "HINT: " + e.HintText + "\n"
	}
	return s
}
