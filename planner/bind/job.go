package bind

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Job binds the INSERT statements of a job, each of which becomes a branch. The
// queries are continuous whatever the options say.
func Job(inserts []*ast.Insert, opts Options) (*BoundJob, error) {
	opts.Continuous = true
	b := newBinder(opts)
	out := &BoundJob{}
	for _, ins := range inserts {
		sink, err := b.sink(ins)
		if err != nil {
			return nil, err
		}
		if ins.Query != nil {
			sink.EmitOnWindowClose, sink.EmitPos = ins.Query.Emit != "", int(ins.Query.EmitPos)
		}
		out.Sinks = append(out.Sinks, sink)
	}
	if err := b.refuseParams("a job"); err != nil {
		return nil, err
	}
	out.Notices, out.StateTTL, out.Depends = b.notices, b.ttl, b.depends
	return out, nil
}

// refuseParams is for statements that outlive their parameters.
func (b *binder) refuseParams(what string) error {
	if len(b.params) == 0 {
		return nil
	}
	return pgerr.New(pgerr.UndefinedParameter, "there is no parameter $1").At(b.params[0].pos).Hint("The query of %s cannot have parameters.", what)
}

func (b *binder) sink(ins *ast.Insert) (*logical.Sink, error) {
	rel, err := b.writable(ins.Target, "insert into")
	if err != nil {
		return nil, err
	}
	b.dependOn(rel.ID)
	switch {
	case ins.OnConflict != nil && ins.OnConflict.DoUpdate:
		return nil, pgerr.NotSupported(int(ins.OnConflict.Pos), "ON CONFLICT DO UPDATE in a job")
	case ins.OnConflict != nil:
		return nil, pgerr.NotSupported(int(ins.OnConflict.Pos), "ON CONFLICT in a job")
	case len(ins.Returning) > 0:
		return nil, pgerr.New(pgerr.FeatureNotSupported, "RETURNING is not allowed in a job").At(int(ins.Returning[0].X.Offset()))
	}
	for i := range ins.Hints {
		if ins.Hints[i].Name == "state_ttl" {
			b.sinkTTL = append(b.sinkTTL, b.stateTTL(&ins.Hints[i])...)
		} else {
			b.warn(ins.Hints[i].Pos, "unknown hint \""+ins.Hints[i].Name+"\" was ignored")
		}
	}
	src, err := b.insertSource(ins, rel, env{})
	if err != nil {
		return nil, err
	}
	if ins.Query != nil && ins.Query.Emit != "" {
		if err := closes(src.node, int(ins.Query.EmitPos)); err != nil {
			return nil, err
		}
	}
	b.warnEndless(src.node, ins.Target.Offset())
	if err := requireNotNull(rel, src.cols, int(ins.Target.Offset())); err != nil {
		return nil, err
	}
	if rel.IsOwnTable() {
		if len(rel.Unique) > 0 {
			return nil, pgerr.NotSupported(int(ins.Target.Offset()), "a job that writes to a table with a UNIQUE constraint or index").
				Hint("A job has nobody to tell of a row that is refused. With a PRIMARY KEY instead, rows of a job replace those with their key.")
		}
		node, err := b.fullRow(src, rel)
		if err != nil {
			return nil, err
		}
		if node, err = b.checked(node, rel); err != nil {
			return nil, err
		}
		return &logical.Sink{Input: node, Relation: rel, Columns: count(len(rel.Columns))}, nil
	}
	return b.connectorSink(src, rel)
}

// warnEndless tells of windows that only the end of the input closes.
func (b *binder) warnEndless(n logical.Node, pos ast.Pos) {
	if w, ok := n.(*logical.Window); ok {
		if f := w.Input.Fields()[w.TimeColumn]; !f.Timed() && !f.ProcTime {
			b.warn(pos, "column \""+f.Name+"\" has no watermark: its windows close when the input ends")
		}
	}
	for _, in := range n.Inputs() {
		b.warnEndless(in, pos)
	}
}

func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// requireNotNull refuses a job that could never write a row.
func requireNotNull(rel *catalog.Relation, given []int, pos int) error {
	has := map[int]bool{}
	for _, c := range given {
		has[c] = true
	}
	for i, c := range rel.Columns {
		if c.NotNull && !has[i] && c.Default == "" && c.Generated == "" {
			return pgerr.New(pgerr.NotNullViolation, "null value in column %q of relation %q violates not-null constraint", c.Name, rel.Name).At(pos).
				WithDetail("The INSERT gives no value for the column, which has no default.")
		}
	}
	return nil
}

// connectorSink gives the columns that the INSERT has and those with a default.
func (b *binder) connectorSink(src *source, rel *catalog.Relation) (*logical.Sink, error) {
	cols := append([]int(nil), src.cols...)
	p := &logical.Project{Input: src.node}
	for i, f := range src.node.Fields() {
		p.Exprs = append(p.Exprs, columnExpr(i, f))
		p.Out = append(p.Out, f)
	}
	extra := false
	for c, col := range rel.Columns {
		given := col.Default == "" || col.Generated != ""
		for _, g := range src.cols {
			given = given || g == c
		}
		if given {
			continue
		}
		d, err := b.defaultOf(rel, c)
		if err != nil {
			return nil, err
		}
		extra = true
		cols = append(cols, c)
		p.Exprs = append(p.Exprs, d)
		p.Out = append(p.Out, logical.Field{Name: col.Name, Type: col.Type, Origin: col.Name})
	}
	if !extra {
		return &logical.Sink{Input: src.node, Relation: rel, Columns: cols}, nil
	}
	return &logical.Sink{Input: p, Relation: rel, Columns: cols}, nil
}

// View binds CREATE [MATERIALIZED] VIEW.
func View(v *ast.CreateView, opts Options) (*BoundView, error) {
	opts.Continuous = v.Materialized
	b := newBinder(opts)
	rel, err := b.newRelation(v.Name, catalog.View)
	if err != nil {
		return nil, err
	}
	if v.Temporary {
		return nil, pgerr.NotSupported(int(v.Pos), "CREATE TEMPORARY VIEW")
	}
	if v.Query.Emit != "" && !v.Materialized {
		return nil, pgerr.New(pgerr.WrongObjectType, "EMIT is allowed in a materialized view or a job only").At(int(v.Query.Pos))
	}
	res, err := b.query(v.Query, nil, queryMode{})
	if err != nil {
		return nil, err
	}
	if err := b.refuseParams("a view"); err != nil {
		return nil, err
	}
	node := renamed(res.node, v.Columns)
	if len(v.Columns) > len(node.Fields()) {
		return nil, pgerr.New(pgerr.SyntaxError, "CREATE VIEW specifies more column names than columns").At(int(v.Columns[len(node.Fields())].Pos))
	}
	if err := viewColumns(rel, node, v); err != nil {
		return nil, err
	}
	rel.Query = b.opts.Print(v.Query)
	rel.Depends = b.depends
	if rel.Options, err = optionMap(v.Options); err != nil {
		return nil, err
	}
	out := &BoundView{Relation: rel, Notices: b.notices, StateTTL: b.ttl}
	if v.Materialized {
		rel.Kind = catalog.MaterializedView
		out.Root = &logical.Materialize{Input: node, Relation: rel, EmitOnWindowClose: v.Query.Emit != "", EmitPos: int(v.Query.EmitPos)}
		if out.Root.EmitOnWindowClose {
			if err := closes(node, int(v.Query.EmitPos)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// viewColumns makes a query's output the columns of a relation.
func viewColumns(rel *catalog.Relation, node logical.Node, v *ast.CreateView) error {
	seen := map[string]bool{}
	for i, f := range node.Fields() {
		pos := int(v.Name.Offset())
		if i < len(v.Columns) {
			pos = int(v.Columns[i].Pos)
		}
		if seen[f.Name] {
			return pgerr.New(pgerr.DuplicateColumn, "column %q specified more than once", f.Name).At(pos)
		}
		if f.Type.Kind == types.Void || f.Type.Kind == types.Unknown {
			return pgerr.New(pgerr.InvalidTableDefinition, "column %q has pseudo-type %s", f.Name, f.Type).At(pos)
		}
		seen[f.Name] = true
		rel.Columns = append(rel.Columns, catalog.Column{Name: f.Name, Type: f.Type})
	}
	if len(rel.Columns) == 0 {
		return pgerr.New(pgerr.InvalidTableDefinition, "view must have at least one column").At(int(v.Name.Offset()))
	}
	return nil
}

// readsWindow reports whether rows below n are of windows.
func readsWindow(n logical.Node) bool {
	if _, ok := n.(*logical.Window); ok {
		return true
	}
	return slices.ContainsFunc(n.Inputs(), readsWindow)
}

// windowBound is the bound of a window that x over n's columns is, "" for none: one of the
// columns, or what USING merges of two.
func windowBound(n logical.Node, x *scalar.Expr) string {
	if x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "coalesce(") {
		bound := windowBound(n, x.Args[0])
		if slices.ContainsFunc(x.Args, func(a *scalar.Expr) bool { return windowBound(n, a) != bound }) {
			return ""
		}
		return bound
	}
	if x.Op != scalar.OpColumn {
		return ""
	}
	switch m := n.(type) {
	case *logical.Project:
		return windowBound(m.Input, m.Exprs[x.Column])
	case *logical.Filter:
		return windowBound(m.Input, x)
	case *logical.Aggregate:
		if x.Column < len(m.Keys) {
			return windowBound(m.Input, m.Keys[x.Column])
		}
	}
	return n.Fields()[x.Column].WindowBound
}

// ofOuterWindow reports whether the rows of a subquery are those of one window, by a
// bound that is an outer value, one of these bounds if rows are compared with others in
// other ways too. What it aggregates then is grouped by that window.
func ofOuterWindow(n logical.Node, outer []string) bool {
	switch n := n.(type) {
	case *logical.Filter:
		found, same, others := false, false, false
		for _, c := range scalar.Conjuncts(n.Predicate) {
			if walk(c, func(x *scalar.Expr) bool { return x.Op != scalar.OpOuter }) {
				continue
			}
			if c.Op != scalar.OpCall || !strings.HasPrefix(c.Func, "=(") {
				others = true
				continue
			}
			for i, x := range c.Args {
				y := c.Args[1-i]
				if bound := windowBound(n.Input, x); bound != "" && y.Op == scalar.OpOuter {
					found, same = true, same || outer[y.Column] == bound
				}
			}
		}
		return same || found && !others || !others && ofOuterWindow(n.Input, outer)
	case *logical.Project:
		return ofOuterWindow(n.Input, outer)
	case *logical.Aggregate:
		return ofOuterWindow(n.Input, outer)
	}
	return false
}

// outerBounds are the bounds of windows that the values are that the subquery of an Apply
// depends on, "" for those that are none; outer are those around the Apply.
func outerBounds(n *logical.Apply, outer []string) []string {
	out := make([]string, len(n.Args))
	for i, x := range n.Args {
		if x.Op == scalar.OpOuter {
			out[i] = outer[x.Column]
		} else {
			out[i] = windowBound(n.Input, x)
		}
	}
	return out
}

// closes checks that a query that emits when windows close has windows that do. Within a
// subquery, outer are the bounds of windows that it depends on, as in outerBounds.
func closes(n logical.Node, pos int, outer ...string) error {
	switch n := n.(type) {
	case *logical.Aggregate:
		byWindow := slices.ContainsFunc(n.Keys, func(k *scalar.Expr) bool { return windowBound(n.Input, k) != "" })
		if !byWindow && readsWindow(n.Input) && !ofOuterWindow(n.Input, outer) {
			return pgerr.New(pgerr.FeatureNotSupported, "EMIT ON WINDOW CLOSE needs every aggregation to be grouped by a window").At(pos).
				Hint("Group by window_start and window_end of TUMBLE, HOP or CUMULATE, or in a subquery compare those with the ones of the query around it.")
		}
	case *logical.Window:
		f := n.Input.Fields()[n.TimeColumn]
		if !f.Timed() && !f.ProcTime {
			hint := "Declare WATERMARK FOR " + f.Name + " AS … on the relation that it comes from."
			if f.Origin != f.Name { // it is computed, or called otherwise there
				hint = "It is " + f.Origin + ". A watermark goes through a constant interval without months that is added or taken away, date_trunc, date_bin and AT TIME ZONE with a fixed offset."
			}
			return pgerr.New(pgerr.FeatureNotSupported, "EMIT ON WINDOW CLOSE needs a watermark on column %q", f.Name).At(n.Pos).
				Hint("%s None goes through the groups of another key, or the side of a join that is filled up with nulls.", hint)
		}
	}
	for i, in := range n.Inputs() {
		of := outer
		if a, is := n.(*logical.Apply); is && i == 1 {
			of = outerBounds(a, outer)
		}
		if err := closes(in, pos, of...); err != nil {
			return err
		}
	}
	return nil
}
