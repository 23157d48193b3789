package eval

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// probe counts the rows that a shared expression is computed for.
type probe struct {
	node
	rows *int
}

func (p probe) eval(f *frame, sel []uint16) *batch.Column {
	if sel == nil {
		*p.rows += f.n
	} else {
		*p.rows += len(sel)
	}
	return p.node.eval(f, sel)
}

func probed(memos []*memo) *int {
	rows := new(int)
	for _, m := range memos {
		m.node, m.again = probe{m.node, rows}, probe{m.again, rows}
	}
	return rows
}

func textLit(s string) *scalar.Expr { return lit(types.Text, types.Value{Bytes: s}) }

func part(arg *scalar.Expr, n int64) *scalar.Expr {
	return fn("split_part(text,text,integer)", arg, textLit("/"), lit(types.Int32, types.Value{Int: n}))
}

func urls(n int) *batch.Column {
	c := batch.NewColumn(types.PhysBytes, n)
	for i := range n {
		c.Views[i] = c.AddStr(fmt.Sprintf("a%d/B%d/c", i, i%3))
	}
	return c
}

func TestSharedExpressionsAreComputedOnce(t *testing.T) {
	second := func() *scalar.Expr { return part(col(0, types.Text), 2) }
	filter, err := CompilePredicate(fn("<>(text,text)", second(), textLit("B0")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	project, err := CompileAll([]*scalar.Expr{
		second(), fn("upper(text)", second()),
		node_(scalar.OpCase, types.Text, fn("=(text,text)", second(), textLit("B1")), second(), textLit("-")),
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	inFilter, inProject := probed(filter.frame.memos), probed(project.frame.memos)
	for range 2 {
		*inFilter, *inProject = 0, 0
		in := inBatch(nil, urls(9))
		kept, err := filter.Select(in, nil)
		if err != nil || len(kept) != 6 {
			t.Fatal(kept, err)
		}
		out := &batch.Batch{N: in.N, Sel: kept, Cols: in.Cols, Derived: filter.Derived(nil)}
		cols, err := project.Eval(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(cols[2], types.Of(types.Text), out); got != "B1 - B1 - B1 -" {
			t.Error(got)
		}
		// upper() is lone: what it is computed for is its own.
		if *inFilter != 9 || *inProject != 6 {
			t.Errorf("computed for %d rows in the filter and %d in the projection, want 9 and 6", *inFilter, *inProject)
		}
	}
}

// TestSharedAtRandom compares expressions that share with each alone, over rows
// that a filter chose, with and without what it found out.
func TestSharedAtRandom(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	var text func(depth int) *scalar.Expr
	truth := func(depth int) *scalar.Expr {
		switch r.IntN(3) {
		case 0:
			return node_(scalar.OpIsNull, types.Bool, text(depth-1))
		case 1:
			return fn("=(text,text)", fn("lower(text)", text(depth-1)), textLit("b1"))
		}
		return fn("<(text,text)", text(depth-1), text(depth-1))
	}
	text = func(depth int) *scalar.Expr {
		if depth <= 0 {
			return col(r.IntN(2), types.Text)
		}
		switch r.IntN(6) {
		case 0:
			return node_(scalar.OpCase, types.Text, truth(depth-1), text(depth-1), text(depth-1))
		case 1:
			return fn("lower(text)", text(depth-1))
		case 2:
			return fn("coalesce(anycompatible...)", text(depth-1), text(depth-1))
		case 3:
			return fn("regexp_extract(text,text)", text(depth-1), textLit("b([0-9])"))
		}
		return part(text(depth-1), 1+r.Int64N(3))
	}
	for range 300 {
		condition := node_(scalar.OpOr, types.Bool, truth(2), node_(scalar.OpAnd, types.Bool, truth(2), truth(2)))
		var exprs []*scalar.Expr
		for range 4 {
			exprs = append(exprs, text(3))
		}
		filter, err := CompilePredicate(condition, Options{})
		if err != nil {
			t.Fatal(err)
		}
		project, err := CompileAll(exprs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			n := 1 + r.IntN(200)
			in := inBatch(nil, urls(n), urls(n))
			for i := range n {
				if r.IntN(5) == 0 {
					in.Cols[1].SetNull(i, n)
					in.Cols[1].SetZero(i)
				}
			}
			kept, err := filter.Select(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			out := &batch.Batch{N: n, Sel: kept, Cols: in.Cols}
			if r.IntN(3) > 0 {
				out.Derived = filter.Derived(nil)
			}
			cols, err := project.Eval(out)
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := evalTo(t, condition, in); len(kept) != strings.Count(want, "t") {
				t.Fatalf("seed %d: %d rows pass %v", seed, len(kept), want)
			}
			for i, e := range exprs {
				want, _ := evalTo(t, e, &batch.Batch{N: n, Sel: kept, Cols: in.Cols})
				if got := show(cols[i], e.Type, out); got != want {
					t.Fatalf("seed %d: %s\n got %s\nwant %s", seed, keyOf(e), got, want)
				}
			}
		}
	}
}
