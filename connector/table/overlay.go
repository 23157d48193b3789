package table

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
)

// overlay is what a transaction has made of one table: its own versions of rows,
// and which stored rows they stand for. In its versions born and died number the
// transaction's changes, so that a cursor keeps seeing the table as it was when
// it was opened. The caller locks the transaction, and the store where stored
// rows are looked for.
type overlay struct {
	table  *table
	fresh  bool // made by the transaction; the store does not know it
	rows   *rows
	hidden map[uint64]hidden // by row id
	unique []Unique          // that the transaction's rows are held to
	keys   []keyIndex        // of these, the primary key first
	def    Def               // that they are held to
	seen   uint64            // position at which the table was as def, or as it was before the transaction, says
}

// hidden is a stored row that the transaction has replaced or deleted.
type hidden struct {
	by      uint64 // the change that did it
	version uint64 // as it was read
}

// overlayChunkSize is what an overlay allocates first: most transactions are
// small.
const overlayChunkSize = 4 << 10

func newOverlay(t *table, fresh bool) *overlay {
	o := &overlay{table: t, fresh: fresh, rows: newRows(t.codec, t.rows.indexes[0].columns, t.def.Unique...), hidden: map[uint64]hidden{},
		unique: t.def.Unique, keys: slices.Clone(t.keys), def: t.def}
	o.rows.chunkBytes = overlayChunkSize
	return o
}

// txnStep is how to take back one step of a transaction.
type txnStep struct {
	overlay *overlay
	kind    stepKind
	version uint32 // of overlay.rows
	rowID   uint64
	unique  []Unique // before
	def     *Def     // before
}

type stepKind uint8

const (
	addedStep   stepKind = iota // a version was added
	killedStep                  // a version was ended
	hidStep                     // a stored row was hidden
	touchedStep                 // the overlay was made
	uniqueStep                  // the constraints were changed
	alteredStep                 // the definition was changed
)

func (x *Txn) put(o *overlay, rowID, change uint64, row []byte) {
	v := o.rows.add(rowID, change, row)
	x.bytes += int64(len(row))
	x.steps = append(x.steps, txnStep{overlay: o, kind: addedStep, version: v, rowID: rowID})
}

func (x *Txn) end(o *overlay, v uint32, change uint64) {
	o.rows.kill(v, change)
	o.rows.bury(v)
	x.steps = append(x.steps, txnStep{overlay: o, kind: killedStep, version: v})
}

func (x *Txn) hide(o *overlay, rowID, version, change uint64) {
	o.hidden[rowID] = hidden{by: change, version: version}
	x.steps = append(x.steps, txnStep{overlay: o, kind: hidStep, rowID: rowID})
}

// undo takes back what came after the first n steps.
func (x *Txn) undo(n int) {
	for i := len(x.steps) - 1; i >= n; i-- {
		step := x.steps[i]
		o := step.overlay
		switch step.kind {
		case addedStep:
			if o.rows.versions[step.version].died == 0 {
				o.rows.unlink(step.version)
			}
			o.rows.release(step.version)
		case killedStep:
			o.rows.dead = o.rows.dead[:len(o.rows.dead)-1] // it was the last
			o.rows.revive(step.version)
		case hidStep:
			delete(o.hidden, step.rowID)
		case uniqueStep:
			o.setUnique(step.unique)
		case alteredStep:
			o.alter(*step.def)
		case touchedStep:
			delete(x.overlays, o.table.def.ID)
		}
	}
	x.steps = x.steps[:n]
}

// own finds the transaction's own row with the key of an encoded row.
func (o *overlay) own(k *keyIndex, row []byte) uint32 { return k.find(o.rows, row) }

// stored finds the stored row with the key of an encoded row, unless the
// transaction has replaced or deleted it.
func (o *overlay) stored(k *keyIndex, row []byte) uint32 {
	if o.fresh {
		return 0
	}
	r := o.table.rows
	v := k.find(r, row)
	for v != 0 {
		if _, gone := o.hidden[r.versions[v].rowID]; !gone {
			break
		}
		v = r.findNext(k.in(r), v) // there is one if the key is the transaction's, not yet the table's
	}
	return v
}

// taken returns the first key of an encoded row that a row of the table has, the
// constraint of that name before all others.
func (o *overlay) taken(row []byte, first string) *keyIndex {
	return firstKey(o.keys, first, func(k *keyIndex) bool { return o.own(k, row) != 0 || o.stored(k, row) != 0 })
}

// insert carries out Insert and InsertNew. It returns the rows that were there
// already.
func (x *Txn) insert(o *overlay, c *Change, change uint64) (skipped []int, err error) {
	for k := range c.Rows.Live() {
		x.encoded = o.table.codec.encode(x.encoded[:0], c.Rows, c.Rows.RowAt(k))
		if len(x.encoded) > rowBytesMax {
			return nil, pgerr.New(pgerr.ProgramLimitExceeded, "row is larger than %d bytes", rowBytesMax)
		}
		if key := o.taken(x.encoded, c.Conflict); key != nil {
			if !c.passesOver(key) {
				return nil, errDuplicate(o.table, key, x.encoded)
			}
			skipped = append(skipped, k)
			continue
		}
		id := o.table.rows.nextRow
		o.table.rows.nextRow++
		c.ids = append(c.ids, id)
		x.put(o, id, change, x.encoded)
	}
	return skipped, nil
}

// change carries out Update and Delete.
func (x *Txn) change(o *overlay, c *Change, change uint64) error {
	if c.Action == Update && c.Rows.Live() != len(c.Refs) {
		return fmt.Errorf("update table %s: %d rows for %d references", o.table.def.Name, c.Rows.Live(), len(c.Refs))
	}
	for k, ref := range c.Refs {
		own := o.rows.byRow[ref.Row]
		_, gone := o.hidden[ref.Row]
		switch {
		case own != 0 && ref.Version == 0:
			x.end(o, own, change)
		case own != 0 || gone || ref.Version == 0:
			return errTwice()
		default:
			if v := o.table.rows.byRow[ref.Row]; v == 0 || o.table.rows.versions[v].born != ref.Version {
				return errConflict()
			}
			x.hide(o, ref.Row, ref.Version, change)
		}
		if c.Action == Delete {
			continue
		}
		x.encoded = o.table.codec.encode(x.encoded[:0], c.Rows, c.Rows.RowAt(k))
		if len(x.encoded) > rowBytesMax {
			return pgerr.New(pgerr.ProgramLimitExceeded, "row is larger than %d bytes", rowBytesMax)
		}
		if key := o.taken(x.encoded, ""); key != nil {
			return errDuplicate(o.table, key, x.encoded)
		}
		x.put(o, ref.Row, change, x.encoded)
	}
	return nil
}

func errTwice() error {
	return pgerr.NotSupported(-1, "changing a row twice in one transaction without reading it in between")
}

func errConflict() error {
	return pgerr.New(pgerr.SerializationFailure, "could not serialize access due to concurrent update").
		Hint("The transaction might succeed if it is retried.")
}

// mixedRow is a row of a table with an overlay: a version of the store's or of
// the transaction's.
type mixedRow struct {
	version uint32
	own     bool
}

// mix puts stored rows and the transaction's own together, both in the order of
// their ids, as a snapshot of the transaction sees them. The caller holds the
// store's lock and the transaction's.
func (o *overlay) mix(base, own []uint32, change uint64) []mixedRow {
	out := make([]mixedRow, 0, len(base)+len(own))
	for len(base)+len(own) > 0 {
		if len(own) == 0 || len(base) > 0 && o.table.rows.versions[base[0]].rowID <= o.rows.versions[own[0]].rowID {
			if h, ok := o.hidden[o.table.rows.versions[base[0]].rowID]; !ok || h.by > change {
				out = append(out, mixedRow{version: base[0]})
			}
			base = base[1:]
			continue
		}
		out = append(out, mixedRow{version: own[0], own: true})
		own = own[1:]
	}
	return out
}

// all is every row of a table that a snapshot of the transaction sees.
func (o *overlay) all(position, change uint64) []mixedRow {
	var base []uint32
	if !o.fresh {
		base = o.table.rows.visible(position, 0)
	}
	return o.mix(base, o.rows.visible(change, 0), change)
}

// at is the data of a mixed row, and how a change refers to it.
func (o *overlay) at(m mixedRow) ([]byte, Ref) {
	if m.own {
		return o.rows.data(m.version), Ref{Row: o.rows.versions[m.version].rowID}
	}
	v := &o.table.rows.versions[m.version]
	return o.table.rows.data(m.version), Ref{Row: v.rowID, Version: v.born}
}

// fillMixed replaces out by the wanted columns of rows.
func (o *overlay) fillMixed(out *batch.Batch, want []int, rows []mixedRow) []Ref {
	prepare(out, len(rows))
	refs := make([]Ref, len(rows))
	for i, m := range rows {
		data, ref := o.at(m)
		refs[i] = ref
		for k, w := range want {
			o.table.codec.decode(data, w, out.Cols[k], i)
		}
	}
	out.N = len(rows)
	return refs
}
