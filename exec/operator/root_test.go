package operator

import (
	"math/big"

	"github.com/millrace/millrace/types"
)

// rootText is the square root of x / y as PostgreSQL's stddev shows it: the
// quotient at its own scale, then the root at the same one.
func rootText(x, y int64, result types.Type) string {
	q, err := types.DecimalFromInt(x).Div(types.DecimalFromInt(y))
	if err != nil {
		panic(err)
	}
	coef := new(big.Int).SetInt64(q.Hi)
	coef.Lsh(coef, 64).Add(coef, new(big.Int).SetUint64(q.Lo))
	// q = coef × 10^-scale; root × 10^scale = sqrt(coef × 10^scale)
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(q.Scale)), nil)
	f := new(big.Float).SetPrec(400).SetInt(coef.Mul(coef, ten))
	f.Sqrt(f).Add(f, big.NewFloat(0.5))
	root, _ := f.Int(nil)
	lo := new(big.Int).And(root, new(big.Int).SetUint64(1<<64-1))
	return showValue(result, types.Value{Dec: types.Decimal{Hi: new(big.Int).Rsh(root, 64).Int64(), Lo: lo.Uint64(), Scale: q.Scale}})
}
