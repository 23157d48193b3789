package optimize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// TestScripts runs testdata/*: a query in, the optimized tree out.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			q, err := parse.Query(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			b, err := bind.Query(q, bind.Options{Catalog: fixture.Catalog()})
			if err != nil {
				return err.Error() + "\n"
			}
			n := optimize.Node(optimize.Parameters(b.Root, []types.Value{{Int: 7}}), optimize.Options{Evaluate: addIntegers})
			sameFields(t, d.Pos, b.Root.Fields(), n.Fields())
			var s strings.Builder
			tree(&s, n, 0)
			return s.String()
		})
	})
}

// addIntegers folds integer sums and comparisons of small integers alone.
func addIntegers(x *scalar.Expr) (types.Value, bool) {
	name, _, _ := strings.Cut(x.Func, "(")
	if x.Op != scalar.OpCall || len(x.Args) != 2 || !x.Args[0].Type.IsInteger() || !x.Args[1].Type.IsInteger() {
		return types.Value{}, false
	}
	a, b := x.Args[0].Value.Int, x.Args[1].Value.Int
	switch name {
	case "+":
		return types.Value{Int: a + b}, true
	case "=":
		return types.Value{Bool: a == b}, true
	}
	return types.Value{}, false
}

func sameFields(t *testing.T, pos string, want, got []logical.Field) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d columns became %d", pos, len(want), len(got))
		return
	}
	for i := range want {
		if want[i].Name != got[i].Name || !want[i].Type.Equal(got[i].Type) {
			t.Errorf("%s: column %d was %s %s and is %s %s", pos, i, want[i].Name, want[i].Type, got[i].Name, got[i].Type)
		}
	}
}

func tree(s *strings.Builder, n logical.Node, depth int) {
	in := []logical.Field{}
	for _, i := range n.Inputs() {
		in = append(in, i.Fields()...)
	}
	text := func(x *scalar.Expr) string { return show(x, in) }
	list := func(xs []*scalar.Expr) string {
		var out []string
		for _, x := range xs {
			out = append(out, text(x))
		}
		return strings.Join(out, ", ")
	}
	line := ""
	switch n := n.(type) {
	case *logical.Scan:
		var cols []string
		for _, f := range n.Out {
			cols = append(cols, f.Name)
		}
		line = "scan " + n.Relation.Name + " (" + strings.Join(cols, ", ") + ")"
	case *logical.Values:
		line = fmt.Sprintf("values %d", len(n.Rows))
	case *logical.Filter:
		line = "filter " + text(n.Predicate)
	case *logical.Project:
		line = "project " + list(n.Exprs)
	case *logical.Window:
		line = fmt.Sprintf("window %s on %s", n.Spec.Kind, in[n.TimeColumn].Name)
	case *logical.Aggregate:
		var calls []string
		for _, a := range n.Aggregates {
			c := a.Func[:strings.Index(a.Func, "(")] + "(" + list(a.Args) + ")"
			if a.Filter != nil {
				c += " filter " + text(a.Filter)
			}
			calls = append(calls, c)
		}
		line = "aggregate by (" + list(n.Keys) + "): " + strings.Join(calls, ", ")
	case *logical.Union:
		line = "union"
	case *logical.Sort:
		line = "sort"
		for _, k := range n.Keys {
			line += " " + text(k.X)
		}
		if n.Limit != nil {
			line += " limit " + text(n.Limit)
		}
	case *logical.Join:
		line = string(n.Kind) + " join"
		if n.Condition != nil {
			line += " on " + text(n.Condition)
		}
	case *logical.SetOp:
		line = string(n.Kind)
	case *logical.Apply:
		line = "apply " + string(n.Kind) + " (" + list(n.Args) + ")"
	default:
		line = fmt.Sprintf("%T", n)
	}
	s.WriteString(strings.Repeat("  ", depth) + line + "\n")
	for _, i := range n.Inputs() {
		tree(s, i, depth+1)
	}
}

// show prints an expression by its structure, so that a column out of place
// shows.
func show(x *scalar.Expr, in []logical.Field) string {
	switch x.Op {
	case scalar.OpColumn:
		return fmt.Sprintf("%s#%d", in[x.Column].Name, x.Column)
	case scalar.OpConst:
		switch {
		case x.Value.Null:
			return "null"
		case x.Type.Kind == types.Bool:
			return fmt.Sprint(x.Value.Bool)
		case x.Type.Phys() == types.PhysInt:
			return fmt.Sprint(x.Value.Int)
		case x.Type.Phys() == types.PhysBytes:
			return "'" + x.Value.Bytes + "'"
		}
		return x.Text
	case scalar.OpParam:
		return fmt.Sprintf("$%d", x.Column+1)
	case scalar.OpOuter:
		return fmt.Sprintf("outer#%d", x.Column)
	}
	var args []string
	for _, a := range x.Args {
		args = append(args, show(a, in))
	}
	name := string(x.Op)
	if x.Op == scalar.OpCall {
		name = x.Func[:strings.Index(x.Func, "(")]
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}
