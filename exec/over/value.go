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
	return s
}

func (s *shift) run(p *Partition, _ *layout, dst *batch.Column) error {
	src := p.Cols[s.arg]
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
}

func newFramed(w *graph.WindowCall, f *frame) *framed {
	v := &framed{fn: w.Func, arg: w.Args[0], nth: -1, frame: f}
	if len(w.Args) > 1 {
		v.nth = w.Args[1]
	}
	return v
}

func (v *framed) run(p *Partition, l *layout, dst *batch.Column) error {
	if err := v.frame.bounds(p, l); err != nil {
		return err
	}
	src := p.Cols[v.arg]
	var parts [3][2]int
	for i := range p.N {
		ranges := v.frame.ranges(l, i, &parts)
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
		copyValue(dst, i, p.N, src, at)
	}
	return nil
}
