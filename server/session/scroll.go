package session

import (
	"context"
	"math"
	"sort"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// motion is where FETCH or MOVE wants a cursor to go.
type motion struct {
	// count is how many rows on, negative for back; with absolute the row to go to,
	// counted from the end if it is negative.
	count    int64
	absolute bool
	// single says that only the last of the rows is wanted.
	single bool
}

// motionOf reads the words of FETCH and MOVE.
func motionOf(st *ast.Fetch) motion {
	count := st.Count
	if st.All {
		count = math.MaxInt64
	}
	switch st.Direction {
	case "next":
		return motion{count: 1}
	case "prior":
		return motion{count: -1}
	case "first":
		return motion{count: 1, absolute: true}
	case "last":
		return motion{count: -1, absolute: true}
	case "absolute":
		return motion{count: count, absolute: true}
	case "relative":
		return motion{count: count, single: true}
	case "backward":
		return motion{count: -count}
	default:
		return motion{count: count}
	}
}

// kept is the rows of a SCROLL cursor that were read, so that it can go back to
// them. They count to the account of the cursor's query.
type kept struct {
	run     *Run
	batches []*batch.Batch
	starts  []int64 // the number of the first row of each batch; rows count from 1
	rows    int64
	// at is the row that the cursor is on: 0 before the first, rows+1 behind the
	// last.
	at    int64
	meter memory.Meter
}

func newKept(run *Run) *kept {
	return &kept{run: run, meter: run.Result.Account.Share("rows of the cursor").Meter()}
}

// move is the rows of a motion.
func (k *kept) move(ctx context.Context, m motion) (Rows, error) {
	to := m.count
	switch {
	case m.absolute && m.count < 0:
		if err := k.read(ctx, math.MaxInt64); err != nil {
			return nil, err
		}
		to = max(k.rows+1+m.count, 0)
	case !m.absolute:
		if to += k.at; m.count > 0 && to < 0 { // beyond what can be counted
			to = math.MaxInt64
		}
		to = max(to, 0)
	}
	from := to
	switch {
	case m.absolute || m.single || m.count == 0:
	case m.count > 0:
		from = k.at + 1
	default:
		from = k.at - 1
	}
	if err := k.read(ctx, from); err != nil {
		return nil, err
	}
	k.at = max(min(from, k.rows+1), 0)
	if from > to {
		k.at = to
	}
	return &scrollRows{kept: k, next: from, to: to, back: from > to}, nil
}

// read sees to it that row n is kept, if there is one.
func (k *kept) read(ctx context.Context, n int64) error {
	if err := k.meter.Add(0); err != nil {
		return err
	}
	for k.rows < n {
		b, err := k.run.next(ctx, 0)
		if err != nil || b == nil {
			return err
		}
		layout := make([]types.Phys, len(b.Cols))
		for i, c := range b.Cols {
			layout[i] = c.Phys
		}
		own := batch.New(layout, 0)
		own.AppendBatch(b)
		if err := k.meter.Add(own.Bytes()); err != nil {
			return err
		}
		k.batches, k.starts = append(k.batches, own), append(k.starts, k.rows+1)
		k.rows += int64(own.N)
	}
	return nil
}

// close forgets the rows.
func (k *kept) close() {
	k.batches, k.starts = nil, nil
	_ = k.meter.Set(0)
}

// scrollRows gives the kept rows from next to to, backwards if back is set.
type scrollRows struct {
	kept     *kept
	next, to int64
	back     bool
	view     batch.Batch
	sel      []uint16
}

// Next implements Rows.
func (s *scrollRows) Next(ctx context.Context) (*batch.Batch, error) {
	k := s.kept
	if s.back && s.next < s.to || !s.back && s.next > s.to || s.next < 1 {
		return nil, nil
	}
	if err := k.read(ctx, s.next); err != nil {
		return nil, err
	}
	if s.next > k.rows {
		if !s.back {
			k.at = k.rows + 1
		}
		return nil, nil
	}
	i := sort.Search(len(k.starts), func(i int) bool { return k.starts[i] > s.next }) - 1
	b, start := k.batches[i], k.starts[i]
	s.sel = s.sel[:0]
	if s.back {
		for ; s.next >= max(start, s.to, 1); s.next-- {
			s.sel = append(s.sel, uint16(s.next-start))
		}
	} else {
		for end := min(start+int64(b.N)-1, s.to); s.next <= end; s.next++ {
			k.at = s.next
			s.sel = append(s.sel, uint16(s.next-start))
		}
	}
	s.view = *b
	s.view.Sel = s.sel
	return &s.view, nil
}

// Close implements Rows: the cursor stays open.
func (s *scrollRows) Close() {}
