// Package upgrade says what becomes of a job's state when its query changes: it
// compares the graph that wrote the state with the one that is to take it over,
// operator by operator and column by column. It reads no state and decides by
// ids and schemas alone.
package upgrade

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
)

// Result is what becomes of an operator's state.
type Result string

// The results.
const (
	Kept       Result = "kept"
	KeptPartly Result = "kept partly" // some columns or tables are new, or gone
	Empty      Result = "empty"       // a new operator, or one whose old state is given up
	Dropped    Result = "dropped"     // state that is given up
	Blocked    Result = "blocked"     // state that would be lost without anybody having said so
)

// Size is how much state an operator has.
type Size struct{ Rows, Bytes int64 }

// Plus is the size with so much more.
func (s Size) Plus(rows, bytes int64) Size { return Size{s.Rows + rows, s.Bytes + bytes} }

// TableID names a state table of an operator.
type TableID struct{ Operator, Table string }

// Mapping is the MAP clause: from old operator ids to new ones, and old ones
// whose state is to be discarded. To discard a single state column or table that
// has no place, it is named behind its operator's id and a dot.
type Mapping struct {
	To      map[string]string
	Discard []string
}

// Options say what a user allows and what is known of the state.
type Options struct {
	Stats   map[string]Size  // by old operator id
	Tables  map[TableID]Size // by old operator id and table; those that are known
	Mapping Mapping
	// AllowNonRestored drops state without a place instead of refusing.
	AllowNonRestored bool
}

// Verdict is one operator's row.
type Verdict struct {
	Operator string // the new id; the old one when it is gone
	From     string // the old id that state is taken from, "" for none
	Kind     graph.Kind
	Result   Result
	Why      string
	Size
	Added      []string // state columns that start empty
	Removed    []string // state columns and tables that are given up
	Unsaid     []Loss   // those of Removed that hold rows and that nobody said may go
	Candidates []string // of a blocked operator: ids that MAP could name
	Unreadable bool     // a blocked source, whose input is not there any more
	TimeEnded  bool     // to its state event time has ended, so that all rows are late
}

// Loss is a part of an operator's state that a new query has no place for.
type Loss struct {
	Name  string // of the column, or of the table
	Table string // in front of the column's name; "": the first one
	Whole bool   // all of the table
	Size         // of the table
}

// Table says where a state table of the new graph takes its rows from. Keys are
// the same on both sides.
type Table struct {
	Operator, Name     string // new
	FromOperator, From string // old
	Columns            []int  // for each new column the old column, -1: it starts empty
	NewTable, OldTable graph.Table
}

// Plan is the outcome of a comparison.
type Plan struct {
	// Graph is what is to run: the new graph, adapted where it continues an
	// aggregate that gained functions.
	Graph    *graph.Graph
	Verdicts []Verdict
	// Operators maps new ids to the old ones whose state (tables, and the
	// positions of sources) they take over.
	Operators map[string]string
	Tables    []Table
}

// Compare decides what becomes of old's state under new. The error is about the
// mapping alone; what blocks a restore is told by Plan.Err. Neither graph is
// changed.
func Compare(old, new *graph.Graph, opts Options) (*Plan, error) {
	new = clone(new)
	c := comparison{old: side(old), new: side(new), opts: opts, plan: &Plan{Graph: new, Operators: map[string]string{}}}
	if err := c.mapped(); err != nil {
		return nil, err
	}
	c.byID()
	c.bySink()
	c.byRole()
	c.byUnion()
	c.values(old, new)
	for _, n := range c.new.operators {
		if o := c.old.byID[c.from[n.ID]]; o != nil && c.unfit(o, n) == "" {
			c.stale(o, n)
			adapt(o, n, c.old.thinned[o.ID] && !c.new.thinned[n.ID])
		}
		c.judge(n)
	}
	for _, o := range c.old.operators {
		if c.taken[o.ID] == "" {
			c.gone(o)
		}
	}
	return c.plan, c.discardsLeft()
}

// Unreadable blocks the source whose input cannot be read on from where the state
// was taken. Nothing allows that: the source must be told to begin anew.
func (p *Plan) Unreadable(operator, why string) {
	for i := range p.Verdicts {
		if v := &p.Verdicts[i]; v.Operator == operator && v.Result != Dropped {
			v.Result, v.Why, v.Unreadable = Blocked, why, true
		}
	}
}

// TimeEnded tells that event time has ended in the state that an operator takes over.
func (p *Plan) TimeEnded(operator string) {
	for i := range p.Verdicts {
		if v := &p.Verdicts[i]; v.Operator == operator && (v.Result == Kept || v.Result == KeptPartly) {
			v.TimeEnded = true
			v.Why = join(v.Why, "event time has ended in it, as its job was stopped with DRAIN: its windows are closed, and whatever comes is late")
		}
	}
}

// operators is a graph's operators with state, and what they are for.
type operators struct {
	operators []*graph.Operator
	byID      map[string]*graph.Operator
	reads     map[string][]string // relations above each
	inputs    map[string][]string // operators with state right above each, sources among them
	feeds     map[string][]string // relations below each
	// leftOut says of joins which rows do not come to their sides, and thinned of
	// aggregates whether rows they do not need are left out of their input.
	leftOut map[string][2]string
	thinned map[string]bool
	filters map[string][]string            // that rows which change have to pass
	windows map[string][][]window          // that rows come with, by input
	unions  map[string]map[string]string   // what the columns of UNION ALLs are
	ways    map[string]map[string][]string // how often rows come
	written map[string]map[string]string   // what columns tell rows of sinks apart
	// computed are results of window functions that come to each, and of what they are,
	// and carried those that come to each input of joins, whatever becomes of them.
	computed map[string]map[string][]string
	carried  map[string][2]map[string][]string
}

func side(g *graph.Graph) operators {
	s := operators{byID: map[string]*graph.Operator{}, reads: map[string][]string{}, inputs: map[string][]string{}, feeds: map[string][]string{}, leftOut: map[string][2]string{}, thinned: map[string]bool{}, filters: map[string][]string{}, windows: map[string][][]window{}, unions: map[string]map[string]string{}, written: map[string]map[string]string{}, ways: map[string]map[string][]string{}, computed: map[string]map[string][]string{}, carried: map[string][2]map[string][]string{}}
	for i := range g.Operators {
		o := &g.Operators[i]
		switch o.Kind {
		case graph.SourceKind, graph.SinkKind, graph.MaterializeKind:
		default:
			if len(o.Tables) == 0 {
				continue
			}
		}
		s.operators = append(s.operators, o)
		s.byID[o.ID] = o
		s.reads[o.ID], s.inputs[o.ID], s.feeds[o.ID] = reads(g, i), inputs(g, o), feeds(g, i)
		if o.Join != nil {
			s.leftOut[o.ID] = leftOut(g, o)
			s.carried[o.ID] = [2]map[string][]string{carried(g, o, 0), carried(g, o, 1)}
		}
		if len(o.Tables) > 0 || o.Sink != nil {
			s.filters[o.ID] = filters(g, o)
			s.windows[o.ID] = windows(g, o)
			s.unions[o.ID] = unionColumns(g, o)
			s.ways[o.ID] = ways(g, o)
			s.written[o.ID] = written(g, o)
			s.computed[o.ID] = computed(g, o)
		}
		if o.Aggregate != nil {
			s.thinned[o.ID] = thinned(g, o)
		}
	}
	return s
}

func reads(g *graph.Graph, i int) []string {
	o := &g.Operators[i]
	if o.Source != nil {
		return []string{o.Source.Relation}
	}
	var out []string
	for _, in := range o.Inputs {
		out = append(out, reads(g, in.Operator)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func inputs(g *graph.Graph, o *graph.Operator) []string {
	var out []string
	for _, in := range o.Inputs {
		if from := &g.Operators[in.Operator]; from.Source != nil || len(from.Tables) > 0 {
			out = append(out, from.ID)
		} else {
			out = append(out, inputs(g, from)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func feeds(g *graph.Graph, i int) []string {
	reached := map[int]bool{i: true}
	var out []string
	for k := i + 1; k < len(g.Operators); k++ {
		o := &g.Operators[k]
		if !slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return reached[in.Operator] }) {
			continue
		}
		reached[k] = true
		switch {
		case o.Sink != nil:
			out = append(out, o.Sink.Relation)
		case o.Materialize != nil:
			out = append(out, o.Materialize.Relation)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// clone copies the parts of a graph that adapt changes.
func clone(g *graph.Graph) *graph.Graph {
	c := *g
	c.Operators = slices.Clone(g.Operators)
	for i := range c.Operators {
		o := &c.Operators[i]
		o.Tables = slices.Clone(o.Tables)
		if o.Join != nil && o.Join.Sides != nil {
			j, sides := *o.Join, *o.Join.Sides
			j.Sides, o.Join = &sides, &j
		}
		for k := range o.Tables {
			o.Tables[k].Columns = slices.Clone(o.Tables[k].Columns)
		}
		if o.WindowAggregate != nil {
			w := *o.WindowAggregate
			o.WindowAggregate = &w
		} else if o.Aggregate != nil {
			a := *o.Aggregate
			o.Aggregate = &a
		} else {
			continue
		}
		a := aggregateOf(o)
		a.Accumulators, a.Outputs = slices.Clone(a.Accumulators), slices.Clone(a.Outputs)
		for k := range a.Outputs {
			a.Outputs[k].Accumulators = slices.Clone(a.Outputs[k].Accumulators)
			a.Outputs[k].Specials = slices.Clone(a.Outputs[k].Specials)
		}
	}
	return &c
}
