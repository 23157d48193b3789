package table

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
)

// Action is what a Change does.
type Action uint8

// The actions.
const (
	// Insert adds rows; an existing key is error 23505.
	Insert Action = iota
	// InsertNew adds the rows whose keys are not there: ON CONFLICT DO NOTHING. With
	// Conflict set, other keys that are there are error 23505 all the same.
	InsertNew
	// Upsert adds rows, and replaces those whose primary key is there.
	Upsert
	// Update replaces the rows in Refs by Rows, one for one.
	Update
	// Delete removes the rows in Refs.
	Delete
	// Merge takes a changelog in Rows.Ops: with a key, rows are put in and taken
	// out by key, whatever was there; without, a row taken out is one equal row.
	Merge
)

// Ref is a row as a reader saw it.
type Ref struct {
	Row     uint64 // row id
	Version uint64 // position that made this version; 0: the reading transaction itself
}

// Change is what a transaction does to one table. Rows have all of the table's
// columns.
type Change struct {
	Table  string // Def.ID
	Action Action
	Rows   *batch.Batch
	Refs   []Ref
	// Conflict names the constraint that InsertNew is about; empty: all.
	Conflict string

	stored []byte   // Merge: a changes entry instead of Rows
	bound  bool     // it was made for the definition that the table had …
	seen   uint64   // … at this position
	ids    []uint64 // Insert, InsertNew of a Txn: row ids that were set aside for the live rows
	held   int64    // of a Txn: bytes that were counted for it
}

// Result tells what a transaction came to.
type Result struct {
	Position uint64
	// Affected counts, for each change, the rows inserted, updated or deleted.
	Affected []int64
	// Skipped lists, for each InsertNew change, the rows (as Batch.RowAt counts
	// them) that were there already.
	Skipped [][]int
}

// Apply commits the changes as one transaction: all or none. It returns when
// they are durable and visible. A row in Refs that has been changed since it was
// read makes the whole fail with 40001: read again and retry.
func (s *Store) Apply(ctx context.Context, changes []Change) (Result, error) {
	for i := range changes {
		s.mu.RLock()
		t, err := s.find(changes[i].Table)
		if err == nil {
			err = checkNulls(&t.def, &changes[i])
		}
		s.mu.RUnlock()
		if err != nil {
			return Result{}, err
		}
	}
	return s.commit(ctx, &pendingTxn{changes: changes})
}

// checkNulls refuses nulls where the definition does.
func checkNulls(d *Def, c *Change) error {
	if c.Rows == nil {
		if c.Action != Delete {
			return fmt.Errorf("apply to table %s: no rows given", d.Name)
		}
		return nil
	}
	if len(c.Rows.Cols) != len(d.Columns) {
		return fmt.Errorf("apply to table %s: %d columns given, not %d", d.Name, len(c.Rows.Cols), len(d.Columns))
	}
	for k, col := range d.Columns {
		if !c.Rows.Cols[k].HasNulls || !(col.NotNull || isKey(d.Key, k)) {
			continue
		}
		for n := range c.Rows.Live() {
			if i := c.Rows.RowAt(n); c.Rows.Cols[k].IsNull(i) && !c.Rows.Op(i).Retracts() {
				return NullViolation(d, k, c.Rows, i)
			}
		}
	}
	return nil
}

// NullViolation is the error of a row with a null in column k.
func NullViolation(d *Def, k int, b *batch.Batch, i int) error {
	return pgerr.New(pgerr.NotNullViolation, "null value in column %q of relation %q violates not-null constraint", d.Columns[k].Name, d.Name).
		Of(schema, d.bareName(), d.Columns[k].Name, "").
		WithDetail("Failing row contains (%s).", RowText(d.Columns, b, i))
}

func isKey(keys []int, k int) bool {
	for _, key := range keys {
		if key == k {
			return true
		}
	}
	return false
}

// RowText is a row as PostgreSQL's DETAIL lines show it.
func RowText(columns []Column, b *batch.Batch, i int) string {
	parts := make([]string, len(b.Cols))
	for k, c := range b.Cols {
		if c.IsNull(i) {
			parts[k] = "null"
			continue
		}
		text := format.AppendText(nil, columns[k].Type, c, i)
		if len(text) > 64 {
			text = append(text[:61], "..."...)
		}
		parts[k] = strings.ToValidUTF8(string(text), "")
	}
	return strings.Join(parts, ", ")
}

// stagedOp is one row of the log, by the version that holds its bytes.
type stagedOp struct {
	op      batch.Op
	rowID   uint64
	version uint32
}

// section collects the ops on one table, in order.
type section struct {
	table *table
	ops   []stagedOp
}

// undoStep takes one step back.
type undoStep struct {
	table   *table
	version uint32
	added   bool
}

// stager applies one transaction to the rows in memory and remembers how to take
// it back.
type stager struct {
	position uint64
	sections []*section
	steps    []undoStep
	encoded  []byte
}

func (st *stager) section(t *table) *section {
	if n := len(st.sections); n > 0 && st.sections[n-1].table == t {
		return st.sections[n-1]
	}
	sec := &section{table: t}
	st.sections = append(st.sections, sec)
	return sec
}

func (st *stager) add(t *table, rowID uint64, row []byte) uint32 {
	v := t.rows.add(rowID, st.position, row)
	st.steps = append(st.steps, undoStep{t, v, true})
	return v
}

func (st *stager) kill(t *table, v uint32) {
	t.rows.kill(v, st.position)
	st.steps = append(st.steps, undoStep{t, v, false})
}

func (st *stager) undo() {
	for _, section := range st.sections {
		section.table.changed = min(section.table.changed, st.position-1)
	}
	for i := len(st.steps) - 1; i >= 0; i-- {
		step := st.steps[i]
		switch {
		case !step.added:
			step.table.rows.revive(step.version)
		default:
			if step.table.rows.versions[step.version].died == 0 {
				step.table.rows.unlink(step.version)
			}
			step.table.rows.release(step.version)
		}
	}
}

// finish hands the versions that died to the reclaimer.
func (st *stager) finish() {
	for _, step := range st.steps {
		if !step.added {
			step.table.rows.bury(step.version)
		}
	}
}

func (st *stager) apply(t *table, c *Change, r *Result) error {
	var affected int64
	var skipped []int
	var err error
	switch c.Action {
	case Insert, InsertNew, Upsert:
		affected, skipped, err = st.insert(t, c)
	case Update, Delete:
		affected, err = st.change(t, c)
	case Merge:
		affected, err = st.merge(t, c)
	default:
		err = fmt.Errorf("apply to table %s: no such action %d", t.def.Name, c.Action)
	}
	r.Affected = append(r.Affected, affected)
	r.Skipped = append(r.Skipped, skipped)
	return err
}

func (st *stager) insert(t *table, c *Change) (affected int64, skipped []int, err error) {
	sec := st.section(t)
	for k := range c.Rows.Live() {
		st.encoded = t.codec.encode(st.encoded[:0], c.Rows, c.Rows.RowAt(k))
		if len(st.encoded) > rowBytesMax {
			return 0, nil, pgerr.New(pgerr.ProgramLimitExceeded, "row is larger than %d bytes", rowBytesMax)
		}
		old := uint32(0)
		if t.unique && c.Action == Upsert {
			old = t.rows.find(st.encoded)
		}
		key := t.taken(st.encoded, c.Conflict, old)
		switch {
		case old != 0 && key == nil:
			st.replace(sec, old, st.encoded)
		case key == nil:
			id := t.rows.nextRow
			if c.ids != nil {
				id = c.ids[k]
			}
			v := st.add(t, id, st.encoded)
			sec.ops = append(sec.ops, stagedOp{batch.Insert, id, v})
		case !c.passesOver(key):
			return 0, nil, errDuplicate(t, key, st.encoded)
		case c.ids != nil: // it was not there when its transaction looked
			return 0, nil, errConflict()
		default:
			skipped = append(skipped, k)
			continue
		}
		affected++
	}
	return affected, skipped, nil
}

// replace makes row the next version of the row that old is a version of.
func (st *stager) replace(sec *section, old uint32, row []byte) {
	t := sec.table
	id := t.rows.versions[old].rowID
	st.kill(t, old)
	v := st.add(t, id, row)
	sec.ops = append(sec.ops, stagedOp{batch.UpdateBefore, id, old}, stagedOp{batch.UpdateAfter, id, v})
}

func (st *stager) remove(sec *section, old uint32) {
	st.kill(sec.table, old)
	sec.ops = append(sec.ops, stagedOp{batch.Delete, sec.table.rows.versions[old].rowID, old})
}

// change carries out Update and Delete.
func (st *stager) change(t *table, c *Change) (int64, error) {
	if c.Action == Update && c.Rows.Live() != len(c.Refs) {
		return 0, fmt.Errorf("update table %s: %d rows for %d references", t.def.Name, c.Rows.Live(), len(c.Refs))
	}
	sec := st.section(t)
	for k, ref := range c.Refs {
		old := t.rows.byRow[ref.Row]
		own := old != 0 && t.rows.versions[old].born == st.position
		switch {
		case old != 0 && (own && ref.Version == 0 || t.rows.versions[old].born == ref.Version):
		case own:
			return 0, errTwice()
		default:
			return 0, errConflict()
		}
		if c.Action == Delete {
			st.remove(sec, old)
			continue
		}
		st.encoded = t.codec.encode(st.encoded[:0], c.Rows, c.Rows.RowAt(k))
		if key := t.taken(st.encoded, "", old); key != nil {
			return 0, errDuplicate(t, key, st.encoded)
		}
		st.replace(sec, old, st.encoded)
	}
	return int64(len(c.Refs)), nil
}

// changelog lists the rows of a Merge in the table's layout.
func (t *table) changelog(c *Change) (ops []batch.Op, rows [][]byte, err error) {
	if c.stored == nil {
		for k := range c.Rows.Live() {
			i := c.Rows.RowAt(k)
			ops = append(ops, c.Rows.Op(i))
			rows = append(rows, t.codec.encode(nil, c.Rows, i))
		}
		return ops, rows, nil
	}
	cursor, err := openChanges(c.stored)
	if err != nil {
		return nil, nil, err
	}
	for cursor.left > 0 {
		op, _, row, err := cursor.next()
		if err == nil {
			err = t.codec.check(row)
		}
		if err != nil {
			return nil, nil, err
		}
		ops, rows = append(ops, batch.Op(op)), append(rows, row)
	}
	return ops, rows, nil
}

// merge carries out a changelog. With a key, an update-before is left out when
// the row it announces has the same key: what counts is the key.
func (st *stager) merge(t *table, c *Change) (affected int64, err error) {
	ops, rows, err := t.changelog(c)
	if err != nil {
		return 0, err
	}
	sec := st.section(t)
	for i, row := range rows {
		if len(row) > rowBytesMax {
			return 0, pgerr.New(pgerr.ProgramLimitExceeded, "row is larger than %d bytes", rowBytesMax)
		}
		if t.unique && ops[i] == batch.UpdateBefore && i+1 < len(rows) && ops[i+1] == batch.UpdateAfter && t.sameKey(row, rows[i+1]) {
			continue
		}
		old := uint32(0)
		if t.unique || ops[i].Retracts() {
			old = t.rows.find(row)
		}
		if len(t.def.Unique) > 0 && !ops[i].Retracts() {
			if key := t.taken(row, "", old); key != nil {
				return 0, errDuplicate(t, key, row)
			}
		}
		affected++
		switch {
		case ops[i].Retracts() && old != 0:
			st.remove(sec, old)
		case ops[i].Retracts(): // a row that is not there is gone already
		case old != 0:
			st.replace(sec, old, row)
		default:
			v := st.add(t, t.rows.nextRow, row)
			sec.ops = append(sec.ops, stagedOp{batch.Insert, t.rows.versions[v].rowID, v})
		}
	}
	return affected, nil
}

func (t *table) sameKey(a, b []byte) bool {
	return string(t.codec.appendKey(nil, a, t.def.Key)) == string(t.codec.appendKey(nil, b, t.def.Key))
}

// schema is that of all own tables.
const schema = "public"

func (d *Def) bareName() string { return strings.TrimPrefix(d.Name, schema+".") }
