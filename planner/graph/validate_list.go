package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/types"
)

// lists checks the lists and sketches of a, whose tables begin with number next;
// keys is how many keys the group table has.
func (c *checker) lists(a *Aggregate, next, keys int) error {
	for i := range a.Lists {
		l := &a.Lists[i]
		if err := columns(l.Args, c.width(0)); err != nil {
			return err
		}
		if len(l.Filters) == 0 {
			return fmt.Errorf("list %q counts nothing", l.Name)
		}
		for _, f := range l.Filters {
			if err := c.flag(f); err != nil {
				return err
			}
		}
		local := len(l.Args)
		if l.Arrival {
			local++
		}
		if t := c.o.Tables[next]; len(t.Columns) != len(l.Filters) || len(t.Keys) != keys+local || t.Local < local {
			return fmt.Errorf("the state table %q does not fit", t.Name)
		}
		if (l.Arrival || l.First != nil) && a.Retractable {
			return fmt.Errorf("list %q needs append-only input", l.Name)
		}
		if l.First != nil {
			if err := l.order(*l.First); err != nil {
				return err
			}
		}
		next++
	}
	for _, s := range a.Sketches {
		if err := errors.Join(columns([]int{s.Arg}, c.width(0)), c.flag(s.Filter)); err != nil {
			return err
		}
		if t := c.o.Tables[next]; len(t.Columns) != SketchBlockRegisters/8 || len(t.Keys) != keys+1 || t.Local < 1 {
			return fmt.Errorf("the state table %q does not fit", t.Name)
		}
		next++
	}
	return nil
}

func (l *List) order(o ListOrder) error {
	for _, k := range o.Keys {
		if err := columns([]int{k.Column}, len(l.Args)); err != nil {
			return err
		}
	}
	return nil
}

// supplements checks what an accumulator may have beside its argument.
func (c *checker) supplements(a *Aggregate, acc Accumulator) error {
	if err := columns(acc.With, c.width(0)); err != nil {
		return err
	}
	if acc.Func == "sum_products" && len(acc.With) == 0 {
		return errors.New("no other factor")
	}
	if acc.Rest != 0 {
		if err := columns([]int{acc.Rest}, len(a.Accumulators)); err != nil {
			return err
		}
		if a.Accumulators[acc.Rest].Func != "rest" {
			return fmt.Errorf("accumulator %d is no rest", acc.Rest)
		}
	}
	if acc.Sketch < 0 || acc.Sketch > len(a.Sketches) {
		return fmt.Errorf("no sketch %d", acc.Sketch)
	}
	r := acc.List
	if r == nil {
		return nil
	}
	if r.List < 0 || r.List >= len(a.Lists) {
		return fmt.Errorf("no list %d", r.List)
	}
	l := &a.Lists[r.List]
	if err := checkListCall(acc.Func, r, acc.Type); err != nil {
		return err
	}
	return errors.Join(columns([]int{r.Mask}, len(l.Filters)), columns(r.Values, len(l.Args)), l.order(r.Order))
}

// checkListCall checks that a function that reads a list has the arguments that it
// goes by.
func checkListCall(fn string, r *ListRead, result types.Type) error {
	values, ok := map[string]int{"string_agg": 2, "array_agg": 1, "json_agg": 1, "json_object_agg": 2, "percentile_cont": 1, "percentile_disc": 1,
		"mode": 1, "any_value": 1, "first_value": 1, "last_value": 1, "bit_and": 1, "bit_or": 1}[fn]
	if !ok {
		return fmt.Errorf("unknown function %q", fn)
	}
	if fn == "string_agg" && len(r.Params) > 0 {
		values = 1
	}
	percentile := fn == "percentile_cont" || fn == "percentile_disc"
	switch {
	case len(r.Values) != values:
		return fmt.Errorf("%s of %d columns", fn, len(r.Values))
	case percentile && len(r.Params) == 0 && !r.Many:
		return errors.New("a percentile without a fraction")
	case (fn == "array_agg" || r.Many) && result.Elem == nil:
		return fmt.Errorf("%s gives %s", fn, result)
	case len(r.Dims) > 0 && (!r.Many || cells(r.Dims) != len(r.Params)):
		return fmt.Errorf("%s of %d fractions in %v", fn, len(r.Params), r.Dims)
	case r.Many && !percentile:
		return fmt.Errorf("%s of several fractions", fn)
	}
	return nil
}

// cells is how many elements an array has.
func cells(dims []types.Dimension) int {
	n := 1
	for _, d := range dims {
		if d.Len < 1 || n > 1<<20/d.Len {
			return -1
		}
		n *= d.Len
	}
	return n
}
