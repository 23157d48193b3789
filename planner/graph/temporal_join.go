package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// TemporalJoin joins each row of input 0, which only grows, with the version of
// input 1's row of the same first Keys columns that was valid at the event time in
// left column LeftTime, if Residual (over the left columns followed by the right
// ones; nil: true) is true of the two. A right row is a version that is valid from
// the event time in its column Keys until the next one; a row that is taken away ends
// it at the same time, one that is replaced does not. Output: the left columns, then
// the right ones; of these those that Output lists.
//
// A left row waits in the table "left" (the keys, a number "row", Local, the other
// columns) until the watermark has passed its time. The table "right" has the versions:
// the keys and, Local, the time; the other columns; and a boolean that is true where a
// version ends without another one. The watermark leaves one version of a key.
type TemporalJoin struct {
	Outer    bool         `json:"outer,omitempty"` // left rows without a partner stay
	Keys     int          `json:"keys"`
	LeftTime int          `json:"left_time"`
	Residual *scalar.Expr `json:"residual,omitempty"`
	Output   []int        `json:"output"`
}

func (c *checker) temporalJoin(t *TemporalJoin) error {
	if err := c.nearest(t.Keys, t.Output); err != nil {
		return err
	}
	if err := errors.Join(columns([]int{t.LeftTime}, c.width(0)), columns([]int{t.Keys}, c.width(1)), optionalExpr(t.Residual, c.width(0)+c.width(1)), c.tableCount(2)); err != nil {
		return err
	}
	if c.fields(0)[t.LeftTime].Type.Phys() != types.PhysInt || c.fields(1)[t.Keys].Type.Phys() != types.PhysInt {
		return errors.New("what it goes by is no time")
	}
	if err := c.sideTable(&c.o.Tables[0], 0, t.Keys, &JoinSide{Identity: ByNumber}); err != nil {
		return fmt.Errorf("state table %q: %w", c.o.Tables[0].Name, err)
	}
	v := c.o.Tables[1]
	last := len(v.Columns) - 1
	if last < 0 || v.Columns[last].Type.Phys() != types.PhysBool || len(v.Keys) != t.Keys+1 {
		return errors.New("the table of versions does not fit")
	}
	v.Columns = v.Columns[:last]
	if err := c.sideTable(&v, 1, t.Keys, &JoinSide{Identity: ByKey}); err != nil {
		return fmt.Errorf("state table %q: %w", v.Name, err)
	}
	return nil
}
