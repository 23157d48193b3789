package operator

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/types"
)

// BenchmarkSums is the cost of a row in sums of each type that may outgrow it: by
// 1000 keys, where little but the sum counts, and of all rows.
func BenchmarkSums(b *testing.B) {
	for _, keys := range []int64{1, 1000} {
		for _, c := range []struct{ name, of string }{{"bigint", "bigint"}, {"int", "int"}, {"numeric", "numeric"}, {"float", "float"}} {
			for _, mode := range []string{"", " retract"} {
				b.Run(fmt.Sprintf("%s%s/%d", c.name, mode, keys), func(b *testing.B) { benchmarkSum(b, c.of, mode, keys) })
			}
		}
	}
}

func benchmarkSum(b *testing.B, of, mode string, keys int64) {
	s, err := parseScript(fmt.Sprintf("input k bigint, v %s\naggregate%s by k: sum(v)", of, mode))
	if err != nil {
		b.Fatal(err)
	}
	tables := map[string]*state.Table{}
	for _, schema := range s.op.Tables {
		if tables[schema.Name], err = state.NewTable(schema, state.Options{}); err != nil {
			b.Fatal(err)
		}
		defer tables[schema.Name].Close()
	}
	op, err := New(s.op, Env{Table: func(name string) *state.Table { return tables[name] }, Inputs: s.inputs()})
	if err != nil {
		b.Fatal(err)
	}
	in := sumBatch(s.fields[1].Type, keys)
	b.ResetTimer()
	for n := 0; n < b.N; n += in.N {
		if err := op.OnBatch(0, in, discard{}); err != nil {
			b.Fatal(err)
		}
	}
}

// sumBatch is a batch of values of a type, by so many keys.
func sumBatch(of types.Type, keys int64) *batch.Batch {
	rng := rand.New(rand.NewPCG(1, 2))
	in := batch.New([]types.Phys{types.PhysInt, of.Phys()}, 0)
	for range batch.RowsDefault {
		in.Cols[0].Append(types.Value{Int: rng.Int64N(keys)})
		v := rng.Int64N(1 << 20)
		in.Cols[1].Append(types.Value{Int: v, Float: float64(v), Dec: types.Decimal{Lo: uint64(v)}})
	}
	in.N = batch.RowsDefault
	return in
}
