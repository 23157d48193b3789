// Package format is how rows lie in bytes outside: the interfaces between the
// formats, one folder each, and the connectors that carry their bytes. It knows
// neither files nor topics; whoever reads the bytes says where they came from.
package format

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// RowBytesMax is how long a row may be in its format. A longer one is reported
// as bad and the rest of the stream goes on.
const RowBytesMax = 16 << 20

// Column is a column as a format sees it.
type Column struct {
	Name    string
	Type    types.Type
	NotNull bool
}

// BadRow is a row that could not be decoded. Start and End place it in the data
// given; Err says what is wrong and with which column.
type BadRow struct {
	Start, End int
	Err        error
}

// Decoder turns a stream of bytes into rows. It keeps no place in the stream:
// the caller owns the buffer and drops what was consumed. A decoder is used by
// one goroutine.
type Decoder interface {
	// Header consumes what comes before the first row: nothing, a byte-order
	// mark, a line of names. The caller feeds it the start of the stream, also
	// when it then goes on in the middle. done is false when more data is
	// needed; final tells that there is none. An error means that no row of this
	// stream can be read.
	Header(data []byte, final bool) (n int, done bool, err error)
	// Decode adds rows to out until it has max of them, data holds no further
	// whole row, or a row is bad. It returns how many bytes are dealt with, a
	// bad row included. With neither rows, nor a bad row, nor bytes consumed, it
	// needs more data; final tells that there is none, so that a last row
	// without a line end counts.
	Decode(data []byte, final bool, out *batch.Batch, max int) (n int, bad *BadRow)
	// Starts says where in data the rows that the last Decode added begin.
	Starts() []int
}

// Encoder turns rows into bytes. It is used by one goroutine.
type Encoder interface {
	// Header appends what comes before the first row of a stream.
	Header(dst []byte) []byte
	// Encode appends the live rows of b.
	Encode(dst []byte, b *batch.Batch) []byte
}

// Rows fills the columns of a batch row by row on behalf of a decoder.
type Rows struct {
	batch *batch.Batch
	room  int
}

// Begin makes room for max rows in all; the batch keeps the rows it has.
func (r *Rows) Begin(out *batch.Batch, max int) {
	r.batch, r.room = out, max
	for _, c := range out.Cols {
		c.Resize(max)
	}
}

// Full reports whether there is no room for another row.
func (r *Rows) Full() bool { return r.batch.N >= r.room }

// Undo takes back what was written of an unfinished row.
func (r *Rows) Undo() {
	for _, c := range r.batch.Cols {
		if c.HasNulls && r.batch.N>>6 < len(c.Nulls) {
			c.Nulls.Clear(r.batch.N)
		}
	}
}

// End cuts the columns to the rows that were finished.
func (r *Rows) End() {
	for _, c := range r.batch.Cols {
		c.Resize(r.batch.N)
	}
}
