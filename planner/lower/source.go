package lower

import (
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// source is a relation that is read, once for all the scans of it. Its columns
// grow with what they ask for.
type source struct {
	scan      *logical.Scan
	columns   []int // the relation's column for each output column
	watermark bool  // somebody goes by the watermark
	proc      bool  // somebody goes by the clock
	upserts   bool  // rows have a key: those of an own table, or of a connector, where the last one counts
}

func (b *builder) scan(n *logical.Scan) (stream, error) {
	rel := n.Relation
	key := rel.ID + "|" + rel.Schema + "." + rel.Name + "|" + n.ID
	i, ok := b.sources[key]
	if !ok {
		o, err := b.newSource(n)
		if err != nil {
			return stream{}, err
		}
		i = b.add(o, "")
		if o.source.upserts && o.Mode == graph.AppendOnly {
			i = b.upsert(i)
		}
		b.sources[key] = i
	}
	o := b.through(i)
	s := stream{op: i}
	for k, c := range n.Columns {
		at := o.sourceColumn(c)
		s.exprs = append(s.exprs, column(at, o.Fields[at].Type, o.origins[at]))
		s.names = append(s.names, n.Out[k].Name)
		s.attrs = append(s.attrs, o.attrs[at])
	}
	return s.check(n.Out), nil
}

func (b *builder) newSource(n *logical.Scan) (*operator, error) {
	rel := n.Relation
	o := &operator{
		Operator: graph.Operator{Kind: graph.SourceKind, Mode: graph.AppendOnly},
		source:   &source{scan: n}, called: relationName(rel), pos: n.Pos,
	}
	o.base, o.pinned = "source("+o.called+")", n.ID != ""
	if o.pinned {
		o.base = n.ID
	}
	connector := rel.Options["connector"]
	switch {
	case (rel.Kind == catalog.Table || rel.Kind == catalog.Source) && connector != "":
		o.source.upserts = len(rel.PrimaryKey) > 0
	case b.bounded || rel.AppendOnly:
	case rel.Kind == catalog.System:
		return nil, pgerr.NotSupported(n.Pos, "a continuous query over "+o.called).
			Hint("System relations can be read by a SELECT.")
	default: // own tables and views change
		o.Mode = graph.Retract
		o.source.upserts = len(rel.PrimaryKey) > 0
	}
	return o, nil
}

// relationName is how people and ids call a relation.
func relationName(rel *catalog.Relation) string {
	if rel.Schema == "" || rel.Schema == "public" {
		return rel.Name
	}
	return rel.Schema + "." + rel.Name
}

// sourceColumn returns the output column that is column c of the relation, and
// adds it when it is not there yet.
func (o *operator) sourceColumn(c int) int {
	src := o.source
	for i, have := range src.columns {
		if have == c {
			return i
		}
	}
	col := src.scan.Relation.Columns[c]
	a := attr{}
	if src.scan.Watermark != nil && src.scan.WatermarkColumn == c {
		a.time = true
	} else if g := src.generated(c); g != nil && isProcTime(g) {
		a.time, a.proc = true, true
	}
	src.columns = append(src.columns, c)
	o.Fields = append(o.Fields, types.Field{Name: col.Name, Type: col.Type})
	o.origins = append(o.origins, col.Name)
	o.attrs = append(o.attrs, a)
	return len(src.columns) - 1
}

// generated is the expression of column c over physical columns, nil when it is
// one itself.
func (s *source) generated(c int) *scalar.Expr {
	if c >= len(s.scan.Generated) || s.scan.Generated[c] == nil {
		return nil
	}
	return scalar.Map(s.scan.Generated[c], func(x *scalar.Expr) *scalar.Expr {
		if x.Op == scalar.OpColumn && x.Column != c {
			if g := s.generated(x.Column); g != nil {
				return g
			}
		}
		return x
	})
}

func isProcTime(x *scalar.Expr) bool {
	found := false
	scalar.Walk(x, func(e *scalar.Expr) {
		found = found || e.Op == scalar.OpCall && strings.HasPrefix(e.Func, "proctime(")
	})
	return found
}

func (s *source) upsertKey() []int {
	if !s.upserts {
		return nil
	}
	var out []int
	for _, k := range s.scan.Relation.PrimaryKey {
		at := -1
		for i, c := range s.columns {
			if c == k {
				at = i
			}
		}
		if at < 0 {
			return nil
		}
		out = append(out, at)
	}
	return out
}

// useTime makes the sources above op keep the watermark that a window goes by.
func (b *builder) useTime(op int, a attr) error {
	o := b.ops[op]
	if o.source == nil {
		for i, in := range o.Inputs {
			if o.timeless(i) {
				continue
			}
			if err := b.useTime(in.Operator, a); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case a.proc:
		o.source.proc = true
	case o.source.scan.Watermark != nil:
		o.source.watermark = true
	}
	if o.source.proc && o.source.watermark {
		return pgerr.NotSupported(o.source.scan.Pos, "windows by event time and by processing time over one source").
			Hint("Give one of the two its own scan of %s with /*+ ID('…') */.", o.called)
	}
	return nil
}

// hasWatermark reports whether all that an operator reads comes with watermarks of
// event time.
func (b *builder) hasWatermark(op int) bool {
	o := b.ops[op]
	if o.source != nil {
		return o.source.scan.Watermark != nil && !o.source.proc
	}
	for i, in := range o.Inputs {
		if (o.Join != nil || o.AsofJoin != nil) && o.timeless(i) {
			continue
		}
		if !b.hasWatermark(in.Operator) {
			return false
		}
	}
	return len(o.Inputs) > 0
}

// finishSource writes the source's final columns.
func (b *builder) finishSource(o *operator) {
	src, rel := o.source, o.source.scan.Relation
	var wm *scalar.Expr
	if src.watermark {
		o.sourceColumn(src.scan.WatermarkColumn)
		for _, c := range scalar.Columns(src.scan.Watermark) {
			o.sourceColumn(c)
		}
		wm = scalar.Remap(src.scan.Watermark, func(c int) int { return o.sourceColumn(c) })
	}
	g := &graph.Source{RelationID: rel.ID, Relation: qualified(rel), Connector: connectorOf(rel), Options: b.options(rel),
		Watermark: wm, PrimaryKey: rel.PrimaryKey, ProcTime: src.proc}
	physical := map[int]int{}
	reader := func(c int) int {
		if i, ok := physical[c]; ok {
			return i
		}
		col := rel.Columns[c]
		physical[c] = len(g.Physical)
		g.Physical = append(g.Physical, graph.PhysicalColumn{Column: c, Name: col.Name, Type: col.Type, NotNull: col.NotNull, Metadata: col.Metadata})
		return physical[c]
	}
	computed := false
	for _, c := range src.columns {
		x := src.generated(c)
		if x == nil {
			x = column(c, rel.Columns[c].Type, rel.Columns[c].Name)
		} else {
			computed = true
		}
		g.Exprs = append(g.Exprs, scalar.Remap(x, reader))
	}
	if !computed {
		g.Exprs = nil
	}
	o.Source = g
	if o.Mode != graph.AppendOnly { // else an upsert operator above has the key
		o.UpsertKey = src.upsertKey()
	}
	o.TimeColumn = -1
	for i, c := range src.columns {
		if src.watermark && c == src.scan.WatermarkColumn || src.proc && o.attrs[i].proc {
			o.TimeColumn = i
		}
	}
}

func qualified(rel *catalog.Relation) string {
	if rel.Schema == "" {
		return rel.Name
	}
	return rel.Schema + "." + rel.Name
}

func connectorOf(rel *catalog.Relation) string {
	switch rel.Kind {
	case catalog.MaterializedView:
		return "view"
	case catalog.System:
		return "system"
	}
	return rel.Options["connector"]
}

// options are the relation's options without secrets, which stay in the catalog.
func (b *builder) options(rel *catalog.Relation) map[string]string {
	out := map[string]string{}
	for k, v := range rel.Options {
		if !isSecret(k) && (b.opts.Secret == nil || !b.opts.Secret(rel.Options["connector"], k)) {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func isSecret(option string) bool {
	for _, w := range []string{"secret", "password", "access_key", "token", "credential"} {
		if strings.Contains(option, w) {
			return true
		}
	}
	return false
}
