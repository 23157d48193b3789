package types

import "strings"

// timeUnits are the units that times are counted in.
var timeUnits = map[string]Interval{
	"microsecond": {Micros: 1}, "millisecond": {Micros: 1000}, "second": {Micros: MicrosPerSecond}, "minute": {Micros: 60 * MicrosPerSecond},
	"hour": {Micros: 3600 * MicrosPerSecond}, "day": {Days: 1}, "week": {Days: 7}, "month": {Months: 1}, "quarter": {Months: 3}, "year": {Months: 12},
}

// ParseTimeUnit reads the name of a unit of time, in any case, with SQL_TSI_ in
// front if need be.
func ParseTimeUnit(s string) (Interval, bool) {
	u, ok := timeUnits[strings.TrimPrefix(strings.ToLower(s), "sql_tsi_")]
	return u, ok
}

// UnitsBetween is how many whole units fit from one timestamp to another, towards
// zero. A month has passed at the same time of the same day, or of the last day of
// a month that has no such day.
func UnitsBetween(unit Interval, from, to int64) (int64, error) {
	if IsInfinite(from) || IsInfinite(to) {
		return 0, errTimestampRange()
	}
	if to < from {
		n, err := UnitsBetween(unit, to, from)
		return -n, err
	}
	if unit.Months == 0 {
		return (to - from) / (unit.Micros + int64(unit.Days)*MicrosPerDay), nil
	}
	days := func(ts int64) (y int64, m int) {
		d, _ := SplitMicros(ts)
		y, m, _ = CivilFromDays(d)
		return y, m
	}
	y0, m0 := days(from)
	y1, m1 := days(to)
	n := (y1-y0)*12 + int64(m1-m0)
	at, err := Interval{Months: int32(n)}.AddToTimestamp(from)
	if err != nil {
		return 0, err
	}
	if at > to {
		n--
	}
	return n / int64(unit.Months), nil
}
