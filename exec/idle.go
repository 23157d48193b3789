package exec

// An input is idle when all its splits have been silent for the source's
// idle_timeout. Idleness travels as watermarks do, so that where inputs meet (a
// union, a join, the senders of one task) a silent one does not hold the others'
// event time back. It is not stored: after a restart every input counts again
// until its time is up.

// merged is the event time of several inputs together: the least of those that
// count, neither idle nor at WatermarkMax. Where none does because of idle ones,
// it is what the furthest of these had reached, and the whole is idle.
func merged(marks []Watermark, idle []bool) (w Watermark, allIdle bool) {
	least, most, active := WatermarkMax, WatermarkMin, false
	for i, m := range marks {
		switch {
		case m == WatermarkMax:
		case idle[i]:
			most, allIdle = max(most, m), true
		default:
			least, active = min(least, m), true
		}
	}
	if allIdle && !active {
		return most, true
	}
	return least, false
}

// onIdle notes that a port is idle, or is not any more.
func (n *node) onIdle(port int, idle bool) error {
	if n.idlePorts[port] == idle {
		return nil
	}
	n.idlePorts[port] = idle
	return n.advance()
}

// tellIdle tells the operators after the node whether it is idle.
func (n *node) tellIdle(idle bool) error {
	n.idle = idle
	for _, d := range n.nodes {
		if err := d.node.onIdle(d.port, idle); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.broadcast(message{kind: idleMessage, idle: idle}); err != nil {
			return err
		}
	}
	return nil
}

// setIdle tells the operators after the source whether all its splits are idle.
func (s *sourceTask) setIdle(idle bool) error { return s.node.onIdle(0, idle) }

// isIdle reports whether the source has been silent, in a task without a split that
// counts, for as long as its idle_timeout.
func (s *sourceTask) isIdle() bool {
	return s.in.IdleTimeout > 0 && s.task.run.opt.Clock.Now().Sub(s.started) >= s.in.IdleTimeout
}
