package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// depthMax bounds nesting, of expressions and of graphs in one another.
const depthMax = 500

// Validate checks all that running a graph relies on: operators in order, one
// spec each, columns that exist, state tables as their operators lay them out.
func Validate(g *Graph) error { return validate(g, 0) }

func validate(g *Graph, depth int) error {
	if g == nil {
		return errors.New("no graph")
	}
	if depth > depthMax {
		return errors.New("graphs are nested too deeply")
	}
	ids := map[string]bool{}
	for i := range g.Operators {
		o := &g.Operators[i]
		if o.ID == "" || ids[o.ID] {
			return fmt.Errorf("operator %d: id %q is missing or not unique", i, o.ID)
		}
		ids[o.ID] = true
		c := checker{g: g, o: o, index: i, depth: depth}
		if err := c.operator(); err != nil {
			return fmt.Errorf("operator %s: %w", o.ID, err)
		}
	}
	return nil
}

type checker struct {
	g     *Graph
	o     *Operator
	index int
	depth int
}

// inputsOf says how many inputs a kind has, -1 for one or more.
var inputsOf = map[Kind]int{
	SourceKind: 0, ValuesKind: 0, FunctionScanKind: 0, ExpandKind: 1, RecursiveKind: 0, WorkingKind: 0, KeysKind: 1, FilterKind: 1, ContendersKind: 1, ChallengersKind: 1, ProjectKind: 1, WindowKind: 1, AggregateKind: 1,
	WindowAggregateKind: 1, UnionKind: -1, SortKind: 1, TopNKind: 1, OverKind: 1, SinkKind: 1, MaterializeKind: 1, CollectKind: 1, ConsolidateKind: 1, UpsertKind: 1, JoinKind: 2,
	SetOpKind: 2, ApplyKind: 1, AsofJoinKind: 2, TemporalJoinKind: 2, LookupJoinKind: 2,
}

func (c *checker) operator() error {
	o := c.o
	n, ok := inputsOf[o.Kind]
	switch {
	case !ok:
		return fmt.Errorf("unknown kind %q", o.Kind)
	case n >= 0 && len(o.Inputs) != n || n < 0 && len(o.Inputs) == 0:
		return fmt.Errorf("%d inputs for %s", len(o.Inputs), o.Kind)
	case o.Mode != AppendOnly && o.Mode != Upsert && o.Mode != Retract:
		return fmt.Errorf("unknown changelog mode %q", o.Mode)
	case o.TimeColumn < -1 || o.TimeColumn >= len(o.Fields):
		return fmt.Errorf("no time column %d", o.TimeColumn)
	}
	for _, in := range o.Inputs {
		if err := c.input(in); err != nil {
			return err
		}
	}
	for _, f := range o.Fields {
		if err := checkType(f.Type, 0); err != nil {
			return fmt.Errorf("column %q: %w", f.Name, err)
		}
	}
	if err := columns(o.UpsertKey, len(o.Fields)); err != nil {
		return fmt.Errorf("upsert key: %w", err)
	}
	if err := c.tables(); err != nil {
		return err
	}
	if err := c.onlySpec(); err != nil {
		return err
	}
	return c.spec()
}

func (c *checker) input(in Input) error {
	if in.Operator < 0 || in.Operator >= c.index {
		return fmt.Errorf("input %d does not come before it", in.Operator)
	}
	switch in.Exchange.Kind {
	case Forward, Single, Broadcast:
	case Hash:
		return columns(in.Exchange.Keys, len(c.g.Operators[in.Operator].Fields))
	default:
		return fmt.Errorf("unknown exchange %q", in.Exchange.Kind)
	}
	return nil
}

func (c *checker) tables() error {
	seen := map[string]bool{}
	for _, t := range c.o.Tables {
		if seen[t.Name] {
			return fmt.Errorf("two state tables %q", t.Name)
		}
		seen[t.Name] = true
		if t.Local < 0 || t.Local > len(t.Keys) {
			return fmt.Errorf("state table %q: %d local keys", t.Name, t.Local)
		}
		for _, list := range [][]Column{t.Keys, t.Columns} {
			names := map[string]bool{}
			for _, col := range list {
				if err := checkType(col.Type, 0); err != nil {
					return fmt.Errorf("state column %q: %w", col.Name, err)
				}
				if names[col.Name] {
					return fmt.Errorf("two state columns %q", col.Name)
				}
				names[col.Name] = true
			}
		}
	}
	return nil
}

func (c *checker) onlySpec() error {
	o := c.o
	have := map[Kind]bool{
		SourceKind: o.Source != nil, ValuesKind: o.Values != nil, FilterKind: o.Filter != nil, ProjectKind: o.Project != nil,
		WindowKind: o.Window != nil, AggregateKind: o.Aggregate != nil, WindowAggregateKind: o.WindowAggregate != nil,
		SortKind: o.Sort != nil, TopNKind: o.TopN != nil, OverKind: o.Over != nil, SinkKind: o.Sink != nil, MaterializeKind: o.Materialize != nil, JoinKind: o.Join != nil, ConsolidateKind: o.Consolidate != nil, UpsertKind: o.Upsert != nil,
		SetOpKind: o.SetOp != nil, ApplyKind: o.Apply != nil, FunctionScanKind: o.FunctionScan != nil,
		ExpandKind: o.Expand != nil, RecursiveKind: o.Recursive != nil, WorkingKind: o.Working != nil,
		AsofJoinKind: o.AsofJoin != nil, TemporalJoinKind: o.TemporalJoin != nil, LookupJoinKind: o.LookupJoin != nil,
		ContendersKind: o.Contenders != nil, ChallengersKind: o.Challengers != nil, KeysKind: o.Keys != nil,
	}
	want := 1
	if o.Kind == UnionKind || o.Kind == CollectKind {
		want = 0
	}
	n := 0
	for _, is := range have {
		if is {
			n++
		}
	}
	if n != want || want == 1 && !have[o.Kind] {
		return fmt.Errorf("%d specs for %s", n, o.Kind)
	}
	return nil
}

// width is the number of columns of input i.
func (c *checker) width(i int) int { return len(c.fields(i)) }

func (c *checker) fields(i int) []types.Field { return c.g.Operators[c.o.Inputs[i].Operator].Fields }

func (c *checker) spec() error {
	o := c.o
	switch o.Kind {
	case SourceKind:
		return c.source()
	case ValuesKind:
		for _, r := range o.Values.Rows {
			if err := c.exprs(r, 0, len(o.Fields)); err != nil {
				return err
			}
		}
	case FilterKind:
		return errors.Join(c.like(0), checkExpr(o.Filter.Predicate, c.width(0), 0))
	case ProjectKind:
		return errors.Join(c.exprs(o.Project.Exprs, c.width(0), len(o.Fields)), optionalExpr(o.Project.Time, 1))
	case WindowKind:
		w := o.Window
		if len(o.Fields) != c.width(0)+3 {
			return errors.New("a window adds three columns")
		}
		return errors.Join(columns([]int{w.TimeColumn}, c.width(0)), checkWindow(w.Spec))
	case AggregateKind:
		return c.aggregate(o.Aggregate, 0)
	case WindowAggregateKind:
		w := o.WindowAggregate
		return errors.Join(columns([]int{w.TimeColumn}, c.width(0)), checkWindow(w.Spec), c.aggregate(&w.Aggregate, 2))
	case UnionKind:
		for i := range o.Inputs {
			if err := c.like(i); err != nil {
				return err
			}
		}
	case SortKind:
		if o.Sort.Limit < -1 || o.Sort.Skip < 0 {
			return errors.New("negative limit")
		}
		for _, x := range []*scalar.Expr{o.Sort.LimitBy, o.Sort.SkipBy} {
			if x != nil {
				if err := checkExpr(x, 0, 0); err != nil {
					return err
				}
			}
		}
		return errors.Join(c.order(o.Sort.Keys), c.like(0))
	case TopNKind:
		return c.topN(o.TopN)
	case OverKind:
		return c.over(o.Over)
	case SinkKind:
		s := o.Sink
		if len(s.Columns) != c.width(0) {
			return fmt.Errorf("%d columns for %d", c.width(0), len(s.Columns))
		}
		return errors.Join(c.like(0), columns(s.Columns, len(s.Schema)), columns(s.PrimaryKey, len(s.Schema)))
	case MaterializeKind:
		return errors.Join(c.like(0), columns(o.Materialize.Key, c.width(0)), c.tableCount(1))
	case UpsertKind:
		if len(o.Upsert.Key) == 0 {
			return errors.New("rows are replaced by no key")
		}
		return errors.Join(c.like(0), columns(o.Upsert.Key, c.width(0)), c.tableCount(1))
	case ConsolidateKind:
		if len(o.Consolidate.Key) == 0 {
			return errors.New("changes are added up by no key")
		}
		return errors.Join(c.like(0), columns(o.Consolidate.Key, c.width(0)))
	case ContendersKind:
		return c.contenders(o.Contenders)
	case ChallengersKind:
		return c.challengers(o.Challengers)
	case KeysKind:
		return c.keys(o.Keys)
	case CollectKind:
		return c.like(0)
	}
	return c.bounded()
}

func (c *checker) source() error {
	s := c.o.Source
	for _, p := range s.Physical {
		if err := checkType(p.Type, 0); err != nil {
			return err
		}
		if p.Column < 0 {
			return fmt.Errorf("no relation column %d", p.Column)
		}
	}
	if s.Exprs == nil {
		if len(s.Physical) != len(c.o.Fields) {
			return fmt.Errorf("%d columns from %d", len(c.o.Fields), len(s.Physical))
		}
	} else if err := c.exprs(s.Exprs, len(s.Physical), len(c.o.Fields)); err != nil {
		return err
	}
	if s.Watermark != nil {
		return checkExpr(s.Watermark, len(c.o.Fields), 0)
	}
	return nil
}

func (c *checker) bounded() error {
	o := c.o
	switch o.Kind {
	case JoinKind:
		return c.join()
	case AsofJoinKind:
		return c.asofJoin(o.AsofJoin)
	case TemporalJoinKind:
		return c.temporalJoin(o.TemporalJoin)
	case LookupJoinKind:
		return c.lookupJoin(o.LookupJoin)
	case SetOpKind:
		if len(o.Tables) == 0 {
			return errors.Join(c.like(0), c.like(1))
		}
		if t := o.Tables[0]; len(t.Keys) != len(o.Fields) || len(t.Columns) != 2 {
			return errors.New("the state table does not fit the columns")
		}
		if e := o.SetOp.Expiry; e != nil {
			if e.Forever || e.Keep != 0 || e.Until != nil {
				return errors.New("rows of a set operation are forgotten when they would be late")
			}
			if err := e.check(o.Fields); err != nil {
				return err
			}
		}
		return errors.Join(c.like(0), c.like(1), c.tableCount(1))
	case ApplyKind:
		a := o.Apply
		if err := validate(a.Sub, c.depth+1); err != nil {
			return err
		}
		n := len(a.Sub.Operators)
		if n == 0 || a.Sub.Operators[n-1].Kind != CollectKind {
			return errors.New("a subquery does not collect its rows")
		}
		l, sub := c.width(0), len(a.Sub.Operators[n-1].Fields)
		want := l + 1
		if a.Kind == logical.CrossApply || a.Kind == logical.LeftApply {
			want = l + sub
		}
		if len(o.Fields) != want {
			return fmt.Errorf("%d columns for %d", len(o.Fields), want)
		}
		return errors.Join(c.exprs(a.Args, l, len(a.Args)), optionalExpr(a.Compare, l+sub), optionalExpr(a.Condition, l+sub), optionalExpr(a.When, l))
	case FunctionScanKind:
		return c.functionScan(o.FunctionScan, 0, len(o.Fields))
	case ExpandKind:
		return errors.Join(c.prefix(0), c.functionScan(&o.Expand.Function, c.width(0), len(o.Fields)-c.width(0)))
	case RecursiveKind:
		return errors.Join(c.part(o.Recursive.Initial), c.part(o.Recursive.Step))
	}
	return nil
}

// prefix checks that the output begins with the columns of input i.
func (c *checker) prefix(i int) error {
	in := c.fields(i)
	if len(in) > len(c.o.Fields) {
		return fmt.Errorf("%d columns from %d", len(c.o.Fields), len(in))
	}
	for k := range in {
		if in[k].Type.Phys() != c.o.Fields[k].Type.Phys() {
			return fmt.Errorf("column %d is %s from %s", k, c.o.Fields[k].Type, in[k].Type)
		}
	}
	return nil
}

// part checks a graph whose rows are some of o's.
func (c *checker) part(g *Graph) error {
	if err := validate(g, c.depth+1); err != nil {
		return err
	}
	n := len(g.Operators)
	if n == 0 || g.Operators[n-1].Kind != CollectKind {
		return errors.New("a part of a recursive query does not collect its rows")
	}
	return c.sameLayout(g.Operators[n-1].Fields)
}

// like checks that the output has the layout of input i.
func (c *checker) like(i int) error { return c.sameLayout(c.fields(i)) }

func (c *checker) sameLayout(in []types.Field) error {
	if len(in) != len(c.o.Fields) {
		return fmt.Errorf("%d columns from %d", len(c.o.Fields), len(in))
	}
	for k := range in {
		if in[k].Type.Phys() != c.o.Fields[k].Type.Phys() {
			return fmt.Errorf("column %d is %s from %s", k, c.o.Fields[k].Type, in[k].Type)
		}
	}
	return nil
}

func (c *checker) tableCount(n int) error {
	if len(c.o.Tables) != n {
		return fmt.Errorf("%d state tables for %d", len(c.o.Tables), n)
	}
	return nil
}

func (c *checker) exprs(xs []*scalar.Expr, width, want int) error {
	if len(xs) != want {
		return fmt.Errorf("%d expressions for %d columns", len(xs), want)
	}
	for _, x := range xs {
		if err := checkExpr(x, width, 0); err != nil {
			return err
		}
	}
	return nil
}

func columns(list []int, width int) error {
	for _, i := range list {
		if i < 0 || i >= width {
			return fmt.Errorf("no column %d of %d", i, width)
		}
	}
	return nil
}

func optionalExpr(x *scalar.Expr, width int) error {
	if x == nil {
		return nil
	}
	return checkExpr(x, width, 0)
}
