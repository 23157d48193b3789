package operator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// parseJoin reads "left on 1 by key 1, copies where v < w": the kind, how many of
// the first columns are keys, what identifies the rows of each side (by key: that
// many columns more; "expire v 10" after it says that rows are forgotten once the
// watermark is 10 ahead of column v), and a comparison of a left with a right
// column.
func (s *script) parseJoin(op *graph.Operator, text string) error {
	text, where, residual := strings.Cut(text, " where ")
	kind, rest, _ := strings.Cut(text, " on ")
	count, rest, _ := strings.Cut(rest, " by ")
	keys, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	j := &graph.Join{Kind: logical.JoinKind(kind), Sides: &[2]graph.JoinSide{}}
	op.Join = j
	for i := range keys {
		j.LeftKeys = append(j.LeftKeys, columnX(i, s.fields[i].Type))
		j.RightKeys = append(j.RightKeys, columnX(i, s.right[i].Type))
	}
	if residual {
		j.Residual = s.pairCondition(where)
	}
	sides := strings.Split(rest, ", ")
	var upsert [2][]int
	for i, fields := range s.inputs() {
		t, key, err := joinTable(j, i, sides[i], fields)
		if err != nil {
			return err
		}
		op.Tables, upsert[i] = append(op.Tables, t), key
	}
	for i, fields := range s.inputs() {
		if i == 1 && j.LeftOnly() {
			break
		}
		for c, f := range fields {
			op.Fields = append(op.Fields, f)
			j.Output = append(j.Output, c+i*len(s.fields))
		}
	}
	if upsert[0] != nil && upsert[1] != nil && !j.LeftOnly() {
		op.UpsertKey = append(op.UpsertKey, upsert[0]...)
		one := len(op.Tables[1].Keys) == keys && (j.Kind == logical.InnerJoin || j.Kind == logical.LeftJoin)
		for _, c := range upsert[1] {
			if !one {
				op.UpsertKey = append(op.UpsertKey, len(s.fields)+c)
			}
		}
	}
	return nil
}

func columnX(i int, t types.Type) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: t}
}

// joinTable is the state of side i, as the planner lays it out.
func joinTable(j *graph.Join, i int, identity string, fields []types.Field) (t graph.Table, key []int, err error) {
	identity, expire, expires := strings.Cut(identity, " expire ")
	word, count, _ := strings.Cut(identity, " ")
	spec := graph.JoinSide{Identity: graph.Identity(word), Matches: j.Residual != nil && (j.Outer(i) || i == 0 && j.LeftOnly())}
	if expires {
		if spec.Expiry, err = parseExpiry(expire, fields); err != nil {
			return t, nil, err
		}
	}
	j.Sides[i] = spec
	t = graph.Table{Name: [2]string{"left", "right"}[i], Unindexed: spec.Identity == graph.ByNumber}
	keys := len(j.LeftKeys)
	bigint := types.Of(types.Int64)
	var all []graph.Column
	for c, f := range fields {
		if c == keys && spec.Identity == graph.ByNumber {
			all = append(all, graph.Column{Name: "row", Type: bigint})
		}
		all = append(all, graph.Column{Name: f.Name, Type: f.Type})
	}
	n := keys
	switch spec.Identity {
	case graph.ByKey:
		more, err := strconv.Atoi(count)
		if err != nil {
			return t, nil, err
		}
		n += more
		key = identityInts(n)
	case graph.ByCopies:
		n = len(fields)
		all = append(all, graph.Column{Name: "count(*)", Type: bigint})
	case graph.ByNumber:
		n++
	default:
		return t, nil, fmt.Errorf("unknown identity %q", word)
	}
	if spec.Matches {
		all = append(all, graph.Column{Name: "matches", Type: bigint})
	}
	t.Keys, t.Columns, t.Local = all[:n:n], all[n:], n-keys
	return t, key, nil
}

// parseSetOp reads "except" or "except all", and "expire v -1" after it: a row is late,
// and forgotten, when its v less 1 is behind the watermark.
func (s *script) parseSetOp(op *graph.Operator, text string) error {
	text, expire, expires := strings.Cut(text, " expire ")
	kind, all, _ := strings.Cut(text, " ")
	op.SetOp, op.Fields = &graph.SetOp{Kind: logical.SetOpKind(kind), All: all == "all"}, s.fields
	if expires {
		name, shift, _ := strings.Cut(expire, " ")
		e := &graph.Expiry{Column: slices.IndexFunc(s.fields, func(f types.Field) bool { return f.Name == name })}
		var err error
		if e.Shift, err = strconv.ParseInt(shift, 10, 64); err != nil {
			return err
		}
		op.SetOp.Expiry = e
	}
	t := graph.Table{}
	for _, f := range s.fields {
		t.Keys = append(t.Keys, graph.Column{Name: f.Name, Type: f.Type})
	}
	for _, c := range []string{"left count", "right count"} {
		t.Columns = append(t.Columns, graph.Column{Name: c, Type: types.Of(types.Int64)})
	}
	op.Tables = []graph.Table{t}
	return nil
}

func parseExpiry(text string, fields []types.Field) (*graph.Expiry, error) {
	column := func(name string) int {
		return slices.IndexFunc(fields, func(f types.Field) bool { return f.Name == name })
	}
	text, until, bound := strings.Cut(text, " until ")
	name, keep, kept := strings.Cut(text, " ")
	e := &graph.Expiry{Column: column(name), Forever: !kept}
	if bound {
		c := column(until)
		e.Until = &c
	}
	if e.Forever {
		return e, nil
	}
	var err error
	e.Keep, err = strconv.ParseInt(keep, 10, 64)
	return e, err
}
