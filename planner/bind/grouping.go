package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// opGrouping stands for a GROUPING(…) call until the aggregation is built; its
// arguments are group keys. It never leaves this package.
const opGrouping scalar.Op = "bind.grouping"

// The most that a GROUP BY may ask for, as in PostgreSQL.
const (
	groupingSetsMax  = 4096
	groupingArgsMax  = 31
	cubeElementsMax  = 12
	groupingSetsHint = "Each set is an aggregation of its own."
)

// groupingSet is one way of grouping: numbers of keys, in order.
type groupingSet []int

// sets gives the grouping sets of a GROUP BY: every combination of those of its
// elements.
func (s *selection) sets(items []ast.GroupItem) ([]groupingSet, error) {
	all := []groupingSet{{}}
	for i := range items {
		more, err := s.setsOf(&items[i])
		if err != nil {
			return nil, err
		}
		var both []groupingSet
		for _, a := range all {
			for _, b := range more {
				both = append(both, a.with(b))
			}
		}
		if all = both; len(all) > groupingSetsMax {
			return nil, pgerr.New(pgerr.StatementTooComplex, "too many grouping sets present (maximum %d)", groupingSetsMax).At(int(items[i].Pos)).Hint(groupingSetsHint)
		}
	}
	return all, nil
}

func (a groupingSet) with(b groupingSet) groupingSet {
	c := append(slices.Clone(a), b...)
	slices.Sort(c)
	return slices.Compact(c)
}

// setsOf gives the grouping sets of one element.
func (s *selection) setsOf(g *ast.GroupItem) ([]groupingSet, error) {
	switch g.Kind {
	case "empty":
		return []groupingSet{{}}, nil
	case "grouping sets":
		var all []groupingSet
		for i := range g.Sets {
			sets, err := s.setsOf(&g.Sets[i])
			if err != nil {
				return nil, err
			}
			all = append(all, sets...)
		}
		return all, nil
	case "rollup", "cube":
		return s.rollupOrCube(g)
	}
	aggs, over := s.aggs, s.overs
	s.aggs, s.overs = nil, nil
	keys, err := s.groupKeys(g.X)
	s.aggs, s.overs = aggs, over
	if err != nil {
		return nil, err
	}
	set := groupingSet{}
	for _, k := range keys {
		at, err := s.addKey(k)
		if err != nil {
			return nil, err
		}
		set = set.with(groupingSet{at})
	}
	return []groupingSet{set}, nil
}

func (s *selection) rollupOrCube(g *ast.GroupItem) ([]groupingSet, error) {
	var parts []groupingSet
	for i := range g.Sets {
		if k := g.Sets[i].Kind; k != "expr" && k != "" && k != "empty" {
			return nil, pgerr.New(pgerr.SyntaxError, "%s cannot stand in %s", upper(k), upper(g.Kind)).At(int(g.Sets[i].Pos)).
				Hint("Write GROUPING SETS around both.")
		}
		sets, err := s.setsOf(&g.Sets[i])
		if err != nil {
			return nil, err
		}
		parts = append(parts, sets[0])
	}
	var all []groupingSet
	if g.Kind == "rollup" {
		for n := len(parts); n >= 0; n-- {
			set := groupingSet{}
			for _, p := range parts[:n] {
				set = set.with(p)
			}
			all = append(all, set)
		}
		return all, nil
	}
	if len(parts) > cubeElementsMax {
		return nil, pgerr.New(pgerr.TooManyColumns, "CUBE is limited to %d elements", cubeElementsMax).At(int(g.Pos))
	}
	for mask := 1<<len(parts) - 1; mask >= 0; mask-- {
		set := groupingSet{}
		for i, p := range parts {
			if mask>>(len(parts)-1-i)&1 != 0 {
				set = set.with(p)
			}
		}
		all = append(all, set)
	}
	return all, nil
}

// grouping binds GROUPING(…). Like an aggregate, it is of the innermost query whose
// columns it is over.
func (l *level) grouping(x *ast.Call) (*scalar.Expr, error) {
	if len(x.Args) > groupingArgsMax {
		return nil, pgerr.New(pgerr.TooManyArguments, "GROUPING must have fewer than %d arguments", groupingArgsMax+1).At(int(x.Pos))
	}
	if l.outer == nil {
		return l.ownGrouping(x)
	}
	t := l.tryOut()
	args, err := l.typedAll(x.Args)
	owner := t.innermost()
	if err != nil {
		return nil, err
	}
	if owner == l {
		return l.groupingOf(args, int(x.Pos))
	}
	if l.b.rebound++; l.b.rebound > reboundMax {
		return nil, pgerr.New(pgerr.StatementTooComplex, "more than %d aggregates of outer queries", reboundMax).At(int(x.Pos))
	}
	t.undo()
	e, err := owner.ownGrouping(x)
	if err != nil {
		return nil, err
	}
	return l.carryIn(owner, e), nil
}

// ownGrouping binds one that is of this level.
func (l *level) ownGrouping(x *ast.Call) (*scalar.Expr, error) {
	args, err := l.typedAll(x.Args)
	if err != nil {
		return nil, err
	}
	return l.groupingOf(args, int(x.Pos))
}

func (l *level) groupingOf(args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	switch {
	case l.aggs == nil:
		return nil, pgerr.New(pgerr.GroupingError, "grouping operations are not allowed in %s", l.clauseName()).At(pos)
	case l.argument:
		return nil, pgerr.New(pgerr.GroupingError, "aggregate function calls cannot contain grouping operations").At(pos)
	}
	e := &scalar.Expr{Op: opGrouping, Type: types.Of(types.Int32), Args: args, Pos: pos}
	l.aggs.asked = true
	return l.b.withText(e, "grouping("+l.b.texts(e.Args)+")", precAtom), nil
}

// groupingColumn is the output column of a GROUPING(…) call.
func (a *aggregation) groupingColumn(x *scalar.Expr) (*scalar.Expr, error) {
	var keys []int
	for _, arg := range x.Args {
		at := slices.IndexFunc(a.keys, func(k *scalar.Expr) bool { return exprEqual(k, arg) })
		if at < 0 {
			return nil, pgerr.New(pgerr.GroupingError, "arguments to GROUPING must be grouping expressions of the associated query level").At(arg.Pos)
		}
		keys = append(keys, at)
	}
	if a.sets == nil {
		return &scalar.Expr{Op: scalar.OpConst, Type: x.Type, Value: &types.Value{}, Text: x.Text, Pos: x.Pos}, nil
	}
	n := slices.IndexFunc(a.groupings, func(have []int) bool { return slices.Equal(have, keys) })
	if n < 0 {
		n = len(a.groupings)
		a.groupings = append(a.groupings, keys)
	}
	return &scalar.Expr{Op: scalar.OpColumn, Column: len(a.keys) + len(a.list) + n, Type: x.Type, Text: x.Text, Pos: x.Pos}, nil
}

// union makes one aggregation for each grouping set and puts them together: each
// has its state, whose id does not depend on the other sets.
func (a *aggregation) union(b *binder, in logical.Node, id string) logical.Node {
	u := &logical.Union{}
	for _, set := range a.sets {
		u.All = append(u.All, a.branch(b, in, set, id))
	}
	u.Out = slices.Clone(u.All[0].Fields())
	for i := range u.Out {
		f := &u.Out[i]
		for _, n := range u.All[1:] {
			g := n.Fields()[i]
			f.MeetTime(g)
			f.ProcTime = f.ProcTime && g.ProcTime
			if f.WindowBound != g.WindowBound {
				f.WindowBound = ""
			}
		}
	}
	if len(u.All) == 1 {
		return u.All[0]
	}
	return u
}

// branch is the aggregation of one grouping set, with nulls for the other keys.
func (a *aggregation) branch(b *binder, in logical.Node, set groupingSet, id string) logical.Node {
	one := &aggregation{}
	var missing []*scalar.Expr
	for i, k := range a.keys {
		if !slices.Contains(set, i) {
			missing = append(missing, k)
			continue
		}
		one.keys = append(one.keys, k)
		if id != "" {
			id += " " + k.Text
		}
	}
	for _, call := range a.list {
		one.list = append(one.list, b.withDirect(call, missing))
	}
	agg := one.build(in, id)
	p := &logical.Project{Input: agg}
	for i, k := range a.keys {
		at := slices.Index(set, i)
		if at >= 0 {
			p.Exprs, p.Out = append(p.Exprs, columnExpr(at, agg.Out[at])), append(p.Out, agg.Out[at])
			continue
		}
		p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpConst, Type: k.Type, Value: &types.Value{Null: true}, Text: "null", Pos: -1})
		f := logical.Field{Name: "?column?", Type: k.Type, Origin: k.Text}
		if k.Op == scalar.OpColumn {
			f.Name = in.Fields()[k.Column].Name
		}
		p.Out = append(p.Out, f)
	}
	for i := range a.list {
		c := len(set) + i
		p.Exprs, p.Out = append(p.Exprs, columnExpr(c, agg.Out[c])), append(p.Out, agg.Out[c])
	}
	for _, keys := range a.groupings {
		mask := int64(0)
		for _, k := range keys {
			mask <<= 1
			if !slices.Contains(set, k) {
				mask |= 1
			}
		}
		p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: mask}, Pos: -1})
		p.Out = append(p.Out, logical.Field{Name: "grouping", Type: types.Of(types.Int32), Origin: "grouping"})
	}
	return p
}
