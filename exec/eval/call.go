package eval

import (
	"strconv"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// compileCall finds the kernel of a function: a node of its own, a typed kernel,
// or a function of single rows.
func compileCall(e *scalar.Expr, ctx *Context) (node, error) {
	fn := scalar.ByKey(e.Func)
	if fn == nil {
		return nil, pgerr.New(pgerr.UndefinedFunction, "function %s does not exist", e.Func).At(e.Pos)
	}
	args, err := compileArgs(e.Args, ctx)
	if err != nil {
		return nil, err
	}
	if n, err := compileSpecial(e, fn, args, ctx); n != nil || err != nil {
		return n, err
	}
	if k, alias := typedKernel(e, fn); k != nil {
		c := newCall(e, args, k, fn.Strict)
		if alias {
			return &aliasCall{c}, nil
		}
		return c, nil
	}
	if fn.External {
		return newRowCall(e, args, fn.Strict, external), nil
	}
	if rf := rowFunction(fn); rf != nil {
		return newRowCall(e, args, fn.Strict, rf), nil
	}
	return nil, pgerr.NotSupported(e.Pos, "function "+e.Func)
}

func rowFunction(fn *scalar.Function) rowFn {
	for _, m := range []map[string]rowFn{textRows, regexpRows, numberRows, degreeRows, timeRows, jsonRows, arrayRows, byteRows, otherRows, flinkRows} {
		if f := m[fn.Key]; f != nil {
			return f
		}
	}
	for _, m := range []map[string]rowFn{textRows, regexpRows, numberRows, degreeRows, timeRows, jsonRows, arrayRows, byteRows, otherRows, flinkRows} {
		if f := m[fn.Name]; f != nil {
			return f
		}
	}
	return nil
}

// compileSpecial makes nodes that evaluate lazily, and comparisons.
func compileSpecial(e *scalar.Expr, fn *scalar.Function, args []node, ctx *Context) (node, error) {
	switch fn.Name {
	case "=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from":
		return compileComparison(e, fn.Name, args, ctx)
	case "coalesce", "ifnull":
		c := &coalesceNode{args: args}
		c.out.Phys = e.Type.Phys()
		return c, nil
	case "nullif":
		return compileNullIf(e, args, ctx)
	case "if":
		c := &caseNode{conds: args[:1], thens: args[1:2], otherwise: args[2]}
		c.out.Phys = e.Type.Phys()
		return c, nil
	case "any =", "all <>":
		if n := compileInList(e, args, fn.Name == "all <>", ctx); n != nil {
			return n, nil
		}
	}
	return nil, nil
}

// typedKernel returns the kernel that works on whole columns, if there is one;
// alias tells that its strings lie in the first argument's arena.
func typedKernel(e *scalar.Expr, fn *scalar.Function) (k kernel, alias bool) {
	if fn.Operator && len(e.Args) == 2 && len(fn.Name) == 1 {
		l, r := fn.Args[0], fn.Args[1]
		switch fn.Name {
		case "+", "-", "*", "/", "%":
			if l.IsInteger() && r.IsInteger() {
				return intArith(fn.Name, fn.Ret), false
			}
			if l.Phys() == types.PhysFloat && r.Phys() == types.PhysFloat && fn.Name != "%" {
				return floatArith(fn.Name[0], fn.Ret), false
			}
			if l.Kind == types.Numeric && r.Kind == types.Numeric && fn.Name == "*" {
				return multiplyDecimals(), false
			}
			if l.Kind == types.Numeric && r.Kind == types.Numeric {
				return decimalArith(map[string]func(a, b types.Decimal) (types.Decimal, error){
					"+": types.Decimal.Add, "-": types.Decimal.Sub, "*": types.Decimal.Mul, "/": types.Decimal.Div, "%": types.Decimal.Mod}[fn.Name]), false
			}
		}
	}
	if fn.Name == "mod" && fn.Ret.IsInteger() {
		return intArith("%", fn.Ret), false
	}
	if k := timeKernel(e, fn); k != nil {
		return k, false
	}
	if k := likeKernel(e, fn); k != nil {
		return k, false
	}
	if k := sliceKernel(e, fn); k != nil {
		return k, true
	}
	return textKernel(fn), false
}

// aliasCall is a call whose result points into its first argument's arena.
type aliasCall struct{ *call }

func (a *aliasCall) eval(f *frame, sel []uint16) *batch.Column {
	a.out.Arena = nil // not ours: Reset would keep it to be written
	return a.call.eval(f, sel)
}

// rowFn computes one row. It is for functions that are not hot.
type rowFn func(x *row) (types.Value, error)

// row is the arguments of one call of a rowFn.
type row struct {
	f       *frame
	e       *scalar.Expr
	v       []types.Value
	regexps map[string]*Regexp
	likes   map[string]*likeMatcher
	path    pathCall
	held    int64 // bytes, by the call under way

	lastTimeText string
	lastTime     []timeNode

	lastNumberText string
	lastNumber     *numberTemplate
}

func (x *row) str(i int) string        { return x.v[i].Bytes }
func (x *row) int(i int) int64         { return x.v[i].Int }
func (x *row) float(i int) float64     { return x.v[i].Float }
func (x *row) dec(i int) types.Decimal { return x.v[i].Dec }
func (x *row) null(i int) bool         { return x.v[i].Null }
func (x *row) typ(i int) types.Type    { return x.e.Args[i].Type }
func (x *row) text(i int) string       { return x.textOf(x.typ(i), &x.v[i]) }

// castText is an argument as a cast to text gives it, which differs from what is
// shown for booleans.
func (x *row) castText(i int) string {
	if x.typ(i).Kind == types.Bool {
		return strconv.FormatBool(x.v[i].Bool)
	}
	return x.text(i)
}

func (x *row) textOf(t types.Type, v *types.Value) string {
	if t.Phys() == types.PhysBytes && t.Kind != types.Bytea && t.Kind != types.Array && t.Kind != types.Row {
		return v.Bytes
	}
	return string(types.AppendText(nil, t, v, x.f.ctx.zone()))
}

func strValue(s string) types.Value        { return types.Value{Bytes: s} }
func intValue(v int64) types.Value         { return types.Value{Int: v} }
func boolValue(v bool) types.Value         { return types.Value{Bool: v} }
func floatValue(v float64) types.Value     { return types.Value{Float: v} }
func decValue(d types.Decimal) types.Value { return types.Value{Dec: d} }

func newRowCall(e *scalar.Expr, args []node, strict bool, fn rowFn) node {
	x := &row{e: e, v: make([]types.Value, len(args)), regexps: map[string]*Regexp{}, likes: map[string]*likeMatcher{}}
	return newCall(e, args, func(f *frame, c *call, sel []uint16) {
		x.f = f
		each(f.n, sel, func(i int) {
			if len(c.out.Arena) > f.room {
				f.full = true
				c.out.SetZero(i)
				return
			}
			for k := range x.v {
				x.v[k] = c.cols[k].Peek(i)
			}
			v, err := fn(x)
			switch {
			case err != nil:
				c.fail(f, i, err)
			case v.Null:
				c.null(f, i)
			default:
				c.out.Set(i, v)
			}
			if x.held != 0 {
				f.ctx.Memory.Add(-x.held)
				x.held = 0
			}
		})
	}, strict)
}

func external(x *row) (types.Value, error) {
	if x.f.ctx.External == nil {
		return types.NullValue, pgerr.New(pgerr.FeatureNotSupported, "function %s is not available here", x.e.Func)
	}
	args := make([]types.Value, len(x.v))
	copy(args, x.v)
	return x.f.ctx.External(x.e.Func, args, x.e.Type)
}
