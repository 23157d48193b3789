package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
)

// keyedSQL keeps a row of state for each auction.
const keyedSQL = `SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction`

// keyed is a source of bids that fills a state: it names each of so many
// auctions once, in order. Then, if updates is set, it goes on for ever with bids
// of auctions in a window that moves over all of them, and of a few that are
// anywhere; without updates it is idle.
type keyed struct {
	splits  int
	keys    int64
	window  int64
	updates bool
	filled  atomic.Int64 // rows delivered while filling
	updated atomic.Int64 // and since
}

// Schema implements connector.Source.
func (k *keyed) Schema() []connector.Column { return nexmark.Columns(nexmark.Bid) }

// Follows implements connector.Source.
func (k *keyed) Follows() bool { return false }

// Splits implements connector.Source.
func (k *keyed) Splits(context.Context) ([]connector.Split, error) {
	out := make([]connector.Split, k.splits)
	for i := range out {
		out[i].ID = strconv.Itoa(i)
	}
	return out, nil
}

// Open implements connector.Source.
func (k *keyed) Open(_ context.Context, s connector.Split, offset []byte, want []int) (connector.Reader, error) {
	n, err := strconv.ParseInt(s.ID, 10, 64)
	r := &keyedReader{source: k, next: n, want: want, random: rand.New(rand.NewPCG(1, uint64(n)))}
	if err == nil && offset != nil {
		r.next, err = strconv.ParseInt(string(offset), 10, 64)
	}
	return r, err
}

// keyedReader delivers the auctions next, next+splits and so on.
type keyedReader struct {
	source *keyed
	next   int64
	want   []int
	random *rand.Rand
}

// Read implements connector.Reader.
func (r *keyedReader) Read(_ context.Context, out *batch.Batch, most int) (connector.Status, error) {
	k := r.source
	n := most
	if left := (k.keys - r.next + int64(k.splits) - 1) / int64(k.splits); left > 0 {
		n = min(n, int(left))
	} else if !k.updates {
		return connector.Idle, nil
	}
	out.Sel, out.Ops, out.N = nil, nil, n
	for c, w := range r.want {
		col := out.Cols[c]
		col.Resize(n)
		switch w {
		case Auction:
			r.fill(col.Int)
		case Price:
			for i := range col.Int { // sums that hardly compress
				col.Int[i] = int64(mix(uint64(r.next+int64(i))) >> 24)
			}
		default:
			return connector.End, fmt.Errorf("column %d is not generated", w)
		}
	}
	if r.next < k.keys {
		k.filled.Add(int64(n))
	} else {
		k.updated.Add(int64(n))
	}
	r.next += int64(n * k.splits)
	return connector.More, nil
}

func (r *keyedReader) fill(out []int64) {
	k := r.source
	if r.next < k.keys {
		for i := range out {
			out[i] = r.next + int64(i*k.splits)
		}
		return
	}
	base := (r.next - k.keys) / 64 // a window's worth of updates moves it a little
	for i := range out {
		x := r.random.Uint64()
		at := base + int64(x>>32)*k.window>>32
		if x&0xffff == 0 {
			at = int64(x>>32) * k.keys >> 32
		}
		out[i] = at % k.keys
	}
}

// Ready implements connector.Reader.
func (r *keyedReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader.
func (r *keyedReader) Offset() []byte { return strconv.AppendInt(nil, r.next, 10) }

// Close implements connector.Reader.
func (r *keyedReader) Close() error { return nil }
