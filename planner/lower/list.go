package lower

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// listing is how an aggregate that depends on all rows of a group is lowered:
// the graph's name for it, and what it needs to know of their order.
type listing struct {
	fn string
	// ordered ones give another result for another order of the rows.
	ordered bool
	// one row is enough for those over append-only input.
	one bool
	// changing ones are computed from lists over changelogs only.
	changing bool
}

var listings = map[string]listing{
	"string_agg":       {fn: "string_agg", ordered: true},
	"listagg":          {fn: "string_agg", ordered: true},
	"array_agg":        {fn: "array_agg", ordered: true},
	"json_agg":         {fn: "json_agg", ordered: true},
	"jsonb_agg":        {fn: "json_agg", ordered: true},
	"json_object_agg":  {fn: "json_object_agg", ordered: true},
	"jsonb_object_agg": {fn: "json_object_agg", ordered: true},
	"first":            {fn: "first_value", ordered: true, one: true},
	"first_value":      {fn: "first_value", ordered: true, one: true},
	"last":             {fn: "last_value", ordered: true, one: true},
	"last_value":       {fn: "last_value", ordered: true, one: true},
	"any_value":        {fn: "any_value", one: true},
	"percentile_cont":  {fn: "percentile_cont"},
	"percentile_disc":  {fn: "percentile_disc"},
	"mode":             {fn: "mode"},
	"bit_and":          {fn: "bit_and", changing: true},
	"bit_or":           {fn: "bit_or", changing: true},
}

// listCall is one such aggregate over the columns of a family's projection.
type listCall struct {
	x      *aggregation
	f      *family
	call   *scalar.Aggregate
	how    listing
	text   string
	suffix string
	filter int
	values []int // columns of the projection
	keys   []graph.SortKey
	by     []string // texts of keys
	more   []int    // columns that tell values apart which are equal
	params []types.Value
	many   bool
	dims   []types.Dimension // of the fractions, if they have more than one
}

// listed returns the accumulator of a, which a list computes.
func (x *aggregation) listed(o *operator, a *scalar.Aggregate, how listing, in reading) (int, error) {
	c := &listCall{x: x, f: o.family, call: a, how: how, filter: in.filter, suffix: in.suffix}
	if err := c.arguments(); err != nil {
		return 0, err
	}
	c.order()
	read, err := c.read()
	if err != nil {
		return 0, err
	}
	acc := graph.Accumulator{Func: how.fn, Arg: -1, Filter: -1, Type: a.Type, Distinct: -1, List: read, Name: c.text + c.suffix}
	return c.f.add(acc, shortType(a.Type)), nil
}

// arguments settles values, parameters and the text of the call.
func (c *listCall) arguments() error {
	a := c.call
	args := a.Args
	var texts []string
	within := false
	switch c.how.fn {
	case "percentile_cont", "percentile_disc":
		if err := c.fractions(args[0]); err != nil {
			return err
		}
		texts = append(texts, c.x.text(args[0]))
		args, within = args[1:], true
	case "mode":
		within = true
	case "string_agg":
		sep := types.Value{Bytes: ","}
		if len(args) == 1 {
			c.params = []types.Value{sep}
		} else if args[1].Op == scalar.OpConst {
			c.params = []types.Value{*args[1].Value}
		}
		for _, e := range args {
			texts = append(texts, c.x.text(e))
		}
		if len(args) == 1 {
			texts = append(texts, "','")
		}
		if c.params != nil {
			args = args[:1]
		}
	default:
		for _, e := range args {
			texts = append(texts, c.x.text(e))
		}
	}
	for i, e := range args {
		e = scalar.Substitute(e, c.x.s.exprs)
		c.values = append(c.values, c.argument(asJSON(c.how.fn, e, i)))
	}
	name, _, _ := strings.Cut(a.Func, "(")
	if c.how.fn != "json_agg" && c.how.fn != "json_object_agg" {
		name = c.how.fn
	}
	for _, k := range a.OrderBy {
		e := scalar.Substitute(k.X, c.x.s.exprs)
		t := c.x.b.text(c.x.s.op, e)
		if k.Desc {
			t += " desc"
		}
		if k.NullsFirst != k.Desc {
			t += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
		c.keys, c.by = append(c.keys, graph.SortKey{Column: c.argument(e), Desc: k.Desc, NullsFirst: k.NullsFirst}), append(c.by, t)
	}
	by := prefix("order by ", strings.Join(c.by, ", "))
	switch {
	case within:
		c.text = name + "(" + strings.Join(texts, ", ") + ") within group (" + by + ")"
	default:
		c.text = name + "(" + map[bool]string{true: "distinct "}[c.distinct()] + strings.Join(texts, ", ") + prefix(" ", by) + ")"
	}
	return nil
}

// text is the canonical text of an expression over the aggregation's input.
func (x *aggregation) text(e *scalar.Expr) string {
	return x.b.text(x.s.op, scalar.Substitute(e, x.s.exprs))
}

func (c *listCall) argument(e *scalar.Expr) int {
	return c.f.argument(c.x.b, c.x.s.op, e, attr{}, c.filter)
}

// distinct reports whether copies count once. Where they make no difference they
// may count, so that DISTINCT is nothing of its own.
func (c *listCall) distinct() bool { return c.call.Distinct && !c.how.one && !c.how.changing }

// asJSON turns argument i into what a JSON aggregate collects; fn says which it is,
// if it is one.
func asJSON(fn string, e *scalar.Expr, i int) *scalar.Expr {
	switch {
	case fn == "json_object_agg" && i == 0:
		switch e.Type.Kind {
		case types.Text:
			return e
		case types.Timestamp, types.TimestampTZ: // as JSON writes them
			path := &scalar.Expr{Op: scalar.OpConst, Type: types.ArrayOf(types.Of(types.Text)), Value: &types.Value{Bytes: types.EncodeList(types.Of(types.Text), nil)}, Pos: -1}
			return &scalar.Expr{Op: scalar.OpCall, Func: "#>>(jsonb,text[])", Type: types.Of(types.Text), Args: []*scalar.Expr{asJSON(fn, e, 1), path}, Pos: e.Pos}
		}
		return &scalar.Expr{Op: scalar.OpCast, Type: types.Of(types.Text), Args: []*scalar.Expr{e}, Pos: e.Pos}
	case (fn == "json_agg" || fn == "json_object_agg") && e.Type.Kind != types.JSONB:
		return &scalar.Expr{Op: scalar.OpCall, Func: "to_jsonb(anyelement)", Type: types.Of(types.JSONB), Args: []*scalar.Expr{e}, Pos: e.Pos}
	}
	return e
}

// fractions reads the fraction or fractions of a percentile.
func (c *listCall) fractions(e *scalar.Expr) error {
	refused := pgerr.NotSupported(e.Pos, "a percentile whose fraction is not constant")
	if e.Type.Kind != types.Array {
		p, ok := constantFloat(e)
		if !ok {
			return refused
		}
		c.params = []types.Value{p}
		return c.checkFractions(e)
	}
	for e.Op == scalar.OpCast {
		e = e.Args[0]
	}
	switch {
	case e.Op == scalar.OpConst && e.Value.Null:
		c.params = []types.Value{types.NullValue}
		return nil
	case e.Op == scalar.OpConst:
		a, err := types.DecodeArray(*e.Type.Elem, e.Value.Bytes)
		if err != nil {
			return err
		}
		for i := range a.Elems {
			p, ok := constantFloat(&scalar.Expr{Op: scalar.OpConst, Type: *e.Type.Elem, Value: &a.Elems[i]})
			if !ok {
				return refused
			}
			c.params = append(c.params, p)
		}
		if len(a.Dims) > 1 {
			c.dims = a.Dims
		}
	case e.Op == scalar.OpCall && strings.HasPrefix(e.Func, "array("):
		for _, x := range e.Args {
			p, ok := constantFloat(x)
			if !ok {
				return refused
			}
			c.params = append(c.params, p)
		}
	default:
		return refused
	}
	c.many = true
	return c.checkFractions(e)
}

func (c *listCall) checkFractions(e *scalar.Expr) error {
	for _, p := range c.params {
		if !p.Null && !(p.Float >= 0 && p.Float <= 1) {
			return pgerr.New(pgerr.NumericValueOutOfRange, "percentile value %s is not between 0 and 1", strconv.FormatFloat(p.Float, 'g', 6, 64)).At(e.Pos)
		}
	}
	return nil
}

// constantFloat is the value of a constant as double precision.
func constantFloat(e *scalar.Expr) (v types.Value, ok bool) {
	for e.Op == scalar.OpCast {
		e = e.Args[0]
	}
	if e.Op != scalar.OpConst {
		return v, false
	}
	switch {
	case e.Value.Null:
		return types.NullValue, true
	case e.Type.IsInteger():
		v.Float = float64(e.Value.Int)
	case e.Type.Kind == types.Numeric:
		v.Float = e.Value.Dec.Float64()
	case e.Type.Phys() == types.PhysFloat:
		v.Float = e.Value.Float
	default:
		return v, false
	}
	return v, true
}

// order fills in the order of percentiles and the like, and the columns that
// tell apart what is equal: 1.0 and 1.00, one month and 30 days, chars with more or
// fewer blanks.
func (c *listCall) order() {
	if c.distinct() || c.how.fn != "array_agg" && c.how.fn != "first_value" && c.how.fn != "last_value" {
		return
	}
	for _, v := range c.values {
		x := c.f.project.Project.Exprs[v]
		switch {
		case x.Type.Kind == types.Numeric && !x.Type.HasPrecision:
			c.more = append(c.more, c.argument(&scalar.Expr{Op: scalar.OpCall, Func: "scale(numeric)", Type: types.Of(types.Int32), Args: []*scalar.Expr{x}, Pos: x.Pos}))
		case x.Type.Kind == types.Char && x.Type.Loose():
			c.more = append(c.more, c.argument(&scalar.Expr{Op: scalar.OpCall, Func: "octet_length(char)", Type: types.Of(types.Int32), Args: []*scalar.Expr{x}, Pos: x.Pos}))
		case x.Type.Kind == types.IntervalK:
			c.more = append(c.more, c.argument(&scalar.Expr{Op: scalar.OpCast, Type: types.Of(types.Text), Args: []*scalar.Expr{x}, Pos: x.Pos, Text: "exactly " + x.Text}))
		}
	}
}

// read finds or makes the list and says how to read it.
func (c *listCall) read() (*graph.ListRead, error) {
	appendOnly := !c.f.agg.Retractable
	unordered := c.how.ordered && len(c.keys) == 0 && !c.distinct()
	if unordered && c.how.one && !appendOnly {
		return nil, pgerr.NotSupported(c.call.Pos, c.how.fn+" without ORDER BY over rows that change").
			Hint("Say which row comes first: %s(x ORDER BY y).", c.how.fn)
	}
	l := graph.List{Arrival: appendOnly && (unordered || c.how.fn == "any_value")}
	columns := append([]int(nil), c.values...)
	for _, k := range c.keys {
		columns = append(columns, k.Column)
	}
	if !l.Arrival {
		columns = append(columns, c.more...)
	}
	origin := func(i int) string { return c.f.project.origins[i] }
	slices.SortFunc(columns, func(i, j int) int {
		if r := strings.Compare(origin(i), origin(j)); r != 0 {
			return r
		}
		return i - j
	})
	l.Args = slices.Compact(columns)
	place := func(column int) int { return slices.Index(l.Args, column) }
	read := &graph.ListRead{Distinct: c.distinct(), Params: c.params, Many: c.many, Dims: c.dims}
	for _, v := range c.values {
		read.Values = append(read.Values, place(v))
	}
	for _, k := range c.keys {
		k.Column = place(k.Column)
		read.Order.Keys = append(read.Order.Keys, k)
	}
	var texts []string
	for _, a := range l.Args {
		texts = append(texts, origin(a))
	}
	l.Name = map[bool]string{true: "arrivals(", false: "rows("}[l.Arrival] + strings.Join(texts, ", ") + ")"
	if c.how.one && appendOnly {
		c.only(&l, &read.Order)
	}
	read.List = c.f.list(l)
	kept := &c.f.agg.Lists[read.List]
	if read.Mask = slices.Index(kept.Filters, c.filter); read.Mask < 0 {
		read.Mask = len(kept.Filters)
		kept.Filters = append(kept.Filters, c.filter)
	}
	return read, nil
}

// only makes l keep the one row that is wanted.
func (c *listCall) only(l *graph.List, order *graph.ListOrder) {
	if c.how.fn == "last_value" {
		order.Back = true
		for i := range order.Keys {
			k := &order.Keys[i]
			k.Desc, k.NullsFirst = !k.Desc, !k.NullsFirst
		}
	}
	if c.how.fn == "any_value" {
		c.filter = c.f.notNull(c.x.b, c.values[0], c.filter)
	}
	first := *order
	first.Keys = slices.Clone(first.Keys)
	l.First = &first
	l.Filters = []int{c.filter}
	l.Name = c.text + c.suffix
}

// notNull is the filter that rows pass whose column is not null and that pass the
// given one.
func (f *family) notNull(b *builder, column, filter int) int {
	x := f.project.Project.Exprs[column]
	boolean := types.Of(types.Bool)
	e := &scalar.Expr{Op: scalar.OpNot, Type: boolean, Pos: -1, Args: []*scalar.Expr{{Op: scalar.OpIsNull, Type: boolean, Pos: -1, Args: []*scalar.Expr{x}}}}
	if filter >= 0 {
		e = &scalar.Expr{Op: scalar.OpAnd, Type: boolean, Pos: -1, Args: []*scalar.Expr{f.project.Project.Exprs[filter], e}}
	}
	return f.argument(b, f.project.Inputs[0].Operator, e, attr{}, -1)
}

// list returns which of the family's lists l is, and adds it when it is not there.
func (f *family) list(l graph.List) int {
	for i, have := range f.agg.Lists {
		if slices.Equal(have.Args, l.Args) && have.Arrival == l.Arrival && reflect.DeepEqual(have.First, l.First) && (l.First == nil || slices.Equal(have.Filters, l.Filters)) {
			return i
		}
	}
	for slices.ContainsFunc(f.agg.Lists, func(x graph.List) bool { return x.Name == l.Name }) {
		l.Name += "'"
	}
	f.agg.Lists = append(f.agg.Lists, l)
	return len(f.agg.Lists) - 1
}

// tablesOfLists is the state of the family's lists and sketches.
func (f *family) tablesOfLists(keys []graph.Column, local int) (out []graph.Table) {
	bigint := types.Of(types.Int64)
	for _, l := range f.agg.Lists {
		t := graph.Table{Name: l.Name, Local: local + len(l.Args), Keys: slices.Clone(keys), Exact: true}
		add := func(name string, typ types.Type) {
			t.Keys = append(t.Keys, graph.Column{Name: unusedColumn(t.Keys, name), Type: typ})
		}
		if l.Arrival {
			t.Local++
			add("arrival", bigint)
		}
		for _, a := range l.Args {
			add(f.project.origins[a], f.project.Fields[a].Type)
		}
		t.Columns = f.counts(l.Filters)
		out = append(out, t)
	}
	for _, s := range f.agg.Sketches {
		t := graph.Table{Name: s.Name, Local: local + 1, Keys: append(slices.Clone(keys), graph.Column{Name: unusedColumn(keys, "block"), Type: bigint})}
		for i := 0; i < graph.SketchBlockRegisters; i += 8 {
			t.Columns = append(t.Columns, graph.Column{Name: fmt.Sprintf("registers %d to %d", i, i+7), Type: bigint})
		}
		out = append(out, t)
	}
	return out
}

// counts are the columns that count the copies of a value per filter.
func (f *family) counts(filters []int) (out []graph.Column) {
	for _, c := range filters {
		name := "count(*)"
		if c >= 0 {
			name += " filter (" + f.project.origins[c] + ")"
		}
		out = append(out, graph.Column{Name: unusedColumn(out, name), Type: types.Of(types.Int64)})
	}
	return out
}
