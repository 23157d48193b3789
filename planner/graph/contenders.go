package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// Contenders lets through the rows that may have the greatest Value (the least,
// unless Greatest is set) of their window, and any others it likes: a row is dropped
// only if another one of its window, that was not late, has a better Value. It stands
// between a join and the append-only rows of one side where the other side is the
// extremum of the same rows per window, and the join's condition pairs a row with the
// extremum of its own window alone; what is dropped can match nothing. Output: the
// input's columns.
//
// It has no state tables. What it remembers of a window, its best Value so far, may be
// forgotten at any time: more rows get through then.
type Contenders struct {
	Value    int  `json:"value"`
	Greatest bool `json:"greatest,omitempty"`
	// Time is the column that says which window of Spec, which tumbles, a row is of:
	// its event time or, if Bound is set, where its window begins or ends. By event
	// time, rows at a bound of two windows always get through: a condition that
	// counts both bounds in pairs them with either window.
	Time  int                `json:"time"`
	Bound WindowBound        `json:"bound,omitempty"`
	Spec  logical.WindowSpec `json:"spec"`
}

// WindowBound is a bound of a window, "" for neither.
type WindowBound string

// The bounds.
const (
	WindowStart WindowBound = "start"
	WindowEnd   WindowBound = "end"
)

func (c *checker) contenders(n *Contenders) error {
	if err := errors.Join(c.like(0), columns([]int{n.Value, n.Time}, c.width(0)), checkWindow(n.Spec)); err != nil {
		return err
	}
	switch {
	case n.Spec.Kind != logical.Tumble:
		return fmt.Errorf("contenders of a %s window", n.Spec.Kind)
	case n.Bound != "" && n.Bound != WindowStart && n.Bound != WindowEnd:
		return fmt.Errorf("unknown bound %q of a window", n.Bound)
	case c.fields(0)[n.Time].Type.Phys() != types.PhysInt:
		return fmt.Errorf("column %d is no time", n.Time)
	case c.o.Mode != AppendOnly || c.g.Operators[c.o.Inputs[0].Operator].Mode != AppendOnly:
		return errors.New("contenders among rows that can be taken back")
	}
	return nil
}
