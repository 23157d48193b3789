package explain

import "github.com/millrace/millrace/planner/graph"

// contenders prints which rows are let through.
func (p *printer) contenders(o *graph.Operator, add func(string, ...any)) {
	c, better := o.Contenders, "less"
	if c.Greatest {
		better = "greater"
	}
	add("passes: rows whose window has had no %s %s", better, p.names(o.Fields, []int{c.Value}))
	on := p.names(o.Fields, []int{c.Time})
	if c.Bound != "" {
		on = "its " + string(c.Bound) + ", " + on
	}
	add("window: %s", window(c.Spec, on))
}
