package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// unbounded says why the join's state grows for ever.
func (j *regularJoin) unbounded(spec *graph.Join) string {
	var parts [2]string
	freed := false
	for i := range j.sides {
		s := &j.sides[i]
		if e := spec.Sides[i].Expiry; e != nil && !e.Forever {
			freed = true
		} else if p := j.b.ops[s.op]; p.Mode == graph.AppendOnly {
			what := "rows"
			if s.identity == graph.ByCopies {
				what = "keys"
			}
			parts[i] = what + " of " + p.called
		}
	}
	all := strings.Join(slices.DeleteFunc(slices.Clone(parts[:]), func(p string) bool { return p == "" }), " and all ")
	if all == "" {
		return ""
	}
	why := ": " + j.notFreed(freed) + " and no state_ttl"
	for i, p := range parts {
		if p != "" {
			spec.Sides[i].Unbounded = "it keeps all " + p + why
		}
	}
	return "it keeps all " + all + why
}

// notFreed says why the watermark does not free rows; freed, why not those of one side.
func (j *regularJoin) notFreed(freed bool) string {
	times := j.times()
	months := slices.ContainsFunc(times, graph.Months)
	switch {
	case freed && !months:
		return "the condition says when the other side's are out of time, but not when these are,"
	case len(times) == 0:
		return "no interval or window in the condition"
	}
	for i := range j.sides {
		s := &j.sides[i]
		switch o := j.b.ops[s.op]; {
		case o.Mode == graph.AppendOnly:
		case j.b.distinct(s.s.op):
			return "the other side is of different values, " + o.called + ", which have no event time,"
		default:
			return "the condition compares times, but rows of " + o.called + " may change at any time,"
		}
	}
	for i := range j.sides {
		if s := &j.sides[i]; !j.b.hasWatermark(s.s.op) {
			return "the condition compares times, but " + j.b.ops[s.op].called + " has no watermark,"
		}
	}
	if months {
		return "months, as in the condition, are of no fixed length,"
	}
	return "the condition does not compare event times of both sides in order,"
}

// times are the parts of the condition that compare times of both sides.
func (j *regularJoin) times() (out []*scalar.Expr) {
	isTime := func(x *scalar.Expr) bool { return x.Type.Kind == types.Timestamp || x.Type.Kind == types.TimestampTZ }
	for _, x := range j.sides[0].in.exprs[:j.sides[0].keys] {
		if isTime(x) {
			out = append(out, x)
		}
	}
	width := len(j.n.Left.Fields())
	for _, x := range scalar.Conjuncts(j.residual) {
		if x.Op == scalar.OpCall && len(x.Args) == 2 && isTime(x.Args[0]) && isTime(x.Args[1]) && scalar.SideOf(x.Args[0], width)*scalar.SideOf(x.Args[1], width) < 0 {
			out = append(out, x)
		}
	}
	return out
}
