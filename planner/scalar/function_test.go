package scalar

import (
	"testing"

	"github.com/millrace/millrace/types"
)

func TestTablesParse(t *testing.T) {
	n := 0
	All(func(f *Function) { n++ })
	if n < 500 {
		t.Fatalf("only %d functions", n)
	}
	for _, c := range []struct{ key, ret string }{
		{"+(bigint,bigint)", "bigint"}, {"+(smallint,bigint)", "bigint"}, {"substr(text,integer,integer)", "text"},
		{"/(numeric,numeric)", "numeric"}, {"-(date,date)", "integer"}, {"at time zone(timestamp,text)", "timestamp with time zone"},
	} {
		f := ByKey(c.key)
		if f == nil || f.Return(f.Args).String() != c.ret {
			t.Errorf("%s: %+v", c.key, f)
		}
	}
}

func TestPolymorphicReturn(t *testing.T) {
	num := func(p, s int32) types.Type {
		return types.Type{Kind: types.Numeric, Precision: p, Scale: s, HasPrecision: true}
	}
	i8, text := types.Of(types.Int64), types.Of(types.Text)
	for _, c := range []struct {
		key  string
		args []types.Type
		want string
	}{
		{"coalesce(anycompatible...)", []types.Type{num(10, 2), num(10, 2)}, "numeric(10,2)"},
		{"coalesce(anycompatible...)", []types.Type{num(10, 2), num(12, 2)}, "numeric"},
		{"array(anycompatible...)", []types.Type{i8, i8}, "bigint[]"},
		{"array(anycompatible...)", []types.Type{types.ArrayOf(i8)}, "bigint[]"},
		{"subscript(anyarray,integer)", []types.Type{types.ArrayOf(text), types.Of(types.Int32)}, "text"},
		{"array_append(anycompatiblearray,anycompatible)", []types.Type{types.ArrayOf(text), text}, "text[]"},
		{"if(boolean,anycompatible,anycompatible)", []types.Type{types.Of(types.Bool), i8, i8}, "bigint"},
	} {
		if got := ByKey(c.key).Return(c.args).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.key, got, c.want)
		}
	}
}

func TestCasts(t *testing.T) {
	for _, c := range []struct {
		from, to types.Kind
		want     CastContext
	}{
		{types.Int32, types.Int64, ImplicitCast}, {types.Int64, types.Int32, AssignmentCast},
		{types.Int64, types.Text, AssignmentCast}, {types.Text, types.Int64, ExplicitCast},
		{types.Bool, types.Int64, NoCast}, {types.Unknown, types.UUID, ImplicitCast}, {types.Date, types.Int32, NoCast},
	} {
		if got := CastBetween(types.Of(c.from), types.Of(c.to)); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.from, c.to, got, c.want)
		}
	}
}

func TestAggregates(t *testing.T) {
	for _, c := range []struct {
		name string
		arg  types.Kind
		want string
	}{{"sum", types.Int64, "numeric"}, {"sum", types.Int32, "bigint"}, {"avg", types.Int32, "numeric"}, {"avg", types.Float32, "double precision"},
		{"max", types.Date, "date"}, {"stddev", types.Int64, "numeric"}} {
		found := false
		for _, f := range AggregateFunctions(c.name) {
			if len(f.Args) == 1 && f.Args[0].Kind == c.arg {
				found = f.Ret.String() == c.want
			}
		}
		if !found {
			t.Errorf("%s(%s) is not %s", c.name, c.arg, c.want)
		}
	}
}
