package table

import (
	"context"
	"encoding/binary"
	"math"
	"sync"

	"github.com/millrace/millrace/internal/pgerr"
)

// Sequence says which numbers a column counts by.
type Sequence struct {
	Name                       string // as errors spell it
	Start, Increment, Min, Max int64
	Cycle                      bool
}

// sequences are how far the columns of tables have counted. What was counted is
// logged with the next transaction that changes the table, so that a number that is
// in the log is never given again, and a number whose transaction was rolled back is
// left out. Its lock is taken after the store's.
type sequences struct {
	mu   sync.Mutex
	last map[sequenceOf]counted
}

type sequenceOf struct {
	table  string // Def.ID
	column int
}

type counted struct {
	last   int64
	called bool // last was given; else it is the next
	logged bool
}

// next counts on.
func (q *sequences) next(of sequenceOf, s *Sequence) (int64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, ok := q.last[of]
	v := c.last
	switch {
	case !ok:
		v = s.Start
	case c.called:
		var over bool
		if v, over = v+s.Increment, s.Increment > 0 && v > math.MaxInt64-s.Increment || s.Increment < 0 && v < math.MinInt64-s.Increment; over || v > s.Max || v < s.Min {
			what, limit, first := "maximum", s.Max, s.Min
			if s.Increment < 0 {
				what, limit, first = "minimum", s.Min, s.Max
			}
			if !s.Cycle {
				return 0, pgerr.New(pgerr.SequenceLimitExceeded, "nextval: reached %s value of sequence %q (%d)", what, s.Name, limit)
			}
			v = first
		}
	}
	q.set(of, counted{last: v, called: true})
	return v, nil
}

func (q *sequences) set(of sequenceOf, c counted) {
	if q.last == nil {
		q.last = map[sequenceOf]counted{}
	}
	q.last[of] = c
}

// sequenceMark is a number that is being logged.
type sequenceMark struct {
	of sequenceOf
	counted
}

// unlogged appends what is not logged yet of a table.
func (q *sequences) unlogged(marks []sequenceMark, table string, columns int) []sequenceMark {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.last) == 0 {
		return marks
	}
	for i := range columns {
		of := sequenceOf{table, i}
		if c, ok := q.last[of]; ok && !c.logged {
			marks = append(marks, sequenceMark{of, c})
		}
	}
	return marks
}

// wrote remembers that numbers are durable.
func (q *sequences) wrote(marks []sequenceMark) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range marks {
		if c := q.last[m.of]; c == m.counted {
			c.logged = true
			q.last[m.of] = c
		}
	}
}

func (q *sequences) forget(table string, columns int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range columns {
		delete(q.last, sequenceOf{table, i})
	}
}

// A sequence entry: u32 table number, u32 column, i64 last number, u8 1 if it was
// given.
const sequenceBody = 17

func (m *sequenceMark) append(dst []byte, number uint32) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, number)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(m.of.column))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.last))
	if m.called {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// NextValue gives the next number of a table's column, which no one else gets.
func (s *Store) NextValue(table string, column int, q *Sequence) (int64, error) {
	return s.sequences.next(sequenceOf{table, column}, q)
}

// LogSequences makes durable how far a table's columns have counted, if they have
// counted since that was last written.
func (s *Store) LogSequences(ctx context.Context, table string) error {
	s.mu.RLock()
	t := s.tables[table] // nil: it was dropped, or a transaction is yet to make it
	s.mu.RUnlock()
	if t == nil || len(s.sequences.unlogged(nil, table, len(t.def.Columns))) == 0 {
		return nil
	}
	_, err := s.commit(ctx, &pendingTxn{counts: table})
	return err
}

// SetValue says which number was given last, or, unless called, comes next. It is
// durable at once if the table is.
func (s *Store) SetValue(ctx context.Context, table string, column int, v int64, called bool) error {
	s.sequences.mu.Lock()
	s.sequences.set(sequenceOf{table, column}, counted{last: v, called: called})
	s.sequences.mu.Unlock()
	return s.LogSequences(ctx, table)
}

// stageSequences appends what has been counted in the tables of a transaction.
func (s *Store) stageSequences(frame []byte, t *pendingTxn) ([]byte, int) {
	var marks []sequenceMark
	seen := map[string]bool{}
	look := func(id string) {
		if tab := s.tables[id]; tab != nil && !seen[id] {
			seen[id] = true
			marks = s.sequences.unlogged(marks, id, len(tab.def.Columns))
		}
	}
	look(t.counts)
	for _, d := range t.creates {
		look(d.ID)
	}
	for i := range t.changes {
		look(t.changes[i].Table)
	}
	for i := range marks {
		at := len(frame)
		frame = marks[i].append(appendEntry(frame, sequenceEntry), s.tables[marks[i].of.table].number)
		sealEntry(frame, at)
	}
	t.counted = marks
	return frame, len(marks)
}

func (s *Store) replaySequence(body []byte) error {
	if len(body) != sequenceBody {
		return errDamaged
	}
	if t := s.numbers[binary.LittleEndian.Uint32(body)]; t != nil {
		s.sequences.mu.Lock()
		defer s.sequences.mu.Unlock()
		s.sequences.set(sequenceOf{t.def.ID, int(binary.LittleEndian.Uint32(body[4:]))},
			counted{last: int64(binary.LittleEndian.Uint64(body[8:])), called: body[16] == 1, logged: true})
	}
	return nil
}

// all lists what has been counted in a table.
func (q *sequences) all(table string, columns int) (out []sequenceMark) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range columns {
		of := sequenceOf{table, i}
		if c, ok := q.last[of]; ok {
			out = append(out, sequenceMark{of, c})
		}
	}
	return out
}
