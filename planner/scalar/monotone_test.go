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
		{"days of UTC", call("+(timestamptz,interval)", tz, col(tz), step(0, 1, 0)), true},
		{"hours of a zone", call("+(timestamptz,interval)", tz, col(tz), step(0, 0, 5)), true},
		{"step of a column", call("+(timestamp,interval)", ts, col(ts), col(types.IntervalK)), false},
		{"null step", call("+(timestamp,interval)", ts, col(ts), konst(types.IntervalK, types.NullValue)), false},
		{"trunc", call("date_trunc(text,timestamp)", ts, text("hour"), col(ts)), true},
		{"trunc in the session's zone", call("date_trunc(text,timestamptz)", tz, text("hour"), col(tz)), true},
		{"trunc to a column's field", call("date_trunc(text,timestamptz)", tz, col(types.Text), col(tz)), false},
		{"trunc in UTC", call("date_trunc(text,timestamptz,text)", tz, text("day"), col(tz), text("UTC")), true},
		{"trunc in Berlin", call("date_trunc(text,timestamptz,text)", tz, text("day"), col(tz), text("Europe/Berlin")), false},
		{"bin", call("date_bin(interval,timestamp,timestamp)", ts, step(0, 0, 5), col(ts), konst(ts, types.Value{})), true},
		{"bin from a column", call("date_bin(interval,timestamp,timestamp)", ts, step(0, 0, 5), col(ts), col(ts)), false},
		{"zone", call("at time zone(timestamptz,text)", ts, col(tz), text("+05:30")), true},
		{"zone without summer", call("at time zone(timestamptz,text)", ts, col(tz), text("Etc/GMT+5")), true},
		{"zone with summer", call("at time zone(timestamptz,text)", ts, col(tz), text("Europe/Berlin")), false},
		{"zone by its distance", call("at time zone(timestamp,interval)", tz, col(ts), step(0, 0, 5)), true},
		{"no zone", call("at time zone(timestamptz,text)", ts, col(tz), text("nowhere")), false},
		{"precision", &Expr{Op: OpCast, Type: types.Of(ts), Args: []*Expr{col(ts)}}, true},
		{"cast to a zone", &Expr{Op: OpCast, Type: types.Of(tz), Args: []*Expr{col(ts)}}, true},
		{"cast that may be null", &Expr{Op: OpCast, Func: "try", Type: types.Of(tz), Args: []*Expr{col(ts)}}, false},
		{"cast of text", &Expr{Op: OpCast, Type: types.Of(ts), Args: []*Expr{col(types.Text)}}, false},
		{"both", call("date_trunc(text,timestamp)", ts, text("day"), call("-(timestamp,interval)", ts, col(ts), step(0, 0, 5))), true},
		{"months below", call("date_trunc(text,timestamp)", ts, text("day"), call("-(timestamp,interval)", ts, col(ts), step(1, 0, 0))), false},
	} {
		Walk(c.x, func(e *Expr) {
			if e.Op == OpCall && ByKey(e.Func) == nil {
				t.Errorf("%s: there is no %s", c.name, e.Func)
			}
		})
		at, ok := Rising(c.x)
		if ok != c.want || ok && at != 3 {
			t.Errorf("%s: column %d, %v, want %v", c.name, at, ok, c.want)
		}
	}
}
