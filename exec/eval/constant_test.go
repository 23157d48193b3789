package eval

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestConstantArguments checks that a kernel made for a constant argument gives
// what the same function gives when that argument is a column, whatever rows are
// selected.
func TestConstantArguments(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	berlin, err := types.LoadZone("Europe/Berlin", false)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) *scalar.Expr { return lit(types.Text, types.Value{Bytes: s}) }
	span := func(v types.Interval) *scalar.Expr { return lit(types.IntervalK, types.Value{Interval: v}) }
	var cases []*scalar.Expr
	for _, kind := range []types.Kind{types.Timestamp, types.TimestampTZ} {
		name := "timestamp"
		if kind == types.TimestampTZ {
			name = "timestamptz"
		}
		for _, s := range []string{"YYYY-MM-DD", "YYYY-MM-DD HH24:MI", "HH12:MI:SS AM", "SSSS", "MS", "US FF3", "Day Month DDD IW IYYY J Q BC", "YYYY TZ OF TZH", `"HH" YY`, ""} {
			cases = append(cases, fn("to_char("+name+",text)", col(0, kind), text(s)))
		}
		for _, s := range []string{"yyyy-MM-dd", "yyyy-MM-dd HH:mm", "yyyy-MM-dd HH:mm:ss", "HH:mm:ss.SSS", "h a", "EEEE 'at' D"} {
			cases = append(cases, fn("date_format("+name+",text)", col(0, kind), text(s)))
		}
	}
	for _, v := range []types.Interval{{Micros: 4_000_000}, {Micros: -1}, {Micros: 1 << 60}, {Days: 1}, {Months: -1, Micros: 5}} {
		cases = append(cases, fn("-(timestamp,interval)", col(0, types.Timestamp), span(v)), fn("+(timestamp,interval)", col(0, types.Timestamp), span(v)))
	}
	for n, e := range cases {
		for round := range 12 {
			in := timeBatch(r, round, e.Args[1])
			ctx := &Context{}
			if round%2 == 1 {
				ctx.Zone = berlin
			}
			other := *e
			other.Args = []*scalar.Expr{e.Args[0], {Op: scalar.OpColumn, Column: 1, Type: e.Args[1].Type}}
			if err := sameResults(e, &other, in, ctx); err != nil {
				t.Fatalf("case %d, %s with %v: %v", n, e.Func, e.Args[1].Value, err)
			}
		}
	}
}

// timeBatch is times in column 0, as streams have them or wild, and the constant
// in column 1.
func timeBatch(r *rand.Rand, round int, constant *scalar.Expr) *batch.Batch {
	a, b := batch.NewColumn(types.PhysInt, 0), batch.NewColumn(constant.Type.Phys(), 0)
	n := 1 + r.IntN(300)
	at := r.Int64N(4e15) - 1e15
	if round >= 6 {
		at = time.Date(2021, 10, 31, 0, 50, 0, 0, time.UTC).UnixMicro() // before clocks go back in Berlin
	}
	for range n {
		at += r.Int64N(int64(1) << (10 + 3*round))
		v := types.Value{Int: at}
		switch r.IntN(40 * (1 + round)) {
		case 0:
			v = types.NullValue
		case 1:
			v.Int = types.TimeInfinity
		case 2:
			v.Int = types.TimeNegInfinity
		case 3:
			v.Int = at - r.Int64N(1e12)
		}
		a.Append(v)
		b.Append(*constant.Value)
	}
	in := &batch.Batch{N: n, Cols: []*batch.Column{a, b}}
	if round%3 == 0 {
		in.Sel = []uint16{}
		for i := range n {
			if r.IntN(3) > 0 {
				in.Sel = append(in.Sel, uint16(i))
			}
		}
	}
	return in
}

// sameResults compares two expressions over the live rows of in.
func sameResults(a, b *scalar.Expr, in *batch.Batch, ctx *Context) error {
	x, err := Compile(a, Options{Context: ctx})
	if err != nil {
		return err
	}
	y, err := Compile(b, Options{Context: ctx})
	if err != nil {
		return err
	}
	for range 2 { // scratch is used again
		p, errP := x.Eval(in)
		q, errQ := y.Eval(in)
		badP, badQ := map[int]string{}, map[int]string{}
		for _, e := range BadRows(errP) {
			badP[e.Row] = e.Err.Message
		}
		for _, e := range BadRows(errQ) {
			badQ[e.Row] = e.Err.Message
		}
		if fmt.Sprint(badP) != fmt.Sprint(badQ) {
			return fmt.Errorf("failing rows %v, want %v", badP, badQ)
		}
		for k := range in.Live() {
			i := in.RowAt(k)
			if _, bad := badP[i]; bad {
				continue
			}
			if v, w := p.Value(i), q.Value(i); v != w {
				return fmt.Errorf("row %d: %+v, want %+v (argument %d)", i, v, w, in.Cols[0].Int[i])
			}
		}
	}
	return nil
}

// TestRoundTimes checks the loops that round times against single values.
func TestRoundTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for precision := range int32(6) {
		e := &scalar.Expr{Op: scalar.OpCast, Type: types.Type{Kind: types.Timestamp, Precision: precision, HasPrecision: true}, Args: []*scalar.Expr{col(0, types.Timestamp)}}
		p, err := Compile(e, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for round := range 20 {
			in := timeBatch(r, round/2, lit(types.Int64, types.Value{}))
			c, err := p.Eval(in)
			if err != nil {
				t.Fatal(err)
			}
			for k := range in.Live() {
				i := in.RowAt(k)
				if v := in.Cols[0].Int[i]; c.IsNull(i) != in.Cols[0].IsNull(i) || !c.IsNull(i) && c.Int[i] != types.RoundMicros(v, precision) {
					t.Fatalf("precision %d: %d became %d", precision, v, c.Int[i])
				}
			}
		}
	}
}
