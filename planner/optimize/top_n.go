package optimize

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// topN makes a TopN of a filter on row_number(), rank() or dense_rank(), and of
// an ORDER BY with LIMIT, so that a continuous query keeps those rows alone.
func topN(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		switch n := n.(type) {
		case *logical.Filter:
			if o, ok := n.Input.(*logical.Over); ok {
				return filteredOver(n, o)
			}
		case *logical.Sort:
			return limited(n)
		}
		return n
	})
}

func filteredOver(f *logical.Filter, o *logical.Over) logical.Node {
	if len(o.Calls) != 1 {
		return f
	}
	fn, _, _ := strings.Cut(o.Calls[0].Func, "(")
	if fn != "row_number" && fn != "rank" && fn != "dense_rank" {
		return f
	}
	number := len(o.Out) - 1
	from, to := int64(1), int64(logical.Unlimited)
	var rest []*scalar.Expr
	for _, x := range scalar.Conjuncts(f.Predicate) {
		op, v, ok := comparison(x, number)
		switch {
		case !ok:
			rest = append(rest, x)
		case op == "=":
			from, to = max(from, v), min(to, v)
		case op == "<=":
			to = min(to, v)
		case op == "<":
			to = min(to, before(v))
		case op == ">=":
			from = max(from, v)
		case op == ">":
			from = max(from, min(v, logical.Unlimited-1)+1)
		}
	}
	if to == logical.Unlimited {
		return f
	}
	top := &logical.TopN{Input: o.Input, PartitionBy: o.PartitionBy, OrderBy: o.OrderBy, Func: fn, From: from, To: max(to, 0), Numbered: true,
		Out: o.Out, Pos: o.Calls[0].Pos, ID: o.ID, TTL: o.TTL}
	return filtered(top, rest)
}

func before(v int64) int64 { return max(v, -logical.Unlimited) - 1 }

// comparison reads "column op constant", in either order.
func comparison(x *scalar.Expr, column int) (op string, v int64, ok bool) {
	if x.Op != scalar.OpCall || len(x.Args) != 2 {
		return "", 0, false
	}
	op, _, _ = strings.Cut(x.Func, "(")
	if !slices.Contains([]string{"=", "<", "<=", ">", ">="}, op) {
		return "", 0, false
	}
	a, c := uncast(x.Args[0]), uncast(x.Args[1])
	if a.Op == scalar.OpConst {
		a, c = c, a
		op = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	if a.Op != scalar.OpColumn || a.Column != column || c.Op != scalar.OpConst || !c.Type.IsInteger() || c.Value == nil || c.Value.Null {
		return "", 0, false
	}
	return op, c.Value.Int, true
}

// uncast strips casts from one integer type to another that can hold as much.
func uncast(x *scalar.Expr) *scalar.Expr {
	for x.Op == scalar.OpCast && x.Type.IsInteger() && x.Args[0].Type.IsInteger() && x.Type.Kind >= x.Args[0].Type.Kind {
		x = x.Args[0]
	}
	return x
}

// limited makes a TopN of ORDER BY … LIMIT … OFFSET with constants.
func limited(n *logical.Sort) logical.Node {
	from, to := int64(1), int64(logical.Unlimited)
	pos := -1
	if n.Skip != nil {
		v := uncast(n.Skip)
		if v.Op != scalar.OpConst || v.Value == nil || !v.Type.IsInteger() {
			return n
		}
		if !v.Value.Null {
			from = min(v.Value.Int, logical.Unlimited-1) + 1
		}
		pos = n.Skip.Pos
	}
	if n.Limit != nil {
		v := uncast(n.Limit)
		if v.Op != scalar.OpConst || v.Value == nil || !v.Type.IsInteger() {
			return n
		}
		if !v.Value.Null && v.Value.Int < logical.Unlimited-from {
			to = from + v.Value.Int - 1
		}
		pos = n.Limit.Pos
	}
	return &logical.TopN{Input: n.Input, OrderBy: n.Keys, Func: "row_number", From: from, To: to, WithTies: n.WithTies, Out: n.Input.Fields(), Pos: pos}
}
