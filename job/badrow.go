package job

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/deadletter"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/format/json"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// What bad_data may say.
const (
	failOnBadData = "fail"
	skipBadData   = "skip"
	keepBadData   = "dead_letter"
)

// rowShownMax is how much of a row an error message shows.
const rowShownMax = 300

// badRowError is the failure of a job whose policy is to fail on a bad row. The
// row will be as bad after a restart.
type badRowError struct{ err *pgerr.Error }

// Error is the text for the user.
func (e badRowError) Error() string { return e.err.Message }

// Unwrap returns the error for the user.
func (e badRowError) Unwrap() error { return e.err }

func isBadRow(err error) bool {
	var bad badRowError
	return errors.As(err, &bad)
}

// failOn words the failure: where the row is, what is wrong with it, the row.
func failOn(err error, place string, raw []byte) error {
	e := pgerr.From(err)
	if len(raw) > rowShownMax {
		raw = append(bytes.Clone(raw[:rowShownMax]), "..."...)
	}
	return badRowError{pgerr.New(e.Code, "%s%s: %s", e.Message, place, bytes.ToValidUTF8(raw, []byte("?"))).Wrap(err).
		Hint("Set bad_data to 'dead_letter' or 'skip' to go on without such rows.")}
}

// FailOn is the error for a row that could not be decoded where such rows are not
// passed over.
func FailOn(b connector.BadRow) error {
	return failOn(b.Err, fmt.Sprintf(", in the row at position %s of partition %q", b.Offset, b.Split), b.Raw)
}

// undecodable takes the rows of a source that could not be decoded, by the policy
// of its relation. They are recognized by their place when they are read again,
// and so are kept at once.
func (p *parts) undecodable(op *graph.Operator, count *atomic.Int64) func(connector.BadRow) error {
	policy := op.Source.Options["bad_data"]
	return func(b connector.BadRow) error {
		e := pgerr.From(b.Err)
		if policy == failOnBadData {
			return FailOn(b)
		}
		count.Add(1)
		if policy == skipBadData || p.m.opt.Letters == nil {
			return nil
		}
		return p.m.opt.Letters.Append(deadletter.Letter{Relation: b.Relation, Job: p.r.name(), Operator: op.ID, Split: b.Split, Offset: b.Offset,
			Code: string(e.Code), Error: e.Message, Raw: b.Raw})
	}
}

// refused takes the rows that one operator of one task could not use. They have
// no place in a source any more by which they could be recognized when the job
// reads them again after a crash: they are put aside, and kept once a checkpoint
// covers them. It implements exec.Aside.
type refused struct {
	aside    *deadletter.Aside // nil keeps nothing
	job      func() string     // its name now
	relation string            // of a source or sink
	policy   string
	rows     map[rowShape]*json.Encoder
	buf      []byte
}

// rowShape is a row layout that an operator refuses rows of.
type rowShape struct {
	first *types.Field
	count int
	ops   bool
}

func (p *parts) refused(op *graph.Operator) *refused {
	r := &refused{job: p.r.name, policy: p.opt.BadData, rows: map[rowShape]*json.Encoder{}}
	switch {
	case op.Source != nil:
		r.relation = op.Source.Relation
	case op.Sink != nil:
		r.relation = op.Sink.Relation
	}
	if p.m.opt.Letters != nil {
		r.aside = p.m.opt.Letters.Aside(p.r.job.ID, p.start.incarnation)
	}
	return r
}

// badRow implements exec.BadRow.
func (r *refused) badRow(_ context.Context, bad *exec.Refused) error {
	if r.policy == skipBadData {
		return nil
	}
	e := pgerr.From(bad.Err)
	text := e.Message
	if bad.Expr != "" {
		text += " in " + bad.Expr
	}
	raw := r.text(bad.Batch, bad.Row, bad.Fields)
	if r.policy == failOnBadData {
		return failOn(pgerr.New(e.Code, "%s", text), ", in the row", raw)
	}
	return r.put(bad.Operator, e.Code, text, raw)
}

// late keeps rows that came too late for a window.
func (r *refused) late(op string, fields []types.Field) func(in *batch.Batch, rows []uint16) error {
	return func(in *batch.Batch, rows []uint16) error {
		for _, i := range rows {
			if err := r.put(op, pgerr.DatetimeFieldOverflow, "the row is late: its window has closed", r.text(in, int(i), fields)); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *refused) put(op string, code pgerr.Code, text string, raw []byte) error {
	if r.aside == nil {
		return nil
	}
	return r.aside.Put(deadletter.Letter{Relation: r.relation, Job: r.job(), Operator: op, Code: string(code), Error: text, Raw: raw})
}

// text is a row as JSON; one that is not an insert says what it is in "op".
func (r *refused) text(b *batch.Batch, row int, fields []types.Field) []byte {
	shape := rowShape{count: len(fields), ops: b.Op(row) != batch.Insert}
	if len(fields) > 0 {
		shape.first = &fields[0]
	}
	enc := r.rows[shape]
	if enc == nil {
		columns := make([]format.Column, len(fields))
		for i, f := range fields {
			columns[i] = format.Column{Name: f.Name, Type: f.Type}
			if f.Name == "" {
				columns[i].Name = fmt.Sprintf("column%d", i+1)
			}
		}
		enc = json.NewEncoder(columns, shape.ops)
		r.rows[shape] = enc
	}
	one := batch.Batch{N: b.N, Cols: b.Cols[:len(fields)], Ops: b.Ops, Sel: []uint16{uint16(row)}}
	r.buf = enc.Encode(r.buf[:0], &one)
	return bytes.TrimRight(r.buf, "\n")
}

// Cut implements exec.Aside.
func (r *refused) Cut() ([]byte, error) {
	if r.aside == nil {
		return nil, nil
	}
	names, err := r.aside.Cut()
	if err != nil || names == nil {
		return nil, err
	}
	return stdjson.Marshal(names)
}

// Close implements exec.Aside.
func (r *refused) Close() error {
	if r.aside == nil {
		return nil
	}
	return r.aside.Close()
}

// keep has the rows kept for good that tasks put aside, each once.
func (m *Manager) keep(lists [][]byte) error {
	if m.opt.Letters == nil {
		return nil
	}
	for _, data := range lists {
		var names []string
		if err := stdjson.Unmarshal(data, &names); err != nil {
			return fmt.Errorf("decode what is to be kept of bad rows: %w", err)
		}
		if err := m.opt.Letters.Keep(names); err != nil {
			return err
		}
	}
	return nil
}
