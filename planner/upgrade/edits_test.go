package upgrade_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
)

// TestEdits shows for each edit of a query which ids and state columns stay. In
// the output "=" is kept, "~" kept partly, "+" starts empty, "-" blocks or is
// dropped.
func TestEdits(t *testing.T) {
	edits := 0
	datadriven.RunTest(t, "testdata/edits", func(t *testing.T, d *datadriven.TestData) string {
		edits++
		before, after, _ := strings.Cut(d.Input, "\n--\n")
		old, err := fixture.Graph(before)
		if err != nil {
			return "ERROR " + err.Error() + "\n"
		}
		new, err := fixture.Graph(after)
		if err != nil {
			return "ERROR " + err.Error() + "\n"
		}
		plan, err := upgrade.Compare(old, new, upgrade.Options{})
		if err != nil {
			return "ERROR " + err.Error() + "\n"
		}
		if err := graph.Validate(plan.Graph); err != nil {
			t.Errorf("%s: %v", d.Pos, err)
		}
		again(t, plan.Graph, new)
		return lines(plan)
	})
	if edits < 40 {
		t.Errorf("only %d edits", edits)
	}
}

// again checks that a graph that was adapted is kept whole by its own query.
func again(t *testing.T, adapted, fresh *graph.Graph) {
	t.Helper()
	plan, err := upgrade.Compare(adapted, fresh, upgrade.Options{})
	if err != nil {
		t.Error(err)
		return
	}
	for _, v := range plan.Verdicts {
		if v.Result != upgrade.Kept {
			t.Errorf("unchanged, yet %s is %s: %s", v.Operator, v.Result, v.Why)
		}
	}
}

func lines(plan *upgrade.Plan) string {
	var s strings.Builder
	mark := map[upgrade.Result]string{upgrade.Kept: "=", upgrade.KeptPartly: "~", upgrade.Empty: "+", upgrade.Dropped: "- dropped", upgrade.Blocked: "- blocked"}
	for _, v := range plan.Verdicts {
		s.WriteString(mark[v.Result] + " " + v.Operator)
		switch {
		case v.Result == upgrade.Blocked:
			s.WriteString(": " + v.Why)
		case v.From != "" && v.From != v.Operator:
			s.WriteString(" <- " + v.From)
		}
		for _, c := range v.Added {
			s.WriteString("  +" + c)
		}
		for _, c := range v.Removed {
			s.WriteString("  -" + c)
		}
		s.WriteString("\n")
	}
	return s.String()
}
