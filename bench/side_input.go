package bench

import (
	"context"
	"fmt"
	"strconv"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/types"
)

// SideInput is q13's other stream: a value for each key, and then it ends.
const SideInput nexmark.Stream = "side_input"

const sideInputKeys = 10_000

// sideInput is the source of SideInput, in one split.
type sideInput struct{}

// Schema implements connector.Source.
func (sideInput) Schema() []connector.Column {
	return []connector.Column{{Name: "key", Type: types.Of(types.Int64)}, {Name: "value", Type: types.Of(types.Varchar)}}
}

// Follows implements connector.Source.
func (sideInput) Follows() bool { return false }

// Splits implements connector.Source.
func (sideInput) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "0"}}, nil
}

// Open implements connector.Source.
func (sideInput) Open(_ context.Context, _ connector.Split, offset []byte, want []int) (connector.Reader, error) {
	r := &sideInputReader{want: want}
	var err error
	if offset != nil {
		r.next, err = strconv.Atoi(string(offset))
	}
	return r, err
}

type sideInputReader struct {
	next int
	want []int
}

// Read implements connector.Reader.
func (r *sideInputReader) Read(_ context.Context, out *batch.Batch, most int) (connector.Status, error) {
	n := min(most, sideInputKeys-r.next)
	out.Sel, out.Ops, out.N = nil, nil, n
	for c, w := range r.want {
		col := out.Cols[c]
		col.Reset()
		col.Resize(n)
		for i := range n {
			if w == 0 {
				col.Int[i] = int64(r.next + i)
			} else {
				col.Views[i] = col.AddStr(fmt.Sprintf("value %d", r.next+i))
			}
		}
	}
	if r.next += n; r.next == sideInputKeys {
		return connector.End, nil
	}
	return connector.More, nil
}

// Ready implements connector.Reader.
func (r *sideInputReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader.
func (r *sideInputReader) Offset() []byte { return strconv.AppendInt(nil, int64(r.next), 10) }

// Close implements connector.Reader.
func (r *sideInputReader) Close() error { return nil }
