package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// judge gives the verdict on an operator of the new graph.
func (c *comparison) judge(n *graph.Operator) {
	v := Verdict{Operator: n.ID, Kind: n.Kind, From: c.from[n.ID]}
	if v.From == "" {
		v.Result, v.Why = Empty, c.emptyBecause(n)
		c.plan.Verdicts = append(c.plan.Verdicts, v)
		return
	}
	o := c.old.byID[v.From]
	v.Size, v.Why = c.opts.Stats[o.ID], c.why[n.ID]
	if why := c.unfit(o, n); why != "" {
		v.Result, v.Why = Blocked, why
		v.Candidates = nil
		if c.opts.AllowNonRestored || c.isEmpty(o) {
			v.Result = Empty
			v.Why += "; its old state is dropped"
		}
		c.plan.Verdicts = append(c.plan.Verdicts, v)
		return
	}
	c.plan.Operators[n.ID] = o.ID
	c.tables(o, n, &v)
	if missing := missingRows(o, n); missing != "" {
		v.Added = append(v.Added, missing)
	}
	v.Added = append(v.Added, c.missingJoined(o, n)...)
	missing, others := c.refiltered(o, n)
	if missing != "" {
		v.Added = append(v.Added, missing)
	}
	recomputed := c.recomputed(o, n)
	for _, why := range []string{others, c.redefined(o, n), c.repeated(o, n), reranked(o, n), retold(o, n), recomputed, c.rewritten(o, n)} {
		v.Why = join(v.Why, why)
	}
	v.Result = Kept
	if len(v.Added)+len(v.Removed) > 0 {
		v.Result = KeptPartly
	}
	unfilled, empty := unfilled(n, v.Added)
	if len(empty) > 0 {
		v.Why = join(v.Why, "starts empty: "+strings.Join(empty, ", "))
	}
	v.Why = join(v.Why, unfilled)
	v.Why = join(v.Why, c.begunLate(o, n, len(v.Added) > 0 || recomputed != ""))
	if len(v.Removed) > 0 {
		v.Why = join(v.Why, givenUp(&v))
	}
	c.plan.Verdicts = append(c.plan.Verdicts, v)
}

// givenUp tells what of an operator's state goes, or would go if it were allowed.
func givenUp(v *Verdict) string {
	if len(v.Unsaid) == 0 {
		return "given up: " + strings.Join(v.Removed, ", ")
	}
	var unsaid, said []string
	for _, l := range v.Unsaid {
		unsaid = append(unsaid, l.shown())
	}
	for _, name := range v.Removed {
		if !slices.Contains(unsaid, name) {
			said = append(said, name)
		}
	}
	why := "refused, as it would give up: " + strings.Join(unsaid, ", ") + "; needs ALLOW NON RESTORED STATE or MAP (… => DISCARD)"
	if len(said) > 0 {
		why = "given up: " + strings.Join(said, ", ") + "; " + why
	}
	return why
}

func (c *comparison) emptyBecause(n *graph.Operator) string {
	if c.discard[n.ID] {
		return "its old state is discarded by MAP"
	}
	switch n.Kind {
	case graph.SourceKind:
		return "new: it reads from where its options say"
	case graph.SinkKind:
		return "new"
	}
	return "new: nothing in the old state has its meaning"
}

func join(a, b string) string {
	switch "" {
	case a:
		return b
	case b:
		return a
	}
	return a + "; " + b
}

// gone gives the verdict on an operator of the old graph that nobody takes over.
func (c *comparison) gone(o *graph.Operator) {
	v := Verdict{Operator: o.ID, From: o.ID, Kind: o.Kind, Size: c.opts.Stats[o.ID]}
	switch {
	case c.discard[o.ID]:
		v.Result, v.Why = Dropped, "discarded by MAP"
	case o.Kind == graph.SinkKind:
		v.Result, v.Why = Dropped, "the new query does not write to it"
	case c.isEmpty(o):
		v.Result, v.Why = Dropped, "it is empty"
	case c.opts.AllowNonRestored:
		v.Result, v.Why = Dropped, "no operator of the new query has its meaning"
	default:
		v.Result, v.Why = Blocked, "no operator of the new query has its meaning"
		var free []string
		for _, n := range c.new.operators {
			if c.from[n.ID] == "" && n.Kind == o.Kind {
				free = append(free, n.ID)
			}
		}
		v.Candidates = nearest(o.ID, free)
		if len(v.Candidates) == 0 {
			v.Candidates = free[:min(len(free), 3)]
		}
	}
	c.plan.Verdicts = append(c.plan.Verdicts, v)
}

// isEmpty reports whether it is known that the operator's tables have no rows.
func (c *comparison) isEmpty(o *graph.Operator) bool {
	size, known := c.opts.Stats[o.ID]
	return known && size.Rows == 0 && len(o.Tables) > 0
}

// unfit says why n cannot take over any of o's state, "" when it can.
func (c *comparison) unfit(o, n *graph.Operator) string {
	if o.Source != nil && n.Source != nil && o.Source.Connector != n.Source.Connector {
		return fmt.Sprintf("positions of connector %q mean nothing to %q", o.Source.Connector, n.Source.Connector)
	}
	if o.Source != nil && n.Source != nil && n.Source.Connector == "" && o.Source.RelationID != n.Source.RelationID {
		return "its position is in another table of that name"
	}
	if o.WindowAggregate != nil && n.WindowAggregate != nil && o.WindowAggregate.Spec != n.WindowAggregate.Spec || c.otherWindows(o, n) {
		return "its window was another one"
	}
	if why := unfitTopN(o, n); why != "" {
		return why
	}
	if len(n.Tables) == 0 || len(o.Tables) == 0 {
		return ""
	}
	if o.Join != nil && n.Join != nil {
		return joinsDiffer(o, n, c.opts.Mapping.To[o.ID] == n.ID)
	}
	if why := nearestJoinsDiffer(o, n, c.opts.Mapping.To[o.ID] == n.ID); why != "" {
		return why
	}
	if o.SetOp != nil && n.SetOp != nil && (o.SetOp.Kind != n.SetOp.Kind || o.SetOp.All != n.SetOp.All) {
		return "what it kept goes with another set operation"
	}
	return keysDiffer(&o.Tables[0], &n.Tables[0], c.opts.Mapping.To[o.ID] == n.ID)
}

// keysDiffer says how the keys of two tables differ, "" when they do not. Keys
// that take no part in the key group are compared by name always: they say what
// a row is. The others' names may differ when a user mapped the operators.
func keysDiffer(o, n *graph.Table, renamed bool) string {
	if len(o.Keys) != len(n.Keys) || o.Local != n.Local {
		return fmt.Sprintf("its key was (%s) and is now (%s)", columnNames(o.Keys), columnNames(n.Keys))
	}
	for i := range o.Keys {
		a, b := o.Keys[i], n.Keys[i]
		switch {
		case a.Name != b.Name && !(renamed && i < len(o.Keys)-o.Local):
			return fmt.Sprintf("its key was (%s) and is now (%s)", columnNames(o.Keys), columnNames(n.Keys))
		case !a.Type.Equal(b.Type):
			return fmt.Sprintf("key %s was %s and is now %s", a.Name, a.Type, b.Type)
		}
	}
	return ""
}

func columnNames(list []graph.Column) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Name)
	}
	return strings.Join(out, ", ")
}

// tables matches the state tables of a kept operator by name, and their columns
// by name and type.
func (c *comparison) tables(o, n *graph.Operator, v *Verdict) {
	var made []Table
	used := map[string]bool{}
	for i := range n.Tables {
		nt := &n.Tables[i]
		at := slices.IndexFunc(o.Tables, func(t graph.Table) bool { return t.Name == nt.Name })
		if at < 0 || keysDiffer(&o.Tables[at], nt, c.opts.Mapping.To[o.ID] == n.ID) != "" {
			v.Added = append(v.Added, tableName(nt))
			continue
		}
		used[nt.Name] = true
		ot := &o.Tables[at]
		t := Table{Operator: n.ID, Name: nt.Name, FromOperator: o.ID, From: ot.Name, NewTable: *nt, OldTable: *ot}
		for _, col := range nt.Columns {
			t.Columns = append(t.Columns, slices.IndexFunc(ot.Columns, func(x graph.Column) bool { return x.Name == col.Name && x.Type.Equal(col.Type) }))
		}
		made = append(made, t)
	}
	dependent(n, made, used)
	for _, t := range made {
		c.report(t, v)
	}
	for i := range o.Tables {
		if t := &o.Tables[i]; !used[t.Name] {
			c.loses(o, v, Loss{Name: t.Name, Table: t.Name, Whole: true})
		}
	}
	c.plan.Tables = append(c.plan.Tables, made...)
}

func tableName(t *graph.Table) string {
	if t.Name == "" {
		return "its table"
	}
	return "table " + t.Name
}

// dependent makes accumulators start empty whose values are kept in a table, or
// in a column of one, that starts empty: the two must agree.
func dependent(n *graph.Operator, made []Table, used map[string]bool) {
	a := n.Aggregate
	if n.WindowAggregate != nil {
		a = &n.WindowAggregate.Aggregate
	}
	if a == nil || len(made) == 0 || made[0].Name != "" {
		return
	}
	for i, acc := range a.Accumulators {
		switch {
		case acc.Distinct >= 0:
			if !keeps(made, a.Distincts[acc.Distinct].Name, acc.Mask) {
				made[0].Columns[i] = -1
			}
		case a.Retractable && (acc.Func == "min" || acc.Func == "max") && !used[acc.Name]:
			made[0].Columns[i] = -1
		case acc.List != nil && !keeps(made, a.Lists[acc.List.List].Name, acc.List.Mask):
			made[0].Columns[i] = -1
		case acc.Sketch > 0 && !keeps(made, a.Sketches[acc.Sketch-1].Name, 0):
			made[0].Columns[i] = -1
		}
	}
}

// keeps reports whether column i of the table of that name is carried over.
func keeps(made []Table, name string, i int) bool {
	at := slices.IndexFunc(made, func(t Table) bool { return t.Name == name })
	return at >= 0 && made[at].Columns[i] >= 0
}

// report lists what t gains and loses.
func (c *comparison) report(t Table, v *Verdict) {
	where := ""
	if t.Name != "" {
		where = t.Name + "."
	}
	for i, from := range t.Columns {
		if from < 0 && !restOfKept(t, i) {
			v.Added = append(v.Added, where+changed(t.OldTable.Columns, t.NewTable.Columns[i]))
		}
	}
	for i, col := range t.OldTable.Columns {
		if !slices.Contains(t.Columns, i) {
			c.loses(c.old.byID[t.FromOperator], v, Loss{Name: col.Name, Table: t.From})
		}
	}
}

// restOfKept reports whether column i of the new table is what a sum that is kept is too
// short for: nothing so far.
func restOfKept(t Table, i int) bool {
	sum, ok := strings.CutPrefix(t.NewTable.Columns[i].Name, "rest of ")
	at := slices.IndexFunc(t.NewTable.Columns, func(c graph.Column) bool { return c.Name == sum })
	return ok && at >= 0 && t.Columns[at] >= 0
}

// loses adds to a verdict what has no place in the new query.
func (c *comparison) loses(o *graph.Operator, v *Verdict, l Loss) {
	l.Size = c.opts.Stats[o.ID]
	size, known := c.opts.Tables[TableID{o.ID, l.Table}]
	if known {
		l.Size = size
	}
	v.Removed = append(v.Removed, l.shown())
	name := o.ID + "." + l.ref()
	if _, said := c.columns[name]; said {
		c.columns[name] = true
		return
	}
	if !c.opts.AllowNonRestored && !c.isEmpty(o) && !(known && size.Rows == 0) {
		v.Unsaid = append(v.Unsaid, l)
	}
}

// shown is how a verdict names the column or table.
func (l Loss) shown() string {
	if l.Whole {
		return tableName(&graph.Table{Name: l.Name})
	}
	return l.ref()
}

// changed is the column's name, with its old type when that was another one.
func changed(old []graph.Column, c graph.Column) string {
	for _, o := range old {
		if o.Name == c.Name && !o.Type.Equal(c.Type) {
			return fmt.Sprintf("%s (%s, was %s)", c.Name, c.Type, o.Type)
		}
	}
	return c.Name
}
