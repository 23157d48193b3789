package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// consolidate puts the changes of each key in order. When a row moves from one task
// to another upstream, its new version may come before the old one goes; a barrier
// has both behind it. So changes are added up until the next barrier, and then what
// is left is emitted, what goes of a key before what comes. It keeps nothing over a
// barrier. Changelog modes: any but upsert in, changes out.
type consolidate struct {
	keys   int
	order  []int // input columns as the table has them: the key, then the others
	table  *state.Table
	chains *state.Chains
	limit  int

	hashes []uint64
	cols   []*batch.Column
	ids    []state.RowID
	rows   []unsafe.Pointer
	fresh  []uint16

	emitted []unsafe.Pointer
	ops     []batch.Op
	out     batch.Batch
}

func newConsolidate(op *graph.Operator, env *Env) (exec.Operator, error) {
	c := &consolidate{keys: len(op.Consolidate.Key), order: append([]int(nil), op.Consolidate.Key...), limit: env.BatchRows}
	isKey := make([]bool, len(op.Fields))
	for _, k := range op.Consolidate.Key {
		isKey[k] = true
	}
	for i := range op.Fields {
		if !isKey[i] {
			c.order = append(c.order, i)
		}
		c.out.Cols = append(c.out.Cols, &batch.Column{Phys: op.Fields[i].Type.Phys()})
	}
	schema := graph.Table{Local: len(c.order) - c.keys, Exact: true, Columns: []graph.Column{{Name: "count(*)", Type: types.Of(types.Int64)}}}
	for _, i := range c.order {
		schema.Keys = append(schema.Keys, graph.Column{Name: op.Fields[i].Name, Type: op.Fields[i].Type})
	}
	var err error
	if c.table, err = state.NewTable(schema, state.Options{}); err != nil {
		return nil, err
	}
	c.chains = c.table.Chain(c.keys, true)
	return c, nil
}

// OnBatch implements exec.Operator.
func (c *consolidate) OnBatch(_ int, in *batch.Batch, _ exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	sel := in.Sel
	if sel == nil {
		sel = state.Identity(in.N)
	}
	c.cols = c.cols[:0]
	for _, i := range c.order {
		c.cols = append(c.cols, in.Cols[i])
	}
	c.ids, c.rows, c.hashes = roomFor(c.ids, in.N), roomFor(c.rows, in.N), roomFor(c.hashes, in.N)
	c.fresh = c.table.FindOrInsert(c.cols, in.N, sel, c.ids, c.rows, c.fresh[:0])
	state.HashKeys(c.cols[:c.keys], c.table.Loose(), in.N, sel, c.hashes)
	c.chains.Reserve(len(c.fresh))
	for _, i := range c.fresh {
		c.chains.Link(c.ids[i], c.hashes[i])
	}
	for _, i := range sel {
		if in.Op(int(i)).Retracts() {
			*c.net(c.rows[i])--
		} else {
			*c.net(c.rows[i])++
		}
	}
	return nil
}

// net is how many copies of a row came since the last barrier, less those that
// went.
func (c *consolidate) net(row unsafe.Pointer) *int64 {
	return (*int64)(unsafe.Add(row, c.table.Column(0)))
}

// OnBarrier implements exec.Stateful.
func (c *consolidate) OnBarrier(_ exec.Barrier, out exec.Output) error { return c.flush(out) }

// OnWatermark implements exec.Operator.
func (c *consolidate) OnWatermark(exec.Watermark, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (c *consolidate) OnEnd(out exec.Output) error { return c.flush(out) }

// flush emits what is left of the changes, key by key.
func (c *consolidate) flush(out exec.Output) error {
	if c.table.Len() == 0 {
		return nil
	}
	err := c.table.Each(func(id state.RowID, row unsafe.Pointer) error {
		if *c.net(row) == 0 {
			return nil
		}
		return c.key(id, out)
	})
	if err == nil {
		err = c.send(out)
	}
	c.table.Reset()
	return err
}

// key emits the changes of one key, of which id is the oldest row that changed.
func (c *consolidate) key(id state.RowID, out exec.Output) error {
	var goes, comes []unsafe.Pointer
	for id := c.chains.Head(id); id != state.NoRow; id = c.chains.Next(id) {
		row := c.table.Write(id)
		n := c.net(row)
		for ; *n < 0; *n++ {
			goes = append(goes, row)
		}
		for ; *n > 0; *n-- {
			comes = append(comes, row)
		}
	}
	for len(goes) > 0 || len(comes) > 0 {
		switch {
		case len(comes) == 0:
			c.add(goes[0], batch.Delete)
			goes = goes[1:]
		case len(goes) == 0:
			c.add(comes[0], batch.Insert)
			comes = comes[1:]
		default:
			c.add(goes[0], batch.UpdateBefore)
			c.add(comes[0], batch.UpdateAfter)
			goes, comes = goes[1:], comes[1:]
		}
		if len(c.ops) >= c.limit {
			if err := c.send(out); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *consolidate) add(row unsafe.Pointer, op batch.Op) {
	c.emitted, c.ops = append(c.emitted, row), append(c.ops, op)
}

func (c *consolidate) send(out exec.Output) error {
	if len(c.ops) == 0 {
		return nil
	}
	for k, i := range c.order {
		c.table.ReadColumn(k, c.emitted, c.out.Cols[i])
	}
	c.out.N, c.out.Ops = len(c.ops), c.ops
	err := out.Emit(&c.out)
	c.emitted, c.ops = c.emitted[:0], c.ops[:0]
	return err
}
