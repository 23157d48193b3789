package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

// join pairs the rows of two changing inputs. Its state is a table per side: a
// batch is looked up in the other side's, row by row in order, and then is in its
// own. Rows with a null in a key match nothing and are not kept. Changelog modes:
// any in, upserts if the keys of the join are part of the side's own; out, what
// graph.Join's kind makes of it: inserts alone for inner and semi joins of inserts.
// An update that keeps its join key stays an update.
type join struct {
	spec     *graph.Join
	sides    [2]*joinSide
	residual *predicate
	inner    bool
	counters *exec.Counters

	own, other *joinSide
	port       int
	in         *batch.Batch
	hashes     []uint64
	heads      []state.RowID
	ownHeads   []state.RowID
	sel        []uint16
	isNull     []bool
	anyNull    bool
	// before has rows that are not in the batch: number 0 is all nulls, the others
	// are images of rows from the state.
	before [2]*batch.Batch
	image  batch.Column

	watermark exec.Watermark
	timely    []uint16
	cut       batch.Batch // the rows of a batch that are not late

	units    []joinUnit
	pairs    joinRows // candidates that wait for the residual
	tested   *batch.Batch
	reads    []joinColumn // what the residual reads
	passed   []bool
	selected []uint16
	out      joinOutput
}

// joinUnit is what one or two rows of a batch, one before and one after an update,
// do: old goes and new comes; none if there is no such row.
type joinUnit struct {
	old, new         int32 // see joinRows
	oldRow           int   // of the batch: that old is
	head             state.RowID
	row              int  // of the batch: whose state row gets the number of matches
	created, removed bool // a state row came, went
	was, is          bool // the own side had, has rows of the join key
	pairs            int  // candidates of this round
	matches          [2]int64
	begun, more      bool // there were candidates before, there are more to come
	wasAlone         bool // the old row was in the output by itself
	going            int  // output row by which the old row alone goes, -1: none
	gone             int  // output row by which the old row last went beside another
}

const (
	nothing = -1 << 31 // no row
	nulled  = -1       // the row of nulls
)

func newJoin(op *graph.Operator, env *Env) (exec.Operator, error) {
	if op.Join.Sides == nil {
		return nil, pgerr.New(pgerr.InternalError, "join %s has no state", op.ID)
	}
	j := &join{spec: op.Join, counters: env.Counters, selected: []uint16{}, watermark: exec.WatermarkMin}
	for i := range j.sides {
		var err error
		if j.sides[i], err = newJoinSide(op, env, i); err != nil {
			return nil, err
		}
		j.before[i] = batch.New(layoutOf(env.Inputs[i]), 0)
		for _, c := range j.before[i].Cols {
			c.AppendNull()
		}
		j.before[i].N = 1
	}
	j.track()
	j.out.start(j, op, env.BatchRows)
	j.inner = op.Join.Kind == logical.InnerJoin
	if op.Join.Residual == nil {
		return j, nil
	}
	return j, j.startTests(op, env)
}

// OnBatch implements exec.Operator.
func (j *join) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	if err := j.meetBatch(port, in, out); err != nil {
		return err
	}
	for _, s := range j.sides {
		s.life.sweepBatch(in, s.expireNow)
	}
	return nil
}

// meetBatch joins a batch with the other side and keeps it.
func (j *join) meetBatch(port int, in *batch.Batch, out exec.Output) error {
	j.port, j.own, j.other, j.in = port, j.sides[port], j.sides[1-port], in
	j.forgetImages()
	j.out.begin(out)
	if e := j.own.expiry; e != nil {
		sel := in.Sel
		if sel == nil {
			sel = state.Identity(in.N)
		}
		var err error
		if j.timely, err = e.onTime(in, sel, j.watermark, j.timely); err != nil || len(j.timely) == 0 {
			return err
		}
		if len(j.timely) < len(sel) {
			j.cut = batch.Batch{N: in.N, Sel: j.timely, Ops: in.Ops, Cols: in.Cols}
			in, j.in = &j.cut, &j.cut
		}
	}
	sel := j.lookUp()
	if j.inner && in.Ops == nil {
		return j.insertAll(sel)
	}
	for k := 0; k < in.Live(); k++ {
		i := in.RowAt(k)
		op := in.Op(i)
		next := nothing
		if op == batch.UpdateBefore && k+1 < in.Live() {
			if n := in.RowAt(k + 1); in.Op(n) == batch.UpdateAfter && j.sameKeys(i, n) {
				next = n
				k++
			}
		}
		if err := j.rows(i, op, next); err != nil {
			return err
		}
	}
	if err := j.test(); err != nil {
		return err
	}
	j.own.finish()
	return j.out.flush()
}

// OnEnd implements exec.Operator.
func (j *join) OnEnd(out exec.Output) error {
	if !j.spec.AtEnd {
		return nil
	}
	for i, s := range j.sides {
		if s.final == never {
			continue
		}
		if err := j.emitAlone(i, out); err != nil {
			return err
		}
	}
	return nil
}

// emitAlone emits the rows of side i that are in the output by themselves, with
// nulls for the other side.
func (j *join) emitAlone(i int, out exec.Output) error {
	j.port, j.own, j.other, j.in = 1-i, j.sides[1-i], j.sides[i], j.before[1-i]
	j.out.begin(out)
	s := j.other
	keys := newGather(newTable(s.table), s.keys)
	err := keys.each(batch.RowsDefault, func(ids []uint32, _ []unsafe.Pointer, cols []*batch.Column) error {
		n := len(ids)
		if !s.Matches {
			j.hashes, j.heads = roomFor(j.hashes, n), roomFor(j.heads, n)
			state.HashKeys(cols, s.table.Loose(), n, nil, j.hashes)
			j.own.probe(cols, n, j.hashes, state.Identity(n), j.heads)
		}
		for k, id := range ids {
			matches := int64(0)
			if s.Matches {
				matches = s.getMatches(id)
			} else {
				matches = count(j.heads[k] != state.NoRow)
			}
			if !s.final.visible(matches) {
				continue
			}
			for range s.count(id) {
				if err := j.out.add(nulled, id, batch.Insert); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return j.out.flush()
}

// EventTime implements exec.EventTime.
func (j *join) EventTime(port int) bool { return !slices.Contains(j.spec.Timeless, port) }

// OnWatermark implements exec.Operator: rows that are out of time are forgotten.
func (j *join) OnWatermark(w exec.Watermark, _ exec.Output) error {
	j.watermark = w
	for _, s := range j.sides {
		if s.expiry != nil {
			s.expiry.forget(w)
		}
	}
	return nil
}

// lookUp finds the batch's rows on both sides.
func (j *join) lookUp() []uint16 {
	in, keys := j.in, j.in.Cols[:j.own.keys]
	j.hashes, j.heads = roomFor(j.hashes, in.N), roomFor(j.heads, in.N)
	sel := in.Sel
	if sel == nil {
		sel = state.Identity(in.N)
	}
	j.anyNull = false
	for _, c := range keys {
		j.anyNull = j.anyNull || c.HasNulls
	}
	if j.anyNull {
		sel = j.withKeys(keys, sel)
	}
	state.HashKeys(keys, j.own.table.Loose(), in.N, sel, j.hashes)
	j.other.probe(keys, in.N, j.hashes, sel, j.heads)
	if j.own.life != nil || j.other.life != nil {
		j.pruneKeys(keys, sel)
	}
	j.own.enter(in, j.hashes, sel)
	return sel
}

// insertAll is OnBatch for rows that come, of joins in which no row is seen by
// itself and every pair that passes counts.
// hot: it does what rows does, without looking at what cannot be.
func (j *join) insertAll(sel []uint16) error {
	own, other := j.own, j.other
	numbered := own.Identity == graph.ByNumber
	if numbered {
		own.comeAll(j.hashes, sel)
	}
	for _, i := range sel {
		if !numbered {
			if own.Identity == graph.ByKey && own.there(own.ids[i]) {
				if err := j.replaceOne(int(i)); err != nil {
					return err
				}
				continue
			}
			own.come(int(i), j.hashes[i])
		}
		for m := j.heads[i]; m != state.NoRow; m = other.after(m) {
			for range other.count(m) {
				j.pairs.add(int32(i), m)
			}
			if len(j.pairs.own) >= j.out.limit {
				if err := j.meetPairs(); err != nil {
					return err
				}
			}
		}
	}
	own.finish()
	return j.meetPairs()
}

// replaceOne is insertAll for row i, whose key is there already.
func (j *join) replaceOne(i int) error {
	if err := j.meetPairs(); err != nil {
		return err
	}
	if err := j.rows(i, batch.Insert, nothing); err != nil {
		return err
	}
	if err := j.test(); err != nil {
		return err
	}
	return j.out.flush()
}

// withKeys selects the rows of which no key is null, and marks the others.
func (j *join) withKeys(keys []*batch.Column, sel []uint16) []uint16 {
	j.isNull = roomFor(j.isNull, j.in.N)
	j.sel = j.sel[:0]
	for _, i := range sel {
		null := false
		for _, c := range keys {
			null = null || c.IsNull(int(i))
		}
		if j.isNull[i] = null; null {
			j.heads[i] = state.NoRow
		} else {
			j.sel = append(j.sel, i)
		}
	}
	if j.sel == nil {
		j.sel = []uint16{}
	}
	return j.sel
}

func (j *join) null(i int) bool { return j.anyNull && j.isNull[i] }

// sameKeys reports whether rows i and n of the batch have the same join key.
func (j *join) sameKeys(i, n int) bool {
	if j.null(i) || j.null(n) {
		return j.null(i) && j.null(n)
	}
	if j.hashes[i] != j.hashes[n] {
		return false
	}
	for _, c := range j.in.Cols[:j.own.keys] {
		if compareValues(c, i, c, n) != 0 {
			return false
		}
	}
	return true
}

// rows handles row i and, if it is an update's first half, the second, next.
func (j *join) rows(i int, op batch.Op, next int) error {
	u := joinUnit{old: nothing, new: nothing, head: j.heads[i], going: -1, gone: -1, row: i, oldRow: i}
	if j.null(i) {
		if j.own.final != whenUnmatched {
			return nil
		}
		if j.spec.AtEnd {
			return j.out.add(int32(i), state.NoRow, batch.Insert)
		}
		switch {
		case next != nothing:
			u.old, u.new = int32(i), int32(next)
		case op.Retracts():
			u.old = int32(i)
		default:
			u.new = int32(i)
		}
		return j.alone(&u)
	}
	s := j.own
	if j.residual != nil && s.tracked && s.Identity == graph.ByCopies && (s.there(s.ids[i]) || next != nothing && s.there(s.ids[next])) {
		if err := j.test(); err != nil { // what waits says whether the copies that are there are alone
			return err
		}
	}
	switch {
	case next != nothing && !s.stale && s.there(s.ids[i]) && equalRows(j.in.Cols, i, next):
		return nil // what changed is not kept here
	case next != nothing && s.Identity == graph.ByKey && s.ids[i] == s.ids[next] && s.there(s.ids[i]) && !s.stale:
		u.old, u.new, u.row = int32(i), int32(next), next
		u.removed, u.created, u.was, u.is = true, true, true, true
		s.change(next)
	case next != nothing && s.Identity == graph.ByKey && s.ids[i] != s.ids[next] && s.there(s.ids[next]):
		if err := j.rows(i, batch.Delete, nothing); err != nil {
			return err
		}
		return j.rows(next, batch.Insert, nothing)
	case next != nothing:
		j.take(&u, i)
		j.put(&u, next)
	case op.Retracts():
		j.take(&u, i)
	default:
		j.put(&u, i)
	}
	if u.old == nothing && u.new == nothing {
		return nil
	}
	return j.meetAll(&u)
}

// take removes row i of the batch from the own side, if it is there.
func (j *join) take(u *joinUnit, i int) {
	s := j.own
	u.was = true
	if !s.there(s.ids[i]) {
		j.counters.Unmatched++
		return
	}
	if u.old = int32(i); s.stale {
		u.old = j.fromState(i)
	}
	var last bool
	u.removed, last = s.leave(i, j.hashes[i])
	u.is = !last
}

// put adds row i of the batch to the own side. A row of the same key that is
// still there is replaced.
func (j *join) put(u *joinUnit, i int) {
	s := j.own
	u.new, u.row = int32(i), i
	if s.Identity == graph.ByKey && s.there(s.ids[i]) && u.old == nothing {
		u.old, u.oldRow = j.fromState(i), i
		u.removed, u.created, u.was, u.is = true, true, true, true
		s.change(i)
		return
	}
	created, first := s.come(i, j.hashes[i])
	if u.created = created; u.old == nothing {
		u.was = !first
	}
	u.is = true
}

// fromState makes an image of the state row of row i of the batch.
func (j *join) fromState(i int) int32 {
	b := j.before[j.port]
	j.own.image(i, b, &j.image)
	return int32(-b.N)
}

func (j *join) forgetImages() {
	b := j.before[j.port]
	if b.N == 1 {
		return
	}
	for _, c := range b.Cols {
		c.Reset()
		c.AppendNull()
	}
	b.N = 1
}

// meetAll brings a unit together with the other side's rows of its key.
func (j *join) meetAll(u *joinUnit) error {
	if j.residual != nil {
		return j.collect(u)
	}
	if u.head != state.NoRow {
		u.matches = [2]int64{1, 1}
	}
	if err := j.goes(u); err != nil {
		return err
	}
	for m := u.head; m != state.NoRow; m = j.other.after(m) {
		if err := j.meet(u, m, u.old != nothing, u.new != nothing); err != nil {
			return err
		}
	}
	return j.comes(u)
}

// alone emits a unit that matches nothing.
func (j *join) alone(u *joinUnit) error {
	if err := j.goes(u); err != nil {
		return err
	}
	return j.comes(u)
}

// goes emits that the old row by itself goes.
func (j *join) goes(u *joinUnit) error {
	a := j.own.alone
	if u.old == nothing {
		return nil
	}
	if u.wasAlone = j.wasAlone(u); !u.wasAlone {
		return nil
	}
	if u.new != nothing && a.visible(u.matches[1]) {
		if err := j.out.add(u.old, state.NoRow, batch.UpdateBefore); err != nil {
			return err
		}
		return j.out.add(u.new, state.NoRow, batch.UpdateAfter)
	}
	if err := j.out.add(u.old, state.NoRow, batch.Delete); err != nil {
		return err
	}
	if u.going = -1; u.new != nothing && j.own.quiet {
		u.going = j.out.last()
	}
	return nil
}

// comes emits that the new row by itself comes, and notes its matches.
func (j *join) comes(u *joinUnit) error {
	a := j.own.alone
	if u.new == nothing {
		return nil
	}
	if j.own.tracked && !j.null(u.row) {
		j.settleAlone(u)
	}
	if j.own.Matches && !j.null(u.row) {
		j.own.setMatches(j.own.ids[u.row], u.matches[1])
	}
	if !a.visible(u.matches[1]) || u.wasAlone {
		return nil
	}
	op := batch.Insert
	if u.gone >= 0 && u.gone == j.out.last() && j.own.quiet {
		j.out.set(u.gone, batch.UpdateBefore)
		op = batch.UpdateAfter
	}
	return j.out.add(u.new, state.NoRow, op)
}

// meet emits what becomes of the unit beside row m of the other side: before says
// that the old row matches it, after that the new one does.
func (j *join) meet(u *joinUnit, m state.RowID, before, after bool) error {
	was, is := j.othersAlone(u, m, before, after)
	vanishes, appears := was && !is, !was && is
	if j.spec.LeftOnly() {
		before, after = false, false
	}
	goes, comes := before || vanishes, after || appears
	if !goes && !comes {
		return nil
	}
	old, new := u.old, u.new
	if !before {
		old = nulled
	}
	if !after {
		new = nulled
	}
	pair := before && after || j.other.quiet
	for range j.other.count(m) {
		if err := j.exchange(u, m, old, new, goes, comes, pair); err != nil {
			return err
		}
	}
	return nil
}

// exchange emits one copy of what goes and comes beside row m of the other side.
func (j *join) exchange(u *joinUnit, m state.RowID, old, new int32, goes, comes, pair bool) error {
	out := &j.out
	switch {
	case goes && comes && pair:
		if err := out.add(old, m, batch.UpdateBefore); err != nil {
			return err
		}
		return out.add(new, m, batch.UpdateAfter)
	case goes && comes:
		if err := out.add(old, m, batch.Delete); err != nil {
			return err
		}
		return out.add(new, m, batch.Insert)
	case goes:
		err := out.add(old, m, batch.Delete)
		u.gone = out.last()
		return err
	}
	if u.going >= 0 && u.going == out.last() {
		out.set(u.going, batch.UpdateBefore)
		return out.add(new, m, batch.UpdateAfter)
	}
	return out.add(new, m, batch.Insert)
}

// othersMatches is how many rows the other side's row m matched before the unit
// and matches after it; where nobody asks for the number, whether it does.
func (j *join) othersMatches(u *joinUnit, m state.RowID, before, after bool) (was, is int64) {
	switch {
	case j.other.alone == never && !j.other.Matches:
		return 0, 0
	case !j.other.Matches:
		return count(u.was), count(u.is)
	}
	was = j.other.getMatches(m)
	is = was - count(before && u.removed) + count(after && u.created)
	if is != was {
		j.other.setMatches(m, is)
	}
	return was, is
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
