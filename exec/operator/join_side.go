package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// joinSide is what a join keeps of one input, and what a batch of that input does
// to it.
type joinSide struct {
	graph.JoinSide
	table   *state.Table
	chains  *state.Chains // nil: a join key has one row at most
	keys    int           // of the join
	width   int           // of the input
	copies  uintptr       // ByCopies: where the number of copies is
	matches uintptr
	alone   alone
	final   alone // over finished data: what holds at the end, alone being never
	// quiet says that a row by itself and the same row beside one of the other
	// side have the same upsert key, so that one can become the other.
	quiet bool
	// stale says that rows that go are read from the state, not from the input.
	stale  bool
	nulls  unsafe.Pointer // a state row of nulls
	expiry *expiry        // nil: the watermark forgets no rows
	life   *lifetime      // nil: the clock forgets none
	// tracked says that whether a row is in the output by itself is in its state,
	// in the number of matches or at aloneAt, since what it matched may be forgotten.
	tracked bool
	aloneAt uintptr
	alive   []bool // ByKey: by row, whether it is there
	looks   []int  // ByKey: key columns in which equal values may differ to the eye
	next    int64  // ByNumber: the next row's number

	in     *batch.Batch
	cols   []*batch.Column
	number *batch.Column
	ids    []state.RowID
	rows   []unsafe.Pointer
	fresh  []uint16
	gone   []state.RowID
	unsent []uint16 // rows whose columns are not written yet
	// changed are rows whose state row was there before, if it can expire.
	changed []uint16
}

// alone says when a row of a side is in the output by itself.
type alone uint8

const (
	never alone = iota
	whenUnmatched
	whenMatched
)

// visible reports whether a row with that many matches is in the output by itself.
func (a alone) visible(matches int64) bool {
	return a == whenUnmatched && matches == 0 || a == whenMatched && matches > 0
}

// startsAlone says when a row of side i is in the output by itself.
func startsAlone(spec *graph.Join, i int) alone {
	switch {
	case spec.Kind == logical.SemiJoin && i == 0:
		return whenMatched
	case spec.Outer(i):
		return whenUnmatched
	}
	return never
}

func newJoinSide(op *graph.Operator, env *Env, i int) (*joinSide, error) {
	spec := op.Join
	s := &joinSide{JoinSide: spec.Sides[i], keys: len(spec.LeftKeys), width: len(env.Inputs[i]), number: &batch.Column{Phys: types.PhysInt}}
	if s.table = env.Table(op.Tables[i].Name); s.table == nil {
		return nil, pgerr.New(pgerr.InternalError, "operator %s was not given its state table %q", op.ID, op.Tables[i].Name)
	}
	schema := s.table.Schema()
	s.life = newLifetime(env, i, s.table)
	if schema.Local > 0 || schema.Exact && s.looksVary() {
		s.chains = s.table.Chain(s.keys, s.Identity != graph.ByNumber || s.Expiry != nil && !s.Expiry.Forever || s.life != nil)
	}
	last := len(schema.Columns) - 1
	if s.Matches {
		s.matches = s.table.Column(last)
		last--
	}
	if s.Identity == graph.ByCopies {
		s.copies = s.table.Column(last)
	}
	s.alone = startsAlone(spec, i)
	if s.final = s.alone; spec.AtEnd {
		s.alone = never
	}
	s.quiet = op.UpsertKey != nil && !slices.ContainsFunc(op.UpsertKey, func(k int) bool {
		return (spec.Output[k] < len(env.Inputs[0])) == (i == 1)
	})
	s.stale = s.Upsert || s.Stale || len(s.table.Added()) > 0
	s.nulls = nullRow(s.table)
	if s.Expiry != nil {
		s.expiry = newExpiry(s, env)
	}
	for k := range schema.Keys {
		if s.Identity == graph.ByKey && s.table.LooksVary(k) {
			s.looks = append(s.looks, k)
		}
	}
	return s, s.table.Each(s.restored)
}

// looksVary reports whether equal join keys can differ to the eye.
func (s *joinSide) looksVary() bool {
	for k := range s.keys {
		if s.table.LooksVary(k) {
			return true
		}
	}
	return false
}

// restored takes note of a row that was there before the operator.
func (s *joinSide) restored(id state.RowID, row unsafe.Pointer) error {
	if s.expiry != nil {
		s.expiry.note(id, row)
	}
	switch s.Identity {
	case graph.ByKey:
		s.grow()
		s.alive[id] = true
	case graph.ByNumber:
		s.next = max(s.next, *(*int64)(unsafe.Add(row, s.table.Key(s.keys)))+1)
	}
	return nil
}

func (s *joinSide) grow() {
	if n := s.table.End(); n > len(s.alive) {
		s.alive = append(s.alive, make([]bool, n-len(s.alive)+n/2)...)
	}
}

// nullRow is a row of t in which all columns are null.
func nullRow(t *state.Table) unsafe.Pointer {
	words := make([]uint64, t.Width()/8)
	row := unsafe.Pointer(unsafe.SliceData(words))
	schema := t.Schema()
	for i := range len(schema.Keys) + len(schema.Columns) {
		t.SetNull(row, i, true)
	}
	return row
}

// column is where column c of the input is in the table, keys first.
func (s *joinSide) column(c int) int {
	if s.Identity == graph.ByNumber && c >= s.keys {
		return c + 1
	}
	return c
}

// probe gives the newest row of each key, NoRow for none.
func (s *joinSide) probe(keys []*batch.Column, n int, hashes []uint64, sel []uint16, heads []state.RowID) {
	if s.chains != nil {
		s.chains.Find(keys, hashes, sel, heads)
		return
	}
	s.table.Find(keys, n, sel, heads)
}

// after is the row of the same join key that follows id, NoRow for none.
func (s *joinSide) after(id state.RowID) state.RowID {
	if s.chains == nil {
		return state.NoRow
	}
	return s.chains.Next(id)
}

// count is how many copies of a row there are.
func (s *joinSide) count(id state.RowID) int64 {
	if s.Identity == graph.ByCopies {
		return *(*int64)(unsafe.Add(s.table.Read(id), s.copies))
	}
	return 1
}

func (s *joinSide) getMatches(id state.RowID) int64 {
	return *(*int64)(unsafe.Add(s.table.Read(id), s.matches))
}

func (s *joinSide) setMatches(id state.RowID, n int64) {
	*(*int64)(unsafe.Add(s.table.Write(id), s.matches)) = n
}

// enter finds or makes the state rows of a batch's rows. Made ones are not there
// until come says so.
func (s *joinSide) enter(in *batch.Batch, hashes []uint64, sel []uint16) {
	s.in, s.gone, s.unsent = in, s.gone[:0], s.unsent[:0]
	s.ids, s.rows = roomFor(s.ids, in.N), roomFor(s.rows, in.N)
	if s.Identity == graph.ByNumber {
		s.append(in, hashes, sel)
	} else {
		s.cols = append(s.cols[:0], in.Cols[:s.table.Keys()]...)
		s.fresh = s.table.FindOrInsert(s.cols, in.N, sel, s.ids, s.rows, s.fresh[:0])
	}
	if s.life != nil {
		s.life.renew(in.N, sel, s.ids, s.rows, func(i int, id state.RowID, _ unsafe.Pointer) { s.forget(id, hashes[i]) })
	}
	if s.Identity == graph.ByKey {
		s.grow()
		for _, i := range s.fresh {
			s.alive[s.ids[i]] = false
		}
	}
	if s.chains != nil {
		s.chains.Reserve(len(s.fresh))
		s.chains.Touch(in.Cols[:s.keys], hashes, sel)
	}
}

// append makes the rows of an input without keys of its own, with all their columns.
func (s *joinSide) append(in *batch.Batch, hashes []uint64, sel []uint16) {
	s.number.Resize(in.N)
	for _, i := range sel {
		s.number.Int[i] = s.next
		s.next++
	}
	s.cols = append(append(append(s.cols[:0], in.Cols[:s.keys]...), s.number), in.Cols[s.keys:s.width]...)
	s.table.Append(s.cols, hashes, sel, s.ids, s.rows)
	s.fresh = append(s.fresh[:0], sel...)
}

// there reports whether a row is there.
func (s *joinSide) there(id state.RowID) bool {
	switch s.Identity {
	case graph.ByKey:
		return s.alive[id]
	case graph.ByCopies:
		return s.count(id) > 0
	}
	return true
}

// come adds row i of the batch, which for ByKey must not be there. It reports
// whether the state gained a row, and whether that is the first of its join key.
func (s *joinSide) come(i int, h uint64) (created, first bool) {
	id := s.ids[i]
	switch s.Identity {
	case graph.ByCopies:
		n := (*int64)(unsafe.Add(s.rows[i], s.copies))
		if *n++; *n > 1 {
			return false, false
		}
	case graph.ByKey:
		s.alive[id] = true
		if s.expiry != nil {
			s.changed = append(s.changed, uint16(i))
		}
		s.unsent = append(s.unsent, uint16(i))
	}
	if s.chains == nil {
		return true, true
	}
	return true, s.chains.Link(id, h)
}

// comeAll is come for the rows of a batch, which have no key of their own.
func (s *joinSide) comeAll(hashes []uint64, sel []uint16) {
	s.chains.LinkAll(s.in.Cols, hashes, sel, s.ids)
}

// leave takes row i of the batch away, which must be there. It reports whether
// the state lost a row, and whether that was the last of its join key.
func (s *joinSide) leave(i int, h uint64) (removed, last bool) {
	id := s.ids[i]
	switch s.Identity {
	case graph.ByCopies:
		n := (*int64)(unsafe.Add(s.rows[i], s.copies))
		if *n--; *n > 0 {
			return false, false
		}
	case graph.ByKey:
		s.alive[id] = false
	default:
		invariant.Assert(false, "a retraction came to a join's append-only input")
	}
	s.gone = append(s.gone, id)
	if s.chains == nil {
		return true, true
	}
	return true, s.chains.Unlink(id, h)
}

// change replaces the columns of row i's state row, which is there, by row i's.
func (s *joinSide) change(i int) {
	s.unsent = append(s.unsent, uint16(i))
	if s.expiry != nil {
		s.changed = append(s.changed, uint16(i))
	}
}

// write puts the columns into the state that are not there yet.
func (s *joinSide) write() {
	if len(s.unsent) == 0 {
		return
	}
	for c := s.table.Keys(); c < s.width; c++ {
		s.table.WriteColumn(c, s.rows, s.in.Cols[c], s.in.N, s.unsent)
	}
	for _, c := range s.looks { // what takes the row away again will say it as this one does
		s.table.WriteColumn(c, s.rows, s.in.Cols[c], s.in.N, s.unsent)
	}
	s.unsent = s.unsent[:0]
}

// finish ends a batch: columns are written, and rows that are not there go.
func (s *joinSide) finish() {
	s.write()
	if s.expiry != nil {
		for _, i := range s.fresh {
			s.expiry.note(s.ids[i], s.rows[i])
		}
		if s.Identity == graph.ByKey { // a row may have another time now
			for _, i := range s.changed {
				s.expiry.note(s.ids[i], s.rows[i])
			}
			s.changed = s.changed[:0]
		}
	}
	for _, id := range s.gone {
		s.drop(id)
	}
	if s.Identity != graph.ByNumber {
		for _, i := range s.fresh {
			s.drop(s.ids[i])
		}
	}
	s.in = nil
}

func (s *joinSide) drop(id state.RowID) {
	if !s.there(id) && s.table.Live(id) {
		s.table.Delete(id)
	}
}

// image appends the state row's columns, as they are now, to b.
func (s *joinSide) image(i int, b *batch.Batch, scratch *batch.Column) {
	s.write()
	rows := []unsafe.Pointer{s.rows[i]}
	for c := range s.width {
		*scratch = batch.Column{Phys: b.Cols[c].Phys}
		s.table.ReadColumn(s.column(c), rows, scratch)
		b.Cols[c].AppendRow(scratch, 0)
	}
	b.N++
}
