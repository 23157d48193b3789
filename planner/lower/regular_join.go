package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// regularJoin is the lowering of one logical.Join.
type regularJoin struct {
	b        *builder
	n        *logical.Join
	sides    [2]joinSide
	residual *scalar.Expr      // over the left columns, then the right ones
	timed    int               // the side whose event time goes on beside changes of the other, -1 for none
	windows  [2]*pendingWindow // of the sides, if rows are joined within windows that close
	end      int               // of the keys: the end of these
	ends     *scalar.Expr      // of a full join: the end of a row's window, over the output
	open     [2]openWindow     // of the sides, if rows are joined by times that are apart
}

// joinSide is one input: what it is projected to, in the order of the state
// table's columns.
type joinSide struct {
	s        stream
	in       stream // the projection: keys, identity, the other columns
	keys     int
	at       map[string]int // columns of in
	upsert   []int          // columns of in that identify a row; nil: none known
	identity graph.Identity
	place    []int // by logical column: the column of in, -1: nobody needs it
	op       int   // the projection's operator
}

func (b *builder) regularJoin(n *logical.Join) (stream, error) {
	j := &regularJoin{b: b, n: n, timed: -1}
	for i, in := range []logical.Node{n.Left, n.Right} {
		s, err := b.node(in)
		if err != nil {
			return stream{}, err
		}
		if s, err = b.resolve(s); err != nil {
			return stream{}, err
		}
		j.sides[i] = joinSide{s: s, in: stream{op: s.op}, at: map[string]int{}, place: make([]int, len(s.exprs))}
	}
	j.split()
	j.carry()
	for i := range j.sides {
		if err := j.columns(i); err != nil {
			return stream{}, err
		}
	}
	j.contend()
	j.mayChallenge()
	return j.operator()
}

// split sorts the condition into keys, in the order of what they mean, and the
// rest.
func (j *regularJoin) split() {
	width := len(j.n.Left.Fields())
	type pair struct {
		text        string
		left, right *scalar.Expr
	}
	var pairs []pair
	var rest []*scalar.Expr
	for _, c := range scalar.Conjuncts(j.n.Condition) {
		l, r := equiKeys(c, width)
		if l == nil {
			rest = append(rest, c)
			continue
		}
		p := pair{left: scalar.Substitute(l, j.sides[0].s.exprs), right: scalar.Substitute(r, j.sides[1].s.exprs)}
		p.text = j.b.text(j.sides[0].s.op, p.left) + " = " + j.b.text(j.sides[1].s.op, p.right)
		if !slices.ContainsFunc(pairs, func(q pair) bool { return exprKey(q.left) == exprKey(p.left) && exprKey(q.right) == exprKey(p.right) }) {
			pairs = append(pairs, p)
		}
	}
	slices.SortStableFunc(pairs, func(p, q pair) int { return strings.Compare(p.text, q.text) })
	for _, p := range pairs {
		for i, k := range []*scalar.Expr{p.left, p.right} {
			side := &j.sides[i]
			side.append(j.b, k, attr{})
			side.keys++
		}
	}
	j.residual = scalar.And(rest...)
}

// append adds a column to the projection.
func (s *joinSide) append(b *builder, x *scalar.Expr, a attr) int {
	at := len(s.in.exprs)
	if _, ok := s.at[exprKey(x)]; !ok {
		s.at[exprKey(x)] = at
	}
	s.in.exprs, s.in.names, s.in.attrs = append(s.in.exprs, x), append(s.in.names, b.text(s.s.op, x)), append(s.in.attrs, a)
	return at
}

// column finds or adds a column.
func (s *joinSide) column(b *builder, x *scalar.Expr) int {
	if at, ok := s.at[exprKey(x)]; ok && scalar.VolatilityOf(x) != scalar.Volatile {
		return at
	}
	return s.append(b, x, attr{})
}

// columns decides what is kept of side i: its keys, what tells rows apart, and
// what the output and the residual read.
func (j *regularJoin) columns(i int) error {
	b, s, width := j.b, &j.sides[i], len(j.n.Left.Fields())
	var wanted []int
	read := map[int]bool{}
	for _, c := range scalar.Columns(j.residual) {
		read[c] = true
	}
	for c := range s.place {
		s.place[c] = -1
		at := c + i*width
		output := at < len(j.n.Out) && !j.hidden(i, c) // semi joins have left columns only
		if output || read[at] {
			wanted = append(wanted, c)
		}
	}
	more := false
	for _, c := range wanted {
		_, isKey := s.at[exprKey(s.s.exprs[c])]
		more = more || !isKey
	}
	upsert := b.identityOf(s.s.op)
	if b.modeOf(s.s.op) == graph.Upsert && !j.keyed(s, upsert) {
		return pgerr.NotSupported(b.ops[s.s.op].pos, "joining the upsert stream "+b.ops[s.s.op].called+" by other columns than its key").
			Hint("A row that moves to another key of the join cannot be found without its old version.")
	}
	// Of the right side of a semi join, it is enough to know how many rows each key
	// has. Elsewhere rows are kept one by one even if nobody reads their columns
	// now: what tells them apart should not depend on that.
	more = more || i == 0 || j.n.Kind != logical.SemiJoin && j.n.Kind != logical.AntiJoin
	single := upsert != nil && j.within(s, upsert)
	switch {
	case single || upsert != nil && more && b.modeOf(s.s.op) != graph.AppendOnly:
		s.identity = graph.ByKey
	case more && b.modeOf(s.s.op) == graph.AppendOnly:
		s.identity = graph.ByNumber
	default:
		s.identity = graph.ByCopies
	}
	fields := b.identity(s.s.op)
	if s.identity == graph.ByKey {
		s.upsert = []int{}
	}
	if s.identity == graph.ByKey || upsert != nil && more {
		for _, c := range upsert {
			s.upsert = append(s.upsert, s.column(b, fields.exprs[c]))
		}
	}
	for _, c := range wanted {
		s.place[c] = s.column(b, s.s.exprs[c])
	}
	if len(s.in.exprs) == 0 { // rows must be counted by something
		something := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Bool), Value: &types.Value{Bool: true}, Pos: -1, Text: "true"}
		if len(fields.exprs) > 0 {
			something = fields.exprs[0]
		}
		s.append(b, something, attr{})
	}
	p := b.newProject(s.in)
	p.UpsertKey = s.upsert
	s.op = b.add(p, exprsKey(p.Project.Exprs))
	return nil
}

// keyed reports whether all keys of the join are columns of the side's own key.
func (j *regularJoin) keyed(s *joinSide, upsert []int) bool {
	for _, k := range s.in.exprs[:s.keys] {
		if k.Op != scalar.OpColumn || !slices.Contains(upsert, k.Column) {
			return false
		}
	}
	return upsert != nil
}

// within reports whether a join key has at most one row of the side.
func (j *regularJoin) within(s *joinSide, upsert []int) bool {
	for _, c := range upsert {
		if !slices.ContainsFunc(s.in.exprs[:s.keys], func(k *scalar.Expr) bool { return k.Op == scalar.OpColumn && k.Column == c }) {
			return false
		}
	}
	return true
}

// identityOf is upsertKey; a source is asked for the columns of its primary key
// if it does not read them yet.
func (b *builder) identityOf(op int) []int {
	if o := b.through(op); o.source != nil && o.source.upserts {
		for _, k := range o.source.scan.Relation.PrimaryKey {
			o.sourceColumn(k)
		}
	} else if o.family != nil && o.family.window == nil && !slices.ContainsFunc(o.family.project.Project.Exprs[:o.family.keys],
		func(x *scalar.Expr) bool { return x.Op != scalar.OpConst }) {
		return []int{} // there is one row at most
	}
	return b.upsertKey(op)
}

// joinVerbs are how ids name the kinds.
var joinVerbs = map[logical.JoinKind]string{logical.InnerJoin: "join", logical.LeftJoin: "left_join", logical.RightJoin: "right_join",
	logical.FullJoin: "full_join", logical.SemiJoin: "semi_join", logical.AntiJoin: "anti_join"}

func (j *regularJoin) operator() (stream, error) {
	b, n := j.b, j.n
	l, r := &j.sides[0], &j.sides[1]
	spec := &graph.Join{Kind: n.Kind, Sides: &[2]graph.JoinSide{}, Output: []int{}, AtEnd: b.bounded}
	left, right := b.ops[l.op], b.ops[r.op]
	o := &operator{Operator: graph.Operator{Kind: graph.JoinKind, Join: spec, Mode: j.mode()}, pos: joinPosition(n), byTime: [2]bool{j.byTime(0), j.byTime(1)}, later: [2]bool{j.later(0), j.later(1)}}
	for i := range l.keys {
		spec.LeftKeys = append(spec.LeftKeys, column(i, l.in.exprs[i].Type, left.origins[i]))
		spec.RightKeys = append(spec.RightKeys, column(i, r.in.exprs[i].Type, right.origins[i]))
	}
	spec.Residual = j.residualOver()
	if l.keys == 0 || b.bounded {
		o.Inputs = []graph.Input{single(l.op), single(r.op)}
	} else {
		o.Inputs = []graph.Input{b.hashed(l.op, sequence(0, l.keys)), b.hashed(r.op, sequence(0, r.keys))}
	}
	for i := range o.Inputs {
		o.Inputs[i].StateTTL = j.n.TTL[i]
	}
	for i := range j.sides {
		o.Tables = append(o.Tables, j.table(i, spec))
	}
	if err := j.expire(spec); err != nil {
		return stream{}, err
	}
	o.called = left.called + ", " + right.called
	o.base = joinVerbs[n.Kind] + "(" + o.called + prefix(" on ", j.keyText()) + ")"
	if spec.LeftOnly() {
		o.called = left.called
	}
	if b.bounded {
		o.base = string(n.Kind) + " join"
	}
	if n.ID != "" {
		o.base, o.pinned = n.ID, true
	}
	s := j.outputs(o)
	j.upsertKey(o)
	j.spread(o)
	if !b.bounded {
		o.Unbounded = j.unbounded(spec)
	}
	key := strings.Join([]string{string(n.Kind), exprsKey([]*scalar.Expr{spec.Residual}), intsKey(spec.Output), n.ID}, "|") + strings.Repeat("|timed", len(spec.Timeless))
	for _, w := range j.open {
		if w.window != nil {
			key += "|open"
		}
	}
	j.lose()
	o.onClose = j.windows[0] != nil && b.settled(l.op) && b.settled(r.op)
	s.op = b.add(o, key)
	if j.ends != nil {
		var err error
		if s, err = b.hold(s, j.ends, j.windows[0]); err != nil {
			return stream{}, err
		}
	}
	return s.check(n.Out), nil
}

// hidden reports whether nobody reads column c of a side above the join. The end of
// the window that rows are joined in, a key, is read where they are held until then.
func (j *regularJoin) hidden(side, c int) bool {
	at := c + side*len(j.n.Left.Fields())
	if j.n.Hidden == nil || !j.n.Hidden[at] {
		return false
	}
	s := &j.sides[side]
	_, isKey := s.at[exprKey(s.s.exprs[c])]
	if bound := s.s.attrs[c].bound; isKey && (bound == "start" || bound == "time") && j.b.emitOnClose && j.n.Kind != logical.FullJoin {
		return slices.ContainsFunc(s.in.exprs[:s.keys], func(k *scalar.Expr) bool { return s.attrOf(k).bound == "end" })
	}
	return !(j.b.emitOnClose && (isKey || side == j.timed || j.b.apart && j.shows(side)) && s.s.attrs[c].bound == "end")
}

func intsKey(list []int) string {
	var s strings.Builder
	for _, i := range list {
		s.WriteString(" " + exprKey(column(i, types.Of(types.Int64), "")))
	}
	return s.String()
}

// keyText names the keys as ids do: once where both sides call them the same.
func (j *regularJoin) keyText() string {
	var parts []string
	l, r := j.b.ops[j.sides[0].op], j.b.ops[j.sides[1].op]
	for i := range j.sides[0].keys {
		t := l.origins[i]
		if r.origins[i] != t {
			t += " = " + r.origins[i]
		}
		parts = append(parts, t)
	}
	return strings.Join(parts, ", ")
}

// mode is the changelog mode of the output. Rows without a partner may get one,
// and are then taken back.
func (j *regularJoin) mode() graph.Changelog {
	l, r := j.b.modeOf(j.sides[0].op), j.b.modeOf(j.sides[1].op)
	grows := j.n.Kind == logical.InnerJoin || j.n.Kind == logical.SemiJoin
	if j.b.bounded || grows && l == graph.AppendOnly && r == graph.AppendOnly {
		return graph.AppendOnly
	}
	return graph.Retract
}

// residualOver is the residual over the columns of both projections.
func (j *regularJoin) residualOver() *scalar.Expr {
	width, left := len(j.n.Left.Fields()), len(j.sides[0].in.exprs)
	return scalar.Remap(j.residual, func(c int) int {
		if c < width {
			return j.sides[0].place[c]
		}
		return left + j.sides[1].place[c-width]
	})
}

// table is the schema of side i's state.
func (j *regularJoin) table(i int, spec *graph.Join) graph.Table {
	s, p := &j.sides[i], j.b.ops[j.sides[i].op]
	t := graph.Table{Name: [2]string{"left", "right"}[i], Columns: []graph.Column{}}
	var all []graph.Column
	add := func(name string, typ types.Type) {
		all = append(all, graph.Column{Name: unusedColumn(all, name), Type: typ})
	}
	for c := range s.keys {
		add(p.origins[c], p.Fields[c].Type)
	}
	keys := s.keys
	bigint := types.Of(types.Int64)
	switch s.identity {
	case graph.ByNumber:
		add("row", bigint)
		keys++
		t.Unindexed = true
	case graph.ByKey:
		for _, c := range s.upsert {
			keys = max(keys, c+1)
		}
	case graph.ByCopies:
		keys, t.Exact = len(p.Fields), true
	}
	for c := s.keys; c < len(p.Fields); c++ {
		add(p.origins[c], p.Fields[c].Type)
	}
	if s.identity == graph.ByCopies {
		add("count(*)", bigint)
	}
	spec.Sides[i] = graph.JoinSide{Identity: s.identity, Upsert: p.Mode == graph.Upsert, Matches: spec.Residual != nil && (spec.Outer(i) || i == 0 && spec.LeftOnly())}
	if spec.Sides[i].Matches {
		add("matches", bigint)
	}
	t.Keys, t.Columns, t.Local = all[:keys:keys], append(t.Columns, all[keys:]...), keys-s.keys
	return t
}

// sameKey reports whether column k of the right side is a key that the left side calls
// the same and that has its value in every row.
func (j *regularJoin) sameKey(k int) bool {
	l, r := j.b.ops[j.sides[0].op], j.b.ops[j.sides[1].op]
	return k < j.sides[0].keys && l.origins[k] == r.origins[k] && j.n.Kind != logical.LeftJoin && j.n.Kind != logical.FullJoin
}

// outputs lists the columns that are emitted: those that are read above, and
// those that identify a row where rows can go again.
func (j *regularJoin) outputs(o *operator) stream {
	out := stream{names: names(j.n.Out)}
	width, left := len(j.n.Left.Fields()), len(j.sides[0].in.exprs)
	seen, leftNames := map[int]int{}, j.b.columnNames(j.sides[0].s.op)
	emit := func(c int) int {
		if at, ok := seen[c]; ok {
			return at
		}
		i, k := 0, c
		if c >= left {
			i, k = 1, c-left
		}
		p := j.b.ops[j.sides[i].op]
		origin := p.origins[k]
		for slices.Contains(o.origins, origin) || i == 1 && leftNames[origin] && !j.sameKey(k) {
			origin = p.called + "." + origin
		}
		seen[c] = len(o.Fields)
		o.Join.Output = append(o.Join.Output, c)
		o.Fields = append(o.Fields, types.Field{Name: p.Fields[k].Name, Type: p.Fields[k].Type})
		o.origins, o.attrs = append(o.origins, origin), append(o.attrs, attr{}) // set below
		return seen[c]
	}
	for c, f := range j.n.Out {
		i, k := 0, c
		if c >= width {
			i, k = 1, c-width
		}
		at := j.sides[i].place[k]
		if at < 0 || j.hidden(i, k) { // nobody reads it
			out.exprs = append(out.exprs, &scalar.Expr{Op: scalar.OpConst, Type: f.Type, Value: &types.Value{Null: true}, Pos: -1, Text: "null"})
			out.attrs = append(out.attrs, attr{})
			continue
		}
		at = emit(at + i*left)
		if a := j.sides[i].s.attrs[k]; a.bound != "" && a.window == j.windows[i] && !j.filled(i) {
			a.time = a.time && o.Mode == graph.AppendOnly
			o.attrs[at] = a
		} else if a.bound != "" && a.window == j.windows[i] && j.b.emitOnClose && j.n.Kind == logical.FullJoin {
			o.attrs[at] = j.halfOf(a)
		} else if j.timed == i {
			o.attrs[at] = j.carried(a)
		} else if w := j.open[i]; a.bound != "" && a.window == w.window {
			o.attrs[at] = a
			o.Join.Lag = max(o.Join.Lag, w.lag)
		} else if j.keepsTime(o, i, k) {
			o.attrs[at] = attr{time: true, by: a.by}
			o.Join.Lag = max(o.Join.Lag, o.Join.Sides[i].Expiry.Keep)
		} else if w.window != nil && a.by == w.window {
			o.attrs[at] = attr{by: a.by}
		}
		out.exprs, out.attrs = append(out.exprs, column(at, f.Type, o.origins[at])), append(out.attrs, o.attrs[at])
	}
	if o.Mode != graph.AppendOnly {
		for _, c := range j.identifying() {
			emit(c)
		}
	}
	if j.b.emitOnClose && j.windows[0] != nil && j.n.Kind == logical.FullJoin {
		l, r := j.sides[0].in.exprs[j.end], j.sides[1].in.exprs[j.end]
		j.ends = firstOf(column(emit(j.end), l.Type, "window_end"), column(emit(left+j.end), r.Type, "window_end"))
	}
	if len(o.Join.Output) == 0 { // a batch without columns is worth less than one with too many
		emit(0)
	}
	return out
}

// keepsTime reports whether column c of a side is event time in the output too: rows of
// the side are kept for a bounded time, so that what is said of one does not come long
// after its own time.
func (j *regularJoin) keepsTime(o *operator, side, c int) bool {
	if o.Join.Sides == nil { // joined with versions
		return false
	}
	s, e := &j.sides[side], o.Join.Sides[side].Expiry
	a := s.s.attrs[c]
	return a.time && !a.proc && !j.filled(side) && j.windows[side] == nil && e != nil && !e.Forever && e.Until == nil && e.Column == s.place[c]
}
