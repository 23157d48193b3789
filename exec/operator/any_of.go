package operator

import (
	"slices"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// anyOf looks values up among those of a subquery's rows, for = ANY, which IN is, and
// <> ALL. It knows nothing of expressions that fail: comparing row by row tells whether
// that matters.
type anyOf struct {
	outer, inner program // the sides of the equalities, over the input's and the subquery's columns
	ordered      []types.Ordered
	key          []byte
	one          [1]uint16
}

// valueSet is the values of a subquery's rows.
type valueSet struct {
	keys  map[string]struct{} // of rows without nulls
	nulls *batch.Batch        // the rows that have nulls
}

// setRowsMin is from how many rows on a set is worth to be made.
const setRowsMin = 9

// newAnyOf is nil if the rows are not compared by equality alone, in types whose values
// have keys.
func newAnyOf(op *graph.Operator, env *Env) (*anyOf, error) {
	name, parts := "=", scalar.Conjuncts(op.Apply.Compare)
	if op.Apply.Kind == logical.AllApply {
		name, parts = "<>", disjuncts(op.Apply.Compare)
	}
	width := len(env.Inputs[0])
	a := &anyOf{}
	var outer, inner []*scalar.Expr
	for _, p := range parts {
		fn := scalar.ByKey(p.Func)
		if p.Op != scalar.OpCall || fn == nil || !fn.Operator || fn.Name != name || !sameKeys(p.Args[0].Type, p.Args[1].Type) {
			return nil, nil
		}
		x, y := p.Args[0], p.Args[1]
		if slices.ContainsFunc(scalar.Columns(x), func(c int) bool { return c >= width }) {
			x, y = y, x
		}
		if slices.ContainsFunc(scalar.Columns(x), func(c int) bool { return c >= width }) || slices.ContainsFunc(scalar.Columns(y), func(c int) bool { return c < width }) {
			return nil, nil
		}
		outer, inner = append(outer, x), append(inner, scalar.Remap(y, func(c int) int { return c - width }))
		a.ordered = append(a.ordered, types.Ordered{Char: x.Type.Kind == types.Char})
	}
	var err error
	if a.outer, err = compileProgram(outer, op.ID, env, nil); err != nil {
		return nil, err
	}
	a.inner, err = compileProgram(inner, op.ID, env, nil)
	return a, err
}

// disjuncts splits a condition at its top-level ORs.
func disjuncts(x *scalar.Expr) []*scalar.Expr {
	if x.Op != scalar.OpOr {
		return []*scalar.Expr{x}
	}
	var out []*scalar.Expr
	for _, a := range x.Args {
		out = append(out, disjuncts(a)...)
	}
	return out
}

// sameKeys reports whether values of the types that are equal have equal keys.
func sameKeys(x, y types.Type) bool {
	switch {
	case valuedType(x) != nil:
		return false
	case x.Kind == types.Char || y.Kind == types.Char || x.IsTime() || y.IsTime():
		return x.Kind == y.Kind
	}
	return x.Phys() == y.Phys() && x.IsString() == y.IsString()
}

// set makes the set of rows, nil if an expression fails. It counts what it takes.
func (a *anyOf) set(rows *batch.Batch, held *memory.Meter) (s *valueSet, size int64, err error) {
	s = &valueSet{keys: map[string]struct{}{}, nulls: &batch.Batch{}}
	for _, c := range rows.Cols {
		s.nulls.Cols = append(s.nulls.Cols, &batch.Column{Phys: c.Phys})
	}
	var nulls []uint16
	for from := 0; from < rows.N; from += batch.RowsDefault {
		part := slice(rows, from, min(from+batch.RowsDefault, rows.N))
		a.inner.now.set()
		cols, err := a.inner.compiled.Eval(part)
		if err != nil {
			return nil, 0, held.Add(-size)
		}
		added, before := 0, bytesOf(s.nulls)
		nulls = nulls[:0]
		for r := range part.N {
			if a.encode(cols, r) {
				nulls = append(nulls, uint16(r))
			} else if _, there := s.keys[string(a.key)]; !there {
				s.keys[string(a.key)] = struct{}{}
				added += len(a.key) + setKeyBytes
			}
		}
		if len(nulls) > 0 {
			s.nulls.AppendSelected(part, nulls)
		}
		added += bytesOf(s.nulls) - before
		size += int64(added)
		if err := held.Add(int64(added)); err != nil {
			return nil, 0, err
		}
	}
	return s, size, nil
}

// setKeyBytes is what a key takes besides its bytes.
const setKeyBytes = 40

// find looks the values of input row i up. ok is false if an expression fails.
func (a *anyOf) find(s *valueSet, in *batch.Batch, i int) (found, null, ok bool) {
	a.one[0] = uint16(i)
	a.outer.now.set()
	cols, err := a.outer.compiled.Eval(&batch.Batch{N: in.N, Sel: a.one[:], Cols: in.Cols})
	if err != nil {
		return false, false, false
	}
	if a.encode(cols, i) {
		return false, true, true
	}
	_, found = s.keys[string(a.key)]
	return found, false, true
}

// encode makes the key of a row, and reports whether there is a null in it.
func (a *anyOf) encode(cols []*batch.Column, i int) (null bool) {
	a.key = a.key[:0]
	for j, c := range cols {
		if c.IsNull(i) {
			return true
		}
		a.key = appendKey(a.key, a.ordered[j], c.Phys, c, i)
	}
	return false
}
