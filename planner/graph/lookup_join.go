package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/planner/scalar"
)

// LookupJoin joins each row of input 0, which only grows, with the rows of input 1
// that are there when it comes: those whose first Keys columns are equal, null being
// equal to nothing, and for which Residual (over the left columns followed by the
// right ones; nil: true) is true. Nothing is taken back or added later. Output: the
// left columns, then the right ones; of these those that Output lists. Event time is
// that of the left side alone.
//
// Its state is a table "right" as Right says. Input 0 is not read before the rows that
// were there on the right side at the start are in it.
type LookupJoin struct {
	Outer    bool         `json:"outer,omitempty"` // left rows without a partner stay
	Keys     int          `json:"keys"`
	Residual *scalar.Expr `json:"residual,omitempty"`
	Right    JoinSide     `json:"right"`
	Output   []int        `json:"output"`
}

func (c *checker) lookupJoin(l *LookupJoin) error {
	if err := c.nearest(l.Keys, l.Output); err != nil {
		return err
	}
	if err := errors.Join(optionalExpr(l.Residual, c.width(0)+c.width(1)), c.tableCount(1)); err != nil {
		return err
	}
	if err := c.sideTable(&c.o.Tables[0], 1, l.Keys, &l.Right); err != nil {
		return fmt.Errorf("state table %q: %w", c.o.Tables[0].Name, err)
	}
	return nil
}
