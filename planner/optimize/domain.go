package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// domain is the different values of what a subquery depends on, as a relation. Its
// subquery joined with it has, for each of them, the rows that it has for that one,
// behind the domain's columns. That works for what cannot be made a join otherwise,
// but costs state: the values, and the rows for each.
type domain struct {
	node logical.Node
	out  []logical.Field
	// args are the outer values as columns of the domain.
	args []*scalar.Expr
	// values are what the columns are of, over the columns of the Apply's input, and
	// nullable says of which it may be null.
	values   []*scalar.Expr
	nullable []bool
	// compared are the columns to join by: of values that may be equal and not the
	// same it is their text.
	compared []bool
}

// domainOf is the domain of args over in.
func domainOf(in logical.Node, args []*scalar.Expr) (*domain, string) {
	d := &domain{}
	from, under := narrowed(in, args)
	g := &logical.Aggregate{Input: from}
	add := func(x, value *scalar.Expr, compared bool) int {
		i := slices.IndexFunc(g.Keys, func(k *scalar.Expr) bool { return scalar.Equal(k, x) })
		if i < 0 {
			i = len(g.Keys)
			g.Keys = append(g.Keys, x)
			g.Out = append(g.Out, logical.Field{Name: x.Text, Type: x.Type, Origin: x.Text})
			d.values, d.nullable = append(d.values, value), append(d.nullable, nullable(in, value))
			d.compared = append(d.compared, compared)
		}
		return i
	}
	for i, x := range args {
		if _, ok := scalar.Comparison("=", x.Type); !ok || x.Type.Kind == types.Row {
			return nil, "it depends on a value of type " + x.Type.String() + ", by which rows cannot be joined"
		}
		if !isMovable(x) {
			return nil, "it depends on a volatile value"
		}
		at := add(under[i], x, sameIfEqual(x.Type))
		if !d.compared[at] {
			add(asText(under[i]), asText(x), true)
		}
		d.args = append(d.args, columnOf(at, x.Type, x.Text))
	}
	d.node, d.out = g, g.Out
	if len(g.Keys) == 0 {
		d.node = &logical.Values{Rows: [][]*scalar.Expr{{}}}
	}
	return d, ""
}

// narrowed goes down to what the values come from. There may be more of them, which
// changes nothing.
func narrowed(n logical.Node, args []*scalar.Expr) (logical.Node, []*scalar.Expr) {
	for {
		switch in := n.(type) {
		case *logical.Project:
			under := substituted(args, in.Exprs)
			if slices.ContainsFunc(under, func(x *scalar.Expr) bool { return !movable(x) }) {
				return n, args
			}
			n, args = in.Input, under
		case *logical.Join:
			width := len(in.Left.Fields())
			left := !slices.ContainsFunc(args, func(x *scalar.Expr) bool { return !below(x, width) })
			right := !slices.ContainsFunc(args, func(x *scalar.Expr) bool { return !above(x, width) })
			switch {
			case left && in.Kind != logical.RightJoin && in.Kind != logical.FullJoin:
				n = in.Left
			case right && (in.Kind == logical.InnerJoin || in.Kind == logical.RightJoin):
				n, args = in.Right, ofColumns(args, width, len(in.Out))
			default:
				return n, args
			}
		default:
			return n, args
		}
	}
}

// sameIfEqual reports whether equal values of a type are the same.
func sameIfEqual(t types.Type) bool {
	switch t.Kind {
	case types.Numeric:
		return t.HasPrecision
	case types.Array, types.Char, types.IntervalK, types.JSONB, types.Float32, types.Float64:
		return false
	}
	return true
}

func asText(x *scalar.Expr) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpCast, Type: types.Of(types.Text), Args: []*scalar.Expr{x}, Pos: -1, Text: x.Text + "::text"}
}

// width is how many columns the domain has.
func (d *domain) width() int { return len(d.out) }

// bind is x, over the subquery's columns and outer values, over the domain's
// columns followed by the subquery's.
func (d *domain) bind(x *scalar.Expr) *scalar.Expr {
	if x == nil {
		return nil
	}
	return bound(x, d.args, d.width())
}

// bindAll is bind for a list.
func (d *domain) bindAll(list []*scalar.Expr) []*scalar.Expr {
	var out []*scalar.Expr
	for _, x := range list {
		out = append(out, d.bind(x))
	}
	return out
}

func (d *domain) bindKeys(list []scalar.SortKey) []scalar.SortKey {
	var out []scalar.SortKey
	for _, k := range list {
		k.X = d.bind(k.X)
		out = append(out, k)
	}
	return out
}

// own are the domain's columns where they begin at column from.
func (d *domain) own(from int) []*scalar.Expr {
	var out []*scalar.Expr
	for i, f := range d.out {
		out = append(out, columnOf(from+i, f.Type, f.Name))
	}
	return out
}

// fields are the domain's fields before others.
func (d *domain) fields(more []logical.Field) []logical.Field {
	return append(slices.Clone(d.out), more...)
}

// same compares values with the domain's columns where they begin at column from.
// Nulls are equal to each other.
func (d *domain) same(values []*scalar.Expr, from int) []*scalar.Expr {
	var on []*scalar.Expr
	for i, y := range d.own(from) {
		switch x := values[i]; {
		case !d.compared[i]:
		case d.nullable[i]:
			on = append(on, equal(filledUp(x), filledUp(y)), equal(isNull(x), isNull(y)))
		default:
			on = append(on, equal(x, y))
		}
	}
	return on
}

func equal(x, y *scalar.Expr) *scalar.Expr {
	fn, _ := scalar.Comparison("=", x.Type)
	return &scalar.Expr{Op: scalar.OpCall, Func: fn, Type: types.Of(types.Bool), Args: []*scalar.Expr{x, y}, Pos: -1, Text: x.Text + " = " + y.Text}
}

// filledUp is x with something in the place of null that is easily compared.
func filledUp(x *scalar.Expr) *scalar.Expr {
	text := "''"
	switch x.Type.Phys() {
	case types.PhysInt:
		text = "0"
	case types.PhysBool:
		text = "false"
	default:
		if x.Type.Kind != types.Text {
			x = asText(x)
		}
	}
	zero := &scalar.Expr{Op: scalar.OpConst, Type: x.Type, Value: &types.Value{}, Pos: -1, Text: text}
	return caseOf(isNull(x), zero, x)
}
