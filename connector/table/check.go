package table

import "github.com/millrace/millrace/batch"

// CheckNew reports what Insert would refuse of the live rows as things stand, so
// that a statement can say so before its transaction ends: a null where there
// must be none, or a key that is there already or comes twice. Apply checks
// again.
func (s *Store) CheckNew(id string, rows *batch.Batch) error {
	if err := s.checkNulls(&Change{Table: id, Action: Insert, Rows: rows}); err != nil {
		return err
	}
	// The index is searched through the table's scratch space, hence the lock.
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(id)
	if err != nil || !t.unique {
		return err
	}
	seen := map[string]bool{}
	var row []byte
	for k := range rows.Live() {
		row = t.codec.encode(row[:0], rows, rows.RowAt(k))
		key := string(t.codec.appendKey(nil, row, t.def.Key))
		if seen[key] || t.rows.find(row) != 0 {
			return errDuplicate(t, row)
		}
		seen[key] = true
	}
	return nil
}

// Def returns a table's definition.
func (s *Store) Def(id string) (Def, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return Def{}, err
	}
	return t.def, nil
}
