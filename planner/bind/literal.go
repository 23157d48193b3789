package bind

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// literal types a constant: integers by their size, strings and NULL not at all.
func (b *binder) literal(x *ast.Literal) (*scalar.Expr, error) {
	e := &scalar.Expr{Op: scalar.OpConst, Value: &types.Value{}, Pos: int(x.Pos), Text: x.Text}
	switch x.Kind {
	case ast.NullLiteral:
		e.Type, e.Value.Null, e.Text = types.Of(types.Unknown), true, "null"
	case ast.BoolLiteral:
		e.Type, e.Value.Bool = types.Of(types.Bool), x.Text == "true"
	case ast.StringLiteral:
		e.Type, e.Value.Bytes, e.Text = types.Of(types.Unknown), x.Text, quoteText(x.Text)
	case ast.IntegerLiteral, ast.DecimalLiteral:
		return b.number(e, x)
	default:
		return nil, pgerr.NotSupported(int(x.Pos), "the type bit")
	}
	return e, nil
}

func (b *binder) number(e *scalar.Expr, x *ast.Literal) (*scalar.Expr, error) {
	prec := precAtom
	if x.Text != "" && x.Text[0] == '-' {
		prec = precUnary
	}
	if x.Kind == ast.IntegerLiteral {
		if n, err := strconv.ParseInt(x.Text, 10, 64); err == nil {
			e.Type, e.Value.Int = types.Of(types.Int64), n
			if n >= math.MinInt32 && n <= math.MaxInt32 {
				e.Type = types.Of(types.Int32)
			}
			return b.withText(e, strconv.FormatInt(n, 10), prec), nil
		}
	}
	d, err := types.ParseDecimal(x.Text)
	// PostgreSQL has a decimal for 1e300 and 1e-300 too. Here a double is what
	// such numbers are for, if they are written like that; other decimals are
	// rounded to the digits there are, and what does not fit then is an error.
	exponent := strings.ContainsAny(x.Text, "eE")
	if f, ferr := strconv.ParseFloat(x.Text, 64); ferr == nil && exponent && (err != nil || d.Float64() != f) {
		e.Type, e.Value.Float = types.Of(types.Float64), f
		return b.withText(e, strconv.FormatFloat(f, 'g', -1, 64), prec), nil
	}
	if err != nil {
		e := pgerr.From(err).At(int(x.Pos))
		if !exponent {
			return nil, e.Hint("With an exponent, as in 1e40, such a number is double precision.")
		}
		return nil, e
	}
	e.Type, e.Value.Dec = types.Of(types.Numeric), d
	return b.withText(e, d.String(), prec), nil
}

const paramsMax = 65535

// param is a use of $n.
func (b *binder) param(x *ast.Param) (*scalar.Expr, error) {
	if x.N < 1 || x.N > paramsMax {
		return nil, pgerr.New(pgerr.UndefinedParameter, "there is no parameter $%d", x.N).At(int(x.Pos))
	}
	for len(b.params) < x.N {
		b.params = append(b.params, param{typ: types.Of(types.Unknown), pos: -1})
	}
	p := &b.params[x.N-1]
	if p.pos < 0 {
		p.pos = int(x.Pos)
	}
	e := &scalar.Expr{Op: scalar.OpParam, Column: x.N - 1, Type: types.Of(types.Unknown), Pos: int(x.Pos), Text: "$" + strconv.Itoa(x.N)}
	if p.given {
		e.Type = p.typ
	}
	return e, nil
}

func (b *binder) interval(x *ast.IntervalLiteral) (*scalar.Expr, error) {
	v, err := types.ParseInterval(x.Text, x.Fields, x.Precision)
	if err != nil {
		return nil, pgerr.From(err).At(int(x.Pos))
	}
	return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.IntervalK), Value: &types.Value{Interval: v}, Pos: int(x.Pos),
		Text: "interval " + quoteText(v.String())}, nil
}

func (b *binder) zone() *types.Zone {
	z, err := types.LoadZone(b.opts.TimeZone, true)
	if err != nil {
		return types.UTC
	}
	return z
}

// parseText reads a literal as a value of type t.
func (b *binder) parseText(s string, t types.Type) (types.Value, error) {
	opt := &types.ParseOptions{Zone: b.zone()}
	if now := b.opts.Now; now != 0 && !b.opts.Continuous {
		opt.Now = func() int64 { return now }
	}
	v, err := types.ParseText(t, s, opt)
	if err != nil {
		return v, fmt.Errorf("read a literal: %w", err)
	}
	return v, nil
}

func (b *binder) formatValue(v types.Value, t types.Type) string {
	return string(types.AppendText(nil, t, &v, b.zone()))
}
