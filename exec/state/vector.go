package state

import (
	"reflect"
	"unsafe"

	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/planner/graph"
)

// Vector is a list of values that an operator derives from a table's rows and that
// nobody stores: a value per row, or per group. It lies where the table does, outside
// of what the garbage collector looks through, and goes with it. It grows by pieces,
// so that nothing is copied and no growth takes longer than another; values stay where
// they are.
type Vector[T any] struct {
	slabs  *Slabs
	pieces []unsafe.Pointer
	n      int
}

const (
	vectorBits = 12
	// VectorPiece is how many values lie side by side: those whose numbers differ in
	// no more than what is left of dividing them by it.
	VectorPiece = 1 << vectorBits
)

// derived is memory that goes with a table.
type derived interface {
	size() int64
	release()
}

// NewVector makes an empty vector of values without pointers that goes with a table.
func NewVector[T any](t *Table) *Vector[T] {
	of := reflect.TypeFor[T]()
	if !flat(of) {
		invariant.Assert(false, "values of type %s may hold pointers", of)
	}
	v := &Vector[T]{slabs: t.opt.Slabs}
	t.derived = append(t.derived, v)
	return v
}

// flat reports whether values of a type hold no pointers.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return flat(t.Elem())
	}
	return t.Kind() <= reflect.Complex128 && t.Kind() != reflect.Invalid
}

// Len is how many values there are.
func (v *Vector[T]) Len() int { return v.n }

// At is value i, which must be there.
func (v *Vector[T]) At(i uint32) *T {
	var one T
	return (*T)(unsafe.Add(v.pieces[i>>vectorBits], uintptr(i&(VectorPiece-1))*unsafe.Sizeof(one)))
}

// Slice is n values from number i on, which lie in one piece.
func (v *Vector[T]) Slice(i uint32, n int) []T { return unsafe.Slice(v.At(i), n) }

// Add puts a value behind the others.
func (v *Vector[T]) Add(x T) {
	v.reach(v.n + 1)
	*v.At(uint32(v.n)) = x
	v.n++
}

// Grow makes it n values, if there are fewer: the new ones are zero.
func (v *Vector[T]) Grow(n int) {
	v.reach(n)
	for v.n < n {
		more := min(n-v.n, VectorPiece-v.n%VectorPiece)
		clear(v.Slice(uint32(v.n), more))
		v.n += more
	}
}

// Cut forgets all but the first n values, and keeps their memory for others.
func (v *Vector[T]) Cut(n int) { v.n = min(v.n, n) }

// Clear makes all values zero.
func (v *Vector[T]) Clear() {
	n := v.n
	v.n = 0
	v.Grow(n)
}

func (v *Vector[T]) reach(n int) {
	for len(v.pieces)<<vectorBits < n {
		v.pieces = append(v.pieces, v.slabs.get(v.pieceBytes()))
	}
}

func (v *Vector[T]) pieceBytes() int {
	var one T
	return VectorPiece * int(unsafe.Sizeof(one))
}

func (v *Vector[T]) size() int64 { return int64(len(v.pieces)) * int64(v.pieceBytes()) }

func (v *Vector[T]) release() {
	for _, p := range v.pieces {
		v.slabs.put(p, v.pieceBytes())
	}
	v.pieces, v.n = nil, 0
}

// Scratch makes a table that is no part of checkpoints and goes with this one, which
// is what it is derived from.
func (t *Table) Scratch(schema graph.Table) (*Table, error) {
	s, err := NewTable(schema, Options{Slabs: t.opt.Slabs})
	if err != nil {
		return nil, err
	}
	t.derived = append(t.derived, scratch{s})
	return s, nil
}

// scratch is a table that goes with another one.
type scratch struct{ t *Table }

func (s scratch) size() int64 { return s.t.Size() }

func (s scratch) release() { s.t.Close() }
