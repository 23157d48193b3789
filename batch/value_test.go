package batch

import (
	"testing"

	"github.com/millrace/millrace/types"
)

func TestFromValuesRoundTrips(t *testing.T) {
	cols := []types.Type{types.Of(types.Bool), types.Of(types.Int32), types.Of(types.Float64), types.Of(types.Numeric),
		types.Of(types.Text), types.Of(types.IntervalK), types.Of(types.UUID)}
	row := []types.Value{{Bool: true}, {Int: -7}, {Float: 1.5}, {Dec: types.Decimal{Lo: 5, Scale: 1}}, {Bytes: "abc"},
		{Interval: types.Interval{Micros: 1, Days: 2, Months: 3}}, {UUID: [16]byte{9}}}
	nulls := make([]types.Value, len(cols))
	for i := range nulls {
		nulls[i] = types.NullValue
	}
	var rows [][]types.Value
	for i := range 200 {
		if i%3 == 0 {
			rows = append(rows, nulls)
		} else {
			rows = append(rows, row)
		}
	}
	b := FromValues(cols, rows)
	if b.N != 200 {
		t.Fatalf("N is %d", b.N)
	}
	for i, want := range rows {
		for j, c := range b.Cols {
			if got := c.Value(i); got != want[j] {
				t.Fatalf("row %d column %d: %+v, want %+v", i, j, got, want[j])
			}
		}
	}
}
