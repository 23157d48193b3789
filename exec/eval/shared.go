package eval

import (
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// An expression that several expressions have in common is computed once per row,
// and only for rows for which somebody asks: it becomes a column numbered from
// sharedColumns on. What a filter computed goes on with the rows that pass, as
// batch.Derived, to a projection after it.

// sharedColumns is from where on columns are not the input's.
const sharedColumns = 1 << 20

// sharing collects what a set of expressions may share.
type sharing struct {
	uses    map[string]int
	columns map[string]*scalar.Expr // what stands for an expression
	shared  []*scalar.Expr          // the expressions behind, which read other shared ones
	keys    []string
}

// share rewrites expressions to read shared columns.
func share(exprs []*scalar.Expr) (*sharing, []*scalar.Expr) {
	s := &sharing{uses: map[string]int{}, columns: map[string]*scalar.Expr{}}
	for _, e := range exprs {
		scalar.Walk(e, func(x *scalar.Expr) {
			if isDear(x) {
				s.uses[keyOf(x)]++
			}
		})
	}
	out := make([]*scalar.Expr, len(exprs))
	for i, e := range exprs {
		out[i] = s.rewrite(e)
	}
	return s, out
}

func (s *sharing) rewrite(e *scalar.Expr) *scalar.Expr {
	key := ""
	if isDear(e) {
		key = keyOf(e)
		if c := s.columns[key]; c != nil {
			return c
		}
	}
	x := e
	if len(e.Args) > 0 {
		c := *e
		c.Args = make([]*scalar.Expr, len(e.Args))
		for i, a := range e.Args {
			if folds(e, a) {
				b := *a
				b.Args = []*scalar.Expr{s.rewrite(a.Args[0])}
				c.Args[i] = &b
				continue
			}
			c.Args[i] = s.rewrite(a)
		}
		x = &c
	}
	if key == "" {
		return x
	}
	// What it costs is still to be seen from its arguments.
	c := &scalar.Expr{Op: scalar.OpColumn, Column: sharedColumns + len(s.shared), Type: e.Type, Args: []*scalar.Expr{e}, Pos: e.Pos, Text: e.Text}
	s.columns[key], s.shared, s.keys = c, append(s.shared, x), append(s.keys, key)
	return c
}

// folds reports whether a is compared within e in a way that never computes it.
func folds(e, a *scalar.Expr) bool {
	if a.Op != scalar.OpCall || a.Func != "lower(text)" {
		return false
	}
	fn := scalar.ByKey(e.Func)
	return e.Op == scalar.OpIn || e.Op == scalar.OpCall && fn != nil && fn.Operator && fn.Name == "="
}

// isDear reports whether an expression costs more than remembering its value, and
// always has the same value for the same row.
func isDear(e *scalar.Expr) bool {
	switch e.Op {
	case scalar.OpCall:
		fn := scalar.ByKey(e.Func)
		if fn == nil || fn.Volatility != scalar.Immutable {
			return false
		}
		if _, compares := comparisons[fn.Name]; compares && fn.Operator {
			return false
		}
	case scalar.OpCast: // the others cost next to nothing
		if e.Type.IsString() == e.Args[0].Type.IsString() {
			return false
		}
	default:
		return false
	}
	wide := !isPlain(e.Type)
	for _, a := range e.Args {
		wide = wide || !isPlain(a.Type)
	}
	return wide && scalar.VolatilityOf(e) == scalar.Immutable && len(scalar.Columns(e)) > 0
}

// isPlain tells the types that are computed with in a nanosecond.
func isPlain(t types.Type) bool {
	switch t.Phys() {
	case types.PhysInt, types.PhysFloat, types.PhysBool:
		return true
	}
	return false
}

// keyOf is the same for equal expressions.
func keyOf(e *scalar.Expr) string {
	bare := scalar.Map(e, func(x *scalar.Expr) *scalar.Expr {
		c := *x
		c.Pos, c.Text = 0, ""
		return &c
	})
	b, err := json.Marshal(bare)
	if err != nil { // of a type that graphs cannot hold either
		return fmt.Sprintf("%p", e)
	}
	return string(b)
}

// memo is a shared expression with what is known of it in the batch at hand.
type memo struct {
	key  string
	lone bool // asked for once: worth nothing but what comes with the batch
	node node
	// again computes rows that are asked for later: what node gave may be in use.
	again node

	serial uint64 // of the evaluation that the rest is about
	col    *batch.Column
	all    bool // known for all rows
	known  batch.Bitmap
	out    batch.Column
	sel    []uint16
}

func (s *sharing) compile(ctx *Context, keep bool) ([]*memo, error) {
	var memos []*memo
	for i, e := range s.shared {
		m := &memo{key: s.keys[i], lone: !keep && s.uses[s.keys[i]] < 2, out: batch.Column{Phys: e.Type.Phys()}}
		var err error
		if m.node, err = compile(e, ctx); err == nil {
			m.again, err = compile(e, ctx)
		}
		if err != nil {
			return nil, err
		}
		memos = append(memos, m)
	}
	return memos, nil
}

func (m *memo) eval(f *frame, sel []uint16) *batch.Column {
	if m.serial != f.serial {
		m.begin(f)
	}
	switch {
	case m.all:
		return m.col
	case m.col != nil:
		m.complete(f, sel)
	case m.lone:
		return m.node.eval(f, sel)
	default:
		m.col = m.node.eval(f, sel)
		if m.all = sel == nil; !m.all {
			for _, i := range sel {
				m.known.Set(int(i))
			}
		}
	}
	return m.col
}

// begin forgets the last batch and takes over what comes with the new one.
func (m *memo) begin(f *frame) {
	m.serial, m.col, m.all = f.serial, nil, false
	m.known = m.known[:0].Grow(f.n)
	for i := range f.in.Derived {
		if d := &f.in.Derived[i]; d.Expr == m.key {
			m.col, m.all = d.Column, d.All
			copy(m.known, d.Rows)
		}
	}
}

// complete computes the rows of sel that are not known yet.
func (m *memo) complete(f *frame, sel []uint16) {
	if sel == nil {
		sel = allRows(f.n)
	}
	m.sel = m.sel[:0]
	for _, i := range sel {
		if !m.known.Get(int(i)) {
			m.sel = append(m.sel, i)
		}
	}
	if len(m.sel) == 0 {
		return
	}
	if m.col != &m.out {
		var have []uint16
		for i := range f.n {
			if m.known.Get(i) {
				have = append(have, uint16(i))
			}
		}
		m.out.Reset()
		m.out.Resize(f.n)
		scatter(&m.out, m.col, have, f.n)
		m.col = &m.out
	}
	scatter(&m.out, m.again.eval(f, m.sel), m.sel, f.n)
	for _, i := range m.sel {
		m.known.Set(int(i))
	}
}

// derived appends what the memos know of the batch at hand to dst.
func derived(memos []*memo, f *frame, dst []batch.Derived) []batch.Derived {
	for _, m := range memos {
		if m.serial == f.serial && m.col != nil {
			dst = append(dst, batch.Derived{Expr: m.key, Column: m.col, All: m.all, Rows: m.known})
		}
	}
	return dst
}

// sharedNode reads a shared column.
type sharedNode struct{ i int }

func (s sharedNode) eval(f *frame, sel []uint16) *batch.Column { return f.memos[s.i].eval(f, sel) }
