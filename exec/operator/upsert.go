package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// upsert makes a changelog of rows of which each takes the place of the one before
// it with its key. Its state is one table, the last row of each key. Changelog
// modes: inserts in; inserts and updates out, or with AtEnd inserts once the input
// has ended. A batch makes at most one change per key, unless each row must be seen,
// and a row that is as it was none. A key whose row is due begins anew.
type upsert struct {
	exec.Stateless
	rows  *table
	life  *lifetime // of keys; nil: they stay
	keys  []int
	slots []int
	diff  *rowDiff
	atEnd bool
	each  bool
	limit int

	cols  []*batch.Column
	ids   []state.RowID
	state []unsafe.Pointer
	fresh []uint16

	epoch   uint32
	marks   *state.Vector[turn] // by row
	touched []state.RowID
	wins    []uint16 // batch rows that become a key's row
	words   []uint64 // the rows that are replaced, as they were
}

// turn is what a round has for a row's key.
type turn struct {
	epoch uint32 // of the round that last had the key
	last  uint16 // its last row with the key
	isNew bool   // the key came with it
}

func newUpsert(op *graph.Operator, env *Env) (exec.Operator, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	spec := op.Upsert
	u := &upsert{rows: tables[0], keys: spec.Key, slots: rowSlots(len(op.Fields), spec.Key, nil, false, false), atEnd: spec.AtEnd, each: spec.Each, limit: env.BatchRows,
		life: newLifetime(env, 0, tables[0].Table), marks: state.NewVector[turn](tables[0].Table)}
	u.diff = newRowDiff(nil, u.rows, u.slots, op, env)
	return u, nil
}

// OnBatch implements exec.Operator.
func (u *upsert) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	u.cols = u.cols[:0]
	for _, c := range u.keys {
		u.cols = append(u.cols, in.Cols[c])
	}
	u.ids, u.state = roomFor(u.ids, in.N), roomFor(u.state, in.N)
	u.fresh = u.rows.find(u.cols, in.N, in.Sel, u.ids, u.state, u.fresh[:0])
	fresh := u.fresh
	for from := 0; from < in.Live(); {
		from, fresh = u.contend(in, from, fresh)
		u.saveOld()
		for c, slot := range u.slots {
			if slot >= len(u.keys) || u.rows.LooksVary(slot) {
				u.rows.WriteColumn(slot, u.state, in.Cols[c], in.N, u.wins)
			}
		}
		if u.atEnd {
			continue
		}
		if err := u.emit(out); err != nil {
			return err
		}
	}
	u.life.sweepBatch(in, u.expire)
	return nil
}

// contend finds the last row of each key of a round, in u.marks, and which keys begin
// with it. The round goes from live row number from of the batch to its end or, if each
// row must be seen, to where a key comes again; fresh are its rows, and later ones,
// whose keys are new. It returns where the next round begins.
func (u *upsert) contend(in *batch.Batch, from int, fresh []uint16) (int, []uint16) {
	if u.epoch++; u.epoch == 0 {
		u.marks.Clear()
		u.epoch = 1
	}
	u.marks.Grow(u.rows.idEnd())
	u.touched, u.wins = u.touched[:0], u.wins[:0]
	k := from
	for ; k < in.Live(); k++ {
		i := in.RowAt(k)
		id := u.ids[i]
		m := u.marks.At(id)
		if u.each && m.epoch == u.epoch {
			break
		}
		isFresh := len(fresh) > 0 && int(fresh[0]) == i
		if isFresh {
			fresh = fresh[1:]
		}
		if m.epoch != u.epoch {
			m.epoch, m.isNew = u.epoch, isFresh || u.isDue(u.state[i])
			u.touched = append(u.touched, id)
		}
		m.last = uint16(i)
	}
	for _, id := range u.touched {
		u.wins = append(u.wins, u.marks.At(id).last)
	}
	slices.Sort(u.wins)
	return k, fresh
}

// isDue reports whether a key's row does not count any more.
func (u *upsert) isDue(row unsafe.Pointer) bool {
	if u.life == nil {
		return false
	}
	at := u.life.at(row)
	if at == 0 || !u.life.over(at) {
		return false
	}
	u.life.counters.Expired++
	return true
}

// saveOld copies the rows that are about to be replaced.
func (u *upsert) saveOld() {
	u.words = u.words[:0]
	for _, id := range u.touched {
		if !u.marks.At(id).isNew {
			u.words = append(u.words, unsafe.Slice((*uint64)(u.rows.read(id)), u.rows.width()/8)...)
		}
		if u.life != nil {
			u.life.write(u.rows.write(id))
		}
	}
}

// emit sends what the batch changed.
func (u *upsert) emit(out exec.Output) error {
	at, width := 0, u.rows.width()/8
	for _, id := range u.touched {
		if u.marks.At(id).isNew {
			u.diff.add(batch.Insert, u.rows.read(id), 0)
			continue
		}
		u.diff.add(batch.UpdateBefore, unsafe.Pointer(&u.words[at]), 0)
		u.diff.add(batch.UpdateAfter, u.rows.read(id), 0)
		at += width
	}
	return u.diff.emit(out)
}

// OnBarrier implements exec.Stateful.
func (u *upsert) OnBarrier(b exec.Barrier, _ exec.Output) error {
	u.life.sweepBarrier(b, u.expire)
	return nil
}

// expire removes a key that is due.
func (u *upsert) expire(id uint32, _ unsafe.Pointer) { u.rows.remove(id) }

// OnEnd implements exec.Operator.
func (u *upsert) OnEnd(out exec.Output) error {
	if !u.atEnd {
		return nil
	}
	err := u.rows.each(func(id uint32, row unsafe.Pointer) error {
		if u.diff.add(batch.Insert, row, 0); len(u.diff.rows) < u.limit {
			return nil
		}
		return u.diff.emit(out)
	})
	if err != nil {
		return err
	}
	return u.diff.emit(out)
}
