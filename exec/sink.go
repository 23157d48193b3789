package exec

import (
	"context"
	"errors"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// SinkOutput is what a sink operator of one task works with.
type SinkOutput struct {
	Writer connector.Writer
	// BadRow takes the rows that cannot be written; nil: the first fails the job.
	BadRow   BadRow
	Counters *Counters // may be nil
	Aside    Aside     // may be nil
}

// sinkWriter is the operator that hands rows to a connector's writer. It holds
// back rows with a null in a column that takes none, and has those judged that
// the writer refuses.
type sinkWriter struct {
	Stateless
	ctx     context.Context
	spec    *graph.Operator
	writer  connector.Writer
	badRow  BadRow
	count   *Counters
	full    batch.Batch     // the relation's columns
	absent  []*batch.Column // those that get no value
	notNull []int
	bad     batch.Bitmap
	sel     []uint16
	scratch []batch.Op
}

// newSinkWriter maps input columns to the relation's; columns that are not given
// are null.
func newSinkWriter(ctx context.Context, out *SinkOutput, spec *graph.Operator) *sinkWriter {
	s := &sinkWriter{ctx: ctx, spec: spec, writer: out.Writer, badRow: out.BadRow, count: out.Counters, notNull: spec.Sink.NotNull}
	if s.count == nil {
		s.count = &Counters{}
	}
	given := map[int]bool{}
	for _, c := range spec.Sink.Columns {
		given[c] = true
	}
	s.full.Cols = make([]*batch.Column, len(spec.Sink.Schema))
	for i, f := range spec.Sink.Schema {
		if !given[i] {
			s.full.Cols[i] = &batch.Column{Phys: f.Type.Phys(), HasNulls: true}
			s.absent = append(s.absent, s.full.Cols[i])
		}
	}
	return s
}

// shape gives a batch the relation's columns.
func (s *sinkWriter) shape(in *batch.Batch) *batch.Batch {
	s.full.N, s.full.Sel, s.full.Ops = in.N, in.Sel, in.Ops
	for k, c := range s.spec.Sink.Columns {
		s.full.Cols[c] = in.Cols[k]
	}
	for _, c := range s.absent {
		nullColumn(c, in.N)
	}
	return &s.full
}

func nullColumn(c *batch.Column, n int) {
	if c.Len() >= n {
		return
	}
	c.Resize(n)
	for i := range n {
		c.SetNull(i, n)
		if c.Phys == types.PhysBytes {
			c.Views[i] = batch.View{}
		}
	}
}

// OnBatch writes the rows.
func (s *sinkWriter) OnBatch(_ int, in *batch.Batch, _ Output) error {
	b := s.shape(in)
	if err := s.holdNulls(b); err != nil {
		return err
	}
	err := s.writer.Write(s.ctx, b)
	var refused connector.RefusedRows
	if !errors.As(err, &refused) {
		return err
	}
	for i := range refused {
		if err := s.refuse(b, refused[i].Row, refused[i].Err); err != nil {
			return err
		}
	}
	return nil
}

// holdNulls takes rows out of b that have a null where the relation takes none,
// and what takes such a row back, which has not been written.
func (s *sinkWriter) holdNulls(b *batch.Batch) error {
	found := false
	for _, c := range s.notNull {
		if !b.Cols[c].HasNulls {
			continue
		}
		for k := range b.Live() {
			i := b.RowAt(k)
			if !b.Cols[c].IsNull(i) || found && s.bad.Get(i) {
				continue
			}
			if !found {
				found = true
				s.bad = s.bad.Grow(b.N)
				clear(s.bad)
			}
			s.bad.Set(i)
			err := pgerr.New(pgerr.NotNullViolation, "null value in column %q of relation %q violates not-null constraint", s.spec.Sink.Schema[c].Name, strings.TrimPrefix(s.spec.Sink.Relation, "public."))
			if err := s.refuse(b, i, err); err != nil {
				return err
			}
		}
	}
	if !found {
		return nil
	}
	s.sel = s.sel[:0]
	if s.sel == nil {
		s.sel = []uint16{} // nil would select all
	}
	for k := range b.Live() {
		if i := b.RowAt(k); !s.bad.Get(i) {
			s.sel = append(s.sel, uint16(i))
		}
	}
	s.splitUpdates(b)
	b.Sel = s.sel
	return nil
}

// splitUpdates makes a delete or an insert of an update's half whose other half is
// held back.
func (s *sinkWriter) splitUpdates(b *batch.Batch) {
	if b.Ops == nil {
		return
	}
	s.scratch = append(s.scratch[:0], b.Ops...)
	for k := range b.Live() {
		i := b.RowAt(k)
		switch {
		case b.Ops[i] == batch.UpdateBefore && k+1 < b.Live() && s.bad.Get(b.RowAt(k+1)):
			s.scratch[i] = batch.Delete
		case b.Ops[i] == batch.UpdateAfter && k > 0 && s.bad.Get(b.RowAt(k-1)):
			s.scratch[i] = batch.Insert
		}
	}
	b.Ops = s.scratch
}

// refuse has a row judged that cannot be written, or taken back as it was not.
func (s *sinkWriter) refuse(b *batch.Batch, row int, err error) error {
	if s.badRow == nil {
		return err
	}
	if !b.Op(row).Retracts() {
		s.count.BadRows++
	}
	return s.badRow(s.ctx, &Refused{Operator: s.spec.ID, Err: err, Batch: b, Row: row, Fields: s.spec.Sink.Schema})
}

func (s *sinkWriter) preCommit(b Barrier) ([]byte, error) {
	return s.writer.PreCommit(s.ctx, b.Epoch)
}
