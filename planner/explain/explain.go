// Package explain prints plans for people: graphs as a tree of operators, their
// state, and what becomes of it in an upgrade. It decides nothing.
package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Graph prints a plan, sinks first and inputs below them, one line per string.
// An operator with several readers is printed in full under the first.
func Graph(g *graph.Graph) []string { return Job(g, 0, nil) }

// Job is Graph for a job whose state_ttl is that many microseconds, with lines of
// the caller's below operators, by id.
func Job(g *graph.Graph, ttl int64, notes map[string][]string) []string {
	p := printer{g: g, ttl: ttl, done: make([]bool, len(g.Operators)), notes: notes}
	read := make([]bool, len(g.Operators))
	for _, o := range g.Operators {
		for _, in := range o.Inputs {
			read[in.Operator] = true
		}
	}
	for i := range g.Operators {
		if !read[i] {
			p.operator(i, "", "")
		}
	}
	return p.lines
}

// Under puts a plan below a line that says what becomes of its rows.
func Under(head string, plan []string) []string {
	out := []string{head}
	for i, l := range plan {
		out = append(out, map[bool]string{true: "  -> ", false: "     "}[i == 0]+l)
	}
	return out
}

type printer struct {
	g     *graph.Graph
	ttl   int64
	done  []bool
	lines []string
	notes map[string][]string
}

func (p *printer) operator(i int, arrow, indent string) {
	o := &p.g.Operators[i]
	if p.done[i] {
		p.lines = append(p.lines, arrow+o.ID+"  (shared, see above)")
		return
	}
	p.done[i] = true
	p.lines = append(p.lines, arrow+o.ID+"  "+p.changes(o))
	for _, d := range append(p.details(i), p.notes[o.ID]...) {
		p.lines = append(p.lines, indent+"     "+d)
	}
	for _, in := range o.Inputs {
		p.operator(in.Operator, indent+"  -> ", indent+"     ")
	}
}

// changes is the changelog mode of o's output and the key of its rows.
func (p *printer) changes(o *graph.Operator) string {
	s := "[" + string(o.Mode)
	if len(o.UpsertKey) > 0 {
		s += ", key: " + p.names(o.Fields, o.UpsertKey)
	}
	return s + "]"
}

func (p *printer) names(fields []types.Field, cols []int) string {
	var out []string
	for _, c := range cols {
		name := fields[c].Name
		if name == "" {
			name = "column " + strconv.Itoa(c+1)
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func (p *printer) input(o *graph.Operator, i int) *graph.Operator {
	return &p.g.Operators[o.Inputs[i].Operator]
}

func (p *printer) details(at int) []string {
	o := &p.g.Operators[at]
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i, in := range o.Inputs {
		switch in.Exchange.Kind {
		case graph.Hash:
			add("exchange: hash (%s)", p.names(p.input(o, i).Fields, in.Exchange.Keys))
		case graph.Single, graph.Broadcast:
			add("exchange: %s", in.Exchange.Kind)
		}
	}
	p.spec(o, add)
	if p.g.Bounded {
		for i := range o.Tables {
			add("%s", table(&o.Tables[i]))
		}
		return out
	}
	for i, b := range p.g.Bounds(at, p.ttl) {
		add("%s  [%s]", table(&o.Tables[i]), bound(b))
	}
	return out
}

// bound words what keeps a table from growing for ever.
func bound(b graph.Bound) string {
	switch b.Kind {
	case graph.ByTTL:
		return "ttl '" + duration(b.TTL) + "'"
	case graph.NoBound:
		return "unbounded: " + b.Why
	}
	return string(b.Kind)
}

func table(t *graph.Table) string {
	s := "state: "
	if t.Name != "" {
		s = "state " + t.Name + ": "
	}
	var keys, cols []string
	for _, k := range t.Keys {
		keys = append(keys, k.Name+" "+k.Type.String())
	}
	for _, c := range t.Columns {
		cols = append(cols, c.Name+" "+c.Type.String())
	}
	s += "(" + strings.Join(keys, ", ") + ")"
	if len(cols) > 0 {
		s += " -> " + strings.Join(cols, ", ")
	}
	return s
}

func (p *printer) spec(o *graph.Operator, add func(string, ...any)) {
	switch o.Kind {
	case graph.SourceKind:
		p.source(o, add)
	case graph.ValuesKind:
		add("rows: %d", len(o.Values.Rows))
	case graph.FilterKind:
		add("where: %s", Expr(o.Filter.Predicate, p.input(o, 0).Fields))
	case graph.ProjectKind:
		add("columns: %s", exprs(o.Project.Exprs, o.Fields, p.input(o, 0).Fields))
		if x := o.Project.Time; x != nil {
			add("watermark: %s", Expr(x, []types.Field{{Name: "watermark"}}))
		}
	case graph.WindowKind:
		add("window: %s", window(o.Window.Spec, o.Fields[o.Window.TimeColumn].Name))
	case graph.KeysKind:
		add("keys: %s, for %s; if there are more than %d different ones, that is read in full", p.names(o.Fields, o.Keys.Columns), o.Keys.Source, o.Keys.Max)
	case graph.ContendersKind:
		p.contenders(o, add)
	case graph.ChallengersKind:
		p.challengers(o, add)
	case graph.AggregateKind:
		p.aggregate(o, o.Aggregate, add)
	case graph.WindowAggregateKind:
		w := o.WindowAggregate
		when := "emits changes as they come"
		if w.OnClose {
			when = "emits on close"
		}
		add("window: %s, %s", window(w.Spec, p.input(o, 0).Fields[w.TimeColumn].Name), when)
		p.aggregate(o, &w.Aggregate, add)
	case graph.SortKind:
		p.sort(o, add)
	case graph.OverKind:
		p.over(o, add)
	case graph.TopNKind:
		p.topN(o, add)
	case graph.SinkKind:
		s := o.Sink
		var cols []string
		for _, c := range s.Columns {
			cols = append(cols, s.Schema[c].Name)
		}
		add("into: %s (%s)%s", s.Relation, strings.Join(cols, ", "), via(s.Connector))
	case graph.UpsertKind:
		when := "changes as they come"
		if o.Upsert.AtEnd {
			when = "at the end"
		}
		if o.Upsert.Each {
			when = "a change for each row"
		}
		add("by: %s, the last row, %s", p.names(o.Fields, o.Upsert.Key), when)
	case graph.ConsolidateKind:
		add("by: %s, until the next barrier", p.names(o.Fields, o.Consolidate.Key))
	case graph.MaterializeKind:
		if o.Materialize.Key == nil {
			add("rows: by all columns, with the number of copies")
		}
	default:
		p.bounded(o, add)
	}
}

// lag says how far event time is behind.
func (p *printer) lag(o *graph.Operator, add func(string, ...any)) {
	if l := o.Lag(); l > 0 {
		add("watermark: %s behind that of its inputs", duration(l))
	}
}

// kept says how long a side of a join keeps its rows.
func kept(e *graph.Expiry, fields []types.Field, watermark string) string {
	if e == nil || e.Forever {
		return "rows for ever"
	}
	c, _ := e.End()
	s := fields[c].Name
	switch {
	case e.Keep > 0:
		s += " + " + duration(e.Keep)
	case e.Keep < 0:
		s += " - " + duration(-e.Keep)
	}
	return "rows until " + watermark + " is past " + s
}

// passed says where the watermark is when rows of a set operation are forgotten.
func passed(e *graph.Expiry, fields []types.Field) string {
	name := fields[e.Column].Name
	switch at := e.Shift + 1; {
	case e.Shift == 0:
		return "past " + name
	case at > 0:
		return "at " + name + " + " + duration(at)
	}
	return "at " + name
}

// of names the columns of one side of a join.
func of(side string, fields []types.Field) []types.Field {
	var out []types.Field
	for _, f := range fields {
		out = append(out, types.Field{Name: side + "." + f.Name, Type: f.Type})
	}
	return out
}

func via(connector string) string {
	if connector == "" {
		return ""
	}
	return " through " + connector
}

func (p *printer) source(o *graph.Operator, add func(string, ...any)) {
	s := o.Source
	var cols []string
	for _, c := range s.Physical {
		cols = append(cols, c.Name)
	}
	add("reads: %s (%s)%s", s.Relation, strings.Join(cols, ", "), via(s.Connector))
	physical := make([]types.Field, len(s.Physical))
	for i, c := range s.Physical {
		physical[i] = types.Field{Name: c.Name, Type: c.Type}
	}
	if s.Lookup != nil {
		add("%s", lookup(s))
	}
	for i, x := range s.Exprs {
		if x.Op != scalar.OpColumn {
			add("computes: %s = %s", o.Fields[i].Name, Expr(x, physical))
		}
	}
	if s.Watermark != nil {
		name := ""
		if o.TimeColumn >= 0 {
			name = o.Fields[o.TimeColumn].Name
		}
		add("watermark: %s, %s", name, Expr(s.Watermark, o.Fields))
	}
	if s.ProcTime {
		add("watermark: the clock")
	}
}

func (p *printer) aggregate(o *graph.Operator, a *graph.Aggregate, add func(string, ...any)) {
	in := p.input(o, 0).Fields
	if len(a.Keys) > 0 {
		add("keys: %s", p.names(in, a.Keys))
	}
	from := len(o.Fields) - len(a.Outputs)
	var out []string
	for _, f := range o.Fields[from:] {
		out = append(out, f.Name)
	}
	if len(out) > 0 {
		add("aggregates: %s", strings.Join(out, ", "))
	}
}

func (p *printer) sort(o *graph.Operator, add func(string, ...any)) {
	if len(o.Sort.Keys) > 0 {
		add("by: %s", p.order(o.Sort.Keys, o.Fields))
	}
	if o.Sort.Limit >= 0 {
		add("limit: %d", o.Sort.Limit)
	}
	if o.Sort.Skip > 0 {
		add("offset: %d", o.Sort.Skip)
	}
}

// calls prints a function in FROM and those beside it.
func (p *printer) calls(f *graph.FunctionScan, in []types.Field, add func(string, ...any)) {
	var args []string
	for _, a := range f.Args {
		args = append(args, Expr(a, in))
	}
	add("call: %s(%s)", f.Func, strings.Join(args, ", "))
	for i := range f.Beside {
		p.calls(&f.Beside[i], in, add)
	}
}

func (p *printer) bounded(o *graph.Operator, add func(string, ...any)) {
	switch o.Kind {
	case graph.JoinKind:
		if o.Join.Sides != nil {
			add("kind: %s", o.Join.Kind)
		}
		l, r := p.input(o, 0).Fields, p.input(o, 1).Fields
		if s := o.Join.Sides; s != nil && (s[0].Expiry != nil || s[1].Expiry != nil) {
			right := "it"
			if s[0].Expiry == nil || s[0].Expiry.Forever {
				right = "the watermark"
			}
			add("keeps: left %s, right %s", kept(s[0].Expiry, l, "the watermark"), kept(s[1].Expiry, r, right))
		}
		p.lag(o, add)
		for _, i := range o.Join.Timeless {
			add("%s", timelessText([2]string{"right", "left"}[i]))
		}
		for i, k := range o.Join.LeftKeys {
			add("on: %s = %s", Expr(k, l), Expr(o.Join.RightKeys[i], r))
		}
		if o.Join.Residual != nil {
			add("where: %s", Expr(withoutText(o.Join.Residual), append(of("left", l), of("right", r)...)))
		}
	case graph.SetOpKind:
		if e := o.SetOp.Expiry; e != nil {
			null := ""
			if o.SetOp.Timeless {
				null = ", those where it is null for ever"
			}
			add("keeps: rows until the watermark is %s%s", passed(e, o.Fields), null)
		}
	case graph.AsofJoinKind, graph.TemporalJoinKind, graph.LookupJoinKind:
		p.nearestJoin(o, add)
	case graph.ApplyKind:
		for i, a := range o.Apply.Args {
			add("argument %d: %s", i, Expr(a, p.input(o, 0).Fields))
		}
		if w := o.Apply.When; w != nil {
			add("where: %s", Expr(w, p.input(o, 0).Fields))
		}
		for _, line := range Graph(o.Apply.Sub) {
			add("| %s", line)
		}
	case graph.FunctionScanKind:
		p.calls(o.FunctionScan, nil, add)
	case graph.ExpandKind:
		p.calls(&o.Expand.Function, p.input(o, 0).Fields, add)
	case graph.RecursiveKind:
		for _, line := range Graph(o.Recursive.Initial) {
			add("first | %s", line)
		}
		for _, line := range Graph(o.Recursive.Step) {
			add("then  | %s", line)
		}
	}
}
