package eval

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

func col(i int, k types.Kind) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: types.Of(k), Pos: -1}
}

func lit(k types.Kind, v types.Value) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(k), Value: &v, Pos: -1}
}

func num(v int64) *scalar.Expr { return lit(types.Int64, types.Value{Int: v}) }

func node_(op scalar.Op, k types.Kind, args ...*scalar.Expr) *scalar.Expr {
	return &scalar.Expr{Op: op, Type: types.Of(k), Args: args, Pos: -1}
}

func fn(key string, args ...*scalar.Expr) *scalar.Expr {
	f := scalar.ByKey(key)
	var at []types.Type
	for _, a := range args {
		at = append(at, a.Type)
	}
	return &scalar.Expr{Op: scalar.OpCall, Func: key, Type: f.Return(at), Args: args, Pos: -1, Text: key}
}

// ints makes a bigint column; nil is null.
func ints(vals ...any) *batch.Column {
	c := batch.NewColumn(types.PhysInt, 0)
	for _, v := range vals {
		if v == nil {
			c.AppendNull()
		} else {
			c.Append(types.Value{Int: int64(v.(int))})
		}
	}
	return c
}

func inBatch(sel []uint16, cols ...*batch.Column) *batch.Batch {
	return &batch.Batch{N: cols[0].Len(), Sel: sel, Cols: cols}
}

func show(c *batch.Column, t types.Type, in *batch.Batch) string {
	s := ""
	for k := range in.Live() {
		i := in.RowAt(k)
		if k > 0 {
			s += " "
		}
		if c.IsNull(i) {
			s += "-"
		} else {
			s += string(c.AppendText(nil, i, t, nil))
		}
	}
	return s
}

func evalTo(t *testing.T, e *scalar.Expr, in *batch.Batch) (string, RowErrors) {
	t.Helper()
	p, err := Compile(e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out string
	var bad RowErrors
	for range 2 { // twice: the second run works on used memory
		c, err := p.Eval(in)
		if bad = BadRows(err); err != nil && bad == nil {
			t.Fatal(err)
		}
		out = show(c, e.Type, in)
	}
	return out, bad
}

func TestThreeValuedLogic(t *testing.T) {
	tri := func(v ...any) *batch.Column {
		c := batch.NewColumn(types.PhysBool, 0)
		for _, x := range v {
			if x == nil {
				c.AppendNull()
			} else {
				c.Append(types.Value{Bool: x.(bool)})
			}
		}
		return c
	}
	a := tri(true, true, true, false, false, false, nil, nil, nil)
	b := tri(true, false, nil, true, false, nil, true, false, nil)
	x, y := col(0, types.Bool), col(1, types.Bool)
	for _, c := range []struct {
		e    *scalar.Expr
		want string
	}{
		{node_(scalar.OpAnd, types.Bool, x, y), "t f - f f f - f -"},
		{node_(scalar.OpOr, types.Bool, x, y), "t t t t f - t - -"},
		{node_(scalar.OpNot, types.Bool, x), "f f f t t t - - -"},
		{node_(scalar.OpIsNull, types.Bool, y), "f f t f f t f f t"},
	} {
		if got, _ := evalTo(t, c.e, inBatch(nil, a, b)); got != c.want {
			t.Errorf("%s: %s, want %s", c.e.Op, got, c.want)
		}
		p, err := CompilePredicate(c.e, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Select(inBatch([]uint16{0, 2, 3, 5, 6}, a, b), nil)
		if err != nil {
			t.Fatal(err)
		}
		var want []uint16
		for _, i := range []uint16{0, 2, 3, 5, 6} {
			if c.want[2*i] == 't' {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s selects %v, want %v", c.e.Op, got, want)
		}
	}
}

// A branch is evaluated for the rows that reach it only.
func TestNoErrorsInBranchesNotTaken(t *testing.T) {
	in := inBatch(nil, ints(6, 0, 3, nil, 0))
	x := col(0, types.Int64)
	zero := fn("=(bigint,bigint)", x, num(0))
	div := fn("/(bigint,bigint)", num(12), x)
	for _, c := range []struct {
		name string
		e    *scalar.Expr
		want string
		bad  int
	}{
		{"case", node_(scalar.OpCase, types.Int64, zero, num(-1), div), "2 -1 4 - -1", 0},
		{"or", node_(scalar.OpOr, types.Bool, zero, fn(">(bigint,bigint)", div, num(3))), "f t t - t", 0},
		{"and", node_(scalar.OpAnd, types.Bool, node_(scalar.OpNot, types.Bool, zero), fn(">(bigint,bigint)", div, num(3))), "f f t - f", 0},
		{"coalesce", fn("coalesce(anycompatible...)", x, fn("/(bigint,bigint)", num(1), num(0))), "6 0 3 - 0", 1},
		{"if", fn("if(boolean,anycompatible,anycompatible)", zero, num(7), div), "2 7 4 - 7", 0},
		{"bare", div, "2 - 4 - -", 2},
	} {
		got, bad := evalTo(t, c.e, in)
		if got != c.want || len(bad) != c.bad {
			t.Errorf("%s: %s with %d bad rows, want %s with %d", c.name, got, len(bad), c.want, c.bad)
		}
	}
}

func TestRowErrors(t *testing.T) {
	in := inBatch([]uint16{0, 1, 2, 3}, ints(1, 0, 2, 0, 0))
	e := fn("/(bigint,bigint)", num(4), col(0, types.Int64))
	e.Pos, e.Text = 7, "4 / x"
	p, err := Compile(e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Eval(in)
	bad := BadRows(err)
	if len(bad) != 2 || bad[0].Row != 1 || bad[1].Row != 3 {
		t.Fatalf("bad rows %v", bad)
	}
	if got := bad.Without(in.Sel, in.N, nil); !slices.Equal(got, []uint16{0, 2}) {
		t.Errorf("left over: %v", got)
	}
	var pe *pgerr.Error
	if !errors.As(err, &pe) || pe.Code != pgerr.DivisionByZero || pe.Position != 7 || bad[0].Expr != "4 / x" {
		t.Errorf("error %+v", err)
	}
	pred, err := CompilePredicate(fn(">(bigint,bigint)", e, num(2)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	sel, err := pred.Select(in, nil)
	if !slices.Equal(sel, []uint16{0}) || len(BadRows(err)) != 2 {
		t.Errorf("selected %v, %v", sel, err)
	}
	if sel, err = pred.Select(inBatch(nil, ints(1, 4)), sel); !slices.Equal(sel, []uint16{0}) || err != nil {
		t.Errorf("after errors: selected %v, %v", sel, err)
	}
}

// Rows outside the selection may hold anything.
func TestUnselectedRowsAreNotTouched(t *testing.T) {
	const big = 1<<63 - 1
	in := inBatch([]uint16{1}, ints(big, 5, big))
	if got, bad := evalTo(t, fn("+(bigint,bigint)", col(0, types.Int64), num(1)), in); got != "6" || bad != nil {
		t.Errorf("%s %v", got, bad)
	}
	none := inBatch([]uint16{}, ints(big))
	if got, bad := evalTo(t, fn("+(bigint,bigint)", col(0, types.Int64), num(1)), none); got != "" || bad != nil {
		t.Errorf("empty selection: %s %v", got, bad)
	}
}

func TestSelectComparisons(t *testing.T) {
	in := inBatch(nil, ints(1, 5, nil, 7, 5))
	for _, c := range []struct {
		op   string
		want []uint16
	}{{"=", []uint16{1, 4}}, {"<>", []uint16{0, 3}}, {"<", []uint16{0}}, {"<=", []uint16{0, 1, 4}}, {">", []uint16{3}}, {">=", []uint16{1, 3, 4}}} {
		mirror := map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[c.op]
		for _, e := range []*scalar.Expr{
			fn(c.op+"(bigint,bigint)", col(0, types.Int64), num(5)),
			fn(mirror+"(bigint,bigint)", num(5), col(0, types.Int64)),
			node_(scalar.OpNot, types.Bool, node_(scalar.OpNot, types.Bool, fn(c.op+"(bigint,bigint)", col(0, types.Int64), num(5)))),
		} {
			p, err := CompilePredicate(e, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, sel := range [][]uint16{nil, {0, 1, 2, 3, 4}} {
				in.Sel = sel
				if got, err := p.Select(in, nil); err != nil || !slices.Equal(got, c.want) {
					t.Errorf("%s: %v, want %v", c.op, got, c.want)
				}
			}
			in.Sel = nil
		}
	}
}

func TestIn(t *testing.T) {
	in := inBatch(nil, ints(1, 2, nil, 40))
	list := func(vals ...*scalar.Expr) *scalar.Expr {
		return node_(scalar.OpIn, types.Bool, append([]*scalar.Expr{col(0, types.Int64)}, vals...)...)
	}
	null := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.NullValue, Pos: -1}
	many := []*scalar.Expr{}
	for i := range 20 {
		many = append(many, num(int64(i*2)))
	}
	for _, c := range []struct {
		e    *scalar.Expr
		want string
	}{{list(num(1), num(40)), "t f - t"}, {list(num(1), null), "t - - -"}, {list(many...), "f t - f"}} {
		if got, _ := evalTo(t, c.e, in); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// = ANY and <> ALL of a list of constants are what they are of a list in each row.
func TestInList(t *testing.T) {
	values := func(vals ...types.Value) []types.Value { return vals }
	of := func(n int64) types.Value { return types.Value{Int: n} }
	var many []types.Value
	for i := range 20 {
		many = append(many, of(int64(i*2)))
	}
	for _, list := range [][]types.Value{values(), values(of(1), of(40)), values(of(1), types.NullValue), values(types.NullValue), many, append(slices.Clone(many), types.NullValue)} {
		array := types.Value{Bytes: types.EncodeList(types.Of(types.Int64), list)}
		for _, null := range []bool{false, true} {
			v := array
			if null {
				v = types.NullValue
			}
			in := inBatch(nil, ints(1, 2, nil, 40), batch.NewColumn(types.PhysBytes, 0))
			for range in.N {
				in.Cols[1].AppendValue(v)
			}
			for _, op := range []string{"any =", "all <>"} {
				key := op + "(anycompatible,anycompatiblearray)"
				constant := &scalar.Expr{Op: scalar.OpConst, Type: types.ArrayOf(types.Of(types.Int64)), Value: &v, Pos: -1}
				row := &scalar.Expr{Op: scalar.OpColumn, Column: 1, Type: constant.Type, Pos: -1}
				for _, sel := range [][]uint16{nil, {0, 2}} {
					in.Sel = sel
					got, _ := evalTo(t, fn(key, col(0, types.Int64), constant), in)
					if want, _ := evalTo(t, fn(key, col(0, types.Int64), row), in); got != want {
						t.Errorf("%s of %v, null %v: %s, want %s", op, list, null, got, want)
					}
				}
			}
		}
	}
}

// Kernels give the same on dense batches, on selections and with nulls between.
func TestKernelsOnColumns(t *testing.T) {
	ctx := exampleContext(t)
	_, examples := readExamples(t)
	for i := range examples {
		e := &examples[i]
		if len(e.args) == 0 {
			continue
		}
		in := &batch.Batch{N: 5}
		x := &scalar.Expr{Op: scalar.OpCall, Func: e.fn.Key, Pos: -1}
		var at []types.Type
		ok := true
		for k, a := range e.args {
			v := types.NullValue
			if !a.null {
				var err error
				if v, err = types.ParseText(a.typ, a.text, ctx.parse()); err != nil {
					ok = false
					break
				}
			}
			c := batch.NewColumn(a.typ.Phys(), 0)
			for r := range in.N {
				if r == 2 {
					c.AppendNull()
				} else {
					c.Append(v)
				}
			}
			in.Cols = append(in.Cols, c)
			at = append(at, a.typ)
			x.Args = append(x.Args, &scalar.Expr{Op: scalar.OpColumn, Column: k, Type: a.typ, Pos: -1})
		}
		if !ok {
			continue
		}
		x.Type = e.fn.Return(at)
		p, err := Compile(x, Options{Context: ctx})
		if err != nil {
			t.Fatalf("line %d: %v", e.line+1, err)
		}
		for _, sel := range [][]uint16{nil, {1, 2, 4}} {
			in.Sel = sel
			c, err := p.Eval(in)
			bad := BadRows(err)
			for k := range in.Live() {
				r := in.RowAt(k)
				got := "NULL"
				if !c.IsNull(r) {
					got = escape(string(c.AppendText(nil, r, x.Type, ctx.Zone)))
				}
				for _, b := range bad {
					if b.Row == r {
						got = showError(b.Err)
					}
				}
				if r == 2 {
					if e.fn.Strict && got != "NULL" {
						t.Errorf("line %d: a null argument gives %s", e.line+1, got)
					}
				} else if !same(got, e.want) {
					t.Errorf("line %d, row %d of %v: %s, want %s", e.line+1, r, sel, got, e.want)
				}
			}
		}
	}
}

func TestTryCast(t *testing.T) {
	c := batch.NewColumn(types.PhysBytes, 0)
	for _, s := range []string{"1", "x", "300000"} {
		c.Append(types.Value{Bytes: s})
	}
	e := node_(scalar.OpCast, types.Int16, col(0, types.Text))
	e.Func = "try"
	if got, bad := evalTo(t, e, inBatch(nil, c)); got != "1 - -" || bad != nil {
		t.Errorf("%s %v", got, bad)
	}
	e.Func = ""
	if _, bad := evalTo(t, e, inBatch(nil, c)); len(bad) != 2 {
		t.Errorf("%v", bad)
	}
}

func TestCaseOverStrings(t *testing.T) {
	c := batch.NewColumn(types.PhysBytes, 0)
	for _, s := range []string{"apple", "Google", "facebook", "x&channel_id=9&y", ""} {
		c.Append(types.Value{Bytes: s})
	}
	text := func(s string) *scalar.Expr { return lit(types.Text, types.Value{Bytes: s}) }
	lower := fn("lower(text)", col(0, types.Text))
	e := node_(scalar.OpCase, types.Text,
		fn("=(text,text)", lower, text("apple")), text("0"),
		fn("=(text,text)", lower, text("google")), text("1"),
		fn("regexp_extract(text,text,integer)", col(0, types.Text), text(`(&|^)channel_id=([^&]*)`), lit(types.Int32, types.Value{Int: 2})))
	if got, _ := evalTo(t, e, inBatch(nil, c)); got != "0 1 - 9 -" {
		t.Error(got)
	}
}

func ExampleRowErrors_Without() {
	bad := RowErrors{{Row: 1}}
	fmt.Println(bad.Without(nil, 3, nil))
	// Output: [0 2]
}
