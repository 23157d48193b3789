package operator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// parseNearest reads the joins that choose among the right side's rows. "left" or
// "inner" and how many of the first columns are keys come first, a comparison of a
// left with a right column may come last:
//
//	temporal_join left on 1 at t where v < w
//	lookup_join inner on 1 by key 1 where v < w
//	asof_join left on 1 by copies, key 1 match t >= u expire 0 0
//
// The right column after the keys is the time of a temporal join's version. After
// "expire" come the shifts of both sides' event times.
func (s *script) parseNearest(op *graph.Operator, text string) error {
	text, where, residual := strings.Cut(text, " where ")
	kind, rest, _ := strings.Cut(text, " on ")
	count, rest, _ := strings.Cut(rest, " ")
	keys, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	outer := kind == "left"
	var x *scalar.Expr
	if residual {
		x = s.pairCondition(where)
	}
	var output []int
	for _, f := range slices.Concat(s.fields, s.right) {
		output, op.Fields = append(output, len(output)), append(op.Fields, f)
	}
	switch op.Kind {
	case graph.TemporalJoinKind:
		op.Mode = graph.AppendOnly
		op.TemporalJoin = &graph.TemporalJoin{Outer: outer, Keys: keys, LeftTime: s.column(strings.TrimPrefix(rest, "at ")), Residual: x, Output: output}
		return s.temporalTables(op)
	case graph.LookupJoinKind:
		op.Mode = graph.AppendOnly
		t, side, err := s.nearestTable(1, keys, strings.TrimPrefix(rest, "by "))
		op.LookupJoin = &graph.LookupJoin{Outer: outer, Keys: keys, Residual: x, Right: side, Output: output}
		op.Tables = []graph.Table{t}
		return err
	}
	spec := &graph.AsofJoin{Outer: outer, Keys: keys, Output: output, AtEnd: s.bounded}
	op.AsofJoin = spec
	rest, expire, expires := strings.Cut(rest, " expire ")
	sides, match, _ := strings.Cut(strings.TrimPrefix(rest, "by "), " match ")
	words := strings.Fields(match)
	spec.Match, spec.Times = words[1], [2]int{s.column(words[0]), s.rightColumn(words[2])}
	for i, identity := range strings.Split(sides, ", ") {
		t, side, err := s.nearestTable(i, keys, identity)
		if err != nil {
			return err
		}
		if expires {
			shift, err := strconv.ParseInt(strings.Fields(expire)[i], 10, 64)
			if err != nil {
				return err
			}
			side.Expiry = &graph.Expiry{Column: spec.Times[i], Shift: shift}
		}
		spec.Sides[i], op.Tables = side, append(op.Tables, t)
	}
	return nil
}

func (s *script) rightColumn(name string) int {
	return slices.IndexFunc(s.right, func(f types.Field) bool { return f.Name == name })
}

// pairCondition reads "v < w", a left and a right bigint.
func (s *script) pairCondition(text string) *scalar.Expr {
	words := strings.Fields(text)
	l, r := s.column(words[0]), s.rightColumn(words[2])
	return &scalar.Expr{Op: scalar.OpCall, Func: words[1] + "(bigint,bigint)", Type: types.Of(types.Bool),
		Args: []*scalar.Expr{columnX(l, s.fields[l].Type), columnX(len(s.fields)+r, s.right[r].Type)}}
}

// nearestTable is the state of a side, as the planner lays it out.
func (s *script) nearestTable(side, keys int, identity string) (graph.Table, graph.JoinSide, error) {
	j := &graph.Join{Sides: &[2]graph.JoinSide{}}
	for i := range keys {
		j.LeftKeys = append(j.LeftKeys, columnX(i, s.fields[i].Type))
	}
	t, _, err := joinTable(j, side, identity, s.inputs()[side])
	return t, j.Sides[side], err
}

func (s *script) temporalTables(op *graph.Operator) error {
	keys := op.TemporalJoin.Keys
	if op.TemporalJoin.LeftTime < 0 || keys >= len(s.right) {
		return fmt.Errorf("no times in %v and %v", s.fields, s.right)
	}
	left, _, err := s.nearestTable(0, keys, "number")
	if err != nil {
		return err
	}
	right, _, err := s.nearestTable(1, keys, "key 1")
	right.Columns = append(right.Columns, graph.Column{Name: "ends", Type: types.Of(types.Bool)})
	op.Tables = []graph.Table{left, right}
	return err
}
