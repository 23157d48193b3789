package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// outputArity is how many accumulators an output function takes; value takes
// one or two.
var outputArity = map[string]int{"value": 0, "avg": 2, "stddev_samp": 3, "stddev_pop": 3, "var_samp": 3, "var_pop": 3,
	"approx_count_distinct": 2, "corr": 6, "covar_pop": 6, "covar_samp": 6, "regr_avgx": 6, "regr_avgy": 6, "regr_intercept": 6,
	"regr_r2": 6, "regr_slope": 6, "regr_sxx": 6, "regr_sxy": 6, "regr_syy": 6}

// aggregate checks a spec whose output begins with lead window columns.
func (c *checker) aggregate(a *Aggregate, lead int) error {
	width := c.width(0)
	if err := columns(a.Keys, width); err != nil {
		return err
	}
	if len(a.Accumulators) == 0 || a.Accumulators[0].Func != "count" || a.Accumulators[0].Arg != -1 || a.Accumulators[0].Filter != -1 {
		return errors.New("accumulator 0 is not count(*)")
	}
	for _, d := range a.Distincts {
		if err := columns([]int{d.Arg}, width); err != nil {
			return err
		}
		for _, f := range d.Filters {
			if err := c.flag(f); err != nil {
				return err
			}
		}
	}
	values := 0
	for _, acc := range a.Accumulators {
		if err := c.accumulator(a, acc); err != nil {
			return fmt.Errorf("accumulator %q: %w", acc.Name, err)
		}
		if a.Retractable && (acc.Func == "min" || acc.Func == "max") {
			values++
		}
	}
	if len(c.o.Fields) != lead+len(a.Keys)+len(a.Outputs) {
		return fmt.Errorf("%d columns for %d keys and %d outputs", len(c.o.Fields), len(a.Keys), len(a.Outputs))
	}
	for _, out := range a.Outputs {
		n, ok := outputArity[out.Func]
		if !ok || n != 0 && len(out.Accumulators) != n || len(out.Accumulators) == 0 || n == 0 && len(out.Accumulators) > 2 {
			return fmt.Errorf("output %q of %d accumulators", out.Func, len(out.Accumulators))
		}
		if err := errors.Join(columns(out.Accumulators, len(a.Accumulators)), columns(out.Specials, len(a.Accumulators)), columns([]int{out.Scale}, len(a.Accumulators))); err != nil {
			return err
		}
		if s := len(out.Specials); n == 6 && s != 6 && out.Func != "value" || s != 0 && s != 3 && s != 6 {
			return fmt.Errorf("output %q with %d counts of special values", out.Func, s)
		}
	}
	if err := c.tableCount(1 + len(a.Distincts) + values + len(a.Lists) + len(a.Sketches)); err != nil {
		return err
	}
	main := c.o.Tables[0]
	if len(main.Columns) != len(a.Accumulators) || len(main.Keys) != len(a.Keys)+lead/2 {
		return errors.New("the state table does not fit the accumulators")
	}
	for i, d := range a.Distincts {
		if t := c.o.Tables[1+i]; len(t.Columns) != len(d.Filters) || len(t.Keys) != len(main.Keys)+1 {
			return fmt.Errorf("the state table %q does not fit", t.Name)
		}
	}
	return c.lists(a, 1+len(a.Distincts)+values, len(main.Keys))
}

func (c *checker) accumulator(a *Aggregate, acc Accumulator) error {
	if acc.Arg != -1 {
		if err := columns([]int{acc.Arg}, c.width(0)); err != nil {
			return err
		}
	}
	if err := c.flag(acc.Filter); err != nil {
		return err
	}
	switch acc.Func {
	case "count", "rest":
	case "sum", "sum_squares", "sum_products", "sum_finite", "sum_squares_finite", "count_nan", "count_inf", "count_neg_inf", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor":
		if acc.Arg < 0 && acc.List == nil {
			return errors.New("no argument")
		}
	case "sketch_sum", "sketch_used":
		if acc.Sketch == 0 {
			return errors.New("no sketch")
		}
	default:
		if acc.List == nil {
			return fmt.Errorf("unknown function %q", acc.Func)
		}
	}
	if err := checkType(acc.Type, 0); err != nil {
		return err
	}
	if err := c.supplements(a, acc); err != nil {
		return err
	}
	if acc.Distinct < -1 || acc.Distinct >= len(a.Distincts) {
		return fmt.Errorf("no distinct table %d", acc.Distinct)
	}
	if acc.Distinct >= 0 {
		return columns([]int{acc.Mask}, len(a.Distincts[acc.Distinct].Filters))
	}
	return nil
}

// flag checks that column i, unless it is -1, is a boolean.
func (c *checker) flag(i int) error {
	if i == -1 {
		return nil
	}
	if err := columns([]int{i}, c.width(0)); err != nil {
		return err
	}
	if t := c.fields(0)[i].Type; t.Kind != types.Bool {
		return fmt.Errorf("filter column %d is %s", i, t)
	}
	return nil
}

func checkWindow(w logical.WindowSpec) error {
	ok := w.Size > 0
	switch w.Kind {
	case logical.Tumble, logical.Session:
		ok = ok && w.Slide == 0
	case logical.Hop, logical.Cumulate:
		ok = ok && w.Slide > 0
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("window %+v", w)
	}
	return nil
}

func checkType(t types.Type, depth int) error {
	if t.Phys() == types.PhysNone || depth > depthMax {
		return fmt.Errorf("unusable type %s", t.Kind)
	}
	if (t.Kind == types.Array) != (t.Elem != nil) {
		return errors.New("an array type without an element type, or the other way round")
	}
	if t.Elem != nil {
		return checkType(*t.Elem, depth+1)
	}
	for _, f := range t.Fields {
		if err := checkType(f.Type, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// arity is how many arguments an expression node has at least and at most.
var arity = map[scalar.Op][2]int{
	scalar.OpColumn: {0, 0}, scalar.OpConst: {0, 0}, scalar.OpCall: {0, 1 << 20}, scalar.OpCast: {1, 1}, scalar.OpAnd: {1, 1 << 20},
	scalar.OpOr: {1, 1 << 20}, scalar.OpNot: {1, 1}, scalar.OpIsNull: {1, 1}, scalar.OpCase: {1, 1 << 20}, scalar.OpParam: {0, 0},
	scalar.OpIn: {1, 1 << 20}, scalar.OpOuter: {0, 0},
}

func checkExpr(x *scalar.Expr, width, depth int) error {
	switch {
	case x == nil:
		return errors.New("no expression")
	case depth > depthMax:
		return errors.New("an expression is nested too deeply")
	}
	n, ok := arity[x.Op]
	switch {
	case !ok || len(x.Args) < n[0] || len(x.Args) > n[1] || x.Op == scalar.OpCase && len(x.Args)%2 == 0:
		return fmt.Errorf("expression %q with %d arguments", x.Op, len(x.Args))
	case x.Op == scalar.OpConst && x.Value == nil:
		return errors.New("a constant without a value")
	case x.Op == scalar.OpCall && scalar.ByKey(x.Func) == nil:
		return fmt.Errorf("unknown function %q", x.Func)
	case x.Op == scalar.OpColumn:
		if err := columns([]int{x.Column}, width); err != nil {
			return err
		}
	}
	if err := checkType(x.Type, 0); err != nil {
		return err
	}
	for _, a := range x.Args {
		if err := checkExpr(a, width, depth+1); err != nil {
			return err
		}
	}
	return nil
}
