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

// cotd is exact where the cotangent is a whole number.
func cotd(d float64) float64 {
	switch d = math.Mod(d, 180); {
	case d == 90, d == -90:
		return 0
	case d == 45, d == -135:
		return 1
	case d == 135, d == -45:
		return -1
	}
	return sind(d+90) / sind(d)
}
