package eval

import (
	"math"
	"math/big"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// floatFn lifts a function of one float, with PostgreSQL's range errors.
func floatFn(fn func(float64) float64) rowFn {
	return func(x *row) (types.Value, error) {
		r := fn(x.float(0))
		if math.IsInf(r, 0) && !math.IsInf(x.float(0), 0) {
			return types.NullValue, errFloat(1)
		}
		return floatValue(r), nil
	}
}

// domainFn is floatFn for functions defined on part of the line only.
func domainFn(fn func(float64) float64) rowFn {
	return func(x *row) (types.Value, error) {
		r := fn(x.float(0))
		if math.IsNaN(r) && !math.IsNaN(x.float(0)) {
			return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "input is out of range")
		}
		return floatValue(r), nil
	}
}

func decFn(fn func(types.Decimal) (types.Decimal, error)) rowFn {
	return func(x *row) (types.Value, error) { d, err := fn(x.dec(0)); return decValue(d), err }
}

func intFn2(fn func(a, b int64) int64) rowFn {
	return func(x *row) (types.Value, error) { return intValue(fn(x.int(0), x.int(1))), nil }
}

// wrapInt cuts a shift's result to its type, as hardware does.
func wrapInt(v int64, k types.Kind) int64 {
	switch k {
	case types.Int16:
		return int64(int16(v))
	case types.Int32:
		return int64(int32(v))
	}
	return v
}

func shift(x *row, left bool) (types.Value, error) {
	k := x.e.Type.Kind
	width := map[types.Kind]int64{types.Int16: 32, types.Int32: 32, types.Int64: 64}[k]
	n := uint64(((x.int(1) % width) + width) % width)
	if left {
		return intValue(wrapInt(x.int(0)<<n, k)), nil
	}
	return intValue(x.int(0) >> n), nil
}

var numberRows = map[string]rowFn{
	"abs": absolute, "@": absolute, "-": negate,
	"+":           func(x *row) (types.Value, error) { return x.v[0], nil },
	"&":           intFn2(func(a, b int64) int64 { return a & b }),
	"|":           intFn2(func(a, b int64) int64 { return a | b }),
	"#":           intFn2(func(a, b int64) int64 { return a ^ b }),
	"<<":          func(x *row) (types.Value, error) { return shift(x, true) },
	">>":          func(x *row) (types.Value, error) { return shift(x, false) },
	"~(smallint)": func(x *row) (types.Value, error) { return intValue(^x.int(0)), nil },
	"~(integer)":  func(x *row) (types.Value, error) { return intValue(^x.int(0)), nil },
	"~(bigint)":   func(x *row) (types.Value, error) { return intValue(^x.int(0)), nil },

	"ceil(double precision)": floatFn(math.Ceil), "ceil(numeric)": decFn(types.Decimal.Ceil),
	"ceiling(double precision)": floatFn(math.Ceil), "ceiling(numeric)": decFn(types.Decimal.Ceil),
	"floor(double precision)": floatFn(math.Floor), "floor(numeric)": decFn(types.Decimal.Floor),
	"round(double precision)": floatFn(math.RoundToEven), "trunc(double precision)": floatFn(math.Trunc),
	"round":    func(x *row) (types.Value, error) { d, err := x.dec(0).Round(x.digits()); return decValue(d), err },
	"trunc":    func(x *row) (types.Value, error) { d, err := x.dec(0).Trunc(x.digits()); return decValue(d), err },
	"truncate": func(x *row) (types.Value, error) { d, err := x.dec(0).Trunc(x.digits()); return decValue(d), err },
	"sign(double precision)": floatFn(func(f float64) float64 {
		switch {
		case f > 0:
			return 1
		case f < 0:
			return -1
		}
		return 0 // of NaN too
	}),
	"sign(numeric)": func(x *row) (types.Value, error) {
		if x.dec(0).Special == types.DecimalNaN {
			return x.v[0], nil
		}
		return decValue(types.DecimalFromInt(int64(x.dec(0).Sign()))), nil
	},
	"mod(numeric,numeric)": func(x *row) (types.Value, error) { d, err := x.dec(0).Mod(x.dec(1)); return decValue(d), err },
	"div":                  func(x *row) (types.Value, error) { d, err := x.dec(0).QuoTrunc(x.dec(1)); return decValue(d), err },

	"power(double precision,double precision)": floatPower, "pow(double precision,double precision)": floatPower,
	"^(double precision,double precision)": floatPower,
	"power(numeric,numeric)":               decimalPower, "pow(numeric,numeric)": decimalPower, "^(numeric,numeric)": decimalPower,
	"sqrt(double precision)": sqrt, "|/": sqrt, "sqrt(numeric)": decimalSqrt,
	"cbrt": floatFn(math.Cbrt), "||/": floatFn(math.Cbrt),
	"exp(double precision)": expFloat, "exp(numeric)": decimalExp,
	"ln(double precision)": logFloat(math.Log), "log(double precision)": logFloat(math.Log10),
	"log10(double precision)": logFloat(math.Log10), "log2": logFloat(math.Log2),
	"ln(numeric)": decimalLn, "log(numeric)": decimalLog10, "log10(numeric)": decimalLog10, "log(numeric,numeric)": decimalLog,
	"random":  func(x *row) (types.Value, error) { return floatValue(x.f.ctx.Random.float()), nil },
	"setseed": setSeed,
	"gcd":     gcd, "lcm": lcm, "factorial": factorial,
	"gcd(numeric,numeric)": decimalGCD, "lcm(numeric,numeric)": decimalLCM,
	"width_bucket(anycompatible,anycompatiblearray)": bucketOf,
	"pi":      func(*row) (types.Value, error) { return floatValue(math.Pi), nil },
	"degrees": floatFn(func(f float64) float64 { return f / (math.Pi / 180) }),
	"radians": floatFn(func(f float64) float64 { return f * (math.Pi / 180) }),
	"sin":     floatFn(math.Sin), "cos": floatFn(math.Cos), "tan": floatFn(math.Tan), "atan": floatFn(math.Atan),
	"cot":  func(x *row) (types.Value, error) { return floatValue(1 / math.Tan(x.float(0))), nil },
	"asin": domainFn(math.Asin), "acos": domainFn(math.Acos),
	"asinh": floatFn(math.Asinh), "acosh": domainFn(math.Acosh), "atanh": domainFn(math.Atanh),
	"sind": degreesFn(sind), "cosd": degreesFn(func(d float64) float64 { return sind(d + 90) }), "tand": degreesFn(tand),
	"sinh": floatFn(math.Sinh), "cosh": floatFn(math.Cosh), "tanh": floatFn(math.Tanh),
	"atan2":      func(x *row) (types.Value, error) { return floatValue(math.Atan2(x.float(0), x.float(1))), nil },
	"scale":      func(x *row) (types.Value, error) { return scaleOf(x.dec(0)), nil },
	"min_scale":  func(x *row) (types.Value, error) { return scaleOf(x.dec(0).Normalize()), nil },
	"trim_scale": func(x *row) (types.Value, error) { return decValue(x.dec(0).Normalize()), nil },
	"width_bucket(double precision,double precision,double precision,integer)": func(x *row) (types.Value, error) {
		return widthBucket(x.float(0), x.float(1), x.float(2), x.int(3))
	},
	"width_bucket(numeric,numeric,numeric,integer)": func(x *row) (types.Value, error) {
		return decimalBucket(x.dec(0), x.dec(1), x.dec(2), x.int(3))
	},
}

func scaleOf(d types.Decimal) types.Value {
	if d.Special != 0 {
		return types.NullValue
	}
	return intValue(int64(d.Scale))
}

// digits is the optional second argument of round and trunc.
func (x *row) digits() int32 {
	if len(x.v) > 1 {
		return int32(x.int(1))
	}
	return 0
}

func absolute(x *row) (types.Value, error) {
	switch x.e.Type.Phys() {
	case types.PhysFloat:
		return floatValue(math.Abs(x.float(0))), nil
	case types.PhysDecimal:
		return decValue(x.dec(0).Abs()), nil
	}
	if x.int(0) < 0 {
		return negate(x)
	}
	return x.v[0], nil
}

func negate(x *row) (types.Value, error) {
	switch x.e.Type.Phys() {
	case types.PhysFloat:
		return floatValue(-x.float(0)), nil
	case types.PhysDecimal:
		return decValue(x.dec(0).Neg()), nil
	}
	if lo, _ := types.IntRange(x.e.Type.Kind); x.int(0) == lo {
		return types.NullValue, errRange(x.e.Type)
	}
	return intValue(-x.int(0)), nil
}

func errPower(what string) error { return pgerr.New(pgerr.InvalidArgumentForPower, "%s", what) }

func floatPower(x *row) (types.Value, error) {
	a, b := x.float(0), x.float(1)
	switch {
	case math.IsNaN(a) || math.IsNaN(b): // but 1 to NaN, or NaN to 0, is 1
	case a == 0 && b < 0:
		return types.NullValue, errPower("zero raised to a negative power is undefined")
	case a < 0 && b != math.Floor(b):
		return types.NullValue, errPower("a negative number raised to a non-integer power yields a complex result")
	}
	r := math.Pow(a, b)
	if math.IsInf(r, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return types.NullValue, errFloat(1)
	}
	if r == 0 && a != 0 && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return types.NullValue, errFloat(0)
	}
	return floatValue(r), nil
}

func sqrt(x *row) (types.Value, error) {
	if x.float(0) < 0 {
		return types.NullValue, errPower("cannot take square root of a negative number")
	}
	return floatValue(math.Sqrt(x.float(0))), nil
}

func expFloat(x *row) (types.Value, error) {
	a := x.float(0)
	r := math.Exp(a)
	if math.IsInf(r, 0) && !math.IsInf(a, 0) {
		return types.NullValue, errFloat(1)
	}
	if r == 0 && !math.IsInf(a, 0) {
		return types.NullValue, errFloat(0)
	}
	return floatValue(r), nil
}

func errLog(sign int) error {
	if sign == 0 {
		return pgerr.New(pgerr.InvalidArgumentForLog, "cannot take logarithm of zero")
	}
	return pgerr.New(pgerr.InvalidArgumentForLog, "cannot take logarithm of a negative number")
}

func logFloat(fn func(float64) float64) rowFn {
	return func(x *row) (types.Value, error) {
		switch a := x.float(0); {
		case a == 0:
			return types.NullValue, errLog(0)
		case a < 0:
			return types.NullValue, errLog(-1)
		default:
			return floatValue(fn(a)), nil
		}
	}
}

func gcd(x *row) (types.Value, error) {
	a, b := x.int(0), x.int(1)
	for b != 0 {
		if b == -1 { // avoids the one remainder that overflows
			return intValue(1), nil
		}
		a, b = b, a%b
	}
	if lo, _ := types.IntRange(x.e.Type.Kind); a == lo {
		return types.NullValue, errRange(x.e.Type)
	}
	if a < 0 {
		a = -a
	}
	return intValue(a), nil
}

func lcm(x *row) (types.Value, error) {
	if x.int(0) == 0 || x.int(1) == 0 {
		return intValue(0), nil
	}
	g, err := gcd(x)
	if err != nil {
		return g, err
	}
	r := new(big.Int).Mul(big.NewInt(x.int(0)/g.Int), big.NewInt(x.int(1)))
	r.Abs(r)
	if _, hi := types.IntRange(x.e.Type.Kind); !r.IsInt64() || r.Int64() > hi {
		return types.NullValue, errRange(x.e.Type)
	}
	return intValue(r.Int64()), nil
}

func factorial(x *row) (types.Value, error) {
	if x.int(0) < 0 {
		return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "factorial of a negative number is undefined")
	}
	r := types.DecimalFromInt(1)
	var err error
	for i := int64(2); i <= x.int(0) && err == nil; i++ {
		r, err = r.Mul(types.DecimalFromInt(i))
	}
	return decValue(r), err
}

// degreesFn is floatFn for functions of an angle in degrees, of which infinity is
// none.
func degreesFn(fn func(float64) float64) rowFn {
	return func(x *row) (types.Value, error) {
		if math.IsInf(x.float(0), 0) {
			return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "input is out of range")
		}
		return floatValue(fn(math.Mod(x.float(0), 360))), nil
	}
}

// sind is exact for multiples of 30 degrees.
func sind(d float64) float64 {
	d = math.Mod(d, 360)
	sign := 1.0
	if d < 0 {
		d, sign = -d, -1
	}
	if d >= 180 {
		d, sign = d-180, -sign
	}
	if d > 90 {
		d = 180 - d
	}
	switch d {
	case 0:
		return 0
	case 30:
		return sign * 0.5
	case 90:
		return sign
	}
	return sign * math.Sin(d*math.Pi/180)
}
