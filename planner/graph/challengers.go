package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/types"
)

// Challengers lets through the rows that may count for something beside the rows of
// before, and any others it likes. It stands between an inner join and the append-only
// rows of one side, where all that is asked of the join is a first row, or an extremum,
// of groups: rows with the same values in the columns Alike match the same rows of the
// other side and come to the same groups. A row is dropped only if one like it came
// before it that is ahead of it in Order: of all its columns in turn or, where Each is
// set, by each of them alone, a row that is the same as the best so far being no better.
// What is dropped can change nothing. Output: the input's columns.
//
// It has no state tables. What it remembers, the best of what came so far, may be
// forgotten at any time: more rows get through then.
type Challengers struct {
	Alike []int     `json:"alike"`
	Order []SortKey `json:"order"`
	Each  bool      `json:"each,omitempty"`
	// Late is the join's expiry of the side, if rows may be late for it: those get
	// through, since it counts them.
	Late *Expiry `json:"late,omitempty"`
}

// Ranks reports whether Challengers can compare values of a type.
func Ranks(t types.Type) bool {
	switch t.Phys() {
	case types.PhysInt, types.PhysFloat, types.PhysDecimal:
		return true
	}
	return false
}

func (c *checker) challengers(n *Challengers) error {
	if err := errors.Join(c.like(0), columns(n.Alike, c.width(0)), c.order(n.Order)); err != nil {
		return err
	}
	if n.Late != nil {
		if err := n.Late.check(c.fields(0)); err != nil {
			return err
		}
	}
	switch {
	case len(n.Alike) == 0 || len(n.Order) == 0:
		return errors.New("challengers without columns to go by")
	case c.o.Mode != AppendOnly || c.g.Operators[c.o.Inputs[0].Operator].Mode != AppendOnly:
		return errors.New("challengers among rows that can be taken back")
	}
	for _, k := range n.Order {
		if t := c.fields(0)[k.Column].Type; !Ranks(t) {
			return fmt.Errorf("challengers by a value of type %s", t)
		}
	}
	return nil
}
