package table

import (
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
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

// keyIndex is a constraint that keys are unique, and which index of the rows finds
// them.
type keyIndex struct {
	Unique
	index int // in rows.indexes
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

func (t *table) keyNamed(name string) *keyIndex {
	for i := range t.keys {
		if t.keys[i].Name == name {
			return &t.keys[i]
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
	return r.findBy(r.indexes[k.index], row)
}

// firstKey returns the first constraint that holds for, the one of that name before
// all others; nil for none.
func (t *table) firstKey(first string, holds func(*keyIndex) bool) *keyIndex {
	if first != "" {
		if k := t.keyNamed(first); k != nil && holds(k) {
			return k
		}
	}
	for i := range t.keys {
		if holds(&t.keys[i]) {
			return &t.keys[i]
		}
	}
	return nil
}

// taken returns the first key of an encoded row that a row other than except has, the
// constraint of that name before all others.
func (t *table) taken(row []byte, first string, except uint32) *keyIndex {
	return t.firstKey(first, func(k *keyIndex) bool {
		v := k.find(t.rows, row)
		return v != 0 && v != except
	})
}

// passesOver reports whether a row with a key that is there is left out.
func (c *Change) passesOver(k *keyIndex) bool {
	return c.Action == InsertNew && (c.Conflict == "" || c.Conflict == k.Name)
}

func errDuplicate(t *table, k *keyIndex, row []byte) error {
	var names, values []string
	for _, i := range k.Columns {
		col := t.def.Columns[i]
		names = append(names, col.Name)
		c := batch.NewColumn(col.Type.Phys(), 1)
		if t.codec.decode(row, i, c, 0); c.IsNull(0) {
			values = append(values, "null")
			continue
		}
		values = append(values, string(format.AppendText(nil, col.Type, c, 0)))
	}
	return pgerr.New(pgerr.UniqueViolation, "duplicate key value violates unique constraint %q", k.Name).
		Of(schema, t.def.bareName(), "", k.Name).
		WithDetail("Key (%s)=(%s) already exists.", strings.Join(names, ", "), strings.Join(values, ", "))
}
