package over

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// shift is lag and lead: the value some rows before or after.
type shift struct {
	arg, by, otherwise int // columns, -1 for none
	sign               int64
	present            *present // where nulls do not count
}

func newShift(w *graph.WindowCall) *shift {
	s := &shift{arg: w.Args[0], by: -1, otherwise: -1, sign: 1}
	if w.Func == "lag" {
		s.sign = -1
	}
	if len(w.Args) > 1 {
		s.by = w.Args[1]
	}
	if len(w.Args) > 2 {
		s.otherwise = w.Args[2]
	}
	if w.IgnoreNulls {
		s.present = &present{}
	}
	return s
}

func (s *shift) run(p *Partition, _ *layout, dst *batch.Column) error {
	src := p.Cols[s.arg]
	if s.present != nil {
		s.present.find(src, p.N)
	}
	for i := range p.N {
		by := int64(1)
		if s.by >= 0 {
			if p.Cols[s.by].IsNull(i) {
				setNull(dst, i, p.N)
				continue
			}
			by = p.Cols[s.by].Int[i]
		}
		j := int64(i) + s.sign*by
		if s.present != nil {
			j = s.present.from(i, s.sign*by)
		}
		switch {
		case j >= 0 && j < int64(p.N):
			copyValue(dst, i, p.N, src, int(j))
		case s.otherwise >= 0:
			copyValue(dst, i, p.N, p.Cols[s.otherwise], i)
		default:
			setNull(dst, i, p.N)
		}
	}
	return nil
}

// framed is first_value, last_value and nth_value.
type framed struct {
	fn       string
	arg, nth int
	frame    *frame
	present  *present // where nulls do not count
}

func newFramed(w *graph.WindowCall, f *frame) *framed {
	v := &framed{fn: w.Func, arg: w.Args[0], nth: -1, frame: f}
	if len(w.Args) > 1 {
		v.nth = w.Args[1]
	}
	if w.IgnoreNulls {
		v.present = &present{}
	}
	return v
}

func (v *framed) run(p *Partition, l *layout, dst *batch.Column) error {
	if err := v.frame.bounds(p, l); err != nil {
		return err
	}
	src := p.Cols[v.arg]
	if v.present != nil {
		v.present.find(src, p.N)
	}
	var parts, counted [3][2]int
	for i := range p.N {
		ranges := v.frame.ranges(l, i, &parts)
		if v.present != nil {
			ranges = v.present.within(ranges, counted[:0])
		}
		at := -1
		switch v.fn {
		case "first_value":
			if len(ranges) > 0 {
				at = ranges[0][0]
			}
		case "last_value":
			if n := len(ranges); n > 0 {
				at = ranges[n-1][1] - 1
			}
		default:
			n := p.Cols[v.nth]
			if n.IsNull(i) {
				break
			}
			k := n.Int[i]
			if k <= 0 {
				return pgerr.New(pgerr.InvalidArgumentForNthValue, "argument of nth_value must be greater than zero")
			}
			for _, r := range ranges {
				if size := int64(r[1] - r[0]); k > size {
					k -= size
				} else {
					at = r[0] + int(k) - 1
					break
				}
			}
		}
		if v.present != nil && at >= 0 {
			at = v.present.rows[at]
		}
		copyValue(dst, i, p.N, src, at)
	}
	return nil
}

// present counts the rows of a partition that have a value.
type present struct {
	rows   []int // those that have one
	before []int // of each row, and behind the last: how many of them are before it
}

func (v *present) find(c *batch.Column, n int) {
	v.rows, v.before = v.rows[:0], v.before[:0]
	for i := range n {
		v.before = append(v.before, len(v.rows))
		if !c.IsNull(i) {
			v.rows = append(v.rows, i)
		}
	}
	v.before = append(v.before, len(v.rows))
}

// from is the row that has a value and is by such rows away from row i, -1 for
// none.
func (v *present) from(i int, by int64) int64 {
	at := int64(v.before[i]) + by
	if by > 0 {
		at = int64(v.before[i+1]) + by - 1
	}
	switch {
	case by == 0:
		return int64(i)
	case at < 0 || at >= int64(len(v.rows)):
		return -1
	}
	return int64(v.rows[at])
}

// within gives the parts of rows that ranges come to.
func (v *present) within(ranges [][2]int, dst [][2]int) [][2]int {
	for _, r := range ranges {
		if from, to := v.before[r[0]], v.before[r[1]]; from < to {
			dst = append(dst, [2]int{from, to})
		}
	}
	return dst
}
