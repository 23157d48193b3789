package lower

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// turned is a comparison with its sides exchanged.
var turned = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (b *builder) asofJoin(n *logical.AsofJoin) (stream, error) {
	j, err := b.newNearestJoin(&logical.Join{Kind: logical.InnerJoin, Left: n.Left, Right: n.Right, Condition: n.Condition, Out: n.Out, Hidden: n.Hidden, ID: n.ID, TTL: n.TTL}, n.Outer)
	if err != nil {
		return stream{}, err
	}
	j.keysOf(scalar.Conjuncts(n.Condition), func(*scalar.Expr) bool { return true })
	if j.residual != nil {
		return stream{}, pgerr.NotSupported(position(j.residual), "this equality in the condition of an ASOF join").
			WithDetail("It compares values of types that are not stored alike.").Hint("Cast one side to the type of the other.")
	}
	op, _, _ := strings.Cut(n.Match.Func, "(")
	x, y := n.Match.Args[0], n.Match.Args[1]
	width := len(n.Left.Fields())
	if scalar.SideOf(x, width) == 1 {
		op, x, y = turned[op], y, x
	}
	if x.Type.Phys() != y.Type.Phys() || x.Type.Kind == types.Char || y.Type.Kind == types.Char {
		return stream{}, pgerr.NotSupported(n.Match.Pos, "an ASOF join by "+x.Type.String()+" and "+y.Type.String()).Hint("Cast one side to the type of the other.")
	}
	spec := &graph.AsofJoin{Outer: n.Outer, Keys: j.sides[0].keys, Match: op, AtEnd: b.bounded}
	o := &operator{Operator: graph.Operator{Kind: graph.AsofJoinKind, AsofJoin: spec, Mode: graph.Retract}}
	if b.bounded {
		o.Mode = graph.AppendOnly
	}
	for i, x := range []*scalar.Expr{x, scalar.Remap(y, func(c int) int { return c - width })} {
		if err := j.identify(i); err != nil {
			return stream{}, err
		}
		spec.Times[i] = j.fill(i, scalar.Substitute(x, j.sides[i].s.exprs))[0]
		var t graph.Table
		t, spec.Sides[i] = j.sideTable(i)
		o.Tables = append(o.Tables, t)
	}
	if err := j.timesOf(spec, []*scalar.Expr{x, y}); err != nil {
		return stream{}, err
	}
	if b.emitOnClose && !j.byTime && j.sides[0].hasTime() && !j.moves(1) {
		spec.Timeless, j.timed = true, 0
	}
	o.Inputs = j.inputs()
	j.named(o, "asof_join", n.Pos)
	if !b.bounded {
		o.Unbounded = j.asofUnbounded(spec)
	}
	return j.finishJoin(o, &spec.Output, "asof"+op+strconv.FormatBool(spec.Timeless)+strconv.FormatBool(j.byTime)+exprsKey([]*scalar.Expr{column(spec.Times[0], x.Type, ""), column(spec.Times[1], x.Type, "")})), nil
}

// timesOf finds out whether both values that are compared are event times, or such with
// something added, and right rows only come. The watermark then makes left rows final and,
// if these only come as well, frees rows. Left rows that change are kept, for as long as
// the windows they are in may be open they may be taken back.
func (j *nearestJoin) timesOf(spec *graph.AsofJoin, sides []*scalar.Expr) error {
	grow := func(i int) bool { return j.b.modeOf(j.sides[i].s.op) == graph.AppendOnly }
	if j.b.bounded || !grow(1) || !grow(0) && !(j.b.emitOnClose && spec.Back()) {
		return nil
	}
	var shifts [2]int64
	var attrs [2]attr
	for i, x := range sides {
		c, micros, ok := j.eventTime(x)
		if !ok {
			return nil
		}
		shifts[i] = -micros // the event time is that much off the value
		attrs[i] = j.sides[i].s.attrs[c-i*len(j.n.Left.Fields())]
	}
	j.byTime, j.lag = true, max(shifts[1]-shifts[0], 0)
	j.time, _, _ = j.eventTime(sides[0])
	for i := range sides {
		if err := j.b.useTime(j.sides[i].s.op, attrs[i]); err != nil {
			return err
		}
		if grow(0) {
			spec.Sides[i].Expiry = &graph.Expiry{Column: spec.Times[i], Shift: shifts[i]}
		}
	}
	return nil
}

// asofUnbounded says why the state grows for ever.
func (j *nearestJoin) asofUnbounded(spec *graph.AsofJoin) string {
	var parts []string
	for i := range j.sides {
		if p := j.b.ops[j.sides[i].op]; p.Mode == graph.AppendOnly {
			parts = append(parts, "rows of "+p.called)
		}
	}
	switch {
	case len(parts) == 0:
		return ""
	case j.byTime && spec.Sides[0].Expiry == nil:
		return "it keeps all " + parts[0] + ": those of " + j.b.ops[j.sides[0].op].called + " may change at any time, and there is no state_ttl"
	case spec.Sides[0].Expiry == nil:
		return "it keeps all " + strings.Join(parts, " and all ") + ": no event time of both sides in the inequality and no state_ttl"
	case !spec.Back():
		return "it keeps the rows of " + j.b.ops[j.sides[0].op].called + " that nothing comes after on the other side: no state_ttl"
	case spec.Keys > 0:
		return "it keeps the last row of each key of " + j.b.ops[j.sides[1].op].called + " for ever: no state_ttl"
	}
	return ""
}

// eventTime is column, or column plus micros, of an event time that has a watermark,
// over the columns of both sides.
func (j *nearestJoin) eventTime(x *scalar.Expr) (column int, micros int64, ok bool) {
	if x.Op == scalar.OpCall && len(x.Args) == 2 {
		op, _, _ := strings.Cut(x.Func, "(")
		c, rest, fine := j.eventTime(x.Args[0])
		n, constant := intervalMicros(x.Args[1])
		if !fine || !constant || op != "+" && op != "-" {
			return 0, 0, false
		}
		if op == "-" {
			n = -n
		}
		return c, rest + n, true
	}
	if x.Op != scalar.OpColumn {
		return 0, 0, false
	}
	i, c, width := 0, x.Column, len(j.n.Left.Fields())
	if c >= width {
		i, c = 1, c-width
	}
	a := j.sides[i].s.attrs[c]
	return x.Column, 0, a.time && !a.proc
}
