package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// join binds a JOIN with its sides.
func (l *level) join(x *ast.Join) (*bound, error) {
	left, err := l.tableExpr(x.L, nil)
	if err != nil {
		return nil, err
	}
	j, err := l.joinTo(left.bound(), x.R, x)
	if err != nil || x.Alias == nil {
		return j, err
	}
	j.scope = j.scope.under(x.Alias.Name.Value)
	return j, l.b.columnAliases(j.scope, x.Alias)
}

// joinItem binds a join that is an item of FROM. What is lateral in it may refer to
// the items to the left of the join, its conditions and all else in it may not.
func (l *level) joinItem(x *ast.Join, left *bound) (*fromItem, error) {
	if left == nil || !hasLateral(x) {
		b, err := l.join(x)
		if err != nil {
			return nil, err
		}
		return &fromItem{node: b.node, scope: b.scope}, nil
	}
	o, outer, lefts := l.lateral(left), l.outer, l.lefts
	l.outer, l.lefts = o, append(slices.Clone(lefts), o.from)
	b, err := l.join(x)
	l.outer, l.lefts = outer, lefts
	if err != nil {
		return nil, err
	}
	return &fromItem{node: b.node, scope: b.scope, args: o.args}, nil
}

// hasLateral reports whether an item of a join may be lateral.
func hasLateral(te ast.TableExpr) bool {
	switch te := te.(type) {
	case *ast.Join:
		return hasLateral(te.L) || hasLateral(te.R)
	case *ast.Derived:
		return te.Lateral
	case *ast.TableFunc:
		return true
	}
	return false
}

// hideLeft makes the names to the left of the joins around mean nothing until show
// is called.
func (l *level) hideLeft() (show func()) {
	scopes := make([]*scope, len(l.lefts))
	for i, at := range l.lefts {
		scopes[i], at.scope = at.scope, nil
	}
	return func() {
		for i, at := range l.lefts {
			at.scope = scopes[i]
		}
	}
}

// under is the scope of a parenthesised join with an alias, which hides the names
// of what is joined: its columns are those that * has.
func (s *scope) under(alias string) *scope {
	out := &scope{rels: []scopeRelation{{name: alias}}}
	for _, c := range s.cols {
		if !c.qualified && !c.system {
			c.relation, c.schema, c.merged = alias, "", false
			out.cols = append(out.cols, c)
		}
	}
	return out
}

// joinTo joins a table expression to what is on its left.
func (l *level) joinTo(left *bound, te ast.TableExpr, x *ast.Join) (*bound, error) {
	dependents := len(l.dependents)
	te, asOf := systemTime(te)
	right, err := l.tableExpr(te, left)
	if err != nil {
		return nil, err
	}
	width := len(left.node.Fields())
	for i := dependents; i < len(l.dependents); i++ {
		l.dependents[i] = l.dependents[i].shifted(width)
	}
	if err := duplicateAlias(left.scope, right.scope, te); err != nil {
		return nil, err
	}
	sc := &scope{rels: append(append([]scopeRelation(nil), left.scope.rels...), right.scope.rels...)}
	sc.cols = append(sc.cols, left.scope.cols...)
	for _, c := range right.scope.cols {
		c.expr = l.b.shift(c.expr, width)
		sc.cols = append(sc.cols, c)
	}
	out := append(append([]logical.Field(nil), left.node.Fields()...), right.node.Fields()...)
	for i := range out {
		kept := x.Kind == "inner" || x.Kind == "cross" || (x.Kind == "left" || isAsof(x)) && i < width || x.Kind == "right" && i >= width
		out[i].KeepTime(kept) // other rows come beside nulls
	}
	cond, sc, err := l.joinCondition(x, left, right, sc)
	if err != nil {
		return nil, err
	}
	for i := range sc.rels {
		r, onLeft := &sc.rels[i], i < len(left.scope.rels)
		r.padded = r.padded || x.Kind == "full" || x.Kind == "left" && !onLeft || x.Kind == "right" && onLeft
	}
	if x.Merged != nil {
		if err := sc.nameMerged(x); err != nil {
			return nil, err
		}
	}
	if isAsof(x) {
		if cond, err = l.asofMatch(x, cond, sc); err != nil {
			return nil, err
		}
	}
	var node logical.Node
	switch {
	case asOf != nil:
		node, err = l.temporalNode(left, right, x, asOf, cond, out)
	case isAsof(x):
		node, err = l.asofNode(left, right, x, cond, out)
	default:
		node, err = l.joinNode(left, right, x, cond, out, sc)
	}
	if err != nil {
		return nil, err
	}
	return &bound{node, sc}, nil
}

func (d dependent) shifted(n int) dependent {
	out := dependent{first: d.first + n, end: d.end + n}
	for _, p := range d.primary {
		out.primary = append(out.primary, p+n)
	}
	return out
}

func duplicateAlias(left, right *scope, at ast.TableExpr) error {
	for _, r := range right.rels {
		for _, have := range left.rels {
			if r.clashes(have) {
				return pgerr.New(pgerr.DuplicateAlias, "table name %q specified more than once", r.name).At(int(at.Offset()))
			}
		}
	}
	return nil
}

// clashes reports whether two relations cannot be told apart by their names: those
// without an alias also have schemas.
func (r scopeRelation) clashes(o scopeRelation) bool {
	return r.name == o.name && r.name != "" && (r.schema == o.schema || r.schema == "" || o.schema == "")
}

// joinCondition binds ON, USING or NATURAL, and merges the columns of the latter.
func (l *level) joinCondition(x *ast.Join, left *bound, right *fromItem, sc *scope) (*scalar.Expr, *scope, error) {
	names := x.Using
	if x.Natural {
		for _, c := range left.scope.cols {
			if c.qualified || c.system || c.name == "" {
				continue
			}
			if r, _ := right.scope.find("", "", c.name); r != nil {
				names = append(names, ast.Name{At: x.At, Value: c.name})
			}
		}
	}
	if len(names) > 0 {
		return l.using(x, names, left, right, sc)
	}
	if x.On == nil {
		return nil, sc, nil
	}
	defer l.hideLeft()()
	at := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: sc, pending: l.pending}
	cond, err := at.filter(x.On, "JOIN/ON")
	if err != nil {
		return nil, nil, err
	}
	l.pending = at.pending
	return cond, sc, nil
}

// using compares the named columns of both sides and makes one of each pair.
func (l *level) using(x *ast.Join, names []ast.Name, left *bound, right *fromItem, sc *scope) (*scalar.Expr, *scope, error) {
	b, width := l.b, len(left.node.Fields())
	var parts []*scalar.Expr
	merged := &scope{rels: sc.rels}
	for _, n := range names {
		var sides [2]*column
		for i, s := range []*scope{left.scope, right.scope} {
			c, ambiguous := s.find("", "", n.Value)
			side := [2]string{"left", "right"}[i]
			if ambiguous {
				return nil, nil, pgerr.New(pgerr.AmbiguousColumn, "common column name %q appears more than once in %s table", n.Value, side).At(int(n.Pos))
			}
			if c == nil {
				return nil, nil, pgerr.New(pgerr.UndefinedColumn, "column %q specified in USING clause does not exist in %s table", n.Value, side).At(int(n.Pos))
			}
			sides[i] = c
		}
		le, re := sides[0].at(n.Pos), b.shift(sides[1].at(n.Pos), width)
		eq, err := b.infixCall("=", le, re, int(n.Pos))
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, eq)
		e, err := b.mergedColumn(x.Kind, le, re, int(n.Pos))
		if err != nil {
			return nil, nil, err
		}
		f := sides[0].field
		f.Type, f.Name = e.Type, n.Value
		merged.cols = append(merged.cols, column{name: n.Value, field: f, expr: e, merged: true})
	}
	for _, c := range sc.cols {
		for _, n := range names {
			if c.name == n.Value {
				c.qualified = true
			}
		}
		if c.qualified && c.relation == "" {
			continue // merged by an inner join already
		}
		merged.cols = append(merged.cols, c)
	}
	return b.combine("and", parts, int(x.Pos)), merged, nil
}

// nameMerged gives the columns that USING has merged, which come first, a name
// that they can be qualified with. The names of both sides stay.
func (s *scope) nameMerged(x *ast.Join) error {
	alias := scopeRelation{name: x.Merged.Value}
	for _, r := range s.rels {
		if r.clashes(alias) {
			return pgerr.New(pgerr.DuplicateAlias, "table name %q specified more than once", alias.name).At(int(x.Merged.Pos))
		}
	}
	s.rels = append(s.rels, alias)
	for _, c := range s.cols[:len(x.Using)] {
		c.relation, c.merged, c.qualified = alias.name, false, true
		s.cols = append(s.cols, c)
	}
	return nil
}

// mergedColumn is the value of a USING column.
func (b *binder) mergedColumn(kind string, l, r *scalar.Expr, pos int) (*scalar.Expr, error) {
	t, err := b.commonType([]*scalar.Expr{l, r}, "JOIN/USING")
	if err != nil {
		return nil, err
	}
	if l, err = b.coerce(l, t, implicit); err != nil {
		return nil, err
	}
	if r, err = b.coerce(r, t, implicit); err != nil {
		return nil, err
	}
	switch kind {
	case "right":
		return r, nil
	case "full":
		text := l.Text
		e, err := b.callFunction("coalesce", "", []*scalar.Expr{l, r}, pos)
		if err != nil {
			return nil, err
		}
		return b.withText(e, text, precAtom), nil
	}
	return l, nil
}

// joinNode makes the node: an Apply when the right side depends on the left.
func (l *level) joinNode(left *bound, right *fromItem, x *ast.Join, cond *scalar.Expr, out []logical.Field, sc *scope) (logical.Node, error) {
	if right.args != nil {
		kind := logical.CrossApply
		switch x.Kind {
		case "inner", "cross":
		case "left":
			kind = logical.LeftApply
		default:
			return nil, pgerr.New(pgerr.InvalidColumnReference, "invalid reference to FROM-clause entry from the right side of a %s join", upper(x.Kind)).
				At(right.args[0].Pos).WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
		}
		a := &logical.Apply{Kind: kind, Input: left.node, Sub: right.node, Args: right.args, Out: out, Pos: right.args[0].Pos}
		if cond == nil || !hasQuery(cond) {
			a.Condition = cond
			return a, nil
		}
		at := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: sc, pending: l.pending}
		if kind == logical.LeftApply {
			return at.lateralOn(a, cond)
		}
		return at.joinedWhere(a, cond)
	}
	kind := logical.InnerJoin
	switch x.Kind {
	case "left":
		kind = logical.LeftJoin
	case "right":
		kind = logical.RightJoin
	case "full":
		kind = logical.FullJoin
	}
	j := &logical.Join{Kind: kind, Left: left.node, Right: right.node, Out: out, TTL: [2]int64{l.ttlOf(left.scope), l.ttlOf(right.scope)}}
	if cond == nil || !hasQuery(cond) {
		j.Condition = cond
		return j, nil
	}
	at := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: sc, pending: l.pending}
	if kind != logical.InnerJoin {
		return at.outerJoin(j, cond)
	}
	return at.joinedWhere(j, cond)
}

// joinedWhere keeps of the rows of an inner join those for which a condition with
// subqueries is true.
func (l *level) joinedWhere(joined logical.Node, cond *scalar.Expr) (logical.Node, error) {
	n := l.plantAsked(joined, askedByFilter(cond), cond)
	return prefix(&logical.Filter{Input: n, Predicate: cond}, len(joined.Fields())), nil
}

// lateralOn makes a condition with subqueries a part of what a LATERAL join that
// keeps rows without a partner joins to each row of its left side.
func (l *level) lateralOn(a *logical.Apply, cond *scalar.Expr) (logical.Node, error) {
	width := len(a.Input.Fields())
	cond, err := l.b.rewrite(cond, func(x *scalar.Expr) (*scalar.Expr, error) {
		if x.Op != scalar.OpColumn && x.Op != scalar.OpOuter {
			return nil, nil
		}
		c := *x
		if x.Op == scalar.OpColumn && x.Column >= width {
			c.Column -= width
			return &c, nil
		}
		c.Op, c.Column = scalar.OpOuter, slices.IndexFunc(a.Args, func(have *scalar.Expr) bool { return exprEqual(have, x) })
		if c.Column < 0 {
			c.Column = len(a.Args)
			a.Args = append(a.Args, x)
		}
		return &c, nil
	})
	if err != nil {
		return nil, err
	}
	n := l.plantAsked(a.Sub, askedByFilter(cond), cond)
	a.Sub = prefix(&logical.Filter{Input: n, Predicate: cond}, len(a.Sub.Fields()))
	return a, nil
}

// outerJoin is a join that keeps rows without a partner, with subqueries in its
// condition: each is answered for the rows of the side that it depends on, before
// they are joined.
func (l *level) outerJoin(j *logical.Join, cond *scalar.Expr) (logical.Node, error) {
	width := len(j.Left.Fields())
	var onLeft, onRight []*scalar.Expr
	var refused error
	both := -1 // where a subquery is that depends on both sides
	walk(cond, func(x *scalar.Expr) bool {
		if x.Op != opQuery {
			return true
		}
		switch cols := scalar.Columns(x); {
		case slices.ContainsFunc(x.Args, hasQuery):
			refused = pgerr.NotSupported(x.Pos, "a subquery that depends on another one in the condition of an outer join")
		case len(cols) == 0 || cols[0] >= width:
			onRight = append(onRight, x)
		case cols[len(cols)-1] < width:
			onLeft = append(onLeft, x)
		default:
			both = x.Pos
		}
		return true
	})
	if both >= 0 {
		return l.outerJoinByRow(j, cond, both)
	}
	if refused != nil {
		return nil, refused
	}
	c, asked := *j, askedByJoin(cond)
	whens := make([]*scalar.Expr, len(onRight)) // before answers become columns, which are numbered by side
	for i, x := range onRight {
		whens[i] = asked.when(x.Column, func(cond *scalar.Expr) bool {
			cols := scalar.Columns(cond)
			return computable(cond) && (len(cols) == 0 || cols[0] >= width)
		})
	}
	for i := len(onLeft) - 1; i >= 0; i-- {
		x := onLeft[i]
		c.Left = l.apply(c.Left, x, asked, asked.when(x.Column, func(cond *scalar.Expr) bool {
			cols := scalar.Columns(cond)
			return computable(cond) && (len(cols) == 0 || cols[len(cols)-1] < width)
		}))
	}
	wider := len(c.Left.Fields()) - width
	for i := len(onRight) - 1; i >= 0; i-- {
		for k, a := range onRight[i].Args {
			onRight[i].Args[k] = l.b.shift(a, -width)
		}
		c.Right = l.apply(c.Right, onRight[i], asked, l.b.shift(whens[i], -width))
	}
	done := append(append([]*scalar.Expr(nil), onLeft...), onRight...)
	var err error
	c.Condition, err = l.b.rewrite(cond, func(x *scalar.Expr) (*scalar.Expr, error) {
		by := wider
		switch {
		case slices.Contains(onRight, x):
			by += width
		case slices.Contains(done, x):
			return x, nil
		case x.Op != scalar.OpColumn || x.Column < width:
			return nil, nil
		}
		m := *x
		m.Column += by
		return &m, nil
	})
	if err != nil {
		return nil, err
	}
	c.Out = append(append([]logical.Field(nil), c.Left.Fields()...), c.Right.Fields()...)
	p := &logical.Project{Input: &c, Out: j.Out}
	for i, f := range j.Out {
		at := i
		if i >= width {
			at += wider
		}
		p.Exprs = append(p.Exprs, columnExpr(at, f))
	}
	return p, nil
}

// outerJoinByRow is outerJoin with a subquery that depends on both sides: of the rows of
// the one side that may have no partner, each is joined with those of the other for which
// the condition is true, as LATERAL does.
func (l *level) outerJoinByRow(j *logical.Join, cond *scalar.Expr, pos int) (logical.Node, error) {
	if j.Kind == logical.FullJoin || j.TTL[0] != j.TTL[1] || l.outer != nil {
		return nil, pgerr.NotSupported(pos, "a subquery on both sides of an outer join in its condition").
			Hint("Outside of subqueries, LEFT JOIN and RIGHT JOIN take one.")
	}
	kept, other := j.Left, j.Right
	if j.Kind == logical.RightJoin {
		kept, other = other, kept
	}
	first, second := len(kept.Fields()), len(other.Fields())
	swapped := func(c int) int { // between the order of j's columns and that of kept's, other's
		switch {
		case j.Kind != logical.RightJoin:
			return c
		case c < second:
			return c + first
		}
		return c - second
	}
	cond, err := l.b.rewrite(cond, func(x *scalar.Expr) (*scalar.Expr, error) {
		if x.Op != scalar.OpColumn {
			return nil, nil
		}
		c := *x
		c.Column = swapped(x.Column)
		return &c, nil
	})
	if err != nil {
		return nil, err
	}
	a := &logical.Apply{Kind: logical.LeftApply, Input: kept, Sub: other, TTL: j.TTL[0], Pos: pos}
	a.Out = slices.Concat(kept.Fields(), other.Fields())
	n, err := l.lateralOn(a, cond)
	if err != nil {
		return nil, err
	}
	p := &logical.Project{Input: n, Out: j.Out}
	for i, f := range j.Out {
		p.Exprs = append(p.Exprs, columnExpr(swapped(i), f))
	}
	return p, nil
}

func hasQuery(e *scalar.Expr) bool {
	return !walk(e, func(x *scalar.Expr) bool { return x.Op != opQuery })
}

// boolType is what conditions are.
var boolType = types.Of(types.Bool)
