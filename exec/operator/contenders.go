package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// contenders drops the rows that another one of their window has beaten. Whoever finds
// the extremum of the same rows, behind an exchange or not, must have counted that other
// one, so rows that are late for their window beat nobody. (After an input was idle, this
// task's watermark may be behind the others'. A row that is late for them may then beat
// one, but only one of its window, which comes after it and is as late.) Rows behind the
// watermark get through: it is for the operator after this one to count them. Before the
// first watermark nothing is known to be in time after a restart, and all rows get
// through. It keeps the best value of each open window, which is in no table: a restart
// forgets it, and some more rows get through. Changelog modes: inserts in and out.
type contenders struct {
	spec   *graph.Contenders
	better int // what the comparison of a better value with a worse one gives
	mark   exec.Watermark
	open   map[int64]*contest // by the window's start
	last   *contest           // that a row was found to be of
	// earliest is when the first of the open windows ends.
	earliest int64

	value *batch.Column // of the batch, as time
	time  *batch.Column
	of    []*contest // by row: nil for rows that are of none
	sel   []uint16
	out   batch.Batch
}

// contest is the best value of a window.
type contest struct {
	start int64
	best  batch.Column // one row, none before there is a value
}

func newContenders(op *graph.Operator, env *Env) (exec.Operator, error) {
	if err := checkWindow(op.Contenders.Spec); err != nil {
		return nil, err
	}
	c := &contenders{spec: op.Contenders, better: -1, mark: exec.WatermarkMin, open: map[int64]*contest{}, earliest: exec.WatermarkMax, sel: []uint16{}}
	if c.spec.Greatest {
		c.better = 1
	}
	return c, nil
}

// OnBatch implements exec.Operator.
func (c *contenders) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if c.mark == exec.WatermarkMin {
		return out.Emit(in)
	}
	c.value, c.time, c.sel = in.Cols[c.spec.Value], in.Cols[c.spec.Time], c.sel[:0]
	if !c.selectAll(in) {
		c.judge(in)
	}
	if len(c.sel) == 0 {
		return nil
	}
	c.out = batch.Batch{N: in.N, Sel: c.sel, Ops: in.Ops, Cols: in.Cols, Derived: in.Derived}
	return out.Emit(&c.out)
}

// selectAll selects the contenders of a batch of integers within one open window, which
// nearly all are. It reports false when it found a row that needs more care.
// hot: a batch without a contender is read and nothing else.
func (c *contenders) selectAll(in *batch.Batch) bool {
	if in.Sel != nil || in.N == 0 || c.value.Phys != types.PhysInt || c.value.HasNulls || c.time.HasNulls {
		return false
	}
	times := c.time.Int[:in.N]
	lo, hi := times[0], times[0]
	for _, t := range times {
		lo, hi = min(lo, t), max(hi, t)
	}
	x, sure := c.contestOf(lo)
	if x == nil || !sure {
		return false
	}
	if y, _ := c.contestOf(hi); y != x {
		return false
	}
	values := c.value.Int[:in.N]
	best := values[0]
	if c.spec.Greatest {
		for _, v := range values {
			best = max(best, v)
		}
	} else {
		for _, v := range values {
			best = min(best, v)
		}
	}
	if x.best.Len() == 0 {
		x.best.Int = append(x.best.Int, best)
	} else if old := &x.best.Int[0]; best == *old || best > *old == c.spec.Greatest {
		*old = best
	} else {
		return true
	}
	for i, v := range values {
		if v == best {
			c.sel = append(c.sel, uint16(i))
		}
	}
	return true
}

// contestOf is the contest of a row with time t, nil if it is of none: its time is no
// time, or behind the watermark. It is sure that the row can match no other window's
// value.
func (c *contenders) contestOf(t int64) (x *contest, sure bool) {
	size := c.spec.Spec.Size
	if t > timeLimit || t < -timeLimit || c.spec.Bound == "" && t < c.mark {
		return nil, false
	}
	at := t
	if c.spec.Bound == graph.WindowEnd {
		at -= size
	}
	if x = c.last; x == nil || at < x.start || at >= x.start+size {
		start := floorTo(at, size, c.spec.Spec.Offset)
		if start+size <= c.mark {
			return nil, false
		}
		if x = c.open[start]; x == nil {
			x = &contest{start: start, best: batch.Column{Phys: c.value.Phys}}
			c.open[start], c.earliest = x, min(c.earliest, start+size)
		}
		c.last = x
	}
	return x, c.spec.Bound != "" || at > x.start
}

// judge selects the contenders of any batch: all rows count before any is dropped.
func (c *contenders) judge(in *batch.Batch) {
	c.of = roomFor(c.of, in.N)
	for k := range in.Live() {
		i := in.RowAt(k)
		c.of[i] = nil
		if c.value.IsNull(i) || c.time.IsNull(i) {
			continue
		}
		x, sure := c.contestOf(c.time.Int[i])
		if x == nil {
			continue
		}
		if x.best.Len() == 0 || compareValues(c.value, i, &x.best, 0) == c.better {
			x.best.Reset()
			x.best.AppendRow(c.value, i)
		}
		if sure {
			c.of[i] = x
		}
	}
	for k := range in.Live() {
		i := in.RowAt(k)
		if x := c.of[i]; x == nil || compareValues(c.value, i, &x.best, 0) == 0 {
			c.sel = append(c.sel, uint16(i))
		}
	}
}

// OnWatermark implements exec.Operator: closed windows are forgotten.
func (c *contenders) OnWatermark(w exec.Watermark, _ exec.Output) error {
	c.mark = w
	if c.earliest > w {
		return nil
	}
	c.last, c.earliest = nil, exec.WatermarkMax
	for start, x := range c.open {
		if end := start + c.spec.Spec.Size; end <= w {
			delete(c.open, start)
		} else {
			c.earliest = min(c.earliest, x.start+c.spec.Spec.Size)
		}
	}
	return nil
}

// OnEnd implements exec.Operator.
func (c *contenders) OnEnd(exec.Output) error { return nil }
