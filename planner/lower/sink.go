package lower

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// sink lowers one INSERT of a job.
func (b *builder) sink(n *logical.Sink) error {
	s, err := b.node(n.Input)
	if err != nil {
		return err
	}
	if s, err = b.held(s); err != nil {
		return err
	}
	if s, err = b.place(s); err != nil {
		return err
	}
	if err := b.checkClose(s.op, n.EmitPos); err != nil {
		return err
	}
	rel, in := n.Relation, b.ops[s.op]
	spec := &graph.Sink{RelationID: rel.ID, Relation: qualified(rel), Connector: connectorOf(rel), Options: b.options(rel),
		Schema: []types.Field{}, Columns: n.Columns, PrimaryKey: rel.PrimaryKey}
	if rel.AppendOnly && in.Mode != graph.AppendOnly {
		return pgerr.New(pgerr.WrongObjectType, "the query changes and removes rows that it gave before, and %q is APPEND ONLY", rel.Name).
			Hint("Write to a table without APPEND ONLY, or group by a window, whose result is final.")
	}
	for i, c := range rel.Columns {
		spec.Schema = append(spec.Schema, types.Field{Name: c.Name, Type: c.Type})
		if c.NotNull {
			spec.NotNull = append(spec.NotNull, i)
		}
	}
	edge := forward(s.op)
	var key []int
	for _, k := range rel.PrimaryKey {
		at := slices.Index(n.Columns, k)
		if at < 0 {
			return pgerr.New(pgerr.NotNullViolation, "column %q of %q is part of its primary key and gets no value", rel.Columns[k].Name, rel.Name)
		}
		key = append(key, at)
	}
	switch {
	case len(key) > 0 && b.wanders(s.op, key):
		edge = forward(b.consolidated(s.op, key))
	case len(key) > 0:
		edge = b.hashed(s.op, key)
	case in.Mode != graph.AppendOnly && in.UpsertKey != nil:
		edge = b.hashed(s.op, in.UpsertKey)
	case in.Mode != graph.AppendOnly:
		// A row's insert and delete must meet.
		edge = b.hashed(s.op, sequence(0, len(in.Fields)))
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.SinkKind, Inputs: []graph.Input{edge}, Mode: in.Mode, Fields: in.Fields, UpsertKey: key, Sink: spec},
		base:     "sink(" + relationName(rel) + ")", pos: -1, called: in.called, origins: in.origins, attrs: in.attrs,
	}
	b.add(o, "")
	return nil
}

// checkClose refuses EMIT ON WINDOW CLOSE where no window closes below op, and where rows
// may change after theirs has.
func (b *builder) checkClose(op, pos int) error {
	if !b.emitOnClose {
		return nil
	}
	if b.waits(op) {
		return b.checkFinal(op, pos)
	}
	err := pgerr.New(pgerr.InvalidObjectDefinition, "EMIT ON WINDOW CLOSE needs a query whose rows are of windows that close").At(pos)
	if b.lost != "" {
		return err.WithDetail("Windows end at a join: %s.", b.lost).Hint("%s", b.regain)
	}
	return err.Hint("Read from TUMBLE, HOP, CUMULATE or SESSION over a relation with a watermark, and keep window_end, or group by it. Groups of date_trunc and date_bin are no windows: GROUP BY TUMBLE(time, size) is one.")
}

// materialize lowers the root of a materialized view.
func (b *builder) materialize(n *logical.Materialize) error {
	s, err := b.node(n.Input)
	if err != nil {
		return err
	}
	if s, err = b.held(s); err != nil {
		return err
	}
	if s, err = b.place(s); err != nil {
		return err
	}
	if err := b.checkClose(s.op, n.EmitPos); err != nil {
		return err
	}
	rel, in := n.Relation, b.ops[s.op]
	key := slices.Clone(in.UpsertKey)
	edge := b.hashed(s.op, key)
	t := graph.Table{Columns: []graph.Column{}}
	for i, f := range in.Fields {
		name := f.Name
		if i < len(rel.Columns) {
			name = rel.Columns[i].Name
		}
		if key != nil && !slices.Contains(key, i) {
			t.Columns = append(t.Columns, graph.Column{Name: unusedColumn(t.Columns, name), Type: f.Type})
		}
	}
	for _, i := range key {
		t.Keys = append(t.Keys, graph.Column{Name: unusedColumn(t.Keys, in.Fields[i].Name), Type: in.Fields[i].Type})
	}
	if key == nil {
		edge = b.hashed(s.op, sequence(0, len(in.Fields)))
		for _, f := range in.Fields {
			t.Keys = append(t.Keys, graph.Column{Name: unusedColumn(t.Keys, f.Name), Type: f.Type})
		}
		t.Columns, t.Exact = []graph.Column{{Name: "count(*)", Type: types.Of(types.Int64)}}, true
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.MaterializeKind, Inputs: []graph.Input{edge}, Mode: in.Mode, Fields: in.Fields, UpsertKey: key,
			Tables: []graph.Table{t}, Materialize: &graph.Materialize{RelationID: rel.ID, Relation: qualified(rel), Key: key}},
		base: "materialize(" + relationName(rel) + ")", pos: -1, called: in.called, origins: in.origins, attrs: in.attrs,
	}
	b.add(o, "")
	return nil
}

// collect lowers the root of a bounded query.
func (b *builder) collect(root logical.Node) error {
	s, err := b.node(root)
	if err != nil {
		return err
	}
	if s, err = b.held(s); err != nil {
		return err
	}
	if s, err = b.place(s); err != nil {
		return err
	}
	if !b.apart { // else it has been tried, and the result follows its rows
		if err := b.checkClose(s.op, -1); err != nil {
			return err
		}
	}
	in := b.ops[s.op]
	o := &operator{
		Operator: graph.Operator{Kind: graph.CollectKind, Inputs: []graph.Input{single(s.op)}, Mode: in.Mode, Fields: in.Fields},
		base:     "collect", pos: -1, called: in.called, origins: in.origins, attrs: in.attrs,
	}
	b.add(o, "")
	return nil
}
