package types

import (
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

// AppendTo appends v in PostgreSQL's postgres style: 1 year 2 mons 3 days 04:05:06.7.
func (v Interval) AppendTo(dst []byte) []byte {
	zero, before := true, false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if !zero {
			dst = append(dst, ' ')
		}
		if before && n > 0 {
			dst = append(dst, '+')
		}
		dst = append(append(AppendInt(dst, n), ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		zero, before = false, n < 0
	}
	part(int64(v.Months/12), "year")
	part(int64(v.Months%12), "mon")
	part(int64(v.Days), "day")
	if zero || v.Micros != 0 {
		if !zero {
			dst = append(dst, ' ')
		}
		us := uint64(v.Micros)
		if v.Micros < 0 {
			dst = append(dst, '-')
			us = -us
		} else if before {
			dst = append(dst, '+')
		}
		sec := us / 1e6
		h := sec / 3600
		if h < 10 {
			dst = append(dst, '0')
		}
		dst = strconv.AppendUint(dst, h, 10)
		dst = append2(append(dst, ':'), int(sec/60%60))
		dst = append2(append(dst, ':'), int(sec%60))
		dst = appendFraction(dst, int64(us%1e6))
	}
	return dst
}

// String is the text of v.
func (v Interval) String() string { return string(v.AppendTo(nil)) }

var intervalUnits = map[string]string{
	"us": "microsecond", "usec": "microsecond", "usecs": "microsecond", "microsecond": "microsecond", "microseconds": "microsecond",
	"usecond": "microsecond", "useconds": "microsecond",
	"ms": "millisecond", "msec": "millisecond", "msecs": "millisecond", "millisecond": "millisecond", "milliseconds": "millisecond",
	"msecond": "millisecond", "mseconds": "millisecond",
	"s": "second", "sec": "second", "secs": "second", "second": "second", "seconds": "second",
	"m": "minute", "min": "minute", "mins": "minute", "minute": "minute", "minutes": "minute",
	"h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "hours": "hour",
	"d": "day", "day": "day", "days": "day", "w": "week", "week": "week", "weeks": "week",
	"mon": "month", "mons": "month", "month": "month", "months": "month",
	"quarter": "quarter", "qtr": "quarter", "quarters": "quarter",
	"y": "year", "yr": "year", "yrs": "year", "year": "year", "years": "year",
	"dec": "decade", "decs": "decade", "decade": "decade", "decades": "decade",
	"c": "century", "cent": "century", "century": "century", "centuries": "century",
	"mil": "millennium", "mils": "millennium", "millennium": "millennium", "millennia": "millennium",
}

type intervalParser struct {
	v            Interval
	ok, overflow bool
	given        map[string]bool // the units there have been
}

// ParseInterval reads an interval: '1 day 02:03', '1-2', 'P1DT2H', '3 hours ago'.
// fields is the qualifier of INTERVAL 'x' MINUTE or DAY TO SECOND, "" for none;
// precision the digits of seconds, -1 for all.
func ParseInterval(s, fields string, precision int32) (Interval, error) {
	p := &intervalParser{ok: true, given: map[string]bool{}}
	text := strings.ToLower(strings.TrimSpace(s))
	if strings.HasPrefix(text, "p") {
		p.iso8601(strings.ToUpper(text[1:]))
	} else {
		p.words(text, fields)
	}
	if p.overflow {
		return Interval{}, pgerr.New("22015", "interval field value out of range: %q", s)
	}
	if !p.ok {
		return Interval{}, pgerr.New(pgerr.InvalidDatetimeFormat, "invalid input syntax for type interval: %q", s)
	}
	return p.v.truncate(fields, precision), nil
}

// truncate cuts off what is finer than the qualifier.
func (v Interval) truncate(fields string, precision int32) Interval {
	last := fields[strings.LastIndexByte(fields, ' ')+1:]
	switch last {
	case "year":
		v.Months, v.Days, v.Micros = v.Months/12*12, 0, 0
	case "month":
		v.Days, v.Micros = 0, 0
	case "day":
		v.Micros = 0
	case "hour":
		v.Micros = v.Micros / MicrosPerHour * MicrosPerHour
	case "minute":
		v.Micros = v.Micros / MicrosPerMinute * MicrosPerMinute
	}
	if precision >= 0 {
		v.Micros = RoundMicros(v.Micros, precision)
	}
	return v
}

// add adds n units plus a fraction of one.
func (p *intervalParser) add(n int64, frac float64, unit string) {
	us := func(k int64) {
		hi, ok := mulInt64(n, k)
		if !ok {
			p.overflow = true
			return
		}
		p.micro(hi)
		p.micro(int64(math.RoundToEven(frac * float64(k))))
	}
	days := func(k int64) {
		p.day(n * k)
		p.fractionOfDays(frac * float64(k))
	}
	months := func(k int64) {
		p.month(n * k)
		if k == 1 {
			p.fractionOfDays(frac * 30)
		} else {
			p.month(int64(math.RoundToEven(frac * float64(k))))
		}
	}
	if n > math.MaxInt64/2000 || n < -math.MaxInt64/2000 {
		if unit != "microsecond" && unit != "millisecond" && unit != "second" {
			p.overflow = true
			return
		}
	}
	switch unit {
	case "microsecond":
		us(1)
	case "millisecond":
		us(1000)
	case "second":
		us(MicrosPerSecond)
	case "minute":
		us(MicrosPerMinute)
	case "hour":
		us(MicrosPerHour)
	case "day":
		days(1)
	case "week":
		days(7)
	case "month":
		months(1)
	case "quarter":
		months(3)
	case "year":
		months(12)
	case "decade":
		months(120)
	case "century":
		months(1200)
	case "millennium":
		months(12000)
	default:
		p.ok = false
	}
}

func mulInt64(a, b int64) (int64, bool) {
	r := a * b
	return r, a == 0 || r/a == b && !(a == -1 && b == math.MinInt64)
}

func (p *intervalParser) fractionOfDays(d float64) {
	whole := math.Trunc(d)
	p.day(int64(whole))
	p.micro(int64(math.RoundToEven((d - whole) * float64(MicrosPerDay))))
}

func (p *intervalParser) micro(n int64) {
	r, ok := AddInt64(p.v.Micros, n)
	p.v.Micros, p.overflow = r, p.overflow || !ok
}

func (p *intervalParser) day(n int64) {
	r := int64(p.v.Days) + n
	p.v.Days, p.overflow = int32(r), p.overflow || r != int64(int32(r))
}

func (p *intervalParser) month(n int64) {
	r := int64(p.v.Months) + n
	p.v.Months, p.overflow = int32(r), p.overflow || r != int64(int32(r))
}

// number reads [sign]digits[.digits] at the start of s.
func (p *intervalParser) number(s string) (n int64, frac float64, neg bool, used int) {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		neg = s[i] == '-'
		i++
	}
	start := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i > start {
		v, err := strconv.ParseInt(s[start:i], 10, 64)
		if err != nil {
			p.overflow = true
		}
		n = v
	}
	if i < len(s) && s[i] == '.' {
		j := i + 1
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		if j > i+1 || i > start {
			f, _ := strconv.ParseFloat("0"+s[i:j], 64)
			frac, i = f, j
		}
	}
	if i == start {
		return 0, 0, false, 0
	}
	if neg {
		n, frac = -n, -frac
	}
	return n, frac, neg, i
}

// ignored is what may stand between the parts of an interval.
const ignored = " \t\n\v\f\r!\"#$%&'()*,/:;<=>?@[\\]^_`{|}~"

// words reads PostgreSQL's and the SQL standard's forms. A unit may occur once, and
// a time of day is hours, minutes and all of seconds.
func (p *intervalParser) words(s, fields string) {
	ago := false
	for {
		s = strings.TrimLeft(s, ignored)
		if s == "" || !p.ok {
			break
		}
		if t, ok := strings.CutPrefix(s, "ago"); ok {
			s, ago = t, true
			continue
		}
		if s[0] == '-' || s[0] == '+' {
			s = s[:1] + strings.TrimLeft(s[1:], " \t\n")
		}
		n, frac, neg, used := p.number(s)
		if used == 0 {
			p.ok = false
			return
		}
		rest := s[used:]
		switch {
		case strings.HasPrefix(rest, ":"):
			p.once("hour", "minute", "second", "millisecond", "microsecond")
			used += p.clock(s, n, neg, fields)
			s = s[min(used, len(s)):]
			continue
		case strings.HasPrefix(rest, "-") && frac == 0: // years-months
			m, _, _, k := p.number(rest[1:])
			if k == 0 || m < 0 || m > 11 || len(rest) > 1+k && !strings.Contains(" \t\n,", rest[1+k:2+k]) {
				p.ok = false
				return
			}
			if neg {
				m = -m
			}
			p.once("month")
			p.add(n, 0, "year")
			p.add(m, 0, "month")
			s = rest[1+k:]
			continue
		}
		rest = strings.TrimLeft(rest, " \t")
		j := 0
		for j < len(rest) && rest[j] >= 'a' && rest[j] <= 'z' {
			j++
		}
		unit := intervalUnits[rest[:j]]
		if j == 0 { // bare number: the qualifier's last field, or seconds
			last := fields[strings.LastIndexByte(fields, ' ')+1:]
			switch unit = "second"; {
			case rest != "": // '1 2:03:04'
				unit = "day"
				p.ok = p.ok && p.startsWithHours(rest, last)
			case last != "":
				unit = last
			}
		}
		p.once(unit)
		if unit == "second" && frac != 0 {
			p.once("millisecond", "microsecond")
		}
		p.add(n, frac, unit)
		s = rest[j:]
	}
	p.ok = p.ok && len(p.given) > 0
	if ago {
		v, err := p.v.Neg()
		p.v, p.overflow = v, p.overflow || err != nil
	}
}

// once notes units, of which none may have been before.
func (p *intervalParser) once(units ...string) {
	for _, u := range units {
		p.ok = p.ok && !p.given[u]
		p.given[u] = true
	}
}

// startsWithHours reports whether s begins with a time of day or a number of hours,
// which a number that ends the text is if last says so.
func (p *intervalParser) startsWithHours(s, last string) bool {
	_, _, _, used := p.number(s)
	rest := s[used:]
	if strings.HasPrefix(rest, ":") {
		return used > 0
	}
	unit, _, _ := strings.Cut(strings.TrimLeft(rest, " \t"), " ")
	return used > 0 && (intervalUnits[unit] == "hour" || rest == "" && last == "hour")
}

// clock reads h:m[:s], m:s for MINUTE TO SECOND, whose first number is n.
func (p *intervalParser) clock(s string, n int64, neg bool, fields string) int {
	end := strings.IndexAny(s, " \t,")
	if end < 0 {
		end = len(s)
	}
	parts := strings.Split(s[:end], ":")
	_, _, _, used := p.number(s)
	units := []string{"hour", "minute", "second"}
	if fields == "minute to second" || len(parts) == 2 && strings.Contains(parts[1], ".") {
		units = units[1:]
	}
	if len(parts) > len(units) {
		p.ok = false
		return end
	}
	p.add(n, 0, units[0])
	for i, t := range parts[1:] {
		v, frac, sign, k := p.number(t)
		if k != len(t) || sign || frac != 0 && i != len(parts)-2 || v > 59 && !(v == 60 && units[i+1] == "second") {
			p.ok = false
			if k == len(t) && v > 59 {
				p.overflow = true
			}
			return end
		}
		if neg {
			v, frac = -v, -frac
		}
		p.add(v, frac, units[i+1])
	}
	return end - used
}

// iso8601 reads what follows the P: 1Y2M3DT4H5M6S, 2W.
func (p *intervalParser) iso8601(s string) {
	units := map[byte]string{'Y': "year", 'M': "month", 'W': "week", 'D': "day"}
	if s == "" {
		p.ok = false
	}
	for s != "" && p.ok {
		if s[0] == 'T' {
			units = map[byte]string{'H': "hour", 'M': "minute", 'S': "second"}
			s = s[1:]
			continue
		}
		n, frac, _, used := p.number(s)
		if used == 0 || used >= len(s) || units[s[used]] == "" {
			p.ok = false
			return
		}
		p.add(n, frac, units[s[used]])
		s = s[used+1:]
	}
}
