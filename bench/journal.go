package bench

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
)

// journal keeps rows as a kernel written by hand would: one behind the other, each
// in one piece with its text, in pieces of memory that are used again. A row is the
// place of another one, integers, then for each text its place and length, then text.
type journal struct {
	pieces []*piece
	at     int // in the last one
	rows   uint64
	out    sink
}

const (
	pieceBits  = 20
	rowMaxSize = 4096
)

type piece [1<<pieceBits + rowMaxSize]byte

// pieces is memory that earlier runs of kernels have used, as state's slabs are.
var pieces []*piece

func (j *journal) close() {
	pieces = append(pieces, j.pieces...)
	j.pieces = nil
}

// load brings the texts of a batch into the cache.
func load(b *batch.Batch, texts []int) {
	for _, c := range texts {
		b.Cols[c].LoadStrings(nil, b.N)
	}
}

// add keeps row i of b, which points to the row at place next, and gives its place,
// which is not 0.
func (j *journal) add(b *batch.Batch, i int, ints, texts []int, next uint64) uint64 {
	if len(j.pieces) == 0 || j.at >= 1<<pieceBits {
		if n := len(pieces); n > 0 {
			j.pieces, pieces = append(j.pieces, pieces[n-1]), pieces[:n-1]
		} else {
			j.pieces = append(j.pieces, new(piece))
		}
		j.at = 0
	}
	n := len(j.pieces)
	p := j.pieces[n-1]
	place := uint64(n)<<pieceBits | uint64(j.at)
	words := (*[64]uint64)(unsafe.Pointer(&p[j.at]))
	words[0] = next
	k := 1
	for _, c := range ints {
		words[k&63] = uint64(b.Cols[c].Int[i])
		k++
	}
	at := j.at + 8*(k+len(texts))
	for _, c := range texts {
		v := b.Cols[c].Views[i]
		words[k&63] = uint64(at)<<32 | uint64(v.Len)
		k++
		at += copy(p[at:], b.Cols[c].Arena[v.Off:v.Off+v.Len])
	}
	j.at = (at + 7) &^ 7
	return place
}

func (j *journal) row(place uint64) *[64]uint64 {
	return (*[64]uint64)(unsafe.Pointer(&j.pieces[place>>pieceBits-1][place&(1<<pieceBits-1)]))
}

// emit puts out the row at a place, texts by reference.
func (j *journal) emit(place uint64, ints, texts int) {
	w, o := j.row(place), j.out.next()
	for k := range ints {
		j.out.ints[k&3][o] = int64(w[(1+k)&63])
	}
	for k := range texts {
		v := w[(1+ints+k)&63]
		j.out.strs[k%3][o] = batch.View{Off: uint32(v >> 32), Len: uint32(v)}
	}
}

// emitRow puts row i of b out, texts by reference.
func (o *sink) emitRow(b *batch.Batch, i int, ints, texts []int) {
	n := o.next()
	for k, c := range ints {
		o.ints[k&3][n] = b.Cols[c].Int[i]
	}
	for k, c := range texts {
		o.strs[k%3][n] = b.Cols[c].Views[i]
	}
}

// perKey is a value for each key.
type perKey[T any] struct {
	*ids
	values []T
}

func newPerKey[T any]() *perKey[T] { return &perKey[T]{ids: newIDs()} }

// room makes room for n more keys.
func (t *perKey[T]) room(n int) {
	t.reserve(n)
	t.values = grow(t.values, len(t.keys)+n)
}

// at is the value of key k, zero at first. There must be room.
func (t *perKey[T]) at(k int64) *T {
	id, _ := t.of(k)
	return &t.values[id]
}
