package graph

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Join pairs the rows of inputs 0 (left) and 1 (right) whose LeftKeys and
// RightKeys are equal, null being equal to nothing, and for which Residual (over
// the left columns followed by the right ones; nil: true) is true. Without keys
// every pair is looked at. Output: the left columns, then, except for semi and
// anti joins, the right ones; of these, if Output is set, those that it lists.
//
// Its state is a table "left" and a table "right", as Sides says; the keys are the
// first columns of each input, in order. Over finished data (AtEnd), rows without a
// partner, and those of semi and anti joins, come when both inputs have ended.
type Join struct {
	Kind      logical.JoinKind `json:"kind"`
	LeftKeys  []*scalar.Expr   `json:"left_keys,omitempty"`  // over the left columns
	RightKeys []*scalar.Expr   `json:"right_keys,omitempty"` // over the right columns
	Residual  *scalar.Expr     `json:"residual,omitempty"`
	Sides     *[2]JoinSide     `json:"sides,omitempty"`
	Output    []int            `json:"output,omitempty"`
	AtEnd     bool             `json:"at_end,omitempty"`
	// Lag is how far, in microseconds, the watermark of the output is behind that of
	// the inputs: a row that comes may be joined with one whose time is that long ago.
	Lag int64 `json:"lag,omitempty"`
	// Timeless are the inputs whose rows have no event time: they hold nothing back.
	Timeless []int `json:"timeless,omitempty"`
}

// Months reports whether something is months before or after in an expression: how long
// that is depends on the month.
func Months(x *scalar.Expr) (found bool) {
	scalar.Walk(x, func(e *scalar.Expr) {
		found = found || e.Op == scalar.OpConst && e.Type.Kind == types.IntervalK && e.Value != nil && !e.Value.Null && e.Value.Interval.Months != 0
	})
	return found
}

// JoinSide is what a join keeps of one side. Its table has the join keys, what
// else tells rows apart (Local), and the other columns: those of the input, in
// order, except for the row number and for what Identity and Matches add.
type JoinSide struct {
	Identity Identity `json:"identity"`
	// Matches says that the table's last column, a bigint, counts the other
	// side's rows that match a row: without a residual that is known from the
	// keys.
	Matches bool `json:"matches,omitempty"`
	// Expiry says when rows are forgotten; nil: never.
	Expiry *Expiry `json:"expiry,omitempty"`
	// Unbounded is Operator.Unbounded, of this side alone.
	Unbounded string `json:"unbounded,omitempty"`
	// Upsert says that the input tells of a change by the new row alone.
	Upsert bool `json:"upsert,omitempty"`
	// Stale is set, of rows with a key, where an edit has the input take back rows as
	// others than they came: what they were is read from the state.
	Stale bool `json:"stale,omitempty"`
}

// Expiry bounds what a join keeps by the watermark. The event time of a row is
// column Column of the input plus Shift, in microseconds: rows behind the watermark
// are late and left out; none is where Column is -1. A row is forgotten once the
// watermark is more than Keep ahead of its event time or, where Until is set, of
// that column, since what is to come cannot match it; never if Forever.
type Expiry struct {
	Column  int   `json:"column"`
	Shift   int64 `json:"shift,omitempty"`
	Keep    int64 `json:"keep,omitempty"`
	Until   *int  `json:"until,omitempty"`
	Forever bool  `json:"forever,omitempty"`
}

// Lag is how far, in microseconds, the watermark of the operator's output is behind
// that of its inputs.
func (o *Operator) Lag() int64 {
	switch {
	case o.Join != nil:
		return o.Join.Lag
	case o.AsofJoin != nil:
		return o.AsofJoin.Lag
	}
	return 0
}

// never reports whether the watermark forgets no rows.
func (e *Expiry) never() bool { return e == nil || e.Forever }

// End is the column and what is added to it to make the time that a row is
// forgotten after, unless it is kept for ever.
func (e *Expiry) End() (column int, plus int64) {
	if e.Until != nil {
		return *e.Until, e.Keep
	}
	return e.Column, e.Shift + e.Keep
}

// KeepUntil has a row forgotten once the watermark is past a column of it plus some
// microseconds.
func (e *Expiry) KeepUntil(column int, plus int64) {
	if e.Keep = plus; column != e.Column || e.Shift != 0 {
		e.Until = &column
	}
}

func (e *Expiry) check(in []types.Field) error {
	var used []int
	if e.Column != -1 {
		used = append(used, e.Column)
	}
	if !e.Forever {
		c, _ := e.End()
		used = append(used, c)
	}
	if err := columns(used, len(in)); err != nil {
		return fmt.Errorf("expiry: %w", err)
	}
	for _, c := range used {
		if in[c].Type.Phys() != types.PhysInt {
			return fmt.Errorf("expiry: column %d is no time", c)
		}
	}
	return nil
}

// Identity says what tells the rows of one join key apart.
type Identity string

// The identities.
const (
	// ByKey: the input's upsert key. The table's keys are the first columns.
	ByKey Identity = "key"
	// ByCopies: all columns, which are all keys; a bigint column counts copies.
	ByCopies Identity = "copies"
	// ByNumber: a bigint that numbers the rows of an append-only input, the key
	// after the join keys, which the input does not have.
	ByNumber Identity = "number"
)

// Outer reports whether rows of the side (0 left, 1 right) are in the output by
// themselves while they match nothing.
func (j *Join) Outer(side int) bool {
	switch j.Kind {
	case logical.FullJoin:
		return true
	case logical.LeftJoin, logical.AntiJoin:
		return side == 0
	case logical.RightJoin:
		return side == 1
	}
	return false
}

// LeftOnly reports whether the output has the left side's columns only.
func (j *Join) LeftOnly() bool { return j.Kind == logical.SemiJoin || j.Kind == logical.AntiJoin }

func (c *checker) join() error {
	j, l, r := c.o.Join, c.width(0), c.width(1)
	switch j.Kind {
	case logical.InnerJoin, logical.LeftJoin, logical.RightJoin, logical.FullJoin, logical.SemiJoin, logical.AntiJoin:
	default:
		return fmt.Errorf("unknown kind of join %q", j.Kind)
	}
	have := l + r
	if j.LeftOnly() {
		have = l
	}
	want := have
	if j.Output != nil {
		want = len(j.Output)
	}
	if len(c.o.Fields) != want || len(j.LeftKeys) != len(j.RightKeys) {
		return errors.New("columns or keys of a join do not fit its sides")
	}
	if j.Lag < 0 {
		return errors.New("a watermark ahead of those of the inputs")
	}
	if err := columns(j.Timeless, 2); err != nil || len(j.Timeless) > 1 {
		return errors.New("no input has an event time")
	}
	if err := errors.Join(columns(j.Output, have), c.exprs(j.LeftKeys, l, len(j.LeftKeys)), c.exprs(j.RightKeys, r, len(j.RightKeys)), optionalExpr(j.Residual, l+r)); err != nil {
		return err
	}
	if j.Sides == nil {
		return nil
	}
	if err := c.tableCount(2); err != nil {
		return err
	}
	for side, keys := range [][]*scalar.Expr{j.LeftKeys, j.RightKeys} {
		for i, k := range keys {
			if k.Op != scalar.OpColumn || k.Column != i {
				return fmt.Errorf("key %d of side %d is not column %d", i, side, i)
			}
		}
		if err := c.joinTable(side, len(keys)); err != nil {
			return fmt.Errorf("state table %q: %w", c.o.Tables[side].Name, err)
		}
	}
	return nil
}

// joinTable checks that a side's table has the input's columns where the operator
// looks for them.
func (c *checker) joinTable(side, keys int) error {
	return c.sideTable(&c.o.Tables[side], side, keys, &c.o.Join.Sides[side])
}

func (c *checker) sideTable(t *Table, side, keys int, s *JoinSide) error {
	in := c.fields(side)
	if t.Name != [2]string{"left", "right"}[side] {
		return errors.New("the name is another one")
	}
	all := append(append([]Column(nil), t.Keys...), t.Columns...)
	if s.Matches {
		if len(t.Columns) == 0 {
			return errors.New("there is no column for matches")
		}
		all = all[:len(all)-1]
	}
	if s.Expiry != nil {
		if err := s.Expiry.check(in); err != nil {
			return err
		}
	}
	fits := len(t.Keys) >= keys && t.Local == len(t.Keys)-keys
	switch s.Identity {
	case ByKey:
	case ByCopies:
		fits = fits && len(t.Keys) == len(in) && len(all) == len(in)+1
		all = all[:min(len(in), len(all))]
	case ByNumber:
		fits = fits && len(t.Keys) == keys+1 && t.Unindexed
		if fits {
			all = append(all[:keys:keys], all[keys+1:]...)
		}
	default:
		return fmt.Errorf("unknown identity %q", s.Identity)
	}
	if !fits || len(all) != len(in) {
		return errors.New("it does not fit the columns")
	}
	for i, f := range in {
		if all[i].Type.Phys() != f.Type.Phys() {
			return fmt.Errorf("column %d is %s from %s", i, all[i].Type, f.Type)
		}
	}
	return nil
}
