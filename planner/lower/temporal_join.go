package lower

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

func (b *builder) temporalJoin(n *logical.TemporalJoin) (stream, error) {
	plain := &logical.Join{Kind: logical.InnerJoin, Left: n.Left, Right: n.Right, Condition: n.Condition, Out: n.Out, Hidden: n.Hidden, ID: n.ID, TTL: n.TTL}
	if n.Processing() && b.bounded { // what is there now is what is there
		if n.Outer {
			plain.Kind = logical.LeftJoin
		}
		return b.regularJoin(plain)
	}
	var by []int // columns of the right side whose rows are versions of one another
	if right, of := versioned(n.Right, n.RightTime); right != nil && !n.Processing() {
		plain.Right, by = right, of
	}
	j, err := b.newNearestJoin(plain, n.Outer)
	if err != nil {
		return stream{}, err
	}
	if n.Processing() {
		return j.lookup(n)
	}
	if err := j.appendOnly(n.Pos, "A row that has been joined with a version of the other side cannot be taken back once that version is forgotten."); err != nil {
		return stream{}, err
	}
	if err := j.versionKeys(n, by); err != nil {
		return stream{}, err
	}
	if err := j.versionTimes(n); err != nil {
		return stream{}, err
	}
	b.seeEach(j.sides[1].s.op)
	l, r := &j.sides[0], &j.sides[1]
	spec := &graph.TemporalJoin{Outer: n.Outer, Keys: l.keys}
	l.identity = graph.ByNumber
	spec.LeftTime = j.fill(0, l.s.exprs[n.LeftTime])[0]
	time := r.append(b, r.s.exprs[n.RightTime], r.s.attrs[n.RightTime])
	r.at[exprKey(r.in.exprs[time])] = time
	j.fill(1)
	spec.Residual = j.residualOver()
	waiting, _ := j.sideTable(0)
	o := &operator{Operator: graph.Operator{Kind: graph.TemporalJoinKind, TemporalJoin: spec, Mode: graph.AppendOnly, Inputs: j.inputs(),
		Tables: []graph.Table{waiting, j.versionsTable()}}}
	j.named(o, "temporal_join", n.Pos)
	if !b.bounded && b.ops[r.op].Mode == graph.AppendOnly && spec.Keys > 0 {
		o.Unbounded = "it keeps the newest version of each key of " + b.ops[r.op].called + " for ever: no state_ttl"
	}
	return j.finishJoin(o, &spec.Output, "temporal"+exprsKey([]*scalar.Expr{spec.Residual, column(spec.LeftTime, l.in.exprs[spec.LeftTime].Type, "")})), nil
}

// versionKeys makes the equalities with the columns that tell the right side's rows
// apart the keys of the join.
func (j *nearestJoin) versionKeys(n *logical.TemporalJoin, by []int) error {
	b, r := j.b, &j.sides[1]
	key := b.versionKey(r.s.op)
	if by != nil {
		key = []int{}
		for _, c := range by {
			if x := r.s.exprs[c]; x.Op == scalar.OpColumn {
				key = append(key, x.Column)
			}
		}
	}
	right := b.ops[r.s.op].called
	if key == nil && b.bounded { // of finished data the last one is the newest
		j.keysOf(scalar.Conjuncts(n.Condition), func(*scalar.Expr) bool { return true })
		return nil
	}
	if key == nil {
		return pgerr.NotSupported(n.Pos, "versions of "+right+", which has no key").
			WithDetail("Nothing says which of its rows are versions of one another.").
			Hint("Declare a PRIMARY KEY, group its rows, or write an ASOF JOIN, which takes the nearest row.")
	}
	j.keysOf(scalar.Conjuncts(n.Condition), func(x *scalar.Expr) bool { return x.Op == scalar.OpColumn && slices.Contains(key, x.Column) })
	for _, c := range key {
		if !slices.ContainsFunc(r.in.exprs, func(x *scalar.Expr) bool { return x.Column == c }) {
			return pgerr.NotSupported(n.Pos, "a join with versions of "+right+" by a part of its key").
				Hint("The condition must have an equality for column %s.", b.through(r.s.op).origins[c])
		}
	}
	return nil
}

// versioned looks through a view of the newest row of each group by time, column c,
// since its rows are versions that all have counted: the view itself, a row of which is
// replaced, may leave out those between. It returns the rows, with the view's columns,
// and the columns that they are grouped by; nil if n is no such view.
func versioned(n logical.Node, c int) (rows logical.Node, by []int) {
	switch n := n.(type) {
	case *logical.Project:
		if c < 0 || n.Exprs[c].Op != scalar.OpColumn {
			return nil, nil
		}
		in, under := versioned(n.Input, n.Exprs[c].Column)
		if in == nil {
			return nil, nil
		}
		for _, k := range under {
			at := slices.IndexFunc(n.Exprs, func(x *scalar.Expr) bool { return x.Op == scalar.OpColumn && x.Column == k })
			if at < 0 {
				return nil, nil
			}
			by = append(by, at)
		}
		return &logical.Project{Input: in, Exprs: n.Exprs, Out: n.Out}, by
	case *logical.TopN:
		newest := n.Func == "row_number" && n.From == 1 && n.To == 1 && !n.WithTies && len(n.OrderBy) > 0 && n.OrderBy[0].Desc
		if !newest || n.OrderBy[0].X.Op != scalar.OpColumn || n.OrderBy[0].X.Column != c || len(n.PartitionBy) == 0 {
			return nil, nil
		}
		for _, x := range n.PartitionBy {
			if x.Op != scalar.OpColumn {
				return nil, nil
			}
			by = append(by, x.Column)
		}
		p := &logical.Project{Input: n.Input, Out: n.Out}
		for i, f := range n.Out {
			if i < len(n.Input.Fields()) {
				p.Exprs = append(p.Exprs, column(i, f.Type, f.Name))
				continue
			}
			one := &types.Value{Int: 1}
			p.Exprs = append(p.Exprs, &scalar.Expr{Op: scalar.OpConst, Type: f.Type, Value: one, Pos: -1, Text: "1"})
		}
		return p, by
	}
	return nil, nil
}

// versionKey is upsertKey; of a source whose rows are only added it is the primary key.
func (b *builder) versionKey(op int) []int {
	if o := b.through(op); o.source != nil {
		var key []int
		for _, k := range o.source.scan.Relation.PrimaryKey {
			key = append(key, o.sourceColumn(k))
		}
		return key
	}
	return b.identityOf(op)
}

// seeEach has an upsert stream that op reads tell of each row, of which every one is a
// version, even if another one follows at once.
func (b *builder) seeEach(op int) {
	for o := b.ops[op]; len(o.Inputs) == 1; o = b.ops[o.Inputs[0].Operator] {
		if o.Upsert != nil {
			o.Upsert.Each = !b.bounded
		}
	}
}

// versionTimes makes the sources keep the watermarks that both sides' times go by.
func (j *nearestJoin) versionTimes(n *logical.TemporalJoin) error {
	if j.b.bounded {
		return nil
	}
	for i, c := range []int{n.LeftTime, n.RightTime} {
		s := &j.sides[i]
		a := s.s.attrs[c]
		if a.proc || !a.time {
			return pgerr.NotSupported(n.Pos, "FOR SYSTEM_TIME AS OF with "+s.s.names[c]+" of "+j.b.ops[s.s.op].called).
				WithDetail("It was an event time, but rows change or are joined before they come here, and no watermark bounds it any more.")
		}
		if err := j.b.useTime(s.s.op, a); err != nil {
			return err
		}
	}
	return nil
}
