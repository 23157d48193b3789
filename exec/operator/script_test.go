package operator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// A script is an operator, its input, and what comes out of it:
//
//	run
//	input k text, v bigint
//	aggregate by k: count(*), sum(v)
//	+ a 1
//	watermark 10
//	barrier
//	end
//	----
//
// Rows begin with their op: + insert, - delete, < update_before, >
// update_after; of a join, l or r goes before it for the side. Rows in a row are one
// batch. After "ttl 10", state that was not written for 10 microseconds expires, and
// "barrier 12" begins an epoch at time 12; the first begins at 1. The expected output is that of a
// straight run; then the script runs at several batch sizes, with a restart at
// each barrier and on several tasks, and what all output adds up to must not
// differ.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			if td.Cmd != "run" {
				t.Fatalf("%s: unknown command %s", td.Pos, td.Cmd)
			}
			s, err := parseScript(td.Input)
			if err != nil {
				t.Fatalf("%s: %v", td.Pos, err)
			}
			straight := s.run(t, mode{batch: 1024, tasks: []int{1}, coalesce: 1})
			if !strings.HasPrefix(straight.text, "error") {
				s.compare(t, td.Pos, straight)
			}
			return straight.text
		})
	})
}

// compare runs the script in every other way.
func (s *script) compare(t *testing.T, pos string, want result) {
	for _, rows := range []int{1, 3, 1024} {
		for _, m := range []mode{{batch: rows, tasks: []int{1}}, {batch: rows, tasks: []int{1}, restart: true, coalesce: 1}, {batch: rows, tasks: []int{2, 1, 3}, restart: true}} {
			if s.op.Kind == graph.SortKind && len(m.tasks) > 1 {
				continue
			}
			got := s.run(t, m)
			if !maps.Equal(got.total, want.total) {
				t.Errorf("%s: %+v: the output adds up to\n%v\nwant\n%v", pos, m, show(got.total), show(want.total))
			}
			if got.unmatched != want.unmatched {
				t.Errorf("%s: %+v: %d rows met no state, want %d", pos, m, got.unmatched, want.unmatched)
			}
			if got.late != want.late || got.bad != want.bad {
				t.Errorf("%s: %+v: %d late and %d bad rows, want %d and %d", pos, m, got.late, got.bad, want.late, want.bad)
			}
		}
	}
}

func show(total map[string]int) string {
	var lines []string
	for row, n := range total {
		lines = append(lines, fmt.Sprintf("%d × %s", n, row))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// mode is a way to run a script.
type mode struct {
	batch   int
	tasks   []int // one after the other, at each barrier
	restart bool
	// coalesce is Env.CoalesceRows; a straight run has 1.
	coalesce int
}

type result struct {
	text      string
	total     map[string]int // rows that are there in the end
	late, bad int64
	unmatched int64
	state     int // rows of all tables
	emitted   int
}

type script struct {
	fields  []types.Field // of the input; of the left one
	right   []types.Field // of the other one
	op      *graph.Operator
	bounded bool
	ttl     int64
	steps   []step
	refused exec.BadRow
}

type step struct {
	port      int
	rows      [][]types.Value
	ops       []batch.Op
	kind      string // rows, watermark, barrier, end
	watermark int64
	time      int64 // of a barrier
}

// tasks is a run of a script's operator, in one or more tasks.
type tasks struct {
	t         *testing.T
	s         *script
	mode      mode
	slabs     *state.Slabs
	ops       []exec.Operator
	tables    []map[string]*state.Table
	counters  exec.Counters
	watermark int64
	now       int64
	text      strings.Builder
	total     map[string]int
	emitted   int
}

func (s *script) run(t *testing.T, m mode) (r result) {
	x := &tasks{t: t, s: s, mode: m, slabs: state.NewSlabs(state.SlabOptions{Heap: true}), total: map[string]int{}, watermark: exec.WatermarkMin, now: 1}
	defer x.slabs.Close()
	if err := x.build(0, nil); err != nil {
		return result{text: "error: " + pgerr.From(err).Message + "\n"}
	}
	barriers := 0
	for _, st := range s.steps {
		before := x.emitted
		if err := x.step(st, &barriers); err != nil {
			return result{text: x.text.String() + "error: " + pgerr.From(err).Message + "\n"}
		}
		if st.kind != "rows" && x.emitted == before {
			continue
		}
		if st.kind == "watermark" && st.watermark != exec.WatermarkMax {
			fmt.Fprintf(&x.text, "-- watermark %d\n", st.watermark)
		} else {
			fmt.Fprintf(&x.text, "-- %s\n", st.kind)
		}
	}
	if x.counters.Late+x.counters.BadRows > 0 {
		fmt.Fprintf(&x.text, "late %d, without time %d\n", x.counters.Late, x.counters.BadRows)
	}
	if x.counters.Unmatched > 0 {
		fmt.Fprintf(&x.text, "%d rows met no state\n", x.counters.Unmatched)
	}
	if s.op.Kind == graph.MaterializeKind {
		x.dump()
	}
	maps.DeleteFunc(x.total, func(_ string, n int) bool { return n == 0 })
	r = result{text: x.text.String(), total: x.total, late: x.counters.Late, bad: x.counters.BadRows, unmatched: x.counters.Unmatched, emitted: x.emitted}
	for _, tables := range x.tables {
		for _, table := range tables {
			r.state += table.Len()
		}
	}
	return r
}

func (x *tasks) step(st step, barriers *int) error {
	switch st.kind {
	case "rows":
		ops := x.parted(st)
		for from := 0; from < len(st.rows); from += x.mode.batch {
			to := min(from+x.mode.batch, len(st.rows))
			if err := x.feed(st.port, st.rows[from:to], ops[from:to]); err != nil {
				return err
			}
		}
	case "watermark":
		x.watermark = st.watermark
		for _, op := range x.ops {
			if err := op.OnWatermark(st.watermark, x); err != nil {
				return err
			}
		}
	case "barrier":
		x.now = max(x.now, st.time)
		for _, op := range x.ops {
			if b, ok := op.(exec.Stateful); ok {
				if err := b.OnBarrier(exec.Barrier{Epoch: uint64(*barriers + 1), Time: st.time}, x); err != nil {
					return err
				}
			}
		}
		*barriers++
		return x.cut(*barriers)
	case "end":
		for _, op := range x.ops {
			if err := op.OnWatermark(exec.WatermarkMax, x); err != nil {
				return err
			}
			if err := op.OnEnd(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// parted is the step's ops; an update whose halves go to different tasks is a delete
// and an insert, as exchanges make it.
func (x *tasks) parted(st step) []batch.Op {
	if len(x.ops) == 1 || len(x.s.keys()) == 0 {
		return st.ops
	}
	var cols []types.Type
	for _, f := range x.s.inputs()[st.port] {
		cols = append(cols, f.Type)
	}
	all, ops := batch.FromValues(cols, st.rows), slices.Clone(st.ops)
	hashes := make([]uint64, all.N)
	state.HashColumns(all, x.s.keys(), nil, hashes)
	task := func(i int) int { return taskOf(state.KeyGroup(hashes[i]), len(x.ops)) }
	for i := range len(ops) - 1 {
		if ops[i] == batch.UpdateBefore && ops[i+1] == batch.UpdateAfter && task(i) != task(i+1) {
			ops[i], ops[i+1] = batch.Delete, batch.Insert
		}
	}
	return ops
}

// feed sends rows to the tasks that own their keys. Every third batch has rows
// that are not selected, to see that they are not looked at.
func (x *tasks) feed(port int, rows [][]types.Value, ops []batch.Op) error {
	var cols []types.Type
	for _, f := range x.s.inputs()[port] {
		cols = append(cols, f.Type)
	}
	n := len(x.ops)
	for task, op := range x.ops {
		var mine [][]types.Value
		var mineOps []batch.Op
		all := batch.FromValues(cols, rows)
		hashes := make([]uint64, all.N)
		state.HashColumns(all, x.s.keys(), nil, hashes)
		inserts := true
		for i, row := range rows {
			if len(x.s.keys()) == 0 && task != 0 || len(x.s.keys()) > 0 && taskOf(state.KeyGroup(hashes[i]), n) != task {
				continue
			}
			mine, mineOps = append(mine, row), append(mineOps, ops[i])
			inserts = inserts && ops[i] == batch.Insert
		}
		if len(mine) == 0 {
			continue
		}
		var sel []uint16
		if x.mode.batch == 3 {
			mine, mineOps, sel = withDecoys(mine, mineOps)
		}
		b := batch.FromValues(cols, mine)
		b.Sel = sel
		if !inserts {
			b.Ops = mineOps
		}
		if err := op.OnBatch(port, b, x); err != nil {
			return err
		}
	}
	return nil
}

// withDecoys repeats each row and selects the second copy.
func withDecoys(rows [][]types.Value, ops []batch.Op) (r [][]types.Value, o []batch.Op, sel []uint16) {
	for i := range rows {
		r, o = append(r, rows[i], rows[i]), append(o, ops[i], ops[i])
		sel = append(sel, uint16(len(r)-1))
	}
	return r, o, sel
}

func taskOf(group, tasks int) int { return group * tasks / state.KeyGroups }

// Emit implements exec.Output.
func (x *tasks) Emit(b *batch.Batch) error {
	for k := range b.Live() {
		i := b.RowAt(k)
		var words []string
		for c, col := range b.Cols {
			words = append(words, showValue(x.s.op.Fields[c].Type, col.Value(i)))
		}
		row := strings.Join(words, " ")
		fmt.Fprintf(&x.text, "%s %s\n", [...]string{"+", "-", "<", ">"}[b.Op(i)], row)
		x.emitted++
		if b.Op(i).Retracts() {
			x.total[row]--
			if x.total[row] < 0 {
				x.t.Errorf("%+v: %s %s was never inserted", x.mode, b.Op(i), row)
			}
		} else {
			x.total[row]++
		}
		if b.Op(i) == batch.UpdateBefore && x.s.op.Kind != graph.MaterializeKind && (k+1 >= b.Live() || b.Op(b.RowAt(k+1)) != batch.UpdateAfter) {
			x.t.Errorf("%+v: an update_before without its update_after: %s", x.mode, row)
		}
	}
	return nil
}

// build makes the operators of phase number phase over the given rows of state,
// one task after the other.
func (x *tasks) build(phase int, sealed []map[string]*state.Snapshot) error {
	n := x.mode.tasks[phase%len(x.mode.tasks)]
	x.ops, x.tables = nil, nil
	for task := range n {
		tables := map[string]*state.Table{}
		lo, hi := (task*state.KeyGroups+n-1)/n, ((task+1)*state.KeyGroups+n-1)/n
		lifetimes := x.s.op.Lifetimes(x.s.ttl)
		for i, schema := range x.s.op.Tables {
			t, err := state.NewTable(schema, state.Options{Slabs: x.slabs, Groups: state.GroupRange{Lo: lo, Hi: hi}, PageBytes: 1024,
				Extra: Extra(x.s.op, i, lifetimes)})
			if err != nil {
				return err
			}
			for _, old := range sealed {
				refill(t, old[schema.Name])
			}
			tables[schema.Name] = t
		}
		op, err := New(x.s.op, Env{Table: func(name string) *state.Table { return tables[name] }, Inputs: x.s.inputs(),
			Task: task, Parallelism: n, BatchRows: x.mode.batch, CoalesceRows: x.mode.coalesce, Bounded: x.s.bounded, Counters: &x.counters,
			Lifetimes: lifetimes, Now: x.now, BadRow: x.s.refused})
		if err != nil {
			return err
		}
		x.ops, x.tables = append(x.ops, op), append(x.tables, tables)
	}
	return nil
}

// refill copies the rows of a snapshot that belong to t's key groups.
func refill(t *state.Table, from *state.Snapshot) {
	schema := from.Schema()
	keys := len(schema.Keys)
	all := &batch.Batch{}
	var columns, groupBy []int
	for i := range keys + len(schema.Columns) {
		columns = append(columns, i)
		all.Cols = append(all.Cols, &batch.Column{Phys: t.Phys(i)})
		if i < keys-schema.Local {
			groupBy = append(groupBy, i)
		}
	}
	for at := state.RowID(0); at != state.NoRow; {
		at = from.Read(at, 100, columns, all)
		if all.N == 0 {
			return
		}
		hashes := make([]uint64, all.N)
		state.HashColumns(all, groupBy, nil, hashes)
		sel := []uint16{}
		for i, h := range hashes {
			if len(groupBy) == 0 && t.Groups().Lo == 0 || len(groupBy) > 0 && t.Groups().Has(state.KeyGroup(h)) {
				sel = append(sel, uint16(i))
			}
		}
		ids, rows := make([]state.RowID, all.N), make([]unsafe.Pointer, all.N)
		t.FindOrInsert(all.Cols[:keys], all.N, sel, ids, rows, nil)
		if len(sel) == 0 {
			continue
		}
		for i := keys; i < len(columns); i++ {
			t.WriteColumn(i, rows, all.Cols[i], all.N, sel)
		}
	}
}

// cut seals the tables and, if the mode says so, goes on over copies of them.
func (x *tasks) cut(phase int) error {
	var sealed []map[string]*state.Snapshot
	for _, tables := range x.tables {
		snaps := map[string]*state.Snapshot{}
		for name, t := range tables {
			snaps[name] = t.Seal(uint64(phase))
			x.checkKeys(snaps[name])
		}
		sealed = append(sealed, snaps)
	}
	old := x.tables
	if x.mode.restart {
		if err := x.build(phase, sealed); err != nil {
			return err
		}
	}
	for i, snaps := range sealed {
		for name, s := range snaps {
			s.Release()
			if x.mode.restart {
				old[i][name].Close()
			}
		}
	}
	if !x.mode.restart {
		return nil
	}
	for _, op := range x.ops {
		if err := op.OnWatermark(x.watermark, x); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys reports rows of a table whose keys are the same: what a checkpoint says of
// a row could be of another one.
func (x *tasks) checkKeys(s *state.Snapshot) {
	schema := s.Schema()
	keys := &batch.Batch{}
	var columns []int
	for i, k := range schema.Keys {
		columns = append(columns, i)
		keys.Cols = append(keys.Cols, &batch.Column{Phys: k.Type.Phys()})
	}
	seen := map[string]bool{}
	for at := state.RowID(0); at != state.NoRow && len(columns) > 0; {
		at = s.Read(at, 100, columns, keys)
		for i := range keys.N {
			key := ""
			for c, k := range schema.Keys {
				key += showValue(k.Type, keys.Cols[c].Value(i)) + "|"
			}
			if seen[key] {
				x.t.Errorf("%+v: two rows of state table %q have the keys %s", x.mode, schema.Name, key)
			}
			seen[key] = true
		}
	}
}

// dump makes the view's rows the result.
func (x *tasks) dump() {
	clear(x.total)
	x.text.WriteString("-- view\n")
	var lines []string
	for _, tables := range x.tables {
		t := tables[""]
		keys := len(t.Schema().Keys)
		b := &batch.Batch{}
		var columns []int
		for i := range keys + len(t.Schema().Columns) {
			columns = append(columns, i)
			b.Cols = append(b.Cols, &batch.Column{Phys: t.Phys(i)})
		}
		s := t.Seal(99)
		s.Read(0, t.Len(), columns, b)
		for i := range b.N {
			var words []string
			for k, c := range append(t.Schema().Keys, t.Schema().Columns...) {
				words = append(words, showValue(c.Type, b.Cols[k].Value(i)))
			}
			lines = append(lines, strings.Join(words, " "))
		}
		s.Release()
	}
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Fprintln(&x.text, l)
		x.total[l]++
	}
}
