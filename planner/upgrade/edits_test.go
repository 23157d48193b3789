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
// the output "=" is kept, "~" kept partly (refused when state columns would be lost),
// "+" starts empty, "-" blocks or is dropped.
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
		allowed(t, old, new, plan)
		again(t, plan.Graph, new)
		return lines(plan)
	})
	if edits < 40 {
		t.Errorf("only %d edits", edits)
	}
}

// allowed checks that a restore goes through when, and only when, nothing is lost
// or everything that is was allowed to.
func allowed(t *testing.T, old, new *graph.Graph, plan *upgrade.Plan) {
	t.Helper()
	loses := false
	for _, v := range plan.Verdicts {
		loses = loses || v.Result == upgrade.Blocked || len(v.Removed) > 0
	}
	if (plan.Err() != nil) != loses {
		t.Errorf("it loses state: %v, yet: %v", loses, plan.Err())
	}
	plan, err := upgrade.Compare(old, new, upgrade.Options{AllowNonRestored: true})
	if err == nil {
		err = plan.Err()
	}
	if err != nil {
		t.Errorf("though it is allowed: %v", err)
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
		s.WriteString(mark[v.Result] + " ")
		if len(v.Unsaid) > 0 {
			s.WriteString("refused ")
		}
		s.WriteString(v.Operator)
		switch {
		case v.Result == upgrade.Blocked || v.Result == upgrade.Kept && v.Why != "":
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
