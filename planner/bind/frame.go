package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// namedWindows resolves the WINDOW clause, each window seeing those before it.
func (s *selection) namedWindows() error {
	s.overs = &overs{named: map[string]*ast.Window{}}
	for i := range s.sel.Windows {
		n := &s.sel.Windows[i]
		if s.overs.named[n.Name.Value] != nil {
			return pgerr.New(pgerr.WindowingError, "window %q is already defined", n.Name.Value).At(int(n.Name.Pos))
		}
		w, err := s.windowOf(&n.Spec)
		if err != nil {
			return err
		}
		s.overs.named[n.Name.Value] = w
	}
	return nil
}

// windowOf puts the window that w names or builds on in the place of the name.
func (l *level) windowOf(w *ast.Window) (*ast.Window, error) {
	if w.Ref == "" {
		return w, nil
	}
	base := l.overs.named[w.Ref]
	if base == nil {
		return nil, pgerr.New(pgerr.UndefinedObject, "window %q does not exist", w.Ref).At(int(w.Pos))
	}
	if len(w.PartitionBy) == 0 && len(w.OrderBy) == 0 && w.Frame == nil {
		return base, nil
	}
	out := *base
	out.At = w.At
	switch {
	case len(w.PartitionBy) > 0:
		return nil, pgerr.New(pgerr.WindowingError, "cannot override PARTITION BY clause of window %q", w.Ref).At(int(w.Pos))
	case len(w.OrderBy) > 0 && len(base.OrderBy) > 0:
		return nil, pgerr.New(pgerr.WindowingError, "cannot override ORDER BY clause of window %q", w.Ref).At(int(w.Pos))
	case base.Frame != nil:
		return nil, pgerr.New(pgerr.WindowingError, "cannot copy window %q because it has a frame clause", w.Ref).At(int(w.Pos))
	}
	if len(w.OrderBy) > 0 {
		out.OrderBy = w.OrderBy
	}
	out.Frame = w.Frame
	return &out, nil
}

// frame binds a window's frame over its order keys.
func (l *level) frame(w *ast.Window, keys []*scalar.Expr) (scalar.Frame, error) {
	f := w.Frame
	if f == nil {
		return scalar.Frame{Unit: scalar.RangeFrame, Start: scalar.Bound{Kind: scalar.UnboundedPreceding}, End: scalar.Bound{Kind: scalar.CurrentRow}}, nil
	}
	out := scalar.Frame{Unit: scalar.FrameUnit(f.Unit), Exclude: f.Exclude}
	start, end := scalar.BoundKind(f.Start.Kind), scalar.BoundKind(f.End.Kind)
	bad := func(text string) (scalar.Frame, error) {
		return out, pgerr.New(pgerr.WindowingError, "%s", text).At(int(w.Pos))
	}
	switch {
	case start == scalar.UnboundedFollowing:
		return bad("frame start cannot be UNBOUNDED FOLLOWING")
	case end == scalar.UnboundedPreceding:
		return bad("frame end cannot be UNBOUNDED PRECEDING")
	case start == scalar.CurrentRow && end == scalar.OffsetPreceding:
		return bad("frame starting from current row cannot have preceding rows")
	case start == scalar.OffsetFollowing && end == scalar.OffsetPreceding:
		return bad("frame starting from following row cannot have preceding rows")
	case start == scalar.OffsetFollowing && end == scalar.CurrentRow:
		return bad("frame starting from following row cannot end with current row")
	case out.Unit == scalar.GroupsFrame && len(keys) == 0:
		return bad("GROUPS mode requires an ORDER BY clause")
	case out.Unit == scalar.RangeFrame && len(keys) != 1 && (f.Start.Offset != nil || f.End.Offset != nil):
		return bad("RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
	}
	var err error
	if out.Start, err = l.bound(out.Unit, &f.Start, keys); err != nil {
		return out, err
	}
	out.End, err = l.bound(out.Unit, &f.End, keys)
	return out, err
}

// bound binds one end of a frame.
func (l *level) bound(unit scalar.FrameUnit, x *ast.FrameBound, keys []*scalar.Expr) (scalar.Bound, error) {
	out := scalar.Bound{Kind: scalar.BoundKind(x.Kind)}
	if x.Offset == nil {
		return out, nil
	}
	clause := upper(string(unit))
	if c := firstColumn(x.Offset); c != nil {
		return out, pgerr.New(pgerr.InvalidColumnReference, "argument of %s must not contain variables", clause).At(int(c.Pos))
	}
	at := &level{b: l.b, clause: clause}
	e, err := at.expr(x.Offset)
	if err != nil {
		return out, err
	}
	if len(at.pending) > 0 {
		return out, pgerr.NotSupported(int(x.Offset.Offset()), "a subquery in "+clause)
	}
	t := types.Of(types.Int64)
	if unit == scalar.RangeFrame {
		if t, err = rangeOffsetType(keys[0].Type, e.Pos); err != nil {
			return out, err
		}
	}
	if !l.b.canCoerce(e.Type, t, implicit) {
		if unit == scalar.RangeFrame {
			return out, pgerr.New(pgerr.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s", bare(keys[0].Type), bare(e.Type)).At(e.Pos).
				Hint("Cast the offset value to an appropriate type.")
		}
		return out, pgerr.New(pgerr.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, bare(e.Type)).At(e.Pos)
	}
	if out.Offset, err = l.b.coerce(e, t, implicit); err != nil {
		return out, err
	}
	return out, nil
}

// rangeOffsetType is what a RANGE offset over a key of type t must be.
func rangeOffsetType(t types.Type, pos int) (types.Type, error) {
	switch t.Kind {
	case types.Int16, types.Int32, types.Int64:
		return types.Of(types.Int64), nil
	case types.Float32, types.Float64:
		return types.Of(types.Float64), nil
	case types.Numeric:
		return types.Of(types.Numeric), nil
	}
	if slices.Contains([]types.Kind{types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.IntervalK}, t.Kind) {
		return types.Of(types.IntervalK), nil
	}
	return t, pgerr.New(pgerr.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", bare(t)).At(pos)
}
