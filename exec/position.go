package exec

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/millrace/millrace/connector"
)

// Rows of own tables have positions, those of their transactions. Positions travel behind
// rows to the right side of a lookup join, and there say that all up to one have come. The
// sources on the left read no further: so a left row meets what was committed with it or
// before. Rows without positions wait for nothing and hold back nothing.

// positionUnlimited is where a source is that holds nobody back, or has ended.
const positionUnlimited = uint64(math.MaxUint64)

// positionEvery is how many rounds a busy source takes before it tells its position:
// exchanges then send what they have, and bigger batches are worth more.
const positionEvery = 16

// came notes that a task of the join has all rows on its right up to a position.
func (g *gate) came(at *atomic.Uint64, position uint64) {
	at.Store(position)
	for _, s := range g.holds {
		select {
		case s.bell <- struct{}{}:
		default:
		}
	}
}

// onPosition notes that all rows up to a position have come to a port.
func (n *node) onPosition(port int, position uint64) error {
	if position <= n.positions[port] {
		return nil
	}
	n.positions[port] = position
	if n.gate != nil && port == n.gate.port {
		n.gate.came(n.at, position)
	}
	least := slices.Min(n.positions)
	if !n.looked || least <= n.position {
		return nil
	}
	n.position = least
	for _, d := range n.nodes {
		if err := d.node.onPosition(d.port, least); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.onPosition(least); err != nil {
			return err
		}
	}
	return nil
}

// onPosition sends a position on behind the rows before it.
func (x *exchange) onPosition(position uint64) error {
	if !x.looked {
		return nil
	}
	return x.broadcast(message{kind: positionMessage, position: position})
}

// onPosition merges the positions of one port's senders.
func (t *task) onPosition(sender int, position uint64) error {
	t.senderPositions[sender] = position
	for s, p := range t.ports {
		if p == t.ports[sender] {
			position = min(position, t.senderPositions[s])
		}
	}
	return t.nodes[0].onPosition(t.ports[sender], position)
}

// tellPosition tells how far the source has come.
func (s *sourceTask) tellPosition() error {
	if !s.awaited {
		return nil
	}
	position := positionUnlimited
	for _, sp := range s.splits {
		if r, ok := sp.reader.(connector.Positioned); ok && !s.ended {
			position = min(position, r.Position())
		}
	}
	return s.node.onPosition(0, position)
}

// limit keeps the split behind what has come to the right of lookup joins, if any is to
// come there before.
func (s *sourceTask) limit(sp *split) bool {
	if len(s.gates) == 0 {
		return false
	}
	r, ok := sp.reader.(connector.Positioned)
	if !ok {
		return false
	}
	position := positionUnlimited
	for _, g := range s.gates {
		for _, at := range g.at {
			position = min(position, at.Load())
		}
	}
	r.Limit(position)
	return true
}
