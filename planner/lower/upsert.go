package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// upsert makes changes of the rows of a source of which each takes the place of
// the one before it with its primary key. The key comes first in the source's
// columns, of which more may come, as of the source's.
func (b *builder) upsert(source int) int {
	in := b.ops[source]
	var key []int
	for _, c := range in.source.scan.Relation.PrimaryKey {
		key = append(key, in.sourceColumn(c))
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.UpsertKind, Inputs: []graph.Input{b.hashed(source, key)}, Mode: graph.Retract,
			Upsert: &graph.KeyedRows{Key: key, AtEnd: b.bounded}},
		called: in.called, pos: in.pos, spread: spread{known: true, cols: key}, pinned: in.pinned,
	}
	if b.bounded {
		o.Mode = graph.AppendOnly
	}
	var by []string
	for _, k := range key {
		by = append(by, in.origins[k])
	}
	o.base = asText("upsert", in.called, "by "+strings.Join(by, ", "))
	if in.pinned {
		o.base = in.base + ".upsert"
	}
	if !b.bounded {
		o.Unbounded = "the last row of each key for ever: no state_ttl"
	}
	return b.add(o, "")
}

// finishUpsert writes the final columns, which are the source's.
func (b *builder) finishUpsert(o *operator) {
	in := b.ops[o.Inputs[0].Operator]
	o.Fields, o.TimeColumn, o.attrs, o.origins = in.Fields, in.TimeColumn, in.attrs, in.origins
	o.UpsertKey = slices.Clone(o.Upsert.Key)
	columns := make([]graph.Column, len(in.Fields))
	for i, f := range in.Fields {
		columns[i] = graph.Column{Name: in.origins[i], Type: f.Type}
	}
	o.Tables = o.Upsert.Tables(columns)
}
