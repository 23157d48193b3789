package lower

import (
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// setOp lowers INTERSECT and EXCEPT. Over changing inputs a table counts the
// copies of each row on both sides.
func (b *builder) setOp(n *logical.SetOp) (stream, error) {
	o := &operator{Operator: graph.Operator{Kind: graph.SetOpKind, SetOp: &graph.SetOp{Kind: n.Kind, All: n.All}}, base: string(n.Kind)}
	l, r, err := b.binary(n.Left, n.Right, o)
	if err != nil {
		return stream{}, err
	}
	if b.bounded {
		return b.finished(o, n.Out), nil
	}
	if n.All {
		o.base += "_all"
	}
	o.base += "(" + o.called + ")"
	all := sequence(0, len(n.Out))
	o.Inputs = []graph.Input{b.hashed(l.op, all), b.hashed(r.op, all)}
	for i := range o.Inputs {
		o.Inputs[i].StateTTL = n.TTL
	}
	if n.Kind == logical.Except || b.modeOf(l.op) != graph.AppendOnly || b.modeOf(r.op) != graph.AppendOnly {
		o.Mode = graph.Retract
	}
	o.columns(n.Out)
	if err := b.expireSetOp(o, l.op, r.op); err != nil {
		return stream{}, err
	}
	left, right := b.ops[l.op], b.ops[r.op]
	t := graph.Table{}
	for i, f := range n.Out {
		if a := sameWindow(left.attrs[i], right.attrs[i]); b.emitOnClose && a != (attr{}) {
			o.attrs[i] = a
		}
		o.origins[i] = left.origins[i]
		name := left.origins[i]
		if of := right.origins[i]; of != name { // an edit of either side shows
			name += " and " + of
		}
		t.Keys = append(t.Keys, graph.Column{Name: unusedColumn(t.Keys, name), Type: f.Type})
	}
	for _, c := range []string{"left", "right"} {
		t.Columns = append(t.Columns, graph.Column{Name: c, Type: types.Of(types.Int64)})
	}
	o.Tables = []graph.Table{t}
	if !n.All {
		o.UpsertKey = all
	}
	o.spread = spread{known: len(all) > 0, cols: all}
	if o.SetOp.Expiry == nil && (b.modeOf(l.op) == graph.AppendOnly || b.modeOf(r.op) == graph.AppendOnly) {
		o.Unbounded = "it keeps every different row of " + strings.TrimSpace(o.called) + ": no state_ttl"
	}
	return b.identity(b.add(o, string(n.Kind)+o.base)), nil
}
