package scalar

import "github.com/millrace/millrace/types"

// Rising is the column of timestamps that x follows in a job, whose time zone is UTC: as
// it rises, x never falls, so that a bound of the column's values gives one of x's. It is
// false where x reads other columns, or is not known to be so.
func Rising(x *Expr) (column int, ok bool) {
	if !isTimestamp(x) {
		return 0, false
	}
	switch x.Op {
	case OpColumn:
		return x.Column, true
	case OpCast:
		if x.Func != "try" {
			return Rising(x.Args[0])
		}
	case OpCall:
		if i := risingArg(x); i >= 0 {
			return Rising(x.Args[i])
		}
	}
	return 0, false
}

func isTimestamp(x *Expr) bool {
	return x.Type.Kind == types.Timestamp || x.Type.Kind == types.TimestampTZ
}

// risingArg is the argument that the result of a call follows while the others are
// constants, -1 for none.
func risingArg(x *Expr) int {
	constant := func(i int) *types.Value {
		if a := x.Args[i]; a.Op == OpConst && a.Value != nil && !a.Value.Null {
			return a.Value
		}
		return nil
	}
	at, ok := -1, false
	switch x.Func {
	case "+(timestamp,interval)", "-(timestamp,interval)", "+(timestamptz,interval)", "-(timestamptz,interval)":
		at, ok = 0, evenStep(constant(1))
	case "+(interval,timestamp)", "+(interval,timestamptz)":
		at, ok = 1, evenStep(constant(0))
	case "date_trunc(text,timestamp)", "date_trunc(text,timestamptz)":
		at, ok = 1, constant(0) != nil
	case "date_trunc(text,timestamptz,text)":
		at, ok = 1, constant(0) != nil && fixedZone(constant(2))
	case "date_bin(interval,timestamp,timestamp)", "date_bin(interval,timestamptz,timestamptz)":
		at, ok = 1, constant(0) != nil && constant(2) != nil
	case "at time zone(timestamp,text)", "at time zone(timestamptz,text)":
		at, ok = 0, fixedZone(constant(1))
	case "at time zone(timestamp,interval)", "at time zone(timestamptz,interval)":
		at, ok = 0, constant(1) != nil
	}
	if !ok {
		return -1
	}
	return at
}

// evenStep reports whether an interval is as long after any time. A month is not: a
// month after January 30th, 23:00, comes after one after the 31st, 01:00.
func evenStep(v *types.Value) bool { return v != nil && v.Interval.Months == 0 }

// fixedZone reports whether clocks in the zone are never put back.
func fixedZone(v *types.Value) bool {
	if v == nil {
		return false
	}
	z, err := types.LoadZone(v.Bytes, true)
	return err == nil && z.Fixed()
}
