package state

import (
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// Loose has, for each column of a key, the type of one whose equal values may have
// different bytes, such as jsonb, and nil for the others. It is nil if there are none.
type Loose []*types.Type

// of is the type of column k if it is loose.
func (l Loose) of(k int) *types.Type {
	if k >= len(l) {
		return nil
	}
	return l[k]
}

// same reports whether two values of column k are equal.
func (l Loose) same(k int, a, b []byte) bool {
	if string(a) == string(b) {
		return true
	}
	t := l.of(k)
	return t != nil && types.CompareBytes(*t, string(a), string(b)) == 0
}

// LooksVary reports whether values of key k that are equal may differ to the eye: 9 and
// 9.0, a day and 24 hours. A row that replaces the one of its key then replaces the
// key's look too.
func (t *Table) LooksVary(k int) bool {
	switch t.slots[k].phys {
	case types.PhysDecimal, types.PhysFloat, types.PhysInterval:
		return true
	}
	return t.loose.of(k) != nil
}

// LooseTypes is Loose for a key of columns of these types.
func LooseTypes(key ...types.Type) (l Loose) {
	for k := range key {
		if !key[k].Loose() {
			continue
		}
		if l == nil {
			l = make(Loose, len(key))
		}
		l[k] = &key[k]
	}
	return l
}

// looseColumns is Loose for the keys of a schema.
func looseColumns(keys []graph.Column) Loose {
	key := make([]types.Type, len(keys))
	for k, c := range keys {
		key[k] = c.Type
	}
	return LooseTypes(key...)
}

// hashLoose hashes a value of a loose type.
func hashLoose(t *types.Type, p []byte) uint64 {
	var few [256]byte
	return hashBytes(types.AppendEqualForm(few[:0], *t, string(p)))
}
