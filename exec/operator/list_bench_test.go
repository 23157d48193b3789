package operator

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/types"
)

// BenchmarkLists is the cost of a row, new or gone, in a group that aggregates of
// all its rows are kept for: 1000 groups, half of the rows taken away again.
func BenchmarkLists(b *testing.B) {
	for _, c := range []struct{ name, calls string }{
		{"last", "aggregate by k: last_value(s order by v)"},
		{"string", "aggregate retract by k: string_agg(s order by v)"},
		{"percentile", "aggregate retract by k: percentile_disc(0.5; v)"},
		{"estimate", "aggregate by k: approx_count_distinct(v)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := parseScript("input k bigint, v bigint, s text\n" + c.calls)
			if err != nil {
				b.Fatal(err)
			}
			tables := map[string]*state.Table{}
			for _, schema := range s.op.Tables {
				if tables[schema.Name], err = state.NewTable(schema, state.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			op, err := New(s.op, Env{Table: func(name string) *state.Table { return tables[name] }, Inputs: [][]types.Field{s.fields}})
			if err != nil {
				b.Fatal(err)
			}
			batches := listBatches(s.spec().Retractable)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += batch.RowsDefault {
				if err := op.OnBatch(0, batches[n/batch.RowsDefault%len(batches)], discard{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// listBatches are rows, every second batch taking away those of the one before if
// retract is set.
func listBatches(retract bool) (all []*batch.Batch) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 64 {
		in := batch.New([]types.Phys{types.PhysInt, types.PhysInt, types.PhysBytes}, 0)
		for range batch.RowsDefault {
			in.Cols[0].Append(types.Value{Int: rng.Int64N(1000)})
			in.Cols[1].Append(types.Value{Int: rng.Int64N(1 << 30)})
			in.Cols[2].Append(types.Value{Bytes: "some text"})
		}
		in.N = batch.RowsDefault
		all = append(all, in)
		if retract {
			gone := *in
			gone.Ops = make([]batch.Op, in.N)
			for i := range gone.Ops {
				gone.Ops[i] = batch.Delete
			}
			all = append(all, &gone)
		}
	}
	return all
}

// discard is an output that is thrown away.
type discard struct{}

func (discard) Emit(*batch.Batch) error { return nil }
