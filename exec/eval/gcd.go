package eval

import (
	"github.com/millrace/millrace/types"
)

// decimalGCD is gcd of numerics, with the greater of their scales.
func decimalGCD(x *row) (types.Value, error) {
	a, b := x.dec(0), x.dec(1)
	if a.Special|b.Special != 0 {
		return decValue(types.NaN), nil
	}
	scale := max(a.Scale, b.Scale)
	a, b = a.Abs(), b.Abs()
	for !b.IsZero() {
		r, err := a.Mod(b)
		if err != nil {
			return types.NullValue, err
		}
		a, b = b, r
	}
	d, err := a.Round(scale)
	return decValue(d), err
}

func decimalLCM(x *row) (types.Value, error) {
	a, b := x.dec(0), x.dec(1)
	g, err := decimalGCD(x)
	if err != nil || g.Dec.Special != 0 {
		return g, err
	}
	scale := max(a.Scale, b.Scale)
	if a.IsZero() || b.IsZero() {
		d, err := types.DecimalFromInt(0).Round(scale)
		return decValue(d), err
	}
	d, err := a.Abs().QuoTrunc(g.Dec)
	if err == nil {
		d, err = d.Mul(b.Abs())
	}
	if err == nil {
		d, err = d.Round(scale)
	}
	return decValue(d), err
}
