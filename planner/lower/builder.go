package lower

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// builder makes one graph. Operators are hash-consed: one that would do the same
// work on the same input as another is that other. Sources and aggregates may
// still grow columns at their end while later branches are lowered, so nothing
// but filters stands directly on them without a projection.
type builder struct {
	opts        Options
	bounded     bool
	view        bool
	emitOnClose bool
	apart       bool   // windows go on through joins of rows whose times are apart
	lost        string // why they do not through the first join that they end at, "" for none
	regain      string // what to do then

	ops      []*operator
	rising   []*scalar.Expr         // of column 0, an event time
	times    map[*logical.Union]int // the columns that windows go by
	byKey    map[string]int
	sources  map[string]int
	families map[string]int
}

// operator is a vertex under construction.
type operator struct {
	graph.Operator
	base    string    // the id before suffixes
	pinned  bool      // base was given by a hint
	pos     int       // where the statement asks for it, -1 for nowhere
	called  string    // how operators above name their input
	under   string    // how it names its own input
	origins []string  // canonical text of each output column
	attrs   []attr    // of each output column
	spread  spread    // how the rows lie over the tasks
	source  *source   // of a source
	family  *family   // of an aggregate
	project *operator // of an aggregate: the projection it owns
	rival   *rival    // of contenders
	onClose bool      // its rows come once, when their window closes
	byTime  [2]bool   // of a join: by which sides' event times rows are joined
	later   [2]bool   // of these: rows may match whose event times are later
}

// attr is what is known of a column beyond its type.
type attr struct {
	time bool // event time bounded by a watermark, or processing time
	proc bool // processing time
	// rises, from 1, says by which of the builder's functions the column is computed
	// from an event time that a watermark bounds; 0 for none.
	rises int
	// bound is "start", "end" or "time" for window_start, window_end, window_time
	// of window.
	bound  string
	window *pendingWindow
	// by is the window that the rows are in by this time.
	by *pendingWindow
	// half is the bound where bound is "" because the column is null in rows that a
	// FULL JOIN in the window has of its other side alone.
	half string
	// final says that rows are the last that is heard of theirs once the watermark, of
	// proc's kind, is more than shift microseconds past the column.
	final bool
	shift int64
}

// spread says how an operator's rows are distributed: by the hash of cols, when
// known. The zero spread is any.
type spread struct {
	known bool
	cols  []int
}

// stream is a logical node's output: expressions over an operator's columns.
// Projections cost nothing until something needs their columns in place.
type stream struct {
	op     int
	exprs  []*scalar.Expr
	names  []string
	attrs  []attr
	window *pendingWindow
}

func newBuilder(opts Options, bounded bool) *builder {
	return &builder{opts: opts, bounded: bounded, byKey: map[string]int{}, times: map[*logical.Union]int{}, sources: map[string]int{}, families: map[string]int{}}
}

// node lowers one logical node.
func (b *builder) node(n logical.Node) (stream, error) {
	switch n := n.(type) {
	case *logical.Scan:
		return b.scan(n)
	case *logical.Values:
		return b.values(n)
	case *logical.Filter:
		return b.filter(n)
	case *logical.Project:
		return b.project(n)
	case *logical.Window:
		return b.window(n)
	case *logical.Aggregate:
		return b.aggregate(n)
	case *logical.Union:
		return b.union(n)
	case *logical.Sort:
		return b.sort(n)
	case *logical.Over:
		return b.over(n)
	case *logical.TopN:
		return b.topN(n)
	case *logical.Join:
		return b.regularJoin(n)
	case *logical.TemporalJoin:
		return b.temporalJoin(n)
	case *logical.AsofJoin:
		return b.asofJoin(n)
	case *logical.SetOp:
		return b.setOp(n)
	case *logical.Apply:
		return b.apply(n)
	case *logical.FunctionScan:
		return b.functionScan(n)
	case *logical.Expand:
		return b.expand(n)
	case *logical.Recursive:
		return b.recursive(n)
	case *logical.Working:
		return b.working(n)
	}
	return stream{}, pgerr.New(pgerr.InternalError, "planner met a node of type %T", n)
}

// add appends o, or finds the operator that does the same. key says what it
// does apart from its inputs; "" never matches another.
func (b *builder) add(o *operator, key string) int {
	o.TimeColumn = -1
	for i, a := range o.attrs {
		if a.time {
			o.TimeColumn = i
			break
		}
	}
	if key != "" {
		k := string(o.Kind) + "|" + key + "|" + fmt.Sprint(o.Inputs)
		if i, ok := b.byKey[k]; ok {
			return i
		}
		b.byKey[k] = len(b.ops)
	}
	b.ops = append(b.ops, o)
	return len(b.ops) - 1
}

// through returns the operator under the filters of op, or the source whose keyed
// rows op makes changes of: it has op's columns.
func (b *builder) through(op int) *operator {
	o := b.ops[op]
	for o.Kind == graph.FilterKind || o.Kind == graph.UpsertKind {
		o = b.ops[o.Inputs[0].Operator]
	}
	return o
}

// modeOf returns the changelog mode of op's output.
func (b *builder) modeOf(op int) graph.Changelog { return b.ops[op].Mode }

// current reports whether the rows of op are some of those that a relation has at
// a time, so that there are no more of them than the relation has.
func (b *builder) current(op int) bool {
	o := b.ops[op]
	switch {
	case o.source != nil || o.Mode == graph.AppendOnly:
		return o.Mode != graph.AppendOnly
	case o.Kind == graph.FilterKind, o.Kind == graph.ProjectKind, o.Kind == graph.ConsolidateKind:
	case o.Over != nil && o.Over.Window == nil && o.Inputs[0].StateTTL <= 0, o.TopN != nil && o.TopN.Window == nil && o.Inputs[0].StateTTL <= 0:
		// What it forgets before the relation does, it would not take back.
	default:
		return false
	}
	return b.current(o.Inputs[0].Operator)
}

// upsertKey returns the columns of op that identify a row, nil for none.
func (b *builder) upsertKey(op int) []int {
	o := b.through(op)
	if o.source != nil {
		return o.source.upsertKey()
	}
	return o.UpsertKey
}

func (b *builder) fieldsOf(op int) []types.Field { return b.through(op).Fields }

// identity is the stream of all columns of op.
func (b *builder) identity(op int) stream {
	o := b.through(op)
	s := stream{op: op, attrs: append([]attr(nil), o.attrs...)}
	for i, f := range o.Fields {
		s.exprs = append(s.exprs, column(i, f.Type, o.origins[i]))
		s.names = append(s.names, f.Name)
	}
	return s
}

// text is the canonical text of x over op's columns.
func (b *builder) text(op int, x *scalar.Expr) string {
	origins := b.through(op).origins
	return text(x, func(i int) string {
		if i >= windowColumns {
			return windowColumnNames[i-windowColumns]
		}
		return origins[i]
	})
}

// columnNames are what ids call the columns of op, those that nobody reads included:
// what a name stands for must not depend on what else a query reads.
func (b *builder) columnNames(op int) map[string]bool {
	o := b.through(op)
	names := map[string]bool{}
	if len(o.Inputs) != 2 || o.Kind == graph.UnionKind { // else it has those of its inputs alone
		for _, name := range o.origins {
			names[name] = true
		}
	}
	switch {
	case o.source != nil:
		for _, c := range o.source.scan.Relation.Columns {
			names[c.Name] = true
		}
	case o.family != nil || o.Kind == graph.UnionKind:
	default:
		for i, in := range o.Inputs {
			for _, name := range slices.Sorted(maps.Keys(b.columnNames(in.Operator))) {
				for i == 1 && names[name] {
					name = b.ops[in.Operator].called + "." + name
				}
				names[name] = true
			}
		}
	}
	return names
}

// place makes s's columns the columns of an operator, through a projection.
func (b *builder) place(s stream) (stream, error) {
	s, err := b.resolve(s)
	if err != nil {
		return stream{}, err
	}
	o := b.newProject(s)
	i := b.add(o, exprsKey(o.Project.Exprs))
	return stream{op: i, exprs: b.identity(i).exprs, names: s.names, attrs: s.attrs}, nil
}

// newProject makes the projection of s, unshared.
func (b *builder) newProject(s stream) *operator {
	in := b.ops[s.op]
	o := &operator{
		Operator: graph.Operator{Kind: graph.ProjectKind, Inputs: []graph.Input{forward(s.op)}, Mode: in.Mode, Project: &graph.Project{}},
		base:     "project", pos: -1, called: in.called,
	}
	for i, x := range s.exprs {
		b.projectColumn(o, x, s.names[i], s.attrs[i])
	}
	o.UpsertKey = b.projectedKey(s)
	if in.spread.known {
		if cols := mapColumns(in.spread.cols, s.exprs); cols != nil {
			o.spread = spread{known: true, cols: cols}
		}
	}
	return o
}

func (b *builder) projectColumn(o *operator, x *scalar.Expr, name string, a attr) int {
	o.Project.Exprs = append(o.Project.Exprs, x)
	o.Fields = append(o.Fields, types.Field{Name: name, Type: x.Type})
	o.origins = append(o.origins, b.text(o.Inputs[0].Operator, x))
	o.attrs = append(o.attrs, a)
	return len(o.Fields) - 1
}

// projectedKey is s's upsert key. Of a window's bounds either will do where it
// determines the other.
func (b *builder) projectedKey(s stream) []int {
	key := b.upsertKey(s.op)
	out := mapColumns(key, s.exprs)
	f := b.through(s.op).family
	if out != nil || f == nil || f.window == nil || f.window.Spec.Kind == logical.Session {
		return out
	}
	if out = mapColumns(key[1:], s.exprs); out == nil && f.window.Spec.Kind != logical.Cumulate {
		out = mapColumns(append([]int{key[0]}, key[2:]...), s.exprs)
	}
	return out
}

// mapColumns says where the columns cols of the input are among exprs, nil when
// one is not there or there are none.
func mapColumns(cols []int, exprs []*scalar.Expr) []int {
	var out []int
	for _, c := range cols {
		at := -1
		for i, x := range exprs {
			if x.Op == scalar.OpColumn && x.Column == c {
				at = i
				break
			}
		}
		if at < 0 {
			return nil
		}
		out = append(out, at)
	}
	return out
}

func forward(op int) graph.Input {
	return graph.Input{Operator: op, Exchange: graph.Exchange{Kind: graph.Forward}}
}

func single(op int) graph.Input {
	return graph.Input{Operator: op, Exchange: graph.Exchange{Kind: graph.Single}}
}

// hashed is an edge by the hash of cols, or a forward one when op's rows lie so
// already.
func (b *builder) hashed(op int, cols []int) graph.Input {
	if sp := b.ops[op].spread; sp.known && equalInts(sp.cols, cols) {
		return forward(op)
	}
	return graph.Input{Operator: op, Exchange: graph.Exchange{Kind: graph.Hash, Keys: cols}}
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func column(i int, t types.Type, text string) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: t, Pos: -1, Text: text}
}

func sequence(from, n int) []int {
	var out []int
	for i := range n {
		out = append(out, from+i)
	}
	return out
}

// exprKey tells expressions apart: equal keys mean equal values. Volatile calls
// are equal to nothing.
func exprKey(x *scalar.Expr) string {
	var s strings.Builder
	writeKey(&s, x)
	return s.String()
}

func exprsKey(xs []*scalar.Expr) string {
	var s strings.Builder
	for _, x := range xs {
		if x != nil && scalar.VolatilityOf(x) == scalar.Volatile {
			return ""
		}
		writeKey(&s, x)
		s.WriteByte(';')
	}
	if s.Len() == 0 {
		return "()"
	}
	return s.String()
}

func writeKey(s *strings.Builder, x *scalar.Expr) {
	if x == nil {
		s.WriteByte('-')
		return
	}
	fmt.Fprintf(s, "%s:%s:%s:%d", x.Op, x.Type, x.Func, x.Column)
	if x.Value != nil {
		fmt.Fprintf(s, ":%+v", *x.Value)
	}
	s.WriteByte('(')
	for _, a := range x.Args {
		writeKey(s, a)
		s.WriteByte(',')
	}
	s.WriteByte(')')
}

func names(fields []logical.Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

func (s stream) check(fields []logical.Field) stream {
	invariant.Assert(len(s.exprs) == len(fields), "a plan node has %d fields but %d columns", len(fields), len(s.exprs))
	return s
}

func asText(kind, in string, rest ...string) string {
	s := kind + "(" + in
	for i, r := range rest {
		if r == "" {
			continue
		}
		if i == 0 {
			s += " " + r
		} else {
			s += ", " + r
		}
	}
	return s + ")"
}
