package table

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
)

// Unique is a unique constraint beside the primary key: no two rows have the same
// values in the columns. Rows with nulls in them differ from all others unless
// NullsNotDistinct.
type Unique struct {
	Name             string
	Columns          []int
	NullsNotDistinct bool `json:",omitempty"`
}

// keyIndex is a constraint that keys are unique, and where the index of the rows is that
// finds them.
type keyIndex struct {
	Unique
	index int // in rows.indexes, unless the constraints change
}

// keysOf lists what is unique in a table, the primary key first.
func keysOf(d *Def) (out []keyIndex) {
	if len(d.Key) > 0 {
		out = append(out, keyIndex{Unique{Name: d.keyName(), Columns: d.Key, NullsNotDistinct: true}, 0})
	}
	for i, u := range d.Unique {
		out = append(out, keyIndex{u, i + 1})
	}
	return out
}

func (d *Def) keyName() string {
	if d.KeyName != "" {
		return d.KeyName
	}
	return d.bareName() + "_pkey"
}

func keyNamed(keys []keyIndex, name string) *keyIndex {
	for i := range keys {
		if keys[i].Name == name {
			return &keys[i]
		}
	}
	return nil
}

// find returns the current version with the key of an encoded row, 0 if there is
// none.
func (k *keyIndex) find(r *rows, row []byte) uint32 {
	if !k.NullsNotDistinct {
		for _, c := range k.Columns {
			if r.codec.isNull(row, c) {
				return 0
			}
		}
	}
	return r.findBy(k.in(r), row)
}

// in is the index of rows that finds the key. Rows whose table has got or lost
// constraints since may have it elsewhere, or not any more.
func (k *keyIndex) in(r *rows) *index {
	if k.index < len(r.indexes) && slices.Equal(r.indexes[k.index].columns, k.Columns) {
		return r.indexes[k.index]
	}
	x := r.indexOn(k.Columns)
	if x == nil {
		r.makeIndex(k.Columns)
		x = r.indexOn(k.Columns)
	}
	x.asked.Store(true)
	return x
}

// firstKey returns the first constraint that holds for, the one of that name before
// all others; nil for none.
func firstKey(keys []keyIndex, first string, holds func(*keyIndex) bool) *keyIndex {
	if first != "" {
		if k := keyNamed(keys, first); k != nil && holds(k) {
			return k
		}
	}
	for i := range keys {
		if holds(&keys[i]) {
			return &keys[i]
		}
	}
	return nil
}

// taken returns the first key of an encoded row that a row other than except has, the
// constraint of that name before all others.
func (t *table) taken(row []byte, first string, except uint32) *keyIndex {
	return firstKey(t.keys, first, func(k *keyIndex) bool {
		v := k.find(t.rows, row)
		return v != 0 && v != except
	})
}

// passesOver reports whether a row with a key that is there is left out.
func (c *Change) passesOver(k *keyIndex) bool {
	return c.Action == InsertNew && (c.Conflict == "" || c.Conflict == k.Name)
}

func errDuplicate(t *table, k *keyIndex, row []byte) error {
	names, values := t.keyText(k.Columns, row)
	return pgerr.New(pgerr.UniqueViolation, "duplicate key value violates unique constraint %q", k.Name).
		Of(schema, t.def.bareName(), "", k.Name).
		WithDetail("Key (%s)=(%s) already exists.", names, values)
}
