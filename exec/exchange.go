package exec

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// watermarksHeld is how many watermarks an exchange may swallow before it sends
// one on with the rows before it: coalescing batches is worth more than a
// watermark per batch.
const watermarksHeld = 16

// exchange is the sending side of one edge in one task: it spreads rows over the
// receivers' mailboxes in coalesced, recycled batches.
type exchange struct {
	kind    graph.ExchangeKind
	keys    []int
	loose   state.Loose // of the keys
	layout  []types.Phys
	rows    int // batch size aimed at
	senders []int
	boxes   []*mailbox
	pending []*batch.Batch // per receiver, may be nil

	watermark Watermark
	held      int
	looked    bool // the receivers are waited for by the left of a lookup join
	hashes    []uint64
	ops       []batch.Op
	copied    batch.Batch // a batch with other ops
	picks     [][]uint16
}

func newExchange(kind graph.ExchangeKind, keys []int, fields []types.Field, rows int, boxes []*mailbox, senders []int) *exchange {
	x := &exchange{kind: kind, keys: keys, rows: rows, boxes: boxes, senders: senders,
		pending: make([]*batch.Batch, len(boxes)), picks: make([][]uint16, len(boxes)), watermark: WatermarkMin}
	for _, f := range fields {
		x.layout = append(x.layout, f.Type.Phys())
	}
	key := make([]types.Type, len(keys))
	for i, k := range keys {
		key[i] = fields[k].Type
	}
	x.loose = state.LooseTypes(key...)
	if len(boxes) == 1 {
		x.kind = graph.Single
	}
	return x
}

// onBatch copies the live rows into the receivers' pending batches.
func (x *exchange) onBatch(in *batch.Batch) error {
	switch x.kind {
	case graph.Hash:
		return x.spread(in)
	case graph.Broadcast:
		for r := range x.boxes {
			if err := x.add(r, in, in.Sel); err != nil {
				return err
			}
		}
		return nil
	default:
		return x.add(0, in, in.Sel)
	}
}

func (x *exchange) spread(in *batch.Batch) error {
	if cap(x.hashes) < in.N {
		x.hashes = make([]uint64, batch.Room(in.N))
	}
	hashes := x.hashes[:in.N]
	state.HashColumns(in, x.keys, x.loose, hashes)
	for r := range x.picks {
		x.picks[r] = x.picks[r][:0]
	}
	tasks := len(x.boxes)
	if in.Sel == nil {
		for i := range hashes {
			r := TaskOf(state.KeyGroup(hashes[i]), tasks)
			x.picks[r] = append(x.picks[r], uint16(i))
		}
	} else {
		for _, i := range in.Sel {
			r := TaskOf(state.KeyGroup(hashes[i]), tasks)
			x.picks[r] = append(x.picks[r], i)
		}
	}
	if in.Ops != nil {
		in = x.parted(in, hashes)
	}
	for r, pick := range x.picks {
		if len(pick) == 0 {
			continue
		}
		if err := x.add(r, in, pick); err != nil {
			return err
		}
	}
	return nil
}

// parted returns in with updates whose halves go to different receivers made a delete
// and an insert: no receiver sees half of an update.
func (x *exchange) parted(in *batch.Batch, hashes []uint64) *batch.Batch {
	task := func(i int) int { return TaskOf(state.KeyGroup(hashes[i]), len(x.boxes)) }
	changed := false
	for k := 0; k+1 < in.Live(); k++ {
		i, n := in.RowAt(k), in.RowAt(k+1)
		if in.Ops[i] != batch.UpdateBefore || in.Ops[n] != batch.UpdateAfter || task(i) == task(n) {
			continue
		}
		if !changed {
			x.ops = append(x.ops[:0], in.Ops...)
			changed = true
		}
		x.ops[i], x.ops[n] = batch.Delete, batch.Insert
	}
	if !changed {
		return in
	}
	x.copied = *in
	x.copied.Ops = x.ops
	return &x.copied
}

// add appends the picked rows (nil: all) to the pending batch of receiver r.
func (x *exchange) add(r int, in *batch.Batch, pick []uint16) error {
	b := x.pending[r]
	if b == nil {
		if b = x.boxes[r].spare(x.senders[r]); b == nil {
			b = batch.New(x.layout, 0)
		}
		x.pending[r] = b
	}
	b.AppendSharing(in, pick)
	if b.N >= x.rows {
		return x.flushTo(r)
	}
	return nil
}

func (x *exchange) flushTo(r int) error {
	b := x.pending[r]
	if b == nil || b.N == 0 {
		return nil
	}
	x.pending[r] = nil
	return x.boxes[r].send(x.senders[r], message{kind: batchMessage, batch: b})
}

// onWatermark keeps the watermark until enough have come to be worth a message.
func (x *exchange) onWatermark(w Watermark) error {
	x.watermark = w
	x.held++
	if x.held >= watermarksHeld || w == WatermarkMax {
		return x.push()
	}
	return nil
}

// flush sends what is pending, and sees to it that it is taken soon.
func (x *exchange) flush() error {
	if err := x.push(); err != nil {
		return err
	}
	for r, box := range x.boxes {
		box.flush(x.senders[r])
	}
	return nil
}

// push sends what is pending, rows first, then the watermark.
func (x *exchange) push() error {
	for r := range x.boxes {
		if err := x.flushTo(r); err != nil {
			return err
		}
		if x.held > 0 {
			if err := x.boxes[r].send(x.senders[r], message{kind: watermarkMessage, watermark: x.watermark}); err != nil {
				return err
			}
		}
	}
	x.held = 0
	return nil
}

func (x *exchange) broadcast(msg message) error {
	if err := x.push(); err != nil {
		return err
	}
	for r, box := range x.boxes {
		if err := box.send(x.senders[r], msg); err != nil {
			return err
		}
	}
	return nil
}
