package session

import "sync"

// counts is what the session was given by sequences.
type counts struct {
	mu   sync.Mutex
	last map[string]int64 // by sequence; "" for all
	// tables are the ids of those for which was counted since TakeCounted.
	tables map[string]struct{}
}

// Counted remembers a number that a sequence of a table gave.
func (s *Session) Counted(sequence, table string, v int64) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	if s.counts.last == nil {
		s.counts.last, s.counts.tables = map[string]int64{}, map[string]struct{}{}
	}
	s.counts.last[sequence], s.counts.last[""] = v, v
	s.counts.tables[table] = struct{}{}
}

// TakeCounted returns the ids of the tables whose sequences have given numbers since
// it was last called.
func (s *Session) TakeCounted() (tables []string) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	for id := range s.counts.tables {
		tables = append(tables, id)
	}
	clear(s.counts.tables)
	return tables
}

// Count is the number that a sequence gave last, any of them for "".
func (s *Session) Count(sequence string) (v int64, ok bool) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	v, ok = s.counts.last[sequence]
	return v, ok
}
