package explain

import (
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// nearestJoin prints joins that choose among the right side's rows.
func (p *printer) nearestJoin(o *graph.Operator, add func(string, ...any)) {
	l, r := p.input(o, 0).Fields, p.input(o, 1).Fields
	head := func(outer bool, keys int) {
		kind := "inner"
		if outer {
			kind = "left"
		}
		add("kind: %s", kind)
		for i := range keys {
			add("on: %s = %s", l[i].Name, r[i].Name)
		}
	}
	var residual *scalar.Expr
	switch {
	case o.AsofJoin != nil:
		a := o.AsofJoin
		head(a.Outer, a.Keys)
		add("match: the nearest with %s %s %s", l[a.Times[0]].Name, a.Match, r[a.Times[1]].Name)
		if s := a.Sides; s[0].Expiry != nil {
			p.asofKeeps(a, l, r, add)
		}
		p.lag(o, add)
		if a.Timeless {
			add("%s", timelessText("left"))
		}
	case o.TemporalJoin != nil:
		t := o.TemporalJoin
		head(t.Outer, t.Keys)
		add("version: at %s, of %s", l[t.LeftTime].Name, r[t.Keys].Name)
		add("keeps: left rows until the watermark is past %s, of each key the versions after the watermark and one before it", l[t.LeftTime].Name)
		residual = t.Residual
	case o.LookupJoin != nil:
		head(o.LookupJoin.Outer, o.LookupJoin.Keys)
		add("version: what is there when a left row comes")
		residual = o.LookupJoin.Residual
	}
	if residual != nil {
		add("where: %s", Expr(withoutText(residual), append(of("left", l), of("right", r)...)))
	}
}

// asofKeeps says what the watermark frees.
func (p *printer) asofKeeps(a *graph.AsofJoin, l, r []types.Field, add func(string, ...any)) {
	left, right := l[a.Times[0]].Name, r[a.Times[1]].Name
	if a.Back() {
		add("keeps: left rows until the watermark is past %s, of each key right rows after the watermark and the last before it", left)
		return
	}
	add("keeps: left rows until the watermark is past the %s of their match, right rows until it is past %s", right, right)
}

// timelessText says whose watermark a join has whose other side has none.
func timelessText(side string) string {
	return "watermark: that of the " + side + " side alone; what the other changes after that is late"
}
