package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
)

// lateRows tells the rows of closed windows from the others, counts them and, if
// Env.Late is set, hands them on.
type lateRows struct {
	env    *Env
	late   []uint16
	inTime []uint16
}

// leaveOut is in without the rows whose windows' ends are not after mark.
func (l *lateRows) leaveOut(in *batch.Batch, ends []int64, mark exec.Watermark) (*batch.Batch, error) {
	l.late = l.late[:0]
	for k := range in.Live() {
		if i := in.RowAt(k); ends[i] <= mark {
			l.late = append(l.late, uint16(i))
		}
	}
	if len(l.late) == 0 {
		return in, nil
	}
	if l.inTime = l.inTime[:0]; l.inTime == nil {
		l.inTime = []uint16{}
	}
	for k := range in.Live() {
		if i := in.RowAt(k); ends[i] > mark {
			l.inTime = append(l.inTime, uint16(i))
		}
	}
	return &batch.Batch{N: in.N, Sel: l.inTime, Ops: in.Ops, Cols: in.Cols}, reportLate(l.env, in, l.late)
}

// closedTo is the last end of windows that have closed at a watermark: those that
// close after their end are still open when the watermark has just reached it.
func closedTo(mark exec.Watermark, after bool) exec.Watermark {
	if after && mark != exec.WatermarkMin && mark != exec.WatermarkMax {
		return mark - 1
	}
	return mark
}
