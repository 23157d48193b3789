package explain

import (
	"strconv"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
)

// StateColumns are the columns of State's rows, all text.
var StateColumns = []string{"operator", "kind", "table", "column", "type", "part"}

// State lists the state columns of a plan, as EXPLAIN STATE shows them: a row
// each, part being "key" or "value". Operators whose state is no table, sources
// and sinks, have one row, part being "position" or "transaction".
func State(g *graph.Graph) [][]string {
	rows := [][]string{}
	for _, o := range g.Operators {
		switch o.Kind {
		case graph.SourceKind:
			rows = append(rows, []string{o.ID, string(o.Kind), "", "", "", "position"})
		case graph.SinkKind:
			rows = append(rows, []string{o.ID, string(o.Kind), "", "", "", "transaction"})
		}
		for _, t := range o.Tables {
			for _, c := range t.Keys {
				rows = append(rows, []string{o.ID, string(o.Kind), t.Name, c.Name, c.Type.String(), "key"})
			}
			for _, c := range t.Columns {
				rows = append(rows, []string{o.ID, string(o.Kind), t.Name, c.Name, c.Type.String(), "value"})
			}
		}
	}
	return rows
}

// VerdictColumns are the columns of Verdicts' rows: text, but rows and bytes,
// which are bigint.
var VerdictColumns = []string{"operator", "verdict", "rows", "bytes", "why", "from", "candidates"}

// Verdicts lists what becomes of each operator, as EXPLAIN RESTORE shows it.
func Verdicts(list []upgrade.Verdict) [][]string {
	rows := [][]string{}
	for _, v := range list {
		near := ""
		for i, c := range v.Candidates {
			if i > 0 {
				near += ", "
			}
			near += c
		}
		rows = append(rows, []string{v.Operator, string(v.Result), strconv.FormatInt(v.Rows, 10), strconv.FormatInt(v.Bytes, 10), v.Why, v.From, near})
	}
	return rows
}
