package graph

import (
	"math"
	"strings"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// fewRows is up to how many constant rows nobody need be warned of.
const fewRows = 1e6

// constant reports whether an operator emits a few constant rows and nothing else, ever.
func (g *Graph) constant(i int) bool { return g.RowsMax(i) <= fewRows }

// RowsMax is about how many rows an operator emits at the most: infinitely many if it
// reads any source.
func (g *Graph) RowsMax(i int) float64 {
	o := &g.Operators[i]
	switch {
	case o.Values != nil:
		return float64(len(o.Values.Rows))
	case o.FunctionScan != nil:
		return o.FunctionScan.rowsMax()
	case len(o.Inputs) == 0:
		return math.Inf(1)
	}
	n := g.RowsMax(o.Inputs[0].Operator)
	for _, in := range o.Inputs[1:] {
		if math.IsInf(n, 1) { // as of nearly all: what many joins share is looked at once
			return n
		}
		switch more := g.RowsMax(in.Operator); o.Kind {
		case UnionKind, SetOpKind:
			n += more
		default: // joins
			n = max(n, 1) * max(more, 1)
		}
	}
	if o.Expand != nil {
		n *= o.Expand.Function.rowsMax()
	}
	return n
}

// rowsMax is about how many rows a call gives: of a series as many as its constant
// arguments say, of others few, since they take a value apart.
func (f *FunctionScan) rowsMax() float64 {
	n := 1.0
	if strings.TrimPrefix(f.Func, "pg_catalog.") == "generate_series" {
		n = seriesRows(f.Args)
	}
	for i := range f.Beside {
		n = max(n, f.Beside[i].rowsMax())
	}
	return n
}

// Multiplies is how many rows each row of an operator's input becomes, if these are
// known and more than a few, else 0.
func (o *Operator) Multiplies() float64 {
	if o.Expand == nil {
		return 0
	}
	if n := o.Expand.Function.rowsMax(); n > fewRows && !math.IsInf(n, 1) {
		return n
	}
	return 0
}

func seriesRows(args []*scalar.Expr) float64 {
	var at [3]float64
	at[2] = 1
	for i, x := range args {
		switch t := x.Type; {
		case x.Op != scalar.OpConst || x.Value.Null:
			return math.Inf(1)
		case t.Kind == types.Numeric:
			at[i] = x.Value.Dec.Float64()
		case t.Phys() == types.PhysInterval:
			v := x.Value.Interval
			at[i] = (float64(v.Months)*30+float64(v.Days))*24*3600*1e6 + float64(v.Micros)
		default:
			at[i] = float64(x.Value.Int)
		}
	}
	return max(0, math.Floor((at[1]-at[0])/at[2])+1)
}
