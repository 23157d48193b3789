package job

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
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

// What goes on without bad rows, where an option says so, and where none can.
const (
	setBadData   = "Set bad_data to 'dead_letter' or 'skip' to go on without such rows."
	subscribable = "A materialized view of the query goes on without such rows, unless bad_data is 'fail'; subscribe to that."
)

// failOn words the failure: where the row is, what is wrong with it, the row.
func failOn(err error, place string, raw []byte, hint string) error {
	e := pgerr.From(err)
	if len(raw) > rowShownMax {
		raw = append(bytes.Clone(raw[:rowShownMax]), "..."...)
	}
	return badRowError{pgerr.New(e.Code, "%s%s: %s", e.Message, place, bytes.ToValidUTF8(raw, []byte("?"))).Wrap(err).
		Hint("%s", hint)}
}

// FailOn is the error for a row that could not be decoded where such rows are not
// passed over.
func FailOn(b connector.BadRow) error {
	return failOn(b.Err, fmt.Sprintf(", in the row at position %s of partition %q", b.Offset, b.Split), b.Raw, setBadData)
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
// covers them. Rows of an input that takes rows back are held until a barrier: one that
// an outer join showed by itself before its partner came was never there. It implements
// exec.Aside.
type refused struct {
	aside    *deadletter.Aside // nil keeps nothing
	job      func() string     // its name now
	relation string            // of a source or sink
	policy   string
	hint     string         // of the failure, where that is the policy
	counters *exec.Counters // of the operator
	rows     map[rowShape]*json.Encoder
	buf      []byte

	final bool                // no row is taken back
	held  map[string]*refusal // by operator and row
	order []*refusal
	size  int // bytes of what is held
}

// refusal is a row that could not be used, and why.
type refusal struct {
	operator string
	code     pgerr.Code
	text     string
	raw      []byte
	n        int // how often it came, less how often it was taken back
}

// heldBytesMax is how much is held of the rows that an operator of a task refused.
const heldBytesMax = 4 << 20

// rowShape is a row layout that an operator refuses rows of.
type rowShape struct {
	first *types.Field
	count int
	ops   bool
}

func (p *parts) refused(op *graph.Operator) *refused {
	r := &refused{job: p.r.name, policy: p.opt.BadData, hint: setBadData, counters: &exec.Counters{}, rows: map[rowShape]*json.Encoder{},
		final: final(p.r.g, op), held: map[string]*refusal{}}
	switch {
	case op.Source != nil:
		r.relation = op.Source.Relation
	case op.Sink != nil:
		r.relation = op.Sink.Relation
	}
	if p.live != nil {
		r.hint = subscribable
	}
	if p.m.opt.Letters != nil {
		r.aside = p.m.opt.Letters.Aside(p.r.job.ID, p.start.incarnation)
	}
	return r
}

// final reports whether an operator never takes a row back, nor has any taken back.
func final(g *graph.Graph, op *graph.Operator) bool {
	return op.Mode == graph.AppendOnly && !slices.ContainsFunc(op.Inputs, func(in graph.Input) bool { return g.Operators[in.Operator].Mode != graph.AppendOnly })
}

// badRow implements exec.BadRow.
func (r *refused) badRow(_ context.Context, bad *exec.Refused) error {
	retracts := bad.Batch.Op(bad.Row).Retracts()
	if r.final && (retracts || r.policy == skipBadData) {
		return nil
	}
	row := *bad.Batch
	row.Ops = nil
	raw := r.text(&row, bad.Row, bad.Fields)
	if r.final {
		f := refusal{operator: bad.Operator, raw: raw}
		f.because(bad)
		return r.tell(&f)
	}
	key := bad.Operator + "\x00" + string(raw)
	f := r.held[key]
	if f == nil {
		f = &refusal{operator: bad.Operator, raw: bytes.Clone(raw)}
		r.held[key], r.order = f, append(r.order, f)
		r.size += 2 * len(raw)
	}
	if f.n < 0 && !retracts || f.n > 0 && retracts {
		r.counters.BadRows-- // nothing has happened
	}
	if retracts {
		f.n--
	} else {
		f.n++
		f.because(bad)
	}
	if r.size > heldBytesMax {
		return r.settle()
	}
	return nil
}

// because notes why a row was refused.
func (f *refusal) because(bad *exec.Refused) {
	e := pgerr.From(bad.Err)
	f.code, f.text = e.Code, e.Message
	if bad.Expr != "" {
		f.text += " in " + bad.Expr
	}
}

// settle tells the rows that are held and that nothing has taken back. What is left of
// others takes back rows that have been told.
func (r *refused) settle() error {
	for _, f := range r.order {
		for range f.n {
			if err := r.tell(f); err != nil {
				return err
			}
		}
	}
	clear(r.held)
	clear(r.order)
	r.order, r.size = r.order[:0], 0
	return nil
}

// tell does with a row what the policy says.
func (r *refused) tell(f *refusal) error {
	switch r.policy {
	case skipBadData:
		return nil
	case failOnBadData:
		return failOn(pgerr.New(f.code, "%s", f.text), ", in the row", f.raw, r.hint)
	}
	return r.put(f.operator, f.code, f.text, f.raw)
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

// Cut implements exec.Aside. Before the tables of a job were read to their end rows may
// lack partners that were there all the time.
func (r *refused) Cut(b exec.Barrier) ([]byte, error) {
	if b.Caught || b.Checkpoint != 0 {
		if err := r.settle(); err != nil {
			return nil, err
		}
	}
	if r.aside == nil || b.Checkpoint == 0 {
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
