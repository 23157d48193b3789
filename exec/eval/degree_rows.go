package eval

import (
	"math"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// degreeRows are the inverse trigonometric functions in degrees, exact where
// PostgreSQL's are.
var degreeRows = map[string]rowFn{
	"asind": arcDegrees(asind),
	"acosd": arcDegrees(acosd),
	"atand": floatFn(func(f float64) float64 { return math.Atan(f) / math.Atan(1) * 45 }),
	"atan2d": func(x *row) (types.Value, error) {
		return floatValue(math.Atan2(x.float(0), x.float(1)) / math.Atan(1) * 45), nil
	},
	"cotd": degreesFn(cotd),
}

func arcDegrees(fn func(float64) float64) rowFn {
	return func(x *row) (types.Value, error) {
		f := x.float(0)
		if f < -1 || f > 1 {
			return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "input is out of range")
		}
		return floatValue(fn(f)), nil
	}
}

func asind(f float64) float64 {
	switch {
	case f < 0:
		return -asind(-f)
	case f <= 0.5:
		return math.Asin(f) / math.Asin(0.5) * 30
	}
	return 90 - math.Acos(f)/math.Acos(0.5)*60
}

func acosd(f float64) float64 {
	switch {
	case f < 0:
		return 90 + asind(-f)
	case f <= 0.5:
		return 90 - math.Asin(f)/math.Asin(0.5)*30
	}
	return math.Acos(f) / math.Acos(0.5) * 60
}

// quarter takes an angle to the first quarter of the circle. The tangent has its sign there.
func quarter(d float64) (q, sign float64) {
	q, sign = math.Mod(d, 360), 1
	if q < 0 {
		q, sign = -q, -sign
	}
	if q > 180 {
		q, sign = 360-q, -sign
	}
	if q > 90 {
		q, sign = 180-q, -sign
	}
	return q, sign
}

// tand is exact where the tangent is a whole number or infinite, and never minus zero.
func tand(d float64) float64 {
	switch q, sign := quarter(d); q {
	case 0:
		return 0
	case 45:
		return sign
	default:
		return sign * sind(q) / sind(90-q)
	}
}

// cotd is exact where the cotangent is a whole number or infinite, and never minus zero.
func cotd(d float64) float64 {
	switch q, sign := quarter(d); q {
	case 90:
		return 0
	case 45:
		return sign
	default:
		return sign * sind(90-q) / math.Copysign(sind(q), q)
	}
}
