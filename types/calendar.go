package types

import "math"

// Microseconds in units of time, and the ends of the time types.
const (
	MicrosPerSecond int64 = 1_000_000
	MicrosPerMinute       = 60 * MicrosPerSecond
	MicrosPerHour         = 60 * MicrosPerMinute
	MicrosPerDay          = 24 * MicrosPerHour

	// TimeInfinity and TimeNegInfinity are infinity and -infinity of date,
	// timestamp and timestamptz.
	TimeInfinity    int64 = math.MaxInt64
	TimeNegInfinity int64 = math.MinInt64

	// pgEpochDays and pgEpochMicros are 2000-01-01, PostgreSQL's zero.
	pgEpochDays   int64 = 10957
	pgEpochMicros       = pgEpochDays * MicrosPerDay

	dateMin int64 = -2440588   // 4714-11-24 BC
	dateMax int64 = 2145042905 // 5874897-12-31
	tsMin         = dateMin * MicrosPerDay
	tsMax   int64 = math.MaxInt64 - MicrosPerDay
)

// IsInfinite reports whether a date or timestamp is infinity or -infinity.
func IsInfinite(v int64) bool { return v == TimeInfinity || v == TimeNegInfinity }

// FloorDiv divides towards negative infinity; d is positive.
func FloorDiv(v, d int64) int64 {
	q := v / d
	if v%d < 0 {
		q--
	}
	return q
}

// DaysFromCivil gives days since 1970-01-01 of a proleptic Gregorian date; year
// 0 is 1 BC.
func DaysFromCivil(y int64, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := FloorDiv(y, 400)
	yoe := y - era*400
	mp := int64(m+9) % 12
	doy := (153*mp+2)/5 + int64(d) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) (y int64, m, d int) {
	days += 719468
	era := FloorDiv(days, 146097)
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp + 3)
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

// DaysInMonth is the length of a month.
func DaysInMonth(y int64, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// Weekday is 0 for Sunday to 6.
func Weekday(days int64) int {
	w := (days + 4) % 7
	if w < 0 {
		w += 7
	}
	return int(w)
}

// ISOWeek gives the ISO 8601 year and week of a day.
func ISOWeek(days int64) (year int64, week int) {
	wd := int64(Weekday(days)+6) % 7 // Monday 0
	thursday := days - wd + 3
	year, _, _ = CivilFromDays(thursday)
	return year, int((thursday-DaysFromCivil(year, 1, 1))/7) + 1
}

// SplitMicros splits a timestamp into days since 1970 and microseconds of the day.
func SplitMicros(us int64) (days, micros int64) {
	days = FloorDiv(us, MicrosPerDay)
	return days, us - days*MicrosPerDay
}
