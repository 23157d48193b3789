package scalar

import (
	"testing"

	"github.com/millrace/millrace/types"
)

func TestRising(t *testing.T) {
	konst := func(k types.Kind, v types.Value) *Expr { return &Expr{Op: OpConst, Type: types.Of(k), Value: &v} }
	col := func(k types.Kind) *Expr { return &Expr{Op: OpColumn, Column: 3, Type: types.Of(k)} }
	text := func(s string) *Expr { return konst(types.Text, types.Value{Bytes: s}) }
	step := func(months, days int32, us int64) *Expr {
		return konst(types.IntervalK, types.Value{Interval: types.Interval{Months: months, Days: days, Micros: us}})
	}
	call := func(f string, k types.Kind, args ...*Expr) *Expr {
		return &Expr{Op: OpCall, Func: f, Type: types.Of(k), Args: args}
	}
	const ts, tz = types.Timestamp, types.TimestampTZ
	for _, c := range []struct {
		name string
		x    *Expr
		want bool
	}{
		{"column", col(ts), true},
		{"number", col(types.Int64), false},
		{"hours", call("-(timestamp,interval)", ts, col(ts), step(0, 0, 5)), true},
		{"days", call("+(interval,timestamp)", ts, step(0, 1, 0), col(ts)), true},
		{"months", call("+(timestamp,interval)", ts, col(ts), step(1, 0, 0)), false},
		{"days of a zone", call("+(timestamptz,interval)", tz, col(tz), step(0, 1, 0)), false},
		{"hours of a zone", call("+(timestamptz,interval)", tz, col(tz), step(0, 0, 5)), true},
		{"step of a column", call("+(timestamp,interval)", ts, col(ts), col(types.IntervalK)), false},
		{"null step", call("+(timestamp,interval)", ts, col(ts), konst(types.IntervalK, types.NullValue)), false},
		{"trunc", call("date_trunc(text,timestamp)", ts, text("hour"), col(ts)), true},
		{"trunc in the session's zone", call("date_trunc(text,timestamptz)", tz, text("hour"), col(tz)), false},
		{"trunc in UTC", call("date_trunc(text,timestamptz,text)", tz, text("day"), col(tz), text("UTC")), true},
		{"trunc in Berlin", call("date_trunc(text,timestamptz,text)", tz, text("day"), col(tz), text("Europe/Berlin")), false},
		{"bin", call("date_bin(interval,timestamp,timestamp)", ts, step(0, 0, 5), col(ts), konst(ts, types.Value{})), true},
		{"bin from a column", call("date_bin(interval,timestamp,timestamp)", ts, step(0, 0, 5), col(ts), col(ts)), false},
		{"zone", call("timezone(text,timestamptz)", ts, text("+05:30"), col(tz)), true},
		{"zone without summer", call("timezone(text,timestamptz)", ts, text("Etc/GMT+5"), col(tz)), true},
		{"zone with summer", call("timezone(text,timestamptz)", ts, text("Europe/Berlin"), col(tz)), false},
		{"no zone", call("timezone(text,timestamptz)", ts, text("nowhere"), col(tz)), false},
		{"precision", &Expr{Op: OpCast, Type: types.Of(ts), Args: []*Expr{col(ts)}}, true},
		{"cast to a zone", &Expr{Op: OpCast, Type: types.Of(tz), Args: []*Expr{col(ts)}}, false},
		{"both", call("date_trunc(text,timestamp)", ts, text("day"), call("-(timestamp,interval)", ts, col(ts), step(0, 0, 5))), true},
		{"months below", call("date_trunc(text,timestamp)", ts, text("day"), call("-(timestamp,interval)", ts, col(ts), step(1, 0, 0))), false},
	} {
		at, ok := Rising(c.x)
		if ok != c.want || ok && at != 3 {
			t.Errorf("%s: column %d, %v, want %v", c.name, at, ok, c.want)
		}
	}
}
