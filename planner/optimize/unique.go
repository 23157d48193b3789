package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// unique reports whether n has at most one row for given values of by.
func unique(n logical.Node, by []*scalar.Expr) bool {
	switch n := n.(type) {
	case *logical.Scan:
		for _, k := range n.Relation.PrimaryKey {
			at := slices.Index(n.Columns, k)
			if at < 0 || !slices.ContainsFunc(by, func(x *scalar.Expr) bool { return gives(x, at) }) {
				return false
			}
		}
		return len(n.Relation.PrimaryKey) > 0
	case *logical.Filter:
		switch in := n.Input.(type) {
		case *logical.Project: // it might as well be below
			c := *in
			c.Input = &logical.Filter{Input: in.Input, Predicate: scalar.Substitute(n.Predicate, in.Exprs)}
			return unique(&c, by)
		case *logical.Over:
			if top := filteredOver(n, in); top != logical.Node(n) {
				return unique(top, by)
			}
		}
		where := scalar.Conjuncts(n.Predicate)
		for _, x := range where { // a column that equals a constant is given
			if inner := innerSide(x); inner != nil {
				by = append(slices.Clone(by), inner)
			}
		}
		if in, ok := n.Input.(*logical.Join); ok {
			return uniqueJoin(in, by, where)
		}
		return unique(n.Input, by)
	case *logical.Project:
		var under []*scalar.Expr
		for _, x := range by {
			under = append(under, scalar.Substitute(x, n.Exprs))
		}
		return unique(n.Input, under)
	case *logical.Aggregate:
		for i := range n.Keys {
			if !slices.ContainsFunc(by, func(x *scalar.Expr) bool { return gives(x, i) }) {
				return false
			}
		}
		return true
	case *logical.Join:
		return uniqueJoin(n, by, nil)
	case *logical.Values:
		return len(n.Rows) <= 1
	case *logical.Sort:
		t, ok := limited(n).(*logical.TopN)
		return ok && unique(t, by) || unique(n.Input, by)
	case *logical.TopN:
		one := n.Func == "row_number" && !n.WithTies && n.To <= n.From
		known := func(x *scalar.Expr) bool {
			return slices.ContainsFunc(by, func(y *scalar.Expr) bool { return scalar.Equal(x, y) })
		}
		return one && !slices.ContainsFunc(n.PartitionBy, func(x *scalar.Expr) bool { return !known(x) }) || unique(n.Input, by)
	case *logical.Apply:
		if n.Kind != logical.CrossApply && n.Kind != logical.LeftApply {
			return unique(n.Input, ofColumns(by, 0, len(n.Input.Fields())))
		}
	}
	return false
}

// gives reports whether column c has one value for a given x: that is the column, or
// a cast that keeps its values apart.
func gives(x *scalar.Expr, c int) bool {
	for x.Op == scalar.OpCast && x.Func != "try" && keepsApart(x.Args[0].Type, x.Type) {
		x = x.Args[0]
	}
	return isColumn(x, c)
}

// keepsApart reports whether a cast of numbers has other results of other ones.
func keepsApart(from, to types.Type) bool {
	switch to.Kind {
	case types.Int32, types.Int64:
		return from.IsInteger()
	case types.Numeric:
		return from.IsInteger() || from.Kind == types.Numeric && !to.HasPrecision
	case types.Float64:
		return from.Kind == types.Int16 || from.Kind == types.Int32 || from.Kind == types.Float32
	}
	return false
}

// uniqueJoin is unique for a join and conditions above it. A row of one side gives
// what the other side's columns equal.
func uniqueJoin(n *logical.Join, by, where []*scalar.Expr) bool {
	switch n.Kind {
	case logical.SemiJoin, logical.AntiJoin:
		return unique(n.Left, by)
	case logical.InnerJoin, logical.LeftJoin:
	default:
		return false
	}
	width := len(n.Left.Fields())
	left, right := ofColumns(by, 0, width), ofColumns(by, width, len(n.Out))
	on := scalar.Conjuncts(n.Condition)
	if n.Kind == logical.InnerJoin {
		on, where = nil, append(on, where...)
	}
	for {
		l, r := unique(n.Left, left), unique(n.Right, right)
		if l && r {
			return true
		}
		known := len(left) + len(right)
		for _, c := range append(slices.Clone(on), where...) { // of on, the right side's columns are told, not the left's
			if e, ok := equalityOf(c, width); ok && (l || given(e.outer, left)) && !slices.ContainsFunc(right, func(x *scalar.Expr) bool { return scalar.Equal(x, e.inner) }) {
				right = append(right, e.inner)
			}
		}
		for _, c := range where {
			if e, ok := equalityOf(c, width); ok && (r || given(e.inner, right)) && !slices.ContainsFunc(left, func(x *scalar.Expr) bool { return scalar.Equal(x, e.outer) }) {
				left = append(left, e.outer)
			}
		}
		if len(left)+len(right) == known {
			return false
		}
	}
}

// given reports whether x has one value for given values of by.
func given(x *scalar.Expr, by []*scalar.Expr) bool {
	return isMovable(x) && !slices.ContainsFunc(scalar.Columns(x), func(c int) bool {
		return !slices.ContainsFunc(by, func(y *scalar.Expr) bool { return gives(y, c) })
	})
}

// ofColumns are those of the list that read columns from to to-1 alone, counted
// from there.
func ofColumns(list []*scalar.Expr, from, to int) (out []*scalar.Expr) {
	for _, x := range list {
		if above(x, from) && below(x, to) {
			out = append(out, scalar.Remap(x, func(c int) int { return c - from }))
		}
	}
	return out
}

// nullable reports whether x, over n's columns, may be null.
func nullable(n logical.Node, x *scalar.Expr) bool {
	if x.Op == scalar.OpConst {
		return x.Value == nil || x.Value.Null
	}
	if x.Op != scalar.OpColumn {
		if x.Op == scalar.OpCast && x.Func != "try" {
			return nullable(n, x.Args[0])
		}
		return true
	}
	switch n := n.(type) {
	case *logical.Scan:
		c := n.Columns[x.Column]
		return !n.Relation.Columns[c].NotNull && !slices.Contains(n.Relation.PrimaryKey, c)
	case *logical.Filter:
		for _, c := range scalar.Conjuncts(n.Predicate) {
			if c.Op == scalar.OpNot && c.Args[0].Op == scalar.OpIsNull && isColumn(c.Args[0].Args[0], x.Column) {
				return false
			}
		}
		return nullable(n.Input, x)
	case *logical.Project:
		return nullable(n.Input, n.Exprs[x.Column])
	case *logical.Aggregate:
		return x.Column >= len(n.Keys) || nullable(n.Input, n.Keys[x.Column])
	case *logical.Join:
		width := len(n.Left.Fields())
		if x.Column < width {
			return n.Kind == logical.RightJoin || n.Kind == logical.FullJoin || nullable(n.Left, x)
		}
		return n.Kind != logical.InnerJoin && n.Kind != logical.RightJoin || nullable(n.Right, columnOf(x.Column-width, x.Type, ""))
	case *logical.Apply:
		if x.Column < len(n.Input.Fields()) {
			return nullable(n.Input, x)
		}
	}
	return true
}
