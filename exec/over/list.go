package over

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// list is an aggregate that depends on all rows of a frame, in their order:
// string_agg, array_agg and the like. It is computed anew for each frame that
// differs from the one before, since what it gives is as long as the frame.
type list struct {
	frame   *frame
	args    []int // columns
	filter  int   // column, -1 for none
	compute agg.Ordered

	counted []int // the rows that pass the filter
	before  []int // of each row, and behind the last: how many of them are before it
	several []int // rows of a frame that is in parts
	view    frameRows
	one     *batch.Column // of one row
}

func newList(w *graph.WindowCall, in []types.Field, f *frame) (call, error) {
	l := &list{frame: f, args: w.Args, filter: w.List.Filter, one: &batch.Column{Phys: w.Type.Phys()}}
	c := agg.Call{Func: w.Func, Params: w.List.Params, Type: w.Type}
	for _, a := range w.Args {
		c.Args = append(c.Args, in[a].Type)
	}
	var err error
	l.compute, err = agg.NewOrdered(c)
	return l, err
}

func (l *list) run(p *Partition, at *layout, dst *batch.Column) error {
	if err := l.frame.bounds(p, at); err != nil {
		return err
	}
	l.counted, l.before = l.counted[:0], room(l.before, p.N+1)
	for i := range p.N {
		l.before[i] = len(l.counted)
		if l.filter < 0 || p.Cols[l.filter].Bool[i] && !p.Cols[l.filter].IsNull(i) {
			l.counted = append(l.counted, i)
		}
	}
	l.before[p.N] = len(l.counted)
	l.view.cols = l.view.cols[:0]
	for _, a := range l.args {
		l.view.cols = append(l.view.cols, p.Cols[a])
	}
	for i := range p.N {
		if !l.frame.sameAsBefore(i) {
			l.view.rows = l.rowsOf(at, i)
			v, err := l.compute(&l.view)
			if err != nil {
				return err
			}
			l.one.Reset()
			l.one.Append(v)
		}
		copyValue(dst, i, p.N, l.one, 0)
	}
	return nil
}

// rowsOf are the rows of row i's frame that count.
func (l *list) rowsOf(at *layout, i int) []int {
	var parts [3][2]int
	ranges := l.frame.ranges(at, i, &parts)
	if len(ranges) == 1 {
		return l.counted[l.before[ranges[0][0]]:l.before[ranges[0][1]]]
	}
	l.several = l.several[:0]
	for _, r := range ranges {
		l.several = append(l.several, l.counted[l.before[r[0]]:l.before[r[1]]]...)
	}
	return l.several
}

// frameRows are rows of a partition as an aggregate reads them.
type frameRows struct {
	cols []*batch.Column // by argument
	rows []int
}

// Len implements agg.Rows.
func (r *frameRows) Len() int { return len(r.rows) }

// Copies implements agg.Rows.
func (r *frameRows) Copies(int) int64 { return 1 }

// Arg implements agg.Rows.
func (r *frameRows) Arg(i, n int) types.Value { return r.cols[n].Peek(r.rows[i]) }
