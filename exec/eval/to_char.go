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
	roman     = [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
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

// templatePart is one pattern of a template, or literal text.
type templatePart struct {
	word    string // upper case, "" for literal
	raw     string // as written
	fill    bool   // FM
	ordinal string // "TH", "th" or ""
}

func parseTemplate(s string) []templatePart {
	var parts []templatePart
	fill, local := false, false
	for i := 0; i < len(s); {
		rest := s[i:]
		if strings.HasPrefix(rest, "FM") || strings.HasPrefix(rest, "fm") {
			fill = true
			i += 2
			continue
		}
		if strings.HasPrefix(rest, "TM") || strings.HasPrefix(rest, "tm") {
			local = true
			i += 2
			continue
		}
		if rest[0] == '"' {
			end := 1
			var lit strings.Builder
			for end < len(rest) && rest[end] != '"' {
				if rest[end] == '\\' && end+1 < len(rest) {
					end++
				}
				lit.WriteByte(rest[end])
				end++
			}
			parts = append(parts, templatePart{raw: lit.String()})
			i += min(end+1, len(rest))
			continue
		}
		word := ""
		for _, k := range timeKeywords {
			if strings.HasPrefix(rest, k) {
				word = k
				break
			}
		}
		if word == "" {
			if rest[0] == '\\' && len(rest) > 1 && rest[1] == '"' {
				rest, i = rest[1:], i+1
			}
			parts = append(parts, templatePart{raw: rest[:1]})
			i++
			continue
		}
		i += len(word)
		p := templatePart{word: strings.ToUpper(word), raw: word, fill: fill}
		if strings.HasPrefix(s[i:], "TH") || strings.HasPrefix(s[i:], "th") {
			p.ordinal = s[i : i+2]
			i += 2
		}
		switch p.word {
		case "MONTH", "MON", "DAY", "DY":
			p.fill = p.fill || local // names in another language have no common width
		}
		fill, local = false, false
		if p.word != "FX" {
			parts = append(parts, p)
		}
	}
	return parts
}

// template is a parsed template, kept since rows mostly share one.
func (x *row) template(s string) []templatePart {
	if s != x.lastTemplate {
		x.lastTemplate = strings.Clone(s)
		x.lastParts = parseTemplate(x.lastTemplate)
	}
	return x.lastParts
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

func (t *timeFields) format(template []templatePart) string {
	var b strings.Builder
	for _, p := range template {
		if p.word == "" {
			b.WriteString(p.raw)
			continue
		}
		if s, ok := t.name(p); ok {
			b.WriteString(s)
			continue
		}
		n, width := t.number(p.word)
		if p.fill {
			width = 0
		}
		s := ""
		switch {
		case p.word == "Y,YYY":
			s = fmt.Sprintf("%d,%03d", n/1000, n%1000)
		case n < 0 && width > 0:
			s = fmt.Sprintf("%0*d", width+1, n)
		default:
			s = fmt.Sprintf("%0*d", width, n)
		}
		b.WriteString(s)
		if p.ordinal != "" {
			suffix := ordinalSuffix(n)
			if p.ordinal == "TH" {
				suffix = strings.ToUpper(suffix)
			}
			b.WriteString(suffix)
		}
	}
	return b.String()
}

// name formats the patterns that are words.
func (t *timeFields) name(p templatePart) (string, bool) {
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
		s := fmt.Sprintf("%s%02d", sign(t.offset), abs(t.offset)/3600)
		if m := abs(t.offset) / 60 % 60; m != 0 {
			s += fmt.Sprintf(":%02d", m)
		}
		return s, true
	}
	if t.interval && t.month == 0 {
		switch p.word {
		case "MONTH", "MON", "RM":
			return "", true
		}
	}
	switch p.word {
	case "MONTH":
		return styleName(monthLong[t.month-1], p.raw, 9, p.fill), true
	case "MON":
		return styleName(monthLong[t.month-1][:3], p.raw, 0, p.fill), true
	case "DAY":
		return styleName(dayLong[types.Weekday(t.days)], p.raw, 9, p.fill), true
	case "DY":
		return styleName(dayLong[types.Weekday(t.days)][:3], p.raw, 0, p.fill), true
	case "RM":
		return styleName(roman[t.month-1], p.raw, 4, p.fill), true
	}
	return "", false
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
	yearDay := t.days - types.DaysFromCivil(t.year, 1, 1) + 1
	switch word {
	case "IYYY":
		return isoYear, 4
	case "IYY":
		return isoYear % 1000, 3
	case "IY":
		return isoYear % 100, 2
	case "I":
		return isoYear % 10, 1
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

func toChar(x *row) (types.Value, error) {
	t, template := x.typ(0), x.str(1)
	switch t.Kind {
	case types.Timestamp, types.TimestampTZ:
		v := x.int(0)
		if types.IsInfinite(v) {
			return types.NullValue, nil
		}
		f := localFields(x.f.ctx, v, t.Kind == types.TimestampTZ)
		return strValue(f.format(x.template(template))), nil
	case types.IntervalK:
		v := x.iv(0)
		f := timeFields{interval: true, year: int64(v.Months / 12), month: int(v.Months % 12), day: int(v.Days),
			hour: v.Micros / types.MicrosPerHour, min: v.Micros / types.MicrosPerMinute % 60,
			sec: v.Micros / types.MicrosPerSecond % 60, us: v.Micros % types.MicrosPerSecond}
		return strValue(f.format(x.template(template))), nil
	}
	var d types.Decimal
	var err error
	switch t.Phys() {
	case types.PhysInt:
		d = types.DecimalFromInt(x.int(0))
	case types.PhysFloat:
		d, err = types.DecimalFromFloat(x.float(0), 64)
	default:
		d = x.dec(0)
	}
	if err != nil {
		return types.NullValue, err
	}
	s, err := formatNumber(d, template)
	return strValue(s), err
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
