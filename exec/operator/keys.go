package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// keys lets all rows through and tells a source which keys they have, once, at the end
// or when there are too many. It has no state table, since its input is finished data.
// Changelog modes: any in, the same out.
type keys struct {
	spec   *graph.Keys
	tell   func(source string, values [][]types.Value, all bool)
	layout []types.Phys // of the columns
	seen   map[string]struct{}
	values [][]types.Value
	told   bool
	key    []byte
}

func newKeys(op *graph.Operator, env *Env) exec.Operator {
	k := &keys{spec: op.Keys, tell: env.Keys, seen: map[string]struct{}{}}
	for _, c := range op.Keys.Columns {
		k.layout = append(k.layout, env.Inputs[0][c].Type.Phys())
	}
	return k
}

// OnBatch implements exec.Operator.
func (k *keys) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if !k.told {
		k.remember(in)
	}
	return out.Emit(in)
}

// remember adds the keys of a batch.
// hot: a key that has come before allocates nothing.
func (k *keys) remember(in *batch.Batch) {
	for n := range in.Live() {
		i := in.RowAt(n)
		if !k.encode(in, i) {
			continue
		}
		if _, there := k.seen[string(k.key)]; there {
			continue
		}
		if len(k.values) == k.spec.Max {
			k.settle(true)
			return
		}
		k.seen[string(k.key)] = struct{}{}
		row := make([]types.Value, len(k.layout))
		for j, c := range k.spec.Columns {
			row[j] = in.Cols[c].Value(i)
		}
		k.values = append(k.values, row)
	}
}

// encode makes the key of a row; false if it has a null, which is equal to nothing.
func (k *keys) encode(in *batch.Batch, i int) bool {
	k.key = k.key[:0]
	for j, n := range k.spec.Columns {
		c := in.Cols[n]
		if c.IsNull(i) {
			return false
		}
		k.key = appendKey(k.key, types.Ordered{}, k.layout[j], c, i)
	}
	return true
}

// appendKey adds the key of row i's value, which is not null.
// hot: integers and strings allocate nothing.
func appendKey(key []byte, o types.Ordered, phys types.Phys, c *batch.Column, i int) []byte {
	switch phys {
	case types.PhysInt:
		return o.AppendInt(key, c.Int[i])
	case types.PhysBytes:
		return o.AppendBytes(key, c.BytesAt(i))
	default:
		v := c.Value(i)
		return o.AppendValue(key, phys, &v)
	}
}

func (k *keys) settle(all bool) {
	k.told = true
	if all {
		k.values = nil
	}
	k.tell(k.spec.Source, k.values, all)
	k.seen, k.values = nil, nil
}

// OnWatermark implements exec.Operator.
func (k *keys) OnWatermark(exec.Watermark, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (k *keys) OnEnd(exec.Output) error {
	if !k.told {
		k.settle(false)
	}
	return nil
}
