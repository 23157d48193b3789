package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// contest is a join of append-only rows with the greatest or least value of each of
// their windows, as in "the best bid of each ten seconds". A row that another one of its
// window has beaten can match nothing, now or later, and need not come to the join.
// That other one must have been counted by the aggregate: all rows that come to the join
// must come to the aggregate.
type contest struct {
	j     *regularJoin
	rows  int            // the side of the rows
	agg   *operator      // the aggregate on the other one
	input int            // the operator that both read
	time  *scalar.Expr   // of the aggregate, over input
	of    []*scalar.Expr // the columns of the rows' side, over input; nil for what is not
	// bounds says which of these are bounds of a window that is the aggregate's.
	bounds []graph.WindowBound
	wins   []*scalar.Expr // the columns of the other side, over the aggregate's
}

// contend lets only those rows come to the join that may have the extremum of their
// window, where that is the other side.
func (j *regularJoin) contend() {
	if j.b.bounded {
		return
	}
	kind := graph.Join{Kind: j.n.Kind}
	for rows := range j.sides {
		if kind.Outer(rows) || j.b.modeOf(j.sides[rows].op) != graph.AppendOnly {
			continue // rows without a match are wanted, or are taken back
		}
		c := contest{j: j, rows: rows}
		if !c.findAggregate() || !c.findRows() {
			continue
		}
		if spec := c.spec(); spec != nil {
			j.sides[rows].op = c.operator(spec)
		}
	}
}

// findAggregate looks for the aggregate under the filters and projections of its side:
// over all rows of tumbling windows that close by event time.
func (c *contest) findAggregate() bool {
	b, s := c.j.b, &c.j.sides[1-c.rows]
	op := s.s.op
	c.wins = slices.Clone(s.in.exprs)
	for b.ops[op].family == nil {
		o := b.ops[op]
		switch o.Kind {
		case graph.FilterKind:
		case graph.ProjectKind:
			for i, x := range c.wins {
				c.wins[i] = scalar.Substitute(x, o.Project.Exprs)
			}
		default:
			return false
		}
		op = o.Inputs[0].Operator
	}
	c.agg = b.ops[op]
	f := c.agg.family
	if f.window == nil || f.keys > 0 || f.agg.Retractable || f.window.Spec.Kind != logical.Tumble {
		return false
	}
	a := c.agg.attrs[1] // of window_end: none where the rows came with their window
	if a.bound != "end" || !a.window.attr.time || a.window.attr.proc {
		return false
	}
	c.input, c.time = f.project.Inputs[0].Operator, f.project.Project.Exprs[f.window.TimeColumn]
	return scalar.VolatilityOf(c.time) != scalar.Volatile
}

// findRows follows the other side down to what the aggregate reads, through what leaves
// rows out or gives them their window, but makes none.
func (c *contest) findRows() bool {
	b, s := c.j.b, &c.j.sides[c.rows]
	op := s.s.op
	c.of, c.bounds = slices.Clone(s.in.exprs), make([]graph.WindowBound, len(s.in.exprs))
	var times []*scalar.Expr // of windows on the way
	for op != c.input {
		o := b.ops[op]
		switch o.Kind {
		case graph.FilterKind:
		case graph.ProjectKind:
			if o.Project.Time != nil { // its watermark is not the aggregate's
				return false
			}
			for _, list := range [][]*scalar.Expr{c.of, times} {
				for i, x := range list {
					if x != nil {
						list[i] = scalar.Substitute(x, o.Project.Exprs)
					}
				}
			}
		case graph.WindowKind:
			if len(times) > 0 || o.Window.Spec != c.agg.family.window.Spec {
				return false
			}
			c.passWindow(o)
			times = append(times, column(o.Window.TimeColumn, o.Fields[o.Window.TimeColumn].Type, ""))
		default:
			return false
		}
		op = o.Inputs[0].Operator
	}
	for _, t := range times {
		if exprKey(t) != exprKey(c.time) {
			return false
		}
	}
	return true
}

// passWindow notes which columns are bounds of the window that o adds.
func (c *contest) passWindow(o *operator) {
	width := len(o.Fields) - len(windowColumnNames)
	for i, x := range c.of {
		switch {
		case x == nil || !slices.ContainsFunc(scalar.Columns(x), func(at int) bool { return at >= width }):
			continue
		case x.Op == scalar.OpColumn && x.Column == width:
			c.bounds[i] = graph.WindowStart
		case x.Op == scalar.OpColumn && x.Column == width+1:
			c.bounds[i] = graph.WindowEnd
		}
		c.of[i] = nil
	}
}

// spec says who contends for what, nil if the condition does not pair rows with the
// extremum of their own window alone.
func (c *contest) spec() *graph.Contenders {
	spec := &graph.Contenders{Value: -1, Spec: c.agg.family.window.Spec}
	own := false
	for key := range c.j.sides[0].keys {
		if greatest, ok := c.extremum(key); ok && spec.Value < 0 {
			spec.Value, spec.Greatest = key, greatest
		}
		if w := c.wins[key]; !own && w.Op == scalar.OpColumn && c.bounds[key] != "" && c.bounds[key] == boundOfColumn(w.Column) {
			spec.Time, spec.Bound, own = key, c.bounds[key], true
		}
	}
	if spec.Value >= 0 && !own {
		spec.Time, own = c.withinWindow()
	}
	if spec.Value < 0 || !own {
		return nil
	}
	return spec
}

// boundOfColumn is which bound a column of a window aggregate is.
func boundOfColumn(column int) graph.WindowBound {
	switch column {
	case 0:
		return graph.WindowStart
	case 1:
		return graph.WindowEnd
	}
	return ""
}

// extremum reports whether a key compares the rows' value with the extremum of it.
func (c *contest) extremum(key int) (greatest, ok bool) {
	f, w, x := c.agg.family, c.wins[key], c.of[key]
	const lead = 2 // the window's bounds come first
	if w.Op != scalar.OpColumn || w.Column < lead || x == nil || scalar.VolatilityOf(x) == scalar.Volatile || !ranks(x.Type) {
		return false, false
	}
	out := f.agg.Outputs[w.Column-lead]
	a := f.agg.Accumulators[out.Accumulators[0]]
	if out.Func != "value" || a.Func != "max" && a.Func != "min" || a.Arg < 0 || a.Filter >= 0 || a.Distinct >= 0 || a.List != nil ||
		exprKey(x) != exprKey(f.project.Project.Exprs[a.Arg]) {
		return false, false
	}
	return a.Func == "max", true
}

// ranks reports whether values of a type that compare as equal are those that an
// extremum and a key of a join take to be.
func ranks(t types.Type) bool {
	switch t.Phys() {
	case types.PhysInt, types.PhysFloat, types.PhysDecimal:
		return true
	}
	return t.IsString() && t.Kind != types.Char
}

// withinWindow finds the column of the rows' event time if the condition pairs a row
// with no window that ends before it or more than a window's length after it. Those are
// its own and, where it lies on a bound, the one before.
func (c *contest) withinWindow() (time int, ok bool) {
	if time = slices.IndexFunc(c.of, func(x *scalar.Expr) bool { return x != nil && exprKey(x) == exprKey(c.time) }); time < 0 {
		return 0, false
	}
	size := c.agg.family.window.Spec.Size
	from, until := false, false
	for _, x := range scalar.Conjuncts(c.j.residualOver()) {
		op, _, _ := strings.Cut(x.Func, "(")
		if x.Op != scalar.OpCall || len(x.Args) != 2 {
			continue
		}
		low, high := x.Args[0], x.Args[1]
		switch op {
		case "<", "<=":
		case ">", ">=":
			low, high = high, low
		default:
			continue
		}
		if t, isTime := c.rowTime(low); isTime { // t <= end
			end, isEnd := c.windowEnd(high)
			from = from || isEnd && t-end >= 0
		} else if t, isTime := c.rowTime(high); isTime { // end <= t
			end, isEnd := c.windowEnd(low)
			until = until || isEnd && t-end <= size
		}
	}
	return time, from && until
}

// rowTime reads the rows' event time plus some microseconds.
func (c *contest) rowTime(x *scalar.Expr) (plus int64, ok bool) {
	at, plus, ok := timeOf(x)
	if !ok {
		return 0, false
	}
	side, at := c.side(at)
	return plus, side == c.rows && c.of[at] != nil && exprKey(c.of[at]) == exprKey(c.time)
}

// windowEnd reads the end of the aggregate's window plus some microseconds.
func (c *contest) windowEnd(x *scalar.Expr) (plus int64, ok bool) {
	at, plus, ok := timeOf(x)
	if !ok {
		return 0, false
	}
	side, at := c.side(at)
	if side == c.rows {
		return 0, false
	}
	bound, more, ok := timeOf(c.wins[at])
	if !ok {
		return 0, false
	}
	switch boundOfColumn(bound) {
	case graph.WindowStart:
		return plus + more - c.agg.family.window.Spec.Size, true
	case graph.WindowEnd:
		return plus + more, true
	}
	return 0, false
}

// side splits the number of a column of both projections.
func (c *contest) side(at int) (side, column int) {
	if left := len(c.j.sides[0].in.exprs); at >= left {
		return 1, at - left
	}
	return 0, at
}

// operator adds the operator that leaves rows out.
func (c *contest) operator(spec *graph.Contenders) int {
	b := c.j.b
	op := c.j.sides[c.rows].op
	in := b.ops[op]
	what := b.ops[c.j.sides[1-c.rows].op].origins[spec.Value]
	o := &operator{
		Operator: graph.Operator{Kind: graph.ContendersKind, Inputs: []graph.Input{forward(op)}, Mode: graph.AppendOnly, Fields: slices.Clone(in.Fields),
			UpsertKey: in.UpsertKey, Contenders: spec},
		base: "contenders(" + in.called + " for " + what + ", " + windowText(spec.Spec, b.text(c.input, c.time)) + ")", pos: -1, called: in.called,
		origins: in.origins, attrs: in.attrs, spread: in.spread, rival: &rival{agg: c.agg, value: c.of[spec.Value], time: c.time},
	}
	return b.add(o, o.base+string(spec.Bound)+intsKey([]int{spec.Value, spec.Time}))
}

// rival is the aggregate that contenders are measured by, with what it goes by.
type rival struct {
	agg         *operator
	value, time *scalar.Expr // over its input
}

// fair reports whether the aggregate counts all rows that come to the contenders. It does
// unless some other aggregate beside it refuses a row whose argument cannot be computed:
// which others there are is known when all branches are lowered.
func (r *rival) fair() bool {
	for _, x := range r.agg.family.project.Project.Exprs {
		if key := exprKey(x); key != exprKey(r.value) && key != exprKey(r.time) && !cannotFail(x) {
			return false
		}
	}
	return true
}

// cannotFail reports whether there is no row for which x is an error, for expressions
// for which that is plain to see.
func cannotFail(x *scalar.Expr) bool {
	fine := true
	scalar.Walk(x, func(e *scalar.Expr) {
		switch e.Op {
		case scalar.OpColumn, scalar.OpConst, scalar.OpAnd, scalar.OpOr, scalar.OpNot, scalar.OpIsNull, scalar.OpIn:
		case scalar.OpCall:
			op, _, _ := strings.Cut(e.Func, "(")
			fine = fine && slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, op)
		default:
			fine = false
		}
	})
	return fine
}
