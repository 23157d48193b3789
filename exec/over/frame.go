package over

import (
	"math"

	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// frame finds the rows that a call sees from each row of a partition.
type frame struct {
	spec       scalar.Frame
	start, end types.Value // offsets
	key        int         // of a range with offsets, -1 for none
	desc       bool
	keyType    types.Type
	zone       *types.Zone

	lo, hi []int // of each row; what is excluded lies within
}

func newFrame(spec *graph.Over, w *graph.WindowCall, in []types.Field, opts eval.Options) (*frame, error) {
	if w.Frame.Unit == "" {
		return nil, nil
	}
	f := &frame{spec: w.Frame, key: -1, zone: types.UTC}
	if opts.Context != nil && opts.Context.Zone != nil {
		f.zone = opts.Context.Zone
	}
	var err error
	if f.start, err = offset(w.Frame.Start, "starting", opts); err != nil {
		return nil, err
	}
	if f.end, err = offset(w.Frame.End, "ending", opts); err != nil {
		return nil, err
	}
	if w.Frame.Unit == scalar.RangeFrame && (w.Frame.Start.Offset != nil || w.Frame.End.Offset != nil) {
		if len(spec.Order) == 0 { // the key was equal to a partition's: all rows are peers
			return f, nil
		}
		f.key, f.desc, f.keyType = spec.Order[0].Column, spec.Order[0].Desc, in[spec.Order[0].Column].Type
	}
	return f, nil
}

// offset evaluates and checks a bound's offset.
func offset(b scalar.Bound, which string, opts eval.Options) (types.Value, error) {
	if b.Offset == nil {
		return types.Value{}, nil
	}
	v, err := eval.Constant(b.Offset, opts)
	if err != nil {
		return v, err
	}
	if v.Null {
		return v, pgerr.New(pgerr.NullValueNotAllowed, "frame %s offset must not be null", which).At(b.Offset.Pos)
	}
	zero := types.Value{}
	if types.Compare(b.Offset.Type, &v, &zero) < 0 || v.Float != v.Float {
		if b.Offset.Type.Kind == types.Int64 {
			return v, pgerr.New(pgerr.InvalidPrecedingOrFollowing, "frame %s offset must not be negative", which).At(b.Offset.Pos)
		}
		return v, pgerr.New(pgerr.InvalidPrecedingOrFollowing, "invalid preceding or following size in window function").At(b.Offset.Pos)
	}
	return v, nil
}

// bounds fills lo and hi for a partition.
func (f *frame) bounds(p *Partition, l *layout) error {
	f.lo, f.hi = room(f.lo, p.N), room(f.hi, p.N)
	var keys *rangeKeys
	if f.key >= 0 {
		keys = newRangeKeys(f, p)
	}
	for i := range p.N {
		lo, err := f.bound(l, keys, i, &f.spec.Start, &f.start, false)
		if err != nil {
			return err
		}
		hi, err := f.bound(l, keys, i, &f.spec.End, &f.end, true)
		if err != nil {
			return err
		}
		f.lo[i], f.hi[i] = lo, max(hi, lo)
	}
	return nil
}

// bound is where the frame of row i begins or, if end is set, ends.
func (f *frame) bound(l *layout, keys *rangeKeys, i int, b *scalar.Bound, by *types.Value, end bool) (int, error) {
	one := 0
	if end {
		one = 1
	}
	switch b.Kind {
	case scalar.UnboundedPreceding:
		return 0, nil
	case scalar.UnboundedFollowing:
		return l.n, nil
	case scalar.CurrentRow:
		switch {
		case f.spec.Unit == scalar.RowsFrame:
			return i + one, nil
		case end:
			return l.end(i), nil
		}
		return l.first(i), nil
	}
	n := by.Int
	if b.Kind == scalar.OffsetPreceding {
		n = -n
	}
	switch f.spec.Unit {
	case scalar.RowsFrame:
		return clamp(int64(i+one), n, l.n), nil
	case scalar.GroupsFrame:
		groups := len(l.starts) - 1
		return l.starts[clamp(int64(l.group[i]+one), n, groups)], nil
	}
	if keys == nil || keys.isNull(i) {
		if end {
			return l.end(i), nil
		}
		return l.first(i), nil
	}
	return keys.find(i, by, b.Kind == scalar.OffsetPreceding, end)
}

// clamp is at + n within 0 and most.
func clamp(at, n int64, most int) int {
	if n > 0 && at > math.MaxInt64-n {
		return most
	}
	return int(min(max(at+n, 0), int64(most)))
}

// ranges is the frame of row i without what is excluded, as up to three ranges
// that are not empty.
func (f *frame) ranges(l *layout, i int, parts *[3][2]int) [][2]int {
	lo, hi := f.lo[i], f.hi[i]
	out := parts[:0]
	add := func(a, b int) {
		if a, b = max(a, lo), min(b, hi); a < b {
			out = append(out, [2]int{a, b})
		}
	}
	switch f.spec.Exclude {
	case "":
		add(lo, hi)
	case "current row":
		add(lo, i)
		add(i+1, hi)
	case "group":
		add(lo, l.first(i))
		add(l.end(i), hi)
	case "ties":
		add(lo, l.first(i))
		add(i, i+1)
		add(l.end(i), hi)
	}
	return out
}

// sameAsBefore reports whether the frame of row i is that of the row before it.
func (f *frame) sameAsBefore(i int) bool {
	return i > 0 && f.spec.Exclude == "" && f.lo[i] == f.lo[i-1] && f.hi[i] == f.hi[i-1]
}

func room(s []int, n int) []int {
	if cap(s) < n {
		return make([]int, n)
	}
	return s[:n]
}
