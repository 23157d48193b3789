package eval

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// scanned is what to_timestamp and to_date read.
type scanned struct {
	timeFields
	pm, am, bc, hour12 bool
	yearDay, julian    int64
	week               int64
	zoneOffset         int64
	zoned              bool
}

func errScan(s, word string) error {
	return pgerr.New(pgerr.InvalidDatetimeFormat, "invalid value %q for %q", s, word).WithDetail("Value must be an integer.")
}

// scanTime reads s by a template of to_char's patterns.
func scanTime(s, template string) (scanned, error) {
	r := scanned{timeFields: timeFields{year: 1, month: 1, day: 1}}
	year := false
	parts := parseTemplate(template)
	space := func() {
		for s != "" && s[0] == ' ' {
			s = s[1:]
		}
	}
	for i, p := range parts {
		if s == "" {
			break
		}
		if p.word == "" {
			if p.raw == " " {
				space()
			} else if isSeparator(p.raw) {
				space()
				if s != "" && isSeparator(s[:1]) {
					s = s[1:]
				}
			} else {
				s = s[min(len(p.raw), len(s)):]
			}
			continue
		}
		space()
		if ok, err := r.word(p, &s); ok || err != nil {
			if err != nil {
				return r, err
			}
			continue
		}
		_, width := (&timeFields{month: 1, year: 1}).number(p.word)
		if width == 0 {
			width = 7
		}
		if p.fill || i+1 == len(parts) || parts[i+1].word == "" {
			width = max(width, 20) // up to the separator
		}
		neg := false
		if s != "" && (s[0] == '-' || s[0] == '+') {
			neg = s[0] == '-'
			s = s[1:]
		}
		n, digits := int64(0), 0
		for digits < len(s) && digits < width && (s[digits] >= '0' && s[digits] <= '9' || s[digits] == ',' && p.word == "Y,YYY") {
			if s[digits] != ',' && n < 1<<50 {
				n = n*10 + int64(s[digits]-'0')
			}
			digits++
		}
		if digits == 0 {
			return r, errScan(s[:min(len(s), 4)], p.raw)
		}
		s = s[digits:]
		if neg {
			n = -n
		}
		year = year || strings.Contains(p.word, "Y")
		r.set(p.word, n, digits)
		if p.ordinal != "" && len(s) >= 2 {
			s = s[2:]
		}
	}
	if !year {
		r.year = 0
		if r.julian == 0 {
			r.year = 1
			r.bc = true
		}
	}
	return r, nil
}

func isSeparator(s string) bool {
	c := s[0]
	return c != ' ' && !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') && c < 0x80
}

// word reads the patterns that are words.
func (r *scanned) word(p templatePart, s *string) (bool, error) {
	match := func(names []string) (int, bool) {
		for i, n := range names {
			if len(*s) >= len(n) && strings.EqualFold((*s)[:len(n)], n) {
				*s = (*s)[len(n):]
				return i, true
			}
		}
		return 0, false
	}
	bad := func() (bool, error) {
		return false, pgerr.New(pgerr.InvalidDatetimeFormat, "invalid value %q for %q", (*s)[:min(len(*s), len(p.raw))], p.raw).
			WithDetail("The given value did not match any of the allowed values for this field.")
	}
	short := func(names []string) []string {
		out := make([]string, len(names))
		for i, n := range names {
			out[i] = n[:3]
		}
		return out
	}
	switch p.word {
	case "MONTH", "MON":
		names := monthLong[:]
		if p.word == "MON" {
			names = short(names)
		}
		i, ok := match(names)
		if !ok {
			return bad()
		}
		r.month = i + 1
	case "DAY", "DY":
		names := dayLong[:]
		if p.word == "DY" {
			names = short(names)
		}
		if _, ok := match(names); !ok {
			return bad()
		}
	case "AM", "PM", "A.M.", "P.M.":
		i, ok := match([]string{"am", "pm", "a.m.", "p.m."})
		if !ok {
			return bad()
		}
		r.am, r.pm = i%2 == 0, i%2 == 1
	case "AD", "BC", "A.D.", "B.C.":
		i, ok := match([]string{"ad", "bc", "a.d.", "b.c."})
		if !ok {
			return bad()
		}
		r.bc = i%2 == 1
	case "RM":
		for i := 11; i >= 0; i-- {
			if _, ok := match(roman[i : i+1]); ok {
				r.month = i + 1
				return true, nil
			}
		}
		return bad()
	case "TZH", "TZM":
		neg := strings.HasPrefix(*s, "-")
		*s = strings.TrimLeft(*s, "+-")
		n := int64(0)
		for k := 0; k < 2 && *s != "" && (*s)[0] >= '0' && (*s)[0] <= '9'; k++ {
			n = n*10 + int64((*s)[0]-'0')
			*s = (*s)[1:]
		}
		if p.word == "TZH" {
			if n *= 3600; neg {
				n = -n
			}
			r.zoneOffset = n
		} else if r.zoneOffset < 0 {
			r.zoneOffset -= n * 60
		} else {
			r.zoneOffset += n * 60
		}
		r.zoned = true
	case "TZ", "OF":
		return false, pgerr.NotSupported(-1, "formatting field "+p.raw+" in to_timestamp")
	default:
		return false, nil
	}
	return true, nil
}

// set stores the number of a pattern.
func (r *scanned) set(word string, n int64, digits int) {
	fraction := func(places int) {
		for ; digits < 6; digits++ {
			n *= 10
		}
		for ; digits > 6; digits-- {
			n /= 10
		}
		r.us += n
	}
	switch word {
	case "HH", "HH12":
		r.hour, r.hour12 = n, true
	case "HH24":
		r.hour = n
	case "MI":
		r.min = n
	case "SS":
		r.sec = n
	case "SSSS", "SSSSS":
		r.hour, r.min, r.sec = n/3600, n/60%60, n%60
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		fraction(6)
	case "YYYY", "Y,YYY", "IYYY":
		r.year = n
	case "YYY", "YY", "Y", "IY", "I", "IYY":
		if digits < 4 {
			if n < 70 {
				n += 2000
			} else if n < 100 {
				n += 1900
			} else if n < 520 {
				n += 2000
			} else if n < 1000 {
				n += 1000
			}
		}
		r.year = n
	case "MM":
		r.month = int(n)
	case "DD":
		r.day = int(n)
	case "DDD":
		r.yearDay = n
	case "J":
		r.julian = n
	case "IW", "WW":
		r.week = n
	case "Q", "CC", "D", "ID", "W", "IDDD":
	}
}

// micros gives the local time that was read.
func (r *scanned) micros(text string) (int64, error) {
	bad := func() (int64, error) {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "date/time field value out of range: %q", text)
	}
	if r.hour12 && (r.hour < 1 || r.hour > 12) {
		return 0, pgerr.New(pgerr.InvalidDatetimeFormat, "hour %q is invalid for the 12-hour clock", string(types.AppendInt(nil, r.hour))).
			Hint("Use the 24-hour clock, or give an hour between 1 and 12.")
	}
	if r.pm && r.hour < 12 {
		r.hour += 12
	} else if r.am && r.hour == 12 {
		r.hour = 0
	}
	year := r.year
	if r.bc {
		year = 1 - year
	}
	if r.hour > 24 || r.min > 59 || r.sec > 60 {
		return bad()
	}
	var days int64
	switch {
	case r.julian > 0:
		days = r.julian - 2440588
	case r.yearDay > 0:
		if r.yearDay > 366 {
			return bad()
		}
		days = types.DaysFromCivil(year, 1, 1) + r.yearDay - 1
	case r.week > 0:
		first := types.DaysFromCivil(year, 1, 4)
		days = first - int64(types.Weekday(first)+6)%7 + (r.week-1)*7
	default:
		if r.month < 1 || r.month > 12 || r.day < 1 || r.day > types.DaysInMonth(year, r.month) {
			return bad()
		}
		days = types.DaysFromCivil(year, r.month, r.day)
	}
	if days < -2440588 || days > 106751990 {
		return bad()
	}
	return days*types.MicrosPerDay + r.hour*types.MicrosPerHour + r.min*types.MicrosPerMinute + r.sec*types.MicrosPerSecond + r.us, nil
}

func toTimestampText(x *row) (types.Value, error) {
	r, err := scanTime(x.str(0), x.str(1))
	if err != nil {
		return types.NullValue, err
	}
	us, err := r.micros(x.str(0))
	if err != nil {
		return types.NullValue, err
	}
	if r.zoned {
		return intValue(us - r.zoneOffset*types.MicrosPerSecond), nil
	}
	return intValue(x.f.ctx.zone().ToUTC(us)), nil
}

func toDate(x *row) (types.Value, error) {
	r, err := scanTime(x.str(0), x.str(1))
	if err != nil {
		return types.NullValue, err
	}
	us, err := r.micros(x.str(0))
	d, _ := types.SplitMicros(us)
	return intValue(d), err
}
