package agg

import (
	"math/big"
	"math/bits"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

func newSumSquares(arg types.Type) (Accumulator, error) {
	switch {
	case arg.IsInteger():
		return Accumulator{Update: squaresInt, Merge: mergeDecimal}, nil
	case arg.Kind == types.Numeric:
		return Accumulator{Update: squaresDecimal, Merge: mergeDecimal}, nil
	case arg.Phys() == types.PhysFloat:
		return Accumulator{Update: squaresFloat, Merge: mergeFloat}, nil
	}
	return refuse("variance", arg)
}

func squaresInt(in *Input, off uintptr, col *batch.Column) error {
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		v := uint64(col.Int[i])
		if col.Int[i] < 0 {
			v = -v
		}
		hi, lo := bits.Mul64(v, v)
		sign := int64(1)
		if in.Sign != nil {
			sign = in.Sign[i]
		}
		addDecimal(at[types.Decimal](in.Rows[i], off), &types.Decimal{Hi: int64(hi), Lo: lo}, sign)
	}
	return nil
}

func squaresDecimal(in *Input, off uintptr, col *batch.Column) error {
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		sign := int64(1)
		if in.Sign != nil {
			sign = in.Sign[i]
		}
		d := at[types.Decimal](in.Rows[i], off)
		sq, err := col.Dec[i].Mul(col.Dec[i])
		if err != nil { // the sum is too large as long as the value is in it
			d.AddBeyond(sign)
			continue
		}
		addDecimal(d, &sq, sign)
	}
	return nil
}

// divRound is x / y rounded half away from zero; y is positive.
func divRound(x, y *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(x, y, new(big.Int))
	if r.Lsh(r.Abs(r), 1).Cmp(y) >= 0 {
		q.Add(q, big.NewInt(int64(x.Sign())))
	}
	return q
}

func squaresFloat(in *Input, off uintptr, col *batch.Column) error {
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		v := col.Float[i] * col.Float[i]
		if in.Sign != nil {
			v *= float64(in.Sign[i])
		}
		*at[float64](in.Rows[i], off) += v
	}
	return nil
}
