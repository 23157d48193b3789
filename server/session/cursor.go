package session

import (
	"context"
	"errors"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Portal is a statement bound to its parameters, or a cursor of SQL: both live
// in one namespace, until the transaction ends, or the session for a holdable
// cursor.
type Portal struct {
	Name     string
	Prepared *Prepared
	Params   []types.Value
	// Formats are the result format codes of Bind; the connection reads them.
	Formats []int16
	// Run is nil until the portal is first executed.
	Run *Run
	// Done says that the portal was run to its end.
	Done bool

	sql    string
	cursor bool
	// kept is what a SCROLL cursor has read, nil of all others.
	kept   *kept
	hold   bool
	binary bool
	tx     *Tx
	number int64
	at     time.Time
}

// Bind makes a portal. The unnamed one ("") may be replaced.
func (s *Session) Bind(name string, p *Prepared, params []types.Value, formats []int16) (*Portal, error) {
	if err := s.checkState(p.Statement.Statement); err != nil {
		return nil, err
	}
	if name == "" {
		s.ClosePortal("")
	} else if s.portals[name] != nil {
		return nil, pgerr.New(pgerr.DuplicateCursor, "cursor %q already exists", name)
	}
	s.begin()
	s.portalsMade++
	portal := &Portal{Name: name, Prepared: p, Params: params, Formats: formats, tx: s.tx, number: s.portalsMade, at: s.clock.Now()}
	s.portals[name] = portal
	return portal, nil
}

// Portal finds a portal.
func (s *Session) Portal(name string) (*Portal, error) {
	if p := s.portals[name]; p != nil {
		return p, nil
	}
	return nil, pgerr.New(pgerr.InvalidCursorName, "portal %q does not exist", name)
}

// ClosePortal closes a portal; no error if there is none.
func (s *Session) ClosePortal(name string) {
	if p := s.portals[name]; p != nil {
		p.close()
		delete(s.portals, name)
	}
}

func (p *Portal) close() {
	if p.Run != nil {
		p.Run.Close()
	}
	if p.kept != nil {
		p.kept.close()
	}
}

func (s *Session) closePortals(which func(*Portal) bool) {
	for name, p := range s.portals {
		if which(p) {
			p.close()
			delete(s.portals, name)
		}
	}
}

// CursorInfo is a row of pg_cursors.
type CursorInfo struct {
	Name     string
	SQL      string
	Holdable bool
	Binary   bool
	// Scroll says that it can go back.
	Scroll bool
	At     time.Time
}

// Cursors lists the session's cursors by name.
func (s *Session) Cursors() []CursorInfo {
	var out []CursorInfo
	for name, p := range s.portals {
		if p.cursor {
			out = append(out, CursorInfo{name, p.sql, p.hold, p.binary, p.kept != nil, p.at})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// declare runs DECLARE CURSOR.
func (s *Session) declare(ctx context.Context, st *ast.DeclareCursor, declared *Prepared, params []types.Value) (*Result, error) {
	if !s.tx.Explicit && !st.Hold {
		return nil, pgerr.New(pgerr.NoActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks").
			Hint("Begin a transaction first, or declare the cursor WITH HOLD.")
	}
	if s.portals[st.Name.Value] != nil {
		return nil, pgerr.New(pgerr.DuplicateCursor, "cursor %q already exists", st.Name.Value).At(int(st.Name.Pos))
	}
	if err := CheckCursor(st); err != nil {
		return nil, err
	}
	inner := declared.Statement
	inner.Statement = st.Statement
	p, err := s.handler.Prepare(ctx, s, inner, declared.Params)
	if err != nil {
		return nil, err
	}
	if st.Scroll && p.Live {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "DECLARE SCROLL CURSOR FOR SUBSCRIBE is not supported").At(int(st.Pos)).
			Hint("Changes are told once, in their order; declare the cursor without SCROLL.")
	}
	run := &Run{s: s, Columns: p.Columns, Live: p.Live}
	// A cursor outlives the statement that declares it, so it has a context of
	// its own, which ends with the portal.
	run.ctx, run.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if run.Result, err = s.handler.Execute(run.ctx, s, p, params); err != nil {
		run.Close()
		return nil, err
	}
	s.portalsMade++
	portal := &Portal{Name: st.Name.Value, Prepared: p, Run: run, sql: inner.Text, cursor: true, hold: st.Hold, binary: st.Binary,
		tx: s.tx, number: s.portalsMade, at: s.clock.Now()}
	if st.Scroll {
		portal.kept = newKept(run)
	}
	s.portals[st.Name.Value] = portal
	return Command("DECLARE CURSOR"), nil
}

// CheckCursor refuses a DECLARE CURSOR that cannot be.
func CheckCursor(st *ast.DeclareCursor) error {
	if st.Scroll && st.Modes == "no scroll" {
		return pgerr.New(pgerr.InvalidCursorDefinition, "cannot specify both SCROLL and NO SCROLL").At(int(st.Pos))
	}
	if q, ok := st.Statement.(*ast.Query); ok && q.With != nil && slices.ContainsFunc(q.With.CTEs, func(c ast.CTE) bool { return c.Statement != nil }) {
		return pgerr.New(pgerr.FeatureNotSupported, "DECLARE CURSOR must not contain data-modifying statements in WITH").At(int(q.Pos))
	}
	return nil
}

func (s *Session) cursor(name ast.Name) (*Portal, error) {
	p := s.portals[name.Value]
	if p == nil || !p.cursor && p.Run == nil {
		return nil, pgerr.New(pgerr.InvalidCursorName, "cursor %q does not exist", name.Value).At(int(name.Pos))
	}
	return p, nil
}

// fetch runs FETCH and MOVE.
func (s *Session) fetch(r *Run, st *ast.Fetch) (*Result, error) {
	p, err := s.cursor(st.Cursor)
	if err != nil {
		return nil, err
	}
	wait, err := fetchTimeout(st)
	if err != nil {
		return nil, err
	}
	rows, err := p.move(r.ctx, st, wait)
	if err != nil {
		return nil, err
	}
	r.Columns = p.Prepared.Columns
	if p.binary {
		r.Formats = []int16{1}
	}
	if !st.Move {
		return &Result{Tag: "FETCH", CountRows: true, Rows: rows}, nil
	}
	r.Columns = nil
	moved := int64(0)
	for {
		b, err := rows.Next(r.ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return Affected("MOVE", moved), nil
		}
		moved += int64(b.Live())
	}
}

// move is the rows that FETCH or MOVE comes by, in their order.
func (p *Portal) move(ctx context.Context, st *ast.Fetch, wait time.Duration) (Rows, error) {
	if p.kept != nil {
		return p.kept.move(ctx, motionOf(st))
	}
	at := p.Run.rows
	if p.Run.ended {
		at++
	}
	switch m := motionOf(st); {
	case m.absolute && m.count > at:
		return &fetchRows{from: p.Run, skip: m.count - at - 1, left: 1, wait: wait}, nil
	case m.absolute && m.count == 0 && at == 0:
		return &fetchRows{from: p.Run}, nil
	case m.absolute || m.count < 0:
	case m.count == 0 && (at == 0 || p.Run.ended):
		return &fetchRows{from: p.Run}, nil
	case m.count == 0 && st.Move:
		return ValueRows(nil, [][]types.Value{{}}), nil
	case m.count == 0: // the row that it is on, once more
	case m.single:
		return &fetchRows{from: p.Run, skip: m.count - 1, left: 1, wait: wait}, nil
	default:
		return &fetchRows{from: p.Run, left: m.count, wait: wait}, nil
	}
	return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "cursor can only scan forward").At(int(st.Pos)).
		Hint("Declare it with SCROLL option to enable backward scan.")
}

// fetchTimeout reads WITH (timeout = '1s'): how long FETCH waits for the first
// row of a live cursor; -1 is for ever.
func fetchTimeout(st *ast.Fetch) (time.Duration, error) {
	for _, o := range st.Options {
		if o.Name != "timeout" {
			return 0, pgerr.New(pgerr.SyntaxError, "option %q not recognized", o.Name).At(int(o.Pos)).Hint("FETCH takes the option timeout.")
		}
		text, err := valueText(o.Value)
		if err != nil {
			return 0, err
		}
		d, ok := parseDuration(text, time.Second)
		if !ok {
			return 0, pgerr.New(pgerr.InvalidParameterValue, "invalid value for option timeout: %q", text).At(int(o.Pos))
		}
		return d, nil
	}
	return -1, nil
}

// fetchRows reads some rows of a cursor. Of a live one it takes what is there,
// but waits for the first row.
type fetchRows struct {
	from *Run
	skip int64 // rows to come by before
	left int64
	wait time.Duration
	got  bool
}

// fetchLull is how long a live cursor may be silent before FETCH, having rows,
// returns them.
const fetchLull = 20 * time.Millisecond

// Next implements Rows.
func (f *fetchRows) Next(ctx context.Context) (*batch.Batch, error) {
	if f.left == 0 {
		return nil, nil
	}
	for f.skip > 0 {
		b, err := f.read(ctx, f.skip)
		if err != nil || b == nil {
			return nil, err
		}
		f.skip -= int64(b.Live())
	}
	b, err := f.read(ctx, min(f.left, math.MaxInt32))
	if err != nil || b == nil {
		return nil, err
	}
	f.got = true
	f.left -= int64(b.Live())
	return b, nil
}

func (f *fetchRows) read(ctx context.Context, limit int64) (*batch.Batch, error) {
	wait := f.wait
	if f.got {
		wait = fetchLull
	}
	if !f.from.Live || wait < 0 {
		return f.from.next(ctx, limit)
	}
	timed, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	b, err := f.from.next(timed, limit)
	if err != nil && ctx.Err() == nil && errors.Is(timed.Err(), context.DeadlineExceeded) {
		return nil, nil
	}
	return b, err
}

// Close implements Rows: the cursor stays open.
func (f *fetchRows) Close() {}

// closeCursor runs CLOSE.
func (s *Session) closeCursor(st *ast.CloseCursor) (*Result, error) {
	if st.All {
		s.closePortals(func(p *Portal) bool { return p.cursor })
		return Command("CLOSE CURSOR ALL"), nil
	}
	if _, err := s.cursor(st.Name); err != nil {
		return nil, err
	}
	s.ClosePortal(st.Name.Value)
	return Command("CLOSE CURSOR"), nil
}
