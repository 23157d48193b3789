package lower

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// nearestJoin is the lowering of joins that choose among the right side's rows, by a
// time or by what is nearest: a left row is in the output once for each right row that
// is chosen, and by itself in outer joins.
type nearestJoin struct {
	regularJoin
	outer  bool
	byTime bool  // event times of both sides are compared
	time   int   // the left column whose event time it is then
	lag    int64 // how far changes of left rows may be behind the watermark then
}

// newNearestJoin lowers both sides.
func (b *builder) newNearestJoin(n *logical.Join, outer bool) (*nearestJoin, error) {
	j := &nearestJoin{regularJoin: regularJoin{b: b, n: n, timed: -1}, outer: outer}
	for i, in := range []logical.Node{n.Left, n.Right} {
		s, err := b.node(in)
		if err != nil {
			return nil, err
		}
		if s, err = b.resolve(s); err != nil {
			return nil, err
		}
		j.sides[i] = joinSide{s: s, in: stream{op: s.op}, at: map[string]int{}, place: make([]int, len(s.exprs))}
	}
	return j, nil
}

// identify decides what tells the rows of a side apart, and adds it to its columns.
func (j *nearestJoin) identify(i int) error {
	b, s := j.b, &j.sides[i]
	upsert := b.identityOf(s.s.op)
	switch mode := b.modeOf(s.s.op); {
	case mode == graph.Upsert && !j.keyed(s, upsert):
		return pgerr.NotSupported(position(j.n.Condition), "joining the upsert stream "+b.ops[s.s.op].called+" by other columns than its key").
			Hint("A row that moves to another key of the join cannot be found without its old version.")
	case mode == graph.AppendOnly:
		s.identity = graph.ByNumber
	case upsert != nil:
		s.identity = graph.ByKey
	default:
		s.identity = graph.ByCopies
	}
	if upsert == nil {
		return nil
	}
	s.upsert = []int{}
	fields := b.identity(s.s.op)
	for _, c := range upsert {
		s.upsert = append(s.upsert, s.column(b, fields.exprs[c]))
	}
	return nil
}

// fill adds what the output and the condition read of side i, and more, and projects
// the side.
func (j *nearestJoin) fill(i int, more ...*scalar.Expr) (at []int) {
	b, s, width := j.b, &j.sides[i], len(j.n.Left.Fields())
	for _, x := range more {
		at = append(at, s.column(b, x))
	}
	read := scalar.Columns(j.residual)
	for c := range s.place {
		s.place[c] = -1
		if k := c + i*width; j.n.Hidden == nil || !j.n.Hidden[k] || slices.Contains(read, k) {
			s.place[c] = s.column(b, s.s.exprs[c])
		}
	}
	if len(s.in.exprs) == 0 { // rows must be counted by something
		s.append(b, b.identity(s.s.op).exprs[0], attr{})
	}
	p := b.newProject(s.in)
	p.UpsertKey = s.upsert
	s.op = b.add(p, exprsKey(p.Project.Exprs))
	return at
}

// inputs are the edges: by the keys, if there are any.
func (j *nearestJoin) inputs() []graph.Input {
	l, r := &j.sides[0], &j.sides[1]
	in := []graph.Input{single(l.op), single(r.op)}
	if j.b.bounded {
		return in
	}
	if l.keys > 0 {
		in = []graph.Input{j.b.hashed(l.op, sequence(0, l.keys)), j.b.hashed(r.op, sequence(0, r.keys))}
	}
	for i := range in {
		in[i].StateTTL = j.n.TTL[i]
	}
	return in
}

// named gives the operator its id.
func (j *nearestJoin) named(o *operator, verb string, pos int) {
	left, right := j.b.ops[j.sides[0].op], j.b.ops[j.sides[1].op]
	if j.outer {
		verb = "left_" + verb
	}
	o.called, o.pos = left.called+", "+right.called, pos
	o.base = verb + "(" + o.called + prefix(" on ", j.keyText()) + ")"
	if j.b.bounded {
		o.base = verb
	}
	if j.n.ID != "" {
		o.base, o.pinned = j.n.ID, true
	}
}

// finishJoin adds the operator, whose output columns it lists in output. Where
// nothing is taken back, left columns go on being what they are.
func (j *nearestJoin) finishJoin(o *operator, output *[]int, key string) stream {
	kind := j.n.Kind
	j.n.Kind = logical.SemiJoin // rows are told apart by the left side
	o.Join = &graph.Join{}
	s := j.outputs(o)
	j.upsertKey(o)
	j.spread(o)
	j.n.Kind, *output, o.Join = kind, o.Join.Output, nil
	if o.Mode == graph.AppendOnly {
		for c, f := range j.sides[0].s.attrs {
			if s.exprs[c].Op == scalar.OpColumn {
				s.attrs[c], o.attrs[s.exprs[c].Column] = f, f
			}
		}
	}
	j.keepLeft(o, s)
	s.op = j.b.add(o, key+"|"+intsKey(*output)+"|"+j.n.ID)
	return s.check(j.n.Out)
}

// keepLeft lets the event time of left rows go on that later rows change in time: the
// watermark that makes them final is theirs, or as far behind as rows of the right side
// may come.
func (j *nearestJoin) keepLeft(o *operator, s stream) {
	a := o.AsofJoin
	if o.Mode == graph.AppendOnly || a == nil || !j.byTime || !a.Back() {
		return
	}
	a.Lag = j.lag
	for c, f := range j.sides[0].s.attrs {
		x := s.exprs[c]
		if x.Op != scalar.OpColumn || f.bound != "" && !f.window.attr.time {
			continue
		}
		if f.bound == "" && !(f.time && !f.proc && j.time == c) || f.bound != "" && !j.b.emitOnClose {
			continue
		}
		s.attrs[c], o.attrs[x.Column] = f, f
	}
}

// sideTable is the schema of side i's state, and what it says of it.
func (j *nearestJoin) sideTable(i int) (graph.Table, graph.JoinSide) {
	dummy := &graph.Join{Sides: &[2]graph.JoinSide{}}
	t := j.table(i, dummy)
	return t, dummy.Sides[i]
}

// versionsTable is the right table of a temporal join: the input's columns, of which
// the keys and one more are the key, and whether a version is the end of one.
func (j *nearestJoin) versionsTable() graph.Table {
	s := &j.sides[1]
	s.identity, s.upsert = graph.ByKey, []int{s.keys}
	t, _ := j.sideTable(1)
	t.Columns = append(t.Columns, graph.Column{Name: unusedColumn(append(slices.Clone(t.Keys), t.Columns...), "ends"), Type: types.Of(types.Bool)})
	return t
}

// keysOf takes the equalities that may be keys out of conditions: those for which
// accept agrees with the right side's expression.
func (j *nearestJoin) keysOf(conds []*scalar.Expr, accept func(r *scalar.Expr) bool) {
	var keys, rest []*scalar.Expr
	width := len(j.n.Left.Fields())
	for _, c := range conds {
		if _, r := equiKeys(c, width); r != nil && accept(scalar.Substitute(r, j.sides[1].s.exprs)) {
			keys = append(keys, c)
		} else {
			rest = append(rest, c)
		}
	}
	whole := j.n.Condition
	j.n.Condition = scalar.And(keys...)
	j.split()
	j.n.Condition, j.residual = whole, scalar.And(rest...)
}

// appendOnly refuses a left side whose rows may be taken back.
func (j *nearestJoin) appendOnly(pos int, why string) error {
	l := j.b.ops[j.sides[0].s.op]
	if l.Mode == graph.AppendOnly {
		return nil
	}
	return pgerr.NotSupported(pos, "a left side with FOR SYSTEM_TIME AS OF whose rows change, "+l.called+",").
		WithDetail("%s", why).Hint("Join a relation that is APPEND ONLY, or write a regular join, whose result follows both sides.")
}
