package over

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

func bigint(n int64) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: n}, Pos: 7}
}

func frameOf(unit scalar.FrameUnit, start, end scalar.Bound, exclude string) scalar.Frame {
	return scalar.Frame{Unit: unit, Start: start, End: end, Exclude: exclude}
}

var (
	first  = scalar.Bound{Kind: scalar.UnboundedPreceding}
	here   = scalar.Bound{Kind: scalar.CurrentRow}
	last   = scalar.Bound{Kind: scalar.UnboundedFollowing}
	before = func(n int64) scalar.Bound { return scalar.Bound{Kind: scalar.OffsetPreceding, Offset: bigint(n)} }
	after  = func(n int64) scalar.Bound { return scalar.Bound{Kind: scalar.OffsetFollowing, Offset: bigint(n)} }
)

// TestFrames finds the frames of the keys 1, 1, 2, 4, 4, 7, null, as ranges of rows.
func TestFrames(t *testing.T) {
	key := batch.NewColumn(types.PhysInt, 7)
	copy(key.Int, []int64{1, 1, 2, 4, 4, 7, 0})
	key.SetNull(6, 7)
	p := &Partition{N: 7, Cols: []*batch.Column{key}, Ties: []bool{false, true, false, false, true, false, false}}
	in := []types.Field{{Name: "v", Type: types.Of(types.Int64)}}
	for _, c := range []struct {
		frame scalar.Frame
		want  string
	}{
		{frameOf(scalar.RangeFrame, first, here, ""), "0-2 0-2 0-3 0-5 0-5 0-6 0-7"},
		{frameOf(scalar.RowsFrame, before(1), after(1), ""), "0-2 0-3 1-4 2-5 3-6 4-7 5-7"},
		{frameOf(scalar.RowsFrame, after(1), after(2), ""), "1-3 2-4 3-5 4-6 5-7 6-7 -"},
		{frameOf(scalar.RowsFrame, before(3), before(2), ""), "- - 0-1 0-2 1-3 2-4 3-5"},
		{frameOf(scalar.RangeFrame, before(2), here, ""), "0-2 0-2 0-3 2-5 2-5 5-6 6-7"},
		{frameOf(scalar.RangeFrame, here, after(3), ""), "0-5 0-5 2-5 3-6 3-6 5-6 6-7"},
		{frameOf(scalar.RangeFrame, before(1<<62), after(1<<62), ""), "0-6 0-6 0-6 0-6 0-6 0-6 6-7"},
		{frameOf(scalar.GroupsFrame, before(1), after(1), ""), "0-3 0-3 0-5 2-6 2-6 3-7 5-7"},
		{frameOf(scalar.GroupsFrame, first, last, "group"), "2-7 2-7 0-2,3-7 0-3,5-7 0-3,5-7 0-5,6-7 0-6"},
		{frameOf(scalar.RowsFrame, first, last, "ties"), "0-1,2-7 1-2,2-7 0-2,2-3,3-7 0-3,3-4,5-7 0-3,4-5,5-7 0-5,5-6,6-7 0-6,6-7"},
		{frameOf(scalar.RowsFrame, before(1), here, "current row"), "- 0-1 1-2 2-3 3-4 4-5 5-6"},
	} {
		w := graph.WindowCall{Func: "first_value", Args: []int{0}, Frame: c.frame, Type: types.Of(types.Int64)}
		f, err := newFrame(&graph.Over{Order: []graph.SortKey{{Column: 0}}}, &w, in, eval.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var l layout
		l.fill(p)
		if err := f.bounds(p, &l); err != nil {
			t.Fatal(err)
		}
		var all []string
		for i := range p.N {
			var parts []string
			var room [3][2]int
			for _, r := range f.ranges(&l, i, &room) {
				parts = append(parts, fmt.Sprintf("%d-%d", r[0], r[1]))
			}
			if parts == nil {
				parts = []string{"-"}
			}
			all = append(all, strings.Join(parts, ","))
		}
		if got := strings.Join(all, " "); got != c.want {
			t.Errorf("%+v:\n%s, want\n%s", c.frame, got, c.want)
		}
	}
}

// TestOffsets: what no frame can have is refused with PostgreSQL's codes.
func TestOffsets(t *testing.T) {
	null := bigint(0)
	null.Value = &types.NullValue
	negative := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.IntervalK), Value: &types.Value{Interval: types.Interval{Days: -1}}}
	for _, c := range []struct {
		x    *scalar.Expr
		want string
	}{
		{bigint(-1), "frame starting offset must not be negative"},
		{null, "frame starting offset must not be null"},
		{negative, "invalid preceding or following size in window function"},
	} {
		_, err := offset(scalar.Bound{Kind: scalar.OffsetPreceding, Offset: c.x}, "starting", eval.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}
