package graph

import (
	"errors"
	"fmt"
)

// AsofJoin joins each row of input 0 with one row of input 1 at most: of those whose
// first Keys columns are equal, null being equal to nothing, and for which left
// column Times[0] is Match (<, <=, > or >=) right column Times[1], the one with the
// nearest value; of several such, the last one in the order of all columns for > and
// >=, the first one for < and <=. Output: the left columns, then the right ones; of
// these those that Output lists. When what is nearest changes, so does the output.
//
// Its state is a table "left" and a table "right" as Sides says. Expiry, of both
// sides or of none, says that both inputs only grow and go by event time: a left row
// is forgotten once nothing can come nearer, right ones once nothing can match them
// any more. Over finished data (AtEnd) all rows come when both inputs have ended.
type AsofJoin struct {
	Outer  bool        `json:"outer,omitempty"` // left rows without a partner stay
	Keys   int         `json:"keys"`
	Match  string      `json:"match"`
	Times  [2]int      `json:"times"`
	Sides  [2]JoinSide `json:"sides"`
	Output []int       `json:"output"`
	AtEnd  bool        `json:"at_end,omitempty"`
	// Lag is as in Join.
	Lag int64 `json:"lag,omitempty"`
	// Timeless says that right rows, which change, hold the watermark of the left ones
	// back no more than a table does.
	Timeless bool `json:"timeless,omitempty"`
}

// Back reports whether the nearest row is the last one that is not after the left
// one, rather than the first that is not before.
func (a *AsofJoin) Back() bool { return a.Match == ">" || a.Match == ">=" }

func (c *checker) asofJoin(a *AsofJoin) error {
	if m := a.Match; m != "<" && m != "<=" && m != ">" && m != ">=" {
		return fmt.Errorf("unknown match %q", m)
	}
	if err := c.nearest(a.Keys, a.Output); err != nil {
		return err
	}
	if err := c.tableCount(2); err != nil {
		return err
	}
	if a.Lag < 0 {
		return errors.New("a watermark ahead of those of the inputs")
	}
	if (a.Sides[0].Expiry == nil) != (a.Sides[1].Expiry == nil) {
		return errors.New("one side expires")
	}
	if a.Timeless && a.Sides[1].Expiry != nil {
		return errors.New("rows expire by a watermark that they do not go by")
	}
	for side := range a.Sides {
		s := &a.Sides[side]
		if s.Expiry != nil && (s.Expiry.Column != a.Times[side] || s.Identity == ByCopies) {
			return errors.New("expiry is not by the column that is compared")
		}
		if err := columns([]int{a.Times[side]}, c.width(side)); err != nil {
			return err
		}
		if err := c.sideTable(&c.o.Tables[side], side, a.Keys, s); err != nil {
			return fmt.Errorf("state table %q: %w", c.o.Tables[side].Name, err)
		}
	}
	if l, r := c.fields(0)[a.Times[0]].Type, c.fields(1)[a.Times[1]].Type; l.Phys() != r.Phys() {
		return fmt.Errorf("%s is compared with %s", l, r)
	}
	return nil
}

// nearest checks what joins that choose among the right side's rows share: the keys
// are the first columns of both inputs, and Output counts the columns of both.
func (c *checker) nearest(keys int, output []int) error {
	if keys < 0 || keys > c.width(0) || keys > c.width(1) {
		return fmt.Errorf("%d keys", keys)
	}
	for i := range keys {
		if l, r := c.fields(0)[i].Type, c.fields(1)[i].Type; l.Phys() != r.Phys() {
			return fmt.Errorf("key %d is %s and %s", i, l, r)
		}
	}
	if len(output) != len(c.o.Fields) {
		return fmt.Errorf("%d columns for %d", len(output), len(c.o.Fields))
	}
	return columns(output, c.width(0)+c.width(1))
}
