package explain

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

func (p *printer) topN(o *graph.Operator, add func(string, ...any)) {
	t, in := o.TopN, p.input(o, 0).Fields
	if len(t.Keys) > 0 {
		add("keys: %s", p.names(in, t.Keys))
	}
	if len(t.Order) > 0 {
		add("by: %s", p.order(t.Order, in))
	}
	rows := t.Func + " = " + strconv.FormatInt(t.From, 10)
	switch {
	case t.From == t.To:
	case t.To == logical.Unlimited:
		rows = t.Func + " >= " + strconv.FormatInt(t.From, 10)
	case t.From == 1:
		rows = t.Func + " <= " + strconv.FormatInt(t.To, 10)
	default:
		rows += " to " + strconv.FormatInt(t.To, 10)
	}
	if t.WithTies {
		rows += ", with ties"
	}
	add("keeps: %s", rows)
	if t.Window != nil {
		add("window: %s", closing(p.names(in, []int{t.Window.End}), t.Window.After, t.Window.OnClose))
	}
}

// order prints sort keys over columns.
func (p *printer) order(keys []graph.SortKey, fields []types.Field) string {
	var out []string
	for _, k := range keys {
		s := p.names(fields, []int{k.Column})
		if k.Desc {
			s += " desc"
		}
		if k.NullsFirst != k.Desc {
			s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}
