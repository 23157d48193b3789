package eval

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// scannedTime is what a template and a text come to: a local time, and its zone if
// the text has one.
type scannedTime struct {
	days, us  int64 // since 1970, since midnight
	zoned     bool
	offset    int64 // seconds east
	precision int64 // of FF1 to FF6, else 0
}

// scanTime reads text by the parts of a template.
func scanTime(text string, nodes []timeNode, standard bool) (scannedTime, error) {
	r := timeScanner{nodes: nodes, s: text, standard: standard}
	if err := r.scan(); err != nil {
		return scannedTime{}, err
	}
	out := scannedTime{precision: r.precision}
	var err error
	inRange := false
	if out.us, inRange, err = r.micros(); err != nil {
		return out, err
	}
	if out.days, err = r.date(text); err != nil {
		return out, err
	}
	if !inRange {
		return out, errFieldRange(text)
	}
	if r.zoneSign != 0 {
		if r.zoneHour < 0 || r.zoneHour > 15 || r.zoneMin < 0 || r.zoneMin > 59 {
			return out, pgerr.New(pgerr.InvalidTimeZone, "time zone displacement out of range: %q", text)
		}
		out.zoned, out.offset = true, r.zoneSign*(r.zoneHour*3600+r.zoneMin*60)
	}
	return out, nil
}

func errFieldRange(text string) error {
	return pgerr.New(pgerr.DatetimeFieldOverflow, "date/time field value out of range: %q", text)
}

// micros is the time of day.
func (r *scannedFields) micros() (us int64, inRange bool, err error) {
	hour, minute, second := r.daySec/3600, r.daySec%3600/60, r.daySec%60
	for _, f := range []struct{ dst, v *int64 }{{&hour, &r.hour}, {&minute, &r.min}, {&second, &r.sec}} {
		if *f.v != 0 {
			*f.dst = *f.v
		}
	}
	if r.hour12 {
		if hour < 1 || hour > 12 {
			return 0, false, errFormat("hour \"%d\" is invalid for the 12-hour clock", hour).Hint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if hour %= 12; r.half == 1 {
			hour += 12
		}
	}
	us = r.ms*1000 + r.us
	inRange = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60 && us >= 0 && us < types.MicrosPerSecond
	return hour*types.MicrosPerHour + minute*types.MicrosPerMinute + second*types.MicrosPerSecond + us, inRange, nil
}

// astronomical is the year, with 0 for 1 BC. The century counts where the year
// has one digit or two.
func (r *scannedFields) astronomical() int64 {
	century := r.century
	if r.bc != 0 {
		century = -century
	}
	switch {
	case r.year != 0 && century != 0 && r.yearLen <= 2:
		y := r.year % 100
		switch {
		case y == 0 && century >= 0:
			return century * 100
		case y == 0:
			return century*100 + 1
		case century >= 0:
			return y + (century-1)*100
		}
		return (century+1)*100 - y + 1
	case r.year != 0:
		y := r.year
		if r.bc != 0 {
			y = -y
		}
		if y < 0 {
			y++
		}
		return y
	case century > 0:
		return (century-1)*100 + 1
	case century < 0:
		return century*100 + 1
	}
	return 0
}

// civilFields is a date whose parts were, or were not, said.
type civilFields struct {
	year, month, day             int64
	saidYear, saidMonth, saidDay bool
}

func (c *civilFields) setDays(days int64) {
	year, month, day := types.CivilFromDays(days)
	*c = civilFields{year, int64(month), int64(day), true, true, true}
}

// date is the day since 1970. What was not said is the first of January of 1 BC.
func (r *scannedFields) date(text string) (int64, error) {
	c := civilFields{year: r.astronomical(), month: 1, day: 1, saidYear: r.year != 0 || r.century != 0}
	if c.year < -1<<31 || c.year > 1<<31-1 {
		return 0, errFieldRange(text)
	}
	if r.julian != 0 {
		c.setDays(r.julian - julianEpoch)
	}
	yearDay, day := r.yearDay, r.day
	switch {
	case r.week != 0 && r.conv == isoWeek:
		c.setDays(isoWeekStart(c.year, r.week) + isoWeekday(r.weekday))
	case r.week != 0:
		yearDay = (r.week-1)*7 + 1
	}
	if r.monthWeek != 0 {
		day = (r.monthWeek-1)*7 + 1
	}
	if day != 0 {
		c.day, c.saidDay = day, true
	}
	if r.month != 0 {
		c.month, c.saidMonth = r.month, true
	}
	if yearDay != 0 && (c.month <= 1 || c.day <= 1) {
		if c.year == 0 && r.bc == 0 {
			return 0, errFormat("cannot calculate day of year without year information")
		}
		r.setYearDay(&c, yearDay)
	}
	switch {
	case c.saidMonth && (c.month < 1 || c.month > 12), c.saidDay && (c.day < 1 || c.day > 31),
		c.saidYear && c.saidMonth && c.saidDay && c.day > int64(types.DaysInMonth(c.year, int(c.month))):
		return 0, errFieldRange(text)
	}
	return types.DaysFromCivil(c.year, int(c.month), 1) + c.day - 1, nil
}

// setYearDay fills in what the day of the year says where nothing else has.
func (r *scannedFields) setYearDay(c *civilFields, yearDay int64) {
	if r.conv == isoWeek {
		c.setDays(isoWeekStart(c.year, 1) - 1 + yearDay)
		return
	}
	month, before := 1, int64(0)
	for month <= 12 && yearDay > before+int64(types.DaysInMonth(c.year, month)) {
		before += int64(types.DaysInMonth(c.year, month))
		month++
	}
	if c.month <= 1 {
		c.month = int64(month)
	}
	if c.day <= 1 {
		c.day = yearDay - before
	}
	c.saidMonth, c.saidDay = true, true
}

// julianEpoch is the Julian day of 1970-01-01.
const julianEpoch = 2440588

// isoWeekStart is the Monday of a week.
func isoWeekStart(year, week int64) int64 {
	fourth := types.DaysFromCivil(year, 1, 4)
	return fourth - int64(types.Weekday(fourth)+6)%7 + (week-1)*7
}

// isoWeekday is how many days after Monday a day is that counts from one for
// Sunday; 0 stands for Monday.
func isoWeekday(d int64) int64 {
	switch {
	case d == 0:
		return 0
	case d > 1:
		return d - 2
	}
	return 6
}

// timeTemplate are the parts of a template, kept since rows mostly share one.
func (x *row) timeTemplate(s string) []timeNode {
	if x.lastTime == nil || s != x.lastTimeText {
		x.lastTimeText = strings.Clone(s)
		x.lastTime, _ = parseTimeTemplate(x.lastTimeText, false) // only the standard's form has errors
	}
	return x.lastTime
}

const (
	// dateDayMin and dateDayMax bound the days of dates, timestampDayMax is the last
	// day of timestamps.
	dateDayMin, dateDayMax, timestampDayMax = -julianEpoch, 2145042905, 106751990
)

func toTimestampText(x *row) (types.Value, error) {
	t, err := scanTime(x.str(0), x.timeTemplate(x.str(1)), false)
	if err != nil {
		return types.NullValue, err
	}
	if t.days < dateDayMin || t.days > timestampDayMax {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range")
	}
	us := t.days*types.MicrosPerDay + t.us
	if t.zoned {
		us -= t.offset * types.MicrosPerSecond
	} else {
		us = x.f.ctx.zone().ToUTC(us)
	}
	if t.precision > 0 {
		us = types.RoundMicros(us, int32(t.precision))
	}
	return intValue(us), nil
}

func toDate(x *row) (types.Value, error) {
	t, err := scanTime(x.str(0), x.timeTemplate(x.str(1)), false)
	if err == nil && (t.days < dateDayMin || t.days > dateDayMax) {
		err = pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range: %q", x.str(0))
	}
	return intValue(t.days), err
}
