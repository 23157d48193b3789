package over

import "github.com/millrace/millrace/batch"

// session finds where the session of each row begins or ends: rows in order of
// time, each at most a gap after the one before. A row without time has none.
type session struct {
	arg int
	gap int64
	end bool
}

func (s *session) run(p *Partition, _ *layout, dst *batch.Column) error {
	times := p.Cols[s.arg]
	for from := 0; from < p.N; {
		if times.IsNull(from) {
			setNull(dst, from, p.N)
			from++
			continue
		}
		to := from + 1
		for to < p.N && !times.IsNull(to) && times.Int[to]-times.Int[to-1] <= s.gap {
			to++
		}
		at := times.Int[from]
		if s.end {
			at = times.Int[to-1] + s.gap
		}
		for ; from < to; from++ {
			dst.Int[from] = at
		}
	}
	return nil
}
