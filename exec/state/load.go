package state

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/types"
)

// GroupOf is the key group of a row.
func GroupOf(row unsafe.Pointer) int { return int(*header(row) & headerGroupMask) }

// NoString reports whether column k (keys first) of a row is a string slot
// without a value.
func (s *Snapshot) NoString(row unsafe.Pointer, k int) bool {
	at := &s.slots[k]
	return at.phys == types.PhysBytes && *(*batch.View)(unsafe.Add(row, at.off)) == NoString
}

// Describe is what a manifest says of the table, without where its pages are.
func (s *Snapshot) Describe() (*manifest.Table, error) { return s.describe() }

// MatchColumns finds the table's columns in the schema of an older one, keys
// first, by the rules of Restore: -1 for those that are new.
func (t *Table) MatchColumns(old graph.Table, rename map[string]string) ([]int, error) {
	l, err := newLayout(old, pageBytesDefault)
	if err != nil {
		return nil, err
	}
	from, err := t.match(l, rename)
	if err == nil {
		t.noteAdded(from)
	}
	return from, err
}

// Load adds rows of other columns, those whose key group belongs to the table:
// column k of it is data[from[k]], or new if that is -1. Keys must not be there
// yet, or be given twice.
func (t *Table) Load(data []*batch.Column, n int, from []int) error {
	hashes := make([]uint64, n)
	keys := make([]*batch.Column, t.keys)
	for k := range keys {
		keys[k] = data[from[k]]
	}
	hashKeys(keys[:t.keys-t.schema.Local], t.loose, n, nil, hashes)
	sel := make([]uint16, 0, n)
	for i, h := range hashes {
		if t.opt.Groups.Has(KeyGroup(h)) {
			sel = append(sel, uint16(i))
		}
	}
	ids, rows := make([]RowID, n), make([]unsafe.Pointer, n)
	t.FindOrInsert(keys, n, sel, ids, rows, nil)
	for k := t.keys; k < len(t.slots); k++ {
		s := &t.slots[k]
		if from[k] >= 0 {
			t.WriteColumn(k, rows, data[from[k]], n, sel)
		}
		for _, i := range sel {
			if from[k] < 0 || data[from[k]].IsNull(int(i)) {
				s.setNull(rows[i], true)
				if s.phys == types.PhysBytes {
					*(*batch.View)(unsafe.Add(rows[i], s.off)) = NoString
				}
			}
		}
	}
	return nil
}
