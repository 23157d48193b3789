package bench

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/types"
)

// numbered is a source of so many rows of a stream, each with keys of its own:
// bids and auctions have the same ones. All are within a few seconds. Then it is
// idle, so that no window closes, or ends.
type numbered struct {
	stream nexmark.Stream
	rows   int64
	ends   bool
	read   *atomic.Int64
}

// numberedStart is the time of the first row: windows of 10 s begin there.
const numberedStart = 1_000_000_000

// Schema implements connector.Source.
func (n *numbered) Schema() []connector.Column { return nexmark.Columns(n.stream) }

// Follows implements connector.Source.
func (n *numbered) Follows() bool { return false }

// Splits implements connector.Source.
func (n *numbered) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "0"}}, nil
}

// Open implements connector.Source.
func (n *numbered) Open(_ context.Context, _ connector.Split, _ []byte, want []int) (connector.Reader, error) {
	return &numberedReader{source: n, want: want}, nil
}

type numberedReader struct {
	source *numbered
	next   int64
	want   []int
}

// Read implements connector.Reader.
func (r *numberedReader) Read(_ context.Context, out *batch.Batch, most int) (connector.Status, error) {
	n := int(min(int64(most), r.source.rows-r.next))
	out.Sel, out.Ops, out.N = nil, nil, n
	if n == 0 {
		if r.source.ends {
			return connector.End, nil
		}
		return connector.Idle, nil
	}
	columns := r.source.Schema()
	for c, w := range r.want {
		col := out.Cols[c]
		col.Reset()
		col.Resize(n)
		for i := range n {
			number := r.next + int64(i)
			switch name := columns[w].Name; {
			case col.Phys == types.PhysBytes:
				col.Views[i] = col.AddStr("text " + strconv.FormatInt(number, 10))
			case name == "date_time" || name == "expires":
				col.Int[i] = numberedStart + number%1_000_000
			case name == "price" || name == "category":
				col.Int[i] = int64(mix(uint64(number)) >> 44)
			default:
				col.Int[i] = number
			}
		}
	}
	r.next += int64(n)
	r.source.read.Add(int64(n))
	return connector.More, nil
}

// Ready implements connector.Reader.
func (r *numberedReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader.
func (r *numberedReader) Offset() []byte { return strconv.AppendInt(nil, r.next, 10) }

// Close implements connector.Reader.
func (r *numberedReader) Close() error { return nil }
