package eval

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/types"
)

// timeFields are a local time taken apart for to_char and built up by to_date.
type timeFields struct {
	year           int64
	month, day     int
	hour, min, sec int64
	us             int64
	days           int64 // since 1970
	zone           string
	offset         int64
	interval       bool
}

func fieldsOf(ts int64) timeFields {
	days, us := types.SplitMicros(ts)
	t := timeFields{days: days, us: us % types.MicrosPerSecond}
	t.year, t.month, t.day = types.CivilFromDays(days)
	t.hour, t.min, t.sec = us/types.MicrosPerHour, us/types.MicrosPerMinute%60, us/types.MicrosPerSecond%60
	return t
}

var (
	monthLong = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayLong   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
)

// timeKeywords are the template patterns, longest first where one starts another.
var timeKeywords = []string{
	"A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "Day", "Dy", "D",
	"FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I",
	"J", "MI", "MM", "MONTH", "MON", "MS", "Month", "Mon", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS",
	"TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y",
	"a.d.", "a.m.", "ad", "am", "b.c.", "bc", "cc", "day", "ddd", "dd", "dy", "d",
	"ff1", "ff2", "ff3", "ff4", "ff5", "ff6", "fx", "hh24", "hh12", "hh", "iddd", "id", "iw", "iyyy", "iyy", "iy", "i",
	"j", "mi", "mm", "month", "mon", "ms", "of", "p.m.", "pm", "q", "rm", "sssss", "ssss", "ss",
	"tzh", "tzm", "tz", "us", "ww", "w", "y,yyy", "yyyy", "yyy", "yy", "y",
}

func ordinalSuffix(n int64) string {
	if n < 0 {
		n = -n
	}
	if n%100 >= 11 && n%100 <= 13 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}

// styleName writes a name as its pattern is written: MONTH, Month or month.
func styleName(name, pattern string, width int, fill bool) string {
	switch {
	case pattern == strings.ToUpper(pattern):
		name = strings.ToUpper(name)
	case pattern == strings.ToLower(pattern):
		name = strings.ToLower(name)
	}
	if !fill {
		name = fmt.Sprintf("%-*s", width, name)
	}
	return name
}

// noInterval are the patterns that ask for more than an interval knows.
var noInterval = map[string]bool{"AD": true, "BC": true, "A.D.": true, "B.C.": true, "TZ": true, "TZH": true, "TZM": true, "OF": true,
	"MONTH": true, "MON": true, "DAY": true, "DY": true, "D": true, "ID": true}

func (t *timeFields) format(template []timeNode) (string, error) {
	var b strings.Builder
	for i := range template {
		p := &template[i]
		switch {
		case p.kind != fieldNode:
			b.WriteString(p.raw)
			continue
		case p.word == "FX":
			continue
		case t.interval && noInterval[p.word]:
			return "", errFormat("invalid format specification for an interval value").Hint("Intervals are not tied to specific calendar dates.")
		}
		if s, ok := t.name(p); ok {
			b.WriteString(s)
			continue
		}
		n, width := t.number(p.word)
		switch {
		case subsecond(p.word):
		case p.fill:
			width = 0
		case n < 0 && width > 0 && !countsDays(p.word):
			width++ // for the sign
		}
		if p.word == "Y,YYY" {
			fmt.Fprintf(&b, "%d,%03d", n/1000, n%1000)
		} else {
			fmt.Fprintf(&b, "%0*d", width, n)
		}
		switch p.ordinal {
		case "th":
			b.WriteString(ordinalSuffix(n))
		case "TH":
			b.WriteString(strings.ToUpper(ordinalSuffix(n)))
		}
	}
	return b.String(), nil
}

// subsecond reports whether a pattern is a fraction of a second, whose digits are all
// shown.
func subsecond(word string) bool {
	return word == "MS" || word == "US" || strings.HasPrefix(word, "FF")
}

// countsDays reports whether a pattern is a number of days or weeks, whose sign takes
// the place of a digit.
func countsDays(word string) bool {
	return strings.HasSuffix(word, "DD") || word == "WW" || word == "IW"
}

// name formats the patterns that are words.
func (t *timeFields) name(p *timeNode) (string, bool) {
	pick := func(first bool, a, b string) (string, bool) {
		if !first {
			a = b
		}
		if p.raw == strings.ToLower(p.raw) {
			a = strings.ToLower(a)
		}
		return a, true
	}
	pm := t.hour%24 >= 12
	switch p.word {
	case "AM", "PM":
		return pick(!pm, "AM", "PM")
	case "A.M.", "P.M.":
		return pick(!pm, "A.M.", "P.M.")
	case "AD", "BC":
		return pick(t.year > 0, "AD", "BC")
	case "A.D.", "B.C.":
		return pick(t.year > 0, "A.D.", "B.C.")
	case "TZ":
		return pick(true, t.zone, "")
	case "TZH":
		return fmt.Sprintf("%s%02d", sign(t.offset), abs(t.offset)/3600), true
	case "TZM":
		return fmt.Sprintf("%02d", abs(t.offset)/60%60), true
	case "OF":
		width := 2
		if p.fill {
			width = 0
		}
		s := fmt.Sprintf("%s%0*d", sign(t.offset), width, abs(t.offset)/3600)
		if m := abs(t.offset) / 60 % 60; m != 0 {
			s += fmt.Sprintf(":%02d", m)
		}
		return s, true
	case "MONTH":
		return styleName(monthLong[t.month-1], p.raw, 9, p.fill || p.local), true
	case "MON":
		return styleName(monthLong[t.month-1][:3], p.raw, 0, true), true
	case "DAY":
		return styleName(dayLong[types.Weekday(t.days)], p.raw, 9, p.fill || p.local), true
	case "DY":
		return styleName(dayLong[types.Weekday(t.days)][:3], p.raw, 0, true), true
	case "RM":
		if t.month == 0 && t.year == 0 {
			return "", true
		}
		return styleName(romanDown[t.romanMonth()], p.raw, 4, p.fill), true
	case "Q":
		return "", t.month == 0
	}
	return "", false
}

// romanMonth is which of romanDown the month is. An interval may have none, or count
// down.
func (t *timeFields) romanMonth() int {
	switch {
	case t.month > 0:
		return 12 - t.month
	case t.month < 0:
		return -1 - t.month
	case t.year < 0:
		return 11
	}
	return 0
}

func sign(v int64) string {
	if v < 0 {
		return "-"
	}
	return "+"
}

func abs(v int64) int64 { return max(v, -v) }

// number gives the value and width of a numeric pattern.
func (t *timeFields) number(word string) (int64, int) {
	year := t.year
	if year <= 0 && !t.interval {
		year = 1 - year
	}
	switch word {
	case "HH", "HH12":
		h := t.hour % 12
		if h == 0 {
			h = 12
		}
		return h, 2
	case "HH24":
		return t.hour, 2
	case "MI":
		return t.min, 2
	case "SS":
		return t.sec, 2
	case "MS", "FF3":
		return t.us / 1000, 3
	case "US", "FF6":
		return t.us, 6
	case "FF1":
		return t.us / 100000, 1
	case "FF2":
		return t.us / 10000, 2
	case "FF4":
		return t.us / 100, 4
	case "FF5":
		return t.us / 10, 5
	case "SSSS", "SSSSS":
		return t.hour*3600 + t.min*60 + t.sec, 0
	case "YYYY", "Y,YYY":
		return year, 4
	case "YYY":
		return year % 1000, 3
	case "YY":
		return year % 100, 2
	case "Y":
		return year % 10, 1
	case "MM":
		return int64(t.month), 2
	case "DD":
		return int64(t.day), 2
	case "D":
		return int64(types.Weekday(t.days)) + 1, 1
	case "ID":
		return int64(types.Weekday(t.days)+6)%7 + 1, 1
	case "W":
		return int64(t.day-1)/7 + 1, 1
	case "Q":
		return int64(t.month-1)/3 + 1, 1
	case "CC":
		if t.interval {
			return t.year / 100, 2
		}
		return ordinal(t.year, 100), 2
	case "J":
		return t.days + 2440588, 0
	}
	return t.yearNumber(word)
}

// yearNumber is number for the patterns that count within a year, or in years of
// whole weeks.
func (t *timeFields) yearNumber(word string) (int64, int) {
	isoYear, isoWeek := types.ISOWeek(t.days)
	shown := isoYear
	if shown <= 0 {
		shown = 1 - shown
	}
	yearDay := t.days - types.DaysFromCivil(t.year, 1, 1) + 1
	if t.interval {
		yearDay = (t.year*12+int64(t.month))*30 + int64(t.day)
	}
	switch word {
	case "IYYY":
		return shown, 4
	case "IYY":
		return shown % 1000, 3
	case "IY":
		return shown % 100, 2
	case "I":
		return shown % 10, 1
	case "DDD":
		return yearDay, 3
	case "IDDD":
		first := types.DaysFromCivil(isoYear, 1, 4)
		first -= int64(types.Weekday(first)+6) % 7
		return t.days - first + 1, 3
	case "WW":
		return (yearDay-1)/7 + 1, 2
	case "IW":
		return int64(isoWeek), 2
	}
	return 0, 0
}

// toChar is to_char of times and numbers.
func toChar(x *row) (types.Value, error) {
	t, template := x.typ(0), x.str(1)
	switch t.Kind {
	case types.Timestamp, types.TimestampTZ:
		v := x.int(0)
		if types.IsInfinite(v) || template == "" {
			return types.NullValue, nil
		}
		s, err := localFields(x.f.ctx, v, t.Kind == types.TimestampTZ).format(x.timeTemplate(template))
		return strValue(s), err
	case types.IntervalK:
		if template == "" {
			return types.NullValue, nil
		}
		v := x.iv(0)
		f := timeFields{interval: true, year: int64(v.Months / 12), month: int(v.Months % 12), day: int(v.Days),
			hour: v.Micros / types.MicrosPerHour, min: v.Micros / types.MicrosPerMinute % 60,
			sec: v.Micros / types.MicrosPerSecond % 60, us: v.Micros % types.MicrosPerSecond}
		s, err := f.format(x.timeTemplate(template))
		return strValue(s), err
	}
	return numberToChar(x)
}

// dateFormat is Flink's date_format: Java's letters.
func dateFormat(x *row) (types.Value, error) {
	v := x.int(0)
	if types.IsInfinite(v) {
		return types.NullValue, nil
	}
	return strValue(formatJava(localFields(x.f.ctx, v, x.typ(0).Kind == types.TimestampTZ), x.str(1))), nil
}

// formatJava writes a time by a template of Java's letters.
func formatJava(t *timeFields, s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		n := 1
		for i+n < len(s) && s[i+n] == c {
			n++
		}
		i += n
		switch c {
		case 'y', 'u':
			if n == 2 {
				fmt.Fprintf(&b, "%02d", t.year%100)
			} else {
				fmt.Fprintf(&b, "%0*d", n, t.year)
			}
		case 'M', 'L':
			switch {
			case n >= 4:
				b.WriteString(monthLong[t.month-1])
			case n == 3:
				b.WriteString(monthLong[t.month-1][:3])
			default:
				fmt.Fprintf(&b, "%0*d", n, t.month)
			}
		case 'd':
			fmt.Fprintf(&b, "%0*d", n, t.day)
		case 'D':
			fmt.Fprintf(&b, "%0*d", n, t.days-types.DaysFromCivil(t.year, 1, 1)+1)
		case 'H':
			fmt.Fprintf(&b, "%0*d", n, t.hour)
		case 'h':
			fmt.Fprintf(&b, "%0*d", n, (t.hour+11)%12+1)
		case 'm':
			fmt.Fprintf(&b, "%0*d", n, t.min)
		case 's':
			fmt.Fprintf(&b, "%0*d", n, t.sec)
		case 'S':
			frac := fmt.Sprintf("%06d", t.us) + strings.Repeat("0", max(n-6, 0))
			b.WriteString(frac[:n])
		case 'a':
			b.WriteString(map[bool]string{true: "PM", false: "AM"}[t.hour >= 12])
		case 'E':
			name := dayLong[types.Weekday(t.days)]
			if n < 4 {
				name = name[:3]
			}
			b.WriteString(name)
		case '\'':
			if n >= 2 {
				b.WriteString(strings.Repeat("'", n/2))
			}
			if n%2 == 1 {
				end := strings.IndexByte(s[i:], '\'')
				if end < 0 {
					end = len(s) - i
				}
				b.WriteString(s[i : i+end])
				i = min(i+end+1, len(s))
			}
		default:
			b.WriteString(s[i-n : i])
		}
	}
	return b.String()
}
