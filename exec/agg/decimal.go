package agg

import (
	"math/big"

	"github.com/millrace/millrace/types"
)

// pow10 has every power of ten that fits a word.
var pow10 = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

var maxWord = new(big.Int).SetUint64(1<<64 - 1)

// fromBig is x × 10^-scale, if 38 digits can hold it.
func fromBig(x *big.Int, scale int32) (types.Decimal, bool) {
	if x.BitLen() > 127 {
		return types.Decimal{}, false
	}
	lo := new(big.Int).And(x, maxWord).Uint64()
	hi := new(big.Int).Rsh(x, 64).Int64()
	return types.Decimal{Hi: hi, Lo: lo, Scale: scale}, !tooWide(hi, lo)
}

func bigPow10(n int32) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}
