package optimize

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// gatherArrays makes ARRAY(SELECT x … ORDER BY k) the list that array_agg(x ORDER
// BY k) makes of the subquery's rows, an empty array of none: that follows changes
// as any aggregate does.
func gatherArrays(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		if a, ok := n.(*logical.Apply); ok && a.Kind == logical.ArrayApply {
			return gatherArray(a)
		}
		return n
	})
}

// gatherNested is gatherArrays for arrays of arrays, over finished data: what the
// rows have must fit together, which array_agg checks.
func gatherNested(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		if a, ok := n.(*logical.Apply); ok && a.Kind == logical.ArrayApply && a.Sub.Fields()[0].Type.Kind == types.Array {
			return gatherArray(a)
		}
		return n
	})
}

func gatherArray(a *logical.Apply) logical.Node {
	f := a.Sub.Fields()[0]
	x, sub := columnOf(0, f.Type, f.Origin), a.Sub
	// The order is below what the subquery computes, if it is by something else.
	for sorted(sub) {
		switch n := sub.(type) {
		case *logical.Project:
			x, sub = scalar.Substitute(x, n.Exprs), n.Input
		case *logical.Sort:
			if n.Limit == nil && n.Skip == nil {
				sub = n.Input
			}
			return gathered(a, sub, x, n.Keys)
		}
	}
	return gathered(a, sub, x, nil)
}

// sorted reports whether there is an order below the projections of n.
func sorted(n logical.Node) bool {
	switch n := n.(type) {
	case *logical.Project:
		return sorted(n.Input) && !slices.ContainsFunc(n.Exprs, func(x *scalar.Expr) bool { return !isMovable(x) })
	case *logical.Sort:
		return true
	}
	return false
}

// gathered is a with the list of x, over sub's rows, for an answer.
func gathered(a *logical.Apply, sub logical.Node, x *scalar.Expr, keys []scalar.SortKey) logical.Node {
	width := len(a.Input.Fields())
	list := a.Out[width].Type
	text := "array_agg(" + x.Text + orderText(keys) + ")"
	out := logical.Field{Name: "array_agg", Type: list, Origin: text}
	g := &logical.Aggregate{Input: sub, Out: []logical.Field{out}}
	g.Aggregates = []scalar.Aggregate{{Func: "array_agg(anyelement)", Args: []*scalar.Expr{x}, OrderBy: keys, Type: list, Pos: a.Pos, Text: text}}
	c := *a
	c.Kind, c.Sub = logical.ScalarApply, g
	c.Out = append(append([]logical.Field(nil), a.Input.Fields()...), out)
	answer := columnOf(width, list, text)
	none := &scalar.Expr{Op: scalar.OpConst, Type: list, Value: &types.Value{Bytes: types.EncodeList(*list.Elem, nil)}, Pos: -1, Text: "'{}'"}
	return answeredBy(a, &c, caseOf(isNull(answer), none, answer))
}

// orderText is how an order is written within a call.
func orderText(keys []scalar.SortKey) string {
	var list []string
	for _, k := range keys {
		s := k.X.Text
		if k.Desc {
			s += " desc"
		}
		if k.NullsFirst != k.Desc {
			s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return ""
	}
	return " order by " + strings.Join(list, ", ")
}
