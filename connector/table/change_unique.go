package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
)

// uniqueChange adds a unique constraint to a table, or drops one by name.
type uniqueChange struct {
	table string
	add   *Unique
	drop  string
}

// of is the constraints after the change, in an array of their own.
func (c *uniqueChange) of(list []Unique) []Unique {
	name := c.drop
	if c.add != nil {
		name = c.add.Name
	}
	out := slices.DeleteFunc(slices.Clone(list), func(u Unique) bool { return u.Name == name })
	if c.add != nil {
		out = append(out, *c.add)
	}
	return out
}

// setUnique replaces the unique constraints. An index that is there serves on.
func (t *table) setUnique(unique []Unique) {
	t.def.Unique = unique
	t.keys = keysOf(&t.def)
	t.rows.arrange(unique)
}

// arrange puts the indexes of unique constraints behind the key's, and makes those that
// are missing. Those of constraints that are gone last while they are asked.
func (r *rows) arrange(unique []Unique) {
	rest := slices.Clone(r.indexes[1:])
	indexes := r.indexes[:1:1]
	for _, u := range unique {
		i := slices.IndexFunc(rest, func(x *index) bool { return slices.Equal(x.columns, u.Columns) })
		if i < 0 {
			indexes = append(indexes, r.newIndexOf(u.Columns))
			continue
		}
		indexes, rest = append(indexes, rest[i]), slices.Delete(rest, i, i+1)
	}
	for _, x := range indexes {
		x.kept = true
	}
	for _, x := range rest {
		x.kept = false
	}
	r.indexes = append(indexes, rest...)
}

// checkUnique returns an error if two of the rows have a key in common.
func (t *table) checkUnique(u *Unique, each func(yield func(data []byte) bool)) (err error) {
	seen := map[string]struct{}{}
	var key []byte
	each(func(data []byte) bool {
		if !u.NullsNotDistinct && slices.ContainsFunc(u.Columns, func(c int) bool { return t.codec.isNull(data, c) }) {
			return true
		}
		key = t.codec.appendKey(key[:0], data, u.Columns)
		if _, there := seen[string(key)]; there {
			err = t.errNotUnique(u, data)
			return false
		}
		seen[string(key)] = struct{}{}
		return true
	})
	return err
}

func (t *table) errNotUnique(u *Unique, row []byte) error {
	names, values := t.keyText(u.Columns, row)
	return pgerr.New(pgerr.UniqueViolation, "could not create unique index %q", u.Name).
		Of(schema, t.def.bareName(), "", u.Name).
		WithDetail("Key (%s)=(%s) is duplicated.", names, values)
}

// keyText is the names and the values of a row's columns, as DETAIL lines show them.
func (t *table) keyText(columns []int, row []byte) (string, string) {
	var names, values []string
	for _, i := range columns {
		col := t.def.Columns[i]
		names = append(names, col.Name)
		c := batch.NewColumn(col.Type.Phys(), 1)
		if t.codec.decode(row, i, c, 0); c.IsNull(0) {
			values = append(values, "null")
			continue
		}
		values = append(values, string(format.AppendText(nil, col.Type, c, 0)))
	}
	return strings.Join(names, ", "), strings.Join(values, ", ")
}

// all calls yield with the current rows until it returns false.
func (r *rows) all(yield func(data []byte) bool) {
	for i := 1; i < len(r.versions); i++ {
		if v := &r.versions[i]; v.born != 0 && v.died == 0 && !yield(r.data(uint32(i))) {
			return
		}
	}
}

// merged calls yield with the rows of the table as the transaction has made them, on top
// of what is stored now, until it returns false.
func (o *overlay) merged(yield func(data []byte) bool) {
	more := true
	if !o.fresh {
		r := o.table.rows
		for i := 1; more && i < len(r.versions); i++ {
			v := &r.versions[i]
			if _, gone := o.hidden[v.rowID]; v.born != 0 && v.died == 0 && !gone {
				more = yield(r.data(uint32(i)))
			}
		}
	}
	if more {
		o.rows.all(yield)
	}
}

// AddUnique makes a constraint of the transaction's: its rows are held to it from now
// on, everybody's from Commit on. Rows that break it are error 23505, now or then.
func (x *Txn) AddUnique(id string, u Unique) error {
	return x.changeUnique(uniqueChange{table: id, add: &u})
}

// DropUnique drops a constraint, for the transaction now and for everybody at Commit.
func (x *Txn) DropUnique(id, name string) error {
	return x.changeUnique(uniqueChange{table: id, drop: name})
}

func (x *Txn) changeUnique(c uniqueChange) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	o, err := x.overlay(c.table)
	if err != nil {
		return err
	}
	if c.add != nil {
		if err := o.table.checkUnique(c.add, o.merged); err != nil {
			return err
		}
	}
	x.steps = append(x.steps, txnStep{overlay: o, kind: uniqueStep, unique: o.unique})
	o.setUnique(c.of(o.unique))
	if !o.fresh {
		x.unique = append(x.unique, c)
	}
	return nil
}

// setUnique replaces the constraints that the transaction's own rows are held to. The
// definition of a table that it has made itself is its own, too.
func (o *overlay) setUnique(unique []Unique) {
	o.unique = unique
	d := o.table.def
	d.Unique = unique
	o.keys = keysOf(&d)
	o.rows.arrange(unique)
	if o.fresh {
		o.table.setUnique(unique)
	}
}

// redefined is a table whose constraints a transaction changes, on its way through the
// leader.
type redefined struct {
	table         *table
	before, after []Unique
}

// dropUnique lets tables forget the constraints that a transaction drops, before its
// changes are carried out.
func (s *Store) dropUnique(t *pendingTxn) error {
	for _, c := range t.unique {
		tab, err := s.find(c.table)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(t.redefined, func(r redefined) bool { return r.table == tab })
		if i < 0 {
			i = len(t.redefined)
			t.redefined = append(t.redefined, redefined{tab, tab.def.Unique, tab.def.Unique})
		}
		t.redefined[i].after = c.of(t.redefined[i].after)
	}
	if len(t.redefined) == 0 {
		return nil
	}
	for _, r := range t.redefined {
		r.table.setUnique(slices.DeleteFunc(slices.Clone(r.before), func(u Unique) bool { return !u.in(r.after) }))
	}
	s.redefined = t.redefined
	return nil
}

// addUnique has them hold what it adds, once its changes are carried out, and appends
// the definitions to the frame.
func (s *Store) addUnique(frame []byte, t *pendingTxn) ([]byte, int, error) {
	for _, r := range t.redefined {
		for i := range r.after {
			if u := &r.after[i]; !u.in(r.table.def.Unique) {
				if err := r.table.checkUnique(u, r.table.rows.all); err != nil {
					return nil, 0, err
				}
			}
		}
		r.table.setUnique(r.after)
		at := len(frame)
		frame = append(appendEntry(frame, defineEntry), r.table.stored().encode()...)
		sealEntry(frame, at)
	}
	return frame, len(t.redefined), nil
}

func (u *Unique) in(list []Unique) bool {
	return slices.ContainsFunc(list, func(v Unique) bool {
		return v.Name == u.Name && v.NullsNotDistinct == u.NullsNotDistinct && slices.Equal(v.Columns, u.Columns)
	})
}

// undoUnique takes back what dropUnique and addUnique did.
func (s *Store) undoUnique(t *pendingTxn) {
	for _, r := range t.redefined {
		r.table.setUnique(r.before)
	}
	t.redefined, s.redefined = nil, nil
}

// decided is a table's definition without what is not yet decided.
func (s *Store) decided(t *table) storedTable {
	d := t.stored()
	for _, a := range s.altering {
		if a.table == t {
			d = storedOf(t.number, a.before)
		}
	}
	for _, r := range s.redefined {
		if r.table == t {
			d.Unique = r.before
		}
	}
	return d
}

// replayDefine reads what addUnique wrote.
func (s *Store) replayDefine(body []byte) error {
	d, err := decodeTable(body)
	if err != nil {
		return err
	}
	t := s.numbers[d.Number]
	switch {
	case t == nil && d.Number < s.nextNumber:
		return nil // dropped since, and left out of the snapshot
	case t == nil:
		return fmt.Errorf("definition of table number %d, which was never created", d.Number)
	}
	for _, u := range d.Unique {
		for _, c := range u.Columns {
			if c >= len(t.def.Columns) {
				return errDamaged
			}
		}
	}
	return t.redefine(d.definition())
}
