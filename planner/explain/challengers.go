package explain

import (
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// challengers prints which rows are let through.
func (p *printer) challengers(o *graph.Operator, add func(string, ...any)) {
	c := o.Challengers
	var better []string
	for _, k := range c.Order {
		how := "less "
		if k.Desc {
			how = "greater "
		}
		better = append(better, how+p.names(o.Fields, []int{k.Column}))
	}
	sep := ", then "
	if c.Each {
		sep = " or "
	}
	add("passes: rows with %s than those before with the same %s", strings.Join(better, sep), p.names(o.Fields, c.Alike))
}
