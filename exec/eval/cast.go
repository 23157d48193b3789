package eval

import (
	"math"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

func compileCast(e *scalar.Expr, ctx *Context) (node, error) {
	if a := e.Args[0]; a.Op == scalar.OpConst && (a.Value == nil || a.Value.Null) {
		return newConst(e.Type, types.NullValue), nil
	}
	arg, err := compile(e.Args[0], ctx)
	if err != nil {
		return nil, err
	}
	return castOf(e, arg, ctx)
}

// castOf makes the node that turns arg into e.Type.
func castOf(e *scalar.Expr, arg node, ctx *Context) (node, error) {
	from, to := e.Args[0].Type, e.Type
	if sameValues(from, to) {
		return arg, nil
	}
	if scalar.CastBetween(from, to) == scalar.NoCast {
		return nil, pgerr.New(pgerr.CannotCoerce, "cannot cast type %s to %s", from, to).At(e.Pos)
	}
	k := castKernel(from, to)
	if k == nil {
		one := castRow(from, to, e.Func == "assign")
		k = func(f *frame, c *call, sel []uint16) {
			a := c.cols[0]
			each(f.n, sel, func(i int) {
				v := a.Peek(i)
				r, err := one(f.ctx, v)
				switch {
				case err != nil:
					c.fail(f, i, err)
				case r.Null:
					c.null(f, i)
				default:
					c.out.Set(i, r)
				}
			})
		}
	}
	if e.Func == "try" {
		return &tryNode{inner: newCall(e, []node{arg}, k, true)}, nil
	}
	return newCall(e, []node{arg}, k, true), nil
}

// sameValues reports whether values of from are values of to as they are.
func sameValues(from, to types.Type) bool {
	switch {
	case from.Equal(to):
		return true
	case from.IsString() && from.Kind != types.Char && (to.Kind == types.Text || (to.Kind == types.Varchar || to.Kind == types.Char) && !to.HasPrecision):
		return true
	case from.IsInteger() && to.IsInteger() && from.Kind <= to.Kind:
		return true
	case from.Kind == types.Float32 && to.Kind == types.Float64:
		return true
	case from.Kind == types.OID && to.Kind == types.Int64:
		return true
	case from.Kind == types.Array && to.Kind == types.Array:
		return sameValues(*from.Elem, *to.Elem)
	case from.Kind == to.Kind && !to.HasPrecision && from.Kind != types.Row:
		return true
	case from.Kind == to.Kind && (from.Kind == types.Time || from.Kind == types.Timestamp || from.Kind == types.TimestampTZ):
		return to.Precision >= 6 || from.HasPrecision && from.Precision <= to.Precision
	case from.Kind == types.Row && to.Kind == types.Row && len(to.Fields) == 0:
		return true
	}
	return false
}

// tryNode is TRY_CAST: rows that fail become null.
type tryNode struct{ inner *call }

func (t *tryNode) eval(f *frame, sel []uint16) *batch.Column {
	sub := frame{in: f.in, n: f.n, ctx: f.ctx}
	arg := t.inner.args[0].eval(f, sel)
	t.inner.args[0] = fixedNode{arg}
	defer func(n node) { t.inner.args[0] = n }(t.inner.args[0])
	return t.inner.eval(&sub, sel)
}

type fixedNode struct{ c *batch.Column }

func (n fixedNode) eval(*frame, []uint16) *batch.Column { return n.c }

// castKernel returns the kernels of hot casts, nil for the others.
func castKernel(from, to types.Type) kernel {
	switch {
	case from.Phys() == types.PhysInt && (to.IsInteger() || to.Kind == types.OID) && !from.IsTime():
		lo, hi := types.IntRange(to.Kind)
		return func(f *frame, c *call, sel []uint16) {
			a, out := c.cols[0].Int, c.out.Int
			each(f.n, sel, func(i int) {
				if out[i] = a[i]; a[i] < lo || a[i] > hi {
					c.fail(f, i, errRange(to))
				}
			})
		}
	case from.IsInteger() && to.Phys() == types.PhysFloat:
		single := to.Kind == types.Float32
		return func(f *frame, c *call, sel []uint16) {
			a, out := c.cols[0].Int, c.out.Float
			each(f.n, sel, func(i int) {
				if out[i] = float64(a[i]); single {
					out[i] = float64(float32(a[i]))
				}
			})
		}
	case from.IsInteger() && to.Kind == types.Numeric && !to.HasPrecision:
		return func(f *frame, c *call, sel []uint16) {
			a, out := c.cols[0].Int, c.out.Dec
			each(f.n, sel, func(i int) { out[i] = types.DecimalFromInt(a[i]) })
		}
	case from.Kind == types.Numeric && to.Kind == types.Float64:
		return func(f *frame, c *call, sel []uint16) {
			a, out := c.cols[0].Dec, c.out.Float
			each(f.n, sel, func(i int) { out[i] = a[i].Float64() })
		}
	case from.Kind == to.Kind && from.Phys() == types.PhysInt && to.HasPrecision && (to.Kind == types.Time || to.Kind == types.Timestamp || to.Kind == types.TimestampTZ):
		return roundKernel(to.Precision)
	case from.Kind == types.Timestamp && to.Kind == types.Date:
		return func(f *frame, c *call, sel []uint16) {
			a, out := c.cols[0].Int, c.out.Int
			each(f.n, sel, func(i int) {
				if out[i] = a[i]; !types.IsInfinite(a[i]) {
					out[i] = types.FloorDiv(a[i], types.MicrosPerDay)
				}
			})
		}
	case to.Kind == types.Text && from.Kind != types.Bool && from.Phys() != types.PhysNone && !from.IsString():
		return func(f *frame, c *call, sel []uint16) {
			a, z := c.cols[0], f.ctx.zone()
			each(f.n, sel, func(i int) {
				off := len(c.out.Arena)
				c.out.Arena = a.AppendText(c.out.Arena, i, from, z)
				c.out.Views[i] = batch.View{Off: uint32(off), Len: uint32(len(c.out.Arena) - off)}
			})
		}
	}
	return nil
}

type castFn func(ctx *Context, v types.Value) (types.Value, error)

// castRow converts single values by PostgreSQL's rules. Text that is too long is cut,
// but refused where it is assigned.
func castRow(from, to types.Type, assign bool) castFn {
	switch {
	case from.Kind == types.Array && to.Kind == types.Array:
		return castArray(from, to, assign)
	case from.Kind == types.Row && to.Kind == types.Row:
		return castRecord(from, to, assign)
	case to.IsString():
		return castToString(from, to, assign)
	case from.Kind == types.JSONB:
		return castJSON(to)
	case from.IsString():
		return castText(to, assign)
	case from.Kind == to.Kind:
		return castModifiers(to)
	case to.Kind == types.Numeric:
		return castToNumeric(from, to)
	case to.Phys() == types.PhysFloat:
		return castToFloat(from, to)
	case to.IsInteger() || to.Kind == types.OID:
		return castToInt(from, to)
	case to.Kind == types.Bool:
		return func(_ *Context, v types.Value) (types.Value, error) { return boolValue(v.Int != 0), nil }
	}
	return castTimes(from, to)
}

func castToString(from, to types.Type, assign bool) castFn {
	return func(ctx *Context, v types.Value) (types.Value, error) {
		var s string
		switch {
		case from.Kind == types.Char:
			if s = v.Bytes; to.Kind != types.Char {
				s = trimBlanks(s)
			}
		case from.IsString() || from.Kind == types.JSONB:
			s = v.Bytes
		case from.Kind == types.Bool:
			s = map[bool]string{true: "true", false: "false"}[v.Bool]
		default:
			s = string(types.AppendText(nil, from, &v, ctx.zone()))
		}
		var err error
		switch to.Kind {
		case types.Name:
			return types.ParseText(to, s, nil)
		case types.Varchar, types.Char:
			s, err = types.FitString(to, s, !assign)
		}
		return strValue(s), err
	}
}

func trimBlanks(s string) string {
	for s != "" && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}

func castJSON(to types.Type) castFn {
	return func(ctx *Context, v types.Value) (types.Value, error) {
		j, err := types.ParseJSON(v.Bytes)
		if err != nil {
			return v, err
		}
		names := [...]string{"null", "string", "numeric", "boolean", "array", "object"}
		want := types.JSONNumber
		if to.Kind == types.Bool {
			want = types.JSONBool
		}
		if j.Kind != want {
			return v, pgerr.New(pgerr.InvalidParameterValue, "cannot cast jsonb %s to type %s", names[j.Kind], to)
		}
		if want == types.JSONBool {
			return boolValue(j.Bool), nil
		}
		d, err := types.ParseDecimal(j.Str)
		if err != nil || to.Kind == types.Numeric && !to.HasPrecision {
			return decValue(d), err
		}
		return castRow(types.Of(types.Numeric), to, false)(ctx, decValue(d))
	}
}

// castText reads text as a value of type to. It is read without modifiers, which are
// applied then: the fields of an interval type do not say in what unit the text of a
// column is, as they do for a literal, and text in an array is cut.
func castText(to types.Type, assign bool) castFn {
	plain := to.WithTypmod(-1)
	fit := func(_ *Context, v types.Value) (types.Value, error) { return v, nil }
	if !sameValues(plain, to) {
		fit = castRow(plain, to, assign)
	}
	var opt *types.ParseOptions // kept, so that a row costs no allocation
	return func(ctx *Context, v types.Value) (types.Value, error) {
		if opt == nil || opt.Zone != ctx.zone() {
			opt = ctx.parse()
		}
		read, err := ctx.parseText(plain, v.Bytes, opt)
		if err != nil {
			return v, err
		}
		return fit(ctx, read)
	}
}

// castModifiers applies precision and scale to a value of the same kind.
func castModifiers(to types.Type) castFn {
	return func(_ *Context, v types.Value) (_ types.Value, err error) {
		switch to.Kind {
		case types.Numeric:
			v.Dec, err = v.Dec.WithTypmod(to.Precision, to.Scale)
		case types.Time, types.Timestamp, types.TimestampTZ:
			v.Int = types.RoundMicros(v.Int, to.Precision)
		case types.IntervalK:
			v.Interval = types.FitInterval(to, v.Interval)
		}
		return v, err
	}
}

func castToNumeric(from, to types.Type) castFn {
	return func(_ *Context, v types.Value) (_ types.Value, err error) {
		var d types.Decimal
		switch from.Phys() {
		case types.PhysInt:
			d = types.DecimalFromInt(v.Int)
		case types.PhysFloat:
			bits := 64
			if from.Kind == types.Float32 {
				bits = 32
			}
			d, err = types.DecimalFromFloat(v.Float, bits)
		}
		if err == nil && to.HasPrecision {
			d, err = d.WithTypmod(to.Precision, to.Scale)
		}
		return decValue(d), err
	}
}

func castToFloat(from, to types.Type) castFn {
	return func(_ *Context, v types.Value) (types.Value, error) {
		x := v.Float
		if from.Kind == types.Numeric {
			x = v.Dec.Float64()
		} else if from.Phys() == types.PhysInt {
			x = float64(v.Int)
		}
		if to.Kind == types.Float32 {
			r := float64(float32(x))
			if math.IsInf(r, 0) && !math.IsInf(x, 0) {
				return v, errFloat(1)
			}
			if r == 0 && x != 0 {
				return v, errFloat(0)
			}
			x = r
		}
		return floatValue(x), nil
	}
}

func castToInt(from, to types.Type) castFn {
	lo, hi := types.IntRange(to.Kind)
	return func(_ *Context, v types.Value) (types.Value, error) {
		r := v.Int
		switch from.Kind {
		case types.Bool:
			if r = 0; v.Bool {
				r = 1
			}
		case types.Numeric:
			var err error
			if r, err = v.Dec.Int64(to.Kind.String()); err != nil {
				return v, err
			}
		case types.Float32, types.Float64:
			x := math.RoundToEven(v.Float)
			if !(x >= float64(lo) && (x < -float64(lo))) {
				return v, errRange(to)
			}
			r = int64(x)
		}
		if r < lo || r > hi {
			return v, errRange(to)
		}
		return intValue(r), nil
	}
}

// castTimes converts between dates, times and intervals.
func castTimes(from, to types.Type) castFn {
	return func(ctx *Context, v types.Value) (types.Value, error) {
		z, x := ctx.zone(), v.Int
		inf := types.IsInfinite(x) && from.Kind != types.IntervalK && from.Kind != types.Time
		switch {
		case inf && (to.Kind == types.Time || to.Kind == types.IntervalK):
			return types.NullValue, nil
		case inf:
			return intValue(x), nil
		}
		micros := func(local int64) int64 { _, us := types.SplitMicros(local); return us }
		var r int64
		switch {
		case from.Kind == types.Time && to.Kind == types.IntervalK:
			return types.Value{Interval: types.FitInterval(to, types.Interval{Micros: x})}, nil
		case from.Kind == types.IntervalK && to.Kind == types.Time:
			r = micros(v.Interval.Micros)
		case from.Kind == types.Date:
			if x > math.MaxInt64/types.MicrosPerDay-1 || x < math.MinInt64/types.MicrosPerDay+1 {
				return v, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range for timestamp")
			}
			if r = x * types.MicrosPerDay; to.Kind == types.TimestampTZ {
				r = z.ToUTC(r)
			}
		case from.Kind == types.Timestamp && to.Kind == types.TimestampTZ:
			r = z.ToUTC(x)
		case from.Kind == types.TimestampTZ && to.Kind == types.Timestamp:
			r = z.ToLocal(x)
		case from.Kind == types.TimestampTZ && to.Kind == types.Date:
			r, _ = types.SplitMicros(z.ToLocal(x))
		case from.Kind == types.TimestampTZ && to.Kind == types.Time:
			r = micros(z.ToLocal(x))
		case from.Kind == types.Timestamp && to.Kind == types.Time:
			r = micros(x)
		case from.Kind == types.Timestamp && to.Kind == types.Date:
			r, _ = types.SplitMicros(x)
		}
		if to.HasPrecision {
			r = types.RoundMicros(r, to.Precision)
		}
		return intValue(r), nil
	}
}

func castArray(from, to types.Type, assign bool) castFn {
	elem := castRow(*from.Elem, *to.Elem, assign)
	return func(ctx *Context, v types.Value) (types.Value, error) {
		if len(v.Bytes) >= heldMin {
			give, err := ctx.Hold(types.ListBytes(v.Bytes))
			if err != nil {
				return v, err
			}
			defer give()
		}
		a, err := types.DecodeArray(*from.Elem, v.Bytes)
		for i := range a.Elems {
			if err == nil && !a.Elems[i].Null {
				a.Elems[i], err = elem(ctx, a.Elems[i])
			}
		}
		if err != nil {
			return v, err
		}
		return strValue(types.EncodeArray(*to.Elem, a)), nil
	}
}

func castRecord(from, to types.Type, assign bool) castFn {
	return func(ctx *Context, v types.Value) (types.Value, error) {
		vals, err := types.DecodeRow(from.Fields, v.Bytes)
		for i := range vals {
			if ft, tt := from.Fields[i].Type, to.Fields[i].Type; err == nil && !vals[i].Null && !sameValues(ft, tt) {
				vals[i], err = castRow(ft, tt, assign)(ctx, vals[i])
			}
		}
		if err != nil {
			return v, err
		}
		return strValue(types.EncodeRow(to.Fields, vals)), nil
	}
}
