// Package eval compiles typed scalar expressions to kernels over columns and
// runs them. It knows PostgreSQL's functions and nothing of operators, state or
// catalogs: what needs those is asked for through Context.External.
//
// A Program or Predicate belongs to one task: it keeps its output columns and
// scratch between batches.
package eval

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Context is what expressions may know besides the row. The owner may change
// Now between batches; a job sets it to the processing time of each batch.
type Context struct {
	// Now is the statement's time, microseconds since 1970 UTC.
	Now int64
	// Clock is clock_timestamp(); nil means Now.
	Clock func() int64
	// Watermark is what the operator's input has passed, nil before it is known: of
	// finished data it never is.
	Watermark *int64
	// Zone is the session's time zone; nil means UTC.
	Zone                            *types.Zone
	User, SessionUser, Database     string
	Schema, Version, ClientEncoding string
	BackendPID                      int32
	// Query is current_query().
	Query string
	// Random is random() of a session; nil means any numbers.
	Random *Random
	// External answers functions that the table marks External. Arguments are
	// not null if the function is strict.
	External func(key string, args []types.Value, result types.Type) (types.Value, error)
	// Memory counts large values while they are taken apart; nil: nobody does.
	Memory *memory.Share
}

// TimeZone is the session's time zone.
func (c *Context) TimeZone() *types.Zone { return c.zone() }

func (c *Context) zone() *types.Zone {
	if c.Zone == nil {
		return types.UTC
	}
	return c.Zone
}

func (c *Context) parse() *types.ParseOptions {
	return &types.ParseOptions{Zone: c.zone(), Now: func() int64 { return c.Now }}
}

// Options are how expressions are compiled.
type Options struct {
	// Context is read at each evaluation; nil means the zero Context.
	Context *Context
}

// EnsureDefaults fills in what is not set.
func (o *Options) EnsureDefaults() {
	if o.Context == nil {
		o.Context = &Context{}
	}
}

// RowError tells which row of a batch an expression failed on, and why.
type RowError struct {
	Row  int
	Expr string
	Err  *pgerr.Error
}

// Error gives the cause with the expression at fault.
func (e *RowError) Error() string {
	if e.Expr == "" {
		return e.Err.Message
	}
	return fmt.Sprintf("%s: %s", e.Expr, e.Err.Message)
}

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// RowErrors are the rows of a batch that failed, at most one error each, in no
// order. The results for the other rows are valid: an operator whose policy is
// to drop bad rows goes on with Without.
type RowErrors []RowError

// Error gives the first.
func (e RowErrors) Error() string { return e[0].Error() }

// Unwrap returns the first, so that errors.As finds its *pgerr.Error.
func (e RowErrors) Unwrap() error { return &e[0] }

// Without appends to dst[:0] the rows of sel (all n rows when sel is nil) that
// did not fail. The result is never nil, which would select all.
func (e RowErrors) Without(sel []uint16, n int, dst []uint16) []uint16 {
	var bad batch.Bitmap
	bad = bad.Grow(n)
	for i := range e {
		bad.Set(e[i].Row)
	}
	if dst = dst[:0]; dst == nil {
		dst = []uint16{}
	}
	if sel == nil {
		for i := range n {
			if !bad.Get(i) {
				dst = append(dst, uint16(i))
			}
		}
		return dst
	}
	for _, i := range sel {
		if !bad.Get(int(i)) {
			dst = append(dst, i)
		}
	}
	return dst
}

// BadRows returns the row errors in err, nil when it is another kind of error.
func BadRows(err error) RowErrors {
	var e RowErrors
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// frame is one evaluation: the input, and the rows that failed.
type frame struct {
	in     *batch.Batch
	n      int
	ctx    *Context
	errs   RowErrors
	failed batch.Bitmap
	serial uint64  // of the evaluation, from 1
	memos  []*memo // shared columns
	room   int     // bytes over which a column's strings take no more rows
	full   bool    // some column's did not
}

// A column of strings that are made row by row takes no more rows over these bytes: those
// over which a batch should be evaluated in parts, where that is possible, and those that
// no column may ever have.
const (
	roomBytes    = 64 << 20
	roomBytesMax = 3 << 30
)

// ErrTooLarge says that the strings of a batch take too much room. Nothing of the
// evaluation is valid; parts of the batch may do.
var ErrTooLarge = pgerr.New(pgerr.ProgramLimitExceeded, "the values of %d rows take more than %d bytes", batch.RowsDefault, roomBytesMax).
	Hint("A job or table with smaller batch_rows evaluates fewer rows at a time.")

func (f *frame) start(in *batch.Batch) {
	f.in, f.n, f.full = in, in.N, false
	f.serial++
	if f.errs != nil {
		f.errs = nil // handed out: not reused
		clear(f.failed)
	}
}

func (f *frame) result() error {
	if f.full {
		return ErrTooLarge
	}
	if len(f.errs) == 0 {
		return nil
	}
	return f.errs
}

// fail records that row i cannot be computed.
func (f *frame) fail(e *scalar.Expr, i int, err error) {
	f.failed = f.failed.Grow(f.n)
	if f.failed.Get(i) {
		return
	}
	f.failed.Set(i)
	pe := pgerr.From(err)
	if pe.Position < 0 && e.Pos >= 0 {
		c := *pe
		pe = c.At(e.Pos)
	}
	f.errs = append(f.errs, RowError{Row: i, Expr: e.Text, Err: pe})
}

// node computes an expression for the rows of sel, all of them when it is nil.
// The column is valid for those rows until the next call.
type node interface {
	eval(f *frame, sel []uint16) *batch.Column
}

// Program computes one expression.
type Program struct {
	root  node
	typ   types.Type
	frame frame
}

// Compile prepares an expression. Parameters must have been replaced.
func Compile(e *scalar.Expr, opts Options) (*Program, error) {
	opts.EnsureDefaults()
	root, err := compile(e, opts.Context)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name(e), err)
	}
	return &Program{root: root, typ: e.Type, frame: frame{ctx: opts.Context, room: roomBytesMax}}, nil
}

func name(e *scalar.Expr) string {
	if e.Text != "" {
		return e.Text
	}
	if e.Func != "" {
		return e.Func
	}
	return string(e.Op)
}

// Type is the type of the result.
func (p *Program) Type() types.Type { return p.typ }

// Eval computes the expression for at least the live rows of in. The column may
// be one of in's own, else it is p's and valid until the next Eval. If rows
// failed the error is a RowErrors and the column valid for all others.
func (p *Program) Eval(in *batch.Batch) (*batch.Column, error) {
	p.frame.start(in)
	c := p.root.eval(&p.frame, in.Sel)
	return c, p.frame.result()
}

// Projection computes several expressions of one input.
type Projection struct {
	nodes []node
	cols  []*batch.Column
	frame frame
}

// CompileAll prepares several expressions. What they have in common is computed
// once per row.
func CompileAll(exprs []*scalar.Expr, opts Options) (*Projection, error) {
	opts.EnsureDefaults()
	p := &Projection{frame: frame{ctx: opts.Context, room: roomBytesMax}, cols: make([]*batch.Column, len(exprs))}
	shared, rewritten := share(exprs)
	var err error
	if p.frame.memos, err = shared.compile(opts.Context, false); err != nil {
		return nil, err
	}
	for i, e := range rewritten {
		n, err := compile(e, opts.Context)
		if err != nil {
			return nil, fmt.Errorf("compile %s: %w", name(exprs[i]), err)
		}
		p.nodes = append(p.nodes, n)
	}
	return p, nil
}

// Eval computes all expressions, as Program.Eval does. The slice is p's.
func (p *Projection) Eval(in *batch.Batch) ([]*batch.Column, error) {
	p.frame.start(in)
	for i, n := range p.nodes {
		p.cols[i] = n.eval(&p.frame, in.Sel)
	}
	return p.cols, p.frame.result()
}

// InParts says that the caller evaluates parts of a batch after ErrTooLarge, which then
// comes earlier, until it says that there are none.
func (p *Projection) InParts(parts bool) { p.frame.inParts(parts) }

func (f *frame) inParts(parts bool) {
	if f.room = roomBytesMax; parts {
		f.room = roomBytes
	}
}

// Constant evaluates an expression without columns once, as folding and DDL do.
func Constant(e *scalar.Expr, opts Options) (types.Value, error) {
	p, err := Compile(e, opts)
	if err != nil {
		return types.NullValue, err
	}
	c, err := p.Eval(&batch.Batch{N: 1})
	if err != nil {
		if bad := BadRows(err); bad != nil {
			return types.NullValue, bad[0].Err
		}
		return types.NullValue, err
	}
	return c.Value(0), nil
}
