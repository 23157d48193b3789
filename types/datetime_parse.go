package types

import (
	"math"
	"strconv"
	"strings"
)

// parsedTime is what a date/time text says. special is an infinity, or 0.
type parsedTime struct {
	special      int64
	days, micros int64
	zone         *Zone
}

// monthNames are the names that dates may use, by their first three letters.
var monthNames = map[string]int{
	"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}

var longMonths = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
var longDays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func monthOf(w string) int {
	if len(w) < 3 {
		return 0
	}
	m := monthNames[w[:3]]
	if m == 0 || len(w) > 3 && w != longMonths[m-1] && w != "sept" {
		return 0
	}
	return m
}

func isDayName(w string) bool {
	for _, d := range longDays {
		if w == d || w == d[:3] || w == "tues" || w == "thur" || w == "thurs" || w == "wednes" {
			return true
		}
	}
	return false
}

type dateParser struct {
	kind         Kind
	text         string
	numbers      []string // date numbers in order, without a separator's meaning
	iso          bool     // the first number is a year
	month        int
	haveTime, pm bool
	am, bc, doy  bool
	dated        bool // the zone's offset depends on the day
	micros       int64
	zone         *Zone
	special      string
	julian       int64 // the day of special "julian"
	err          error // more exact than that the text is wrong
}

// parseDateTime reads the forms that PostgreSQL's DateStyle ISO, MDY takes: ISO
// 8601, month names, US order with slashes, 20240105T040506, today, now and
// the like, with an optional zone.
func parseDateTime(s string, kind Kind, now func() int64) (parsedTime, error) {
	p := &dateParser{kind: kind, text: s}
	if !p.scan(strings.ToLower(strings.TrimSpace(s))) {
		if p.err != nil {
			return parsedTime{}, p.err
		}
		return parsedTime{}, errTime(kind, s)
	}
	return p.finish(now)
}

// scan splits the text into words, numbers, times and zones.
func (p *dateParser) scan(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == ',' || c == '\t':
			i++
		case c >= '0' && c <= '9':
			j := i
			for j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == ':' || s[j] == '.') {
				j++
			}
			w := s[i:j]
			if strings.IndexByte(w, ':') > 0 {
				if !p.time(w) {
					return false
				}
				i = j
				continue
			}
			n, ok := p.date(s[i:])
			if !ok {
				return false
			}
			i += n
		case (c == '+' || c == '-') && (p.haveTime || len(p.numbers) == 3):
			j := i + 1
			for j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == ':') {
				j++
			}
			off, ok := parseOffset(s[i:j])
			if !ok {
				return false
			}
			p.zone = FixedZone(s[i:j], off)
			i = j
		case (c == '-' || c == '/' || c == '.') && p.month > 0 && !p.haveTime && len(p.numbers) < 2:
			i++
		case c == 'j' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			n, ok := p.julianDay(s[i+1:])
			if !ok {
				return false
			}
			i += 1 + n
		case c >= 'a' && c <= 'z' || c == '-' && s == "-infinity":
			j := i + 1
			zone := false // of several parts, which may have more than letters
			for j < len(s) && (s[j] >= 'a' && s[j] <= 'z' || s[j] == '/' || s[j] == '_' || s[j] == '.' || zone && s[j] > ' ') {
				zone = zone || s[j] == '/'
				j++
			}
			if !p.word(s[i:j]) {
				return false
			}
			i = j
		default:
			return false
		}
	}
	return true
}

// julianUnix is the Julian day of 1970-01-01.
const julianUnix = 2440588

// julianDay reads the digits of J2451187, or of J2451187.5, which has a time too.
func (p *dateParser) julianDay(s string) (int, bool) {
	if p.special != "" || p.month > 0 || len(p.numbers) > 0 {
		return 0, false
	}
	j := 0
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	day, err := strconv.ParseInt(s[:j], 10, 32)
	if err != nil {
		p.err = errTimeRange(p.text)
		return 0, false
	}
	k := j
	if j < len(s) && s[j] == '.' {
		for k = j + 1; k < len(s) && s[k] >= '0' && s[k] <= '9'; k++ {
		}
		part, err := strconv.ParseFloat("0"+s[j:k], 64)
		if err != nil || p.haveTime {
			return 0, false
		}
		p.micros, p.haveTime = int64(math.Round(part*float64(MicrosPerDay))), true
	}
	p.special, p.julian = "julian", day-julianUnix
	return k, true
}

func (p *dateParser) word(w string) bool {
	switch w {
	case "t", "at", "on":
		return w != "t" || len(p.numbers) > 0
	case "am":
		p.am = true
	case "pm":
		p.pm = true
	case "bc":
		p.bc = true
	case "ad":
	case "now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity", "allballs":
		p.special = w
	case "z", "zulu":
		p.zone = UTC
	default:
		if m := monthOf(strings.TrimSuffix(w, ".")); m > 0 && p.month == 0 {
			p.month = m
			return true
		}
		if isDayName(w) {
			return true
		}
		z, err := LoadZone(w, false)
		if err != nil {
			if strings.Contains(w, "/") {
				p.err = err
			}
			return false
		}
		p.zone = z
		p.dated = !z.Fixed() && abbreviated(w) == nil
	}
	return true
}

// date reads a run of numbers with separators at the start of s: 2024-01-05,
// 1/8/1999, 20240105, 2024.005, 05-Jan-2024.
func (p *dateParser) date(s string) (int, bool) {
	j := 0
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	digits := s[:j]
	if len(p.numbers) == 3 || p.month > 0 && len(p.numbers) == 2 || p.special != "" {
		return p.compactTime(s, digits)
	}
	if j == 8 && len(p.numbers) == 0 && p.month == 0 {
		p.numbers, p.iso = append(p.numbers, digits[:4], digits[4:6], digits[6:]), true
		if j < len(s) && s[j] == 't' {
			j++
		}
		return j, true
	}
	if j == 6 && len(p.numbers) == 0 && p.month == 0 && (j == len(s) || s[j] == ' ') && p.kind != Time {
		p.numbers, p.iso = append(p.numbers, digits[:2], digits[2:4], digits[4:]), true
		return j, true
	}
	if p.kind == Time && len(p.numbers) == 0 && p.month == 0 && (j == len(s) || s[j] == '.' || s[j] == ' ') {
		return p.compactTime(s, digits)
	}
	if j == len(s) || !strings.ContainsRune("-/.", rune(s[j])) {
		p.numbers = append(p.numbers, digits)
		if j < len(s) && s[j] == 't' {
			j++
		}
		return j, true
	}
	sep := s[j]
	p.iso = p.iso || len(p.numbers) == 0 && p.month == 0 && (len(digits) > 2)
	p.numbers = append(p.numbers, digits)
	for j < len(s) && s[j] == sep && len(p.numbers) < 3 {
		k := j + 1
		for k < len(s) && (s[k] >= '0' && s[k] <= '9') {
			k++
		}
		if k > j+1 {
			if sep == '.' && len(p.numbers) == 1 && k-j == 4 && (k == len(s) || s[k] == ' ') {
				p.doy = true // 2024.005
			}
			p.numbers = append(p.numbers, s[j+1:k])
			j = k
			continue
		}
		for k < len(s) && s[k] >= 'a' && s[k] <= 'z' {
			k++
		}
		m := monthOf(s[j+1 : k])
		if m == 0 || p.month != 0 {
			return 0, false
		}
		p.month = m
		j = k
		if len(p.numbers) == 2 {
			break
		}
	}
	if j < len(s) && s[j] == 't' {
		j++
	}
	return j, true
}

// compactTime reads 0405, 040506 or 040506.789.
func (p *dateParser) compactTime(s, digits string) (int, bool) {
	n := len(digits)
	if p.haveTime {
		return 0, false
	}
	j := n
	t := ""
	switch n {
	case 4:
		t = digits[:2] + ":" + digits[2:]
	case 6:
		t = digits[:2] + ":" + digits[2:4] + ":" + digits[4:]
		if j < len(s) && s[j] == '.' {
			for j++; j < len(s) && s[j] >= '0' && s[j] <= '9'; j++ {
			}
			t += s[n:j]
		}
	case 1, 2: // "4 pm"
		t = digits + ":00"
		if rest := strings.TrimSpace(s[n:]); rest != "am" && rest != "pm" {
			return 0, false
		}
	default:
		return 0, false
	}
	return j, p.time(t)
}

// time reads h:m[:s[.f]].
func (p *dateParser) time(w string) bool {
	if p.haveTime {
		return false
	}
	parts := strings.Split(w, ":")
	if len(parts) > 3 {
		return false
	}
	h, err1 := strconv.ParseUint(parts[0], 10, 16)
	m, err2 := strconv.ParseUint(parts[1], 10, 16)
	if err1 != nil || err2 != nil {
		return false
	}
	var us int64
	if len(parts) == 3 {
		var ok bool
		if us, ok = parseSeconds(parts[2]); !ok {
			return false
		}
	}
	p.haveTime = true
	p.micros = int64(h)*MicrosPerHour + int64(m)*MicrosPerMinute + us
	if h > 24 || m > 59 || us > 60*MicrosPerSecond || p.micros > MicrosPerDay {
		p.micros = -1
	}
	return true
}

// parseSeconds reads ss[.ffffff…], rounding to microseconds.
func parseSeconds(s string) (int64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" {
		whole = "0"
	}
	sec, err := strconv.ParseUint(whole, 10, 31)
	if err != nil {
		return 0, false
	}
	us, p := int64(0), int64(100_000)
	for i := range len(frac) {
		if frac[i] < '0' || frac[i] > '9' {
			return 0, false
		}
		if p == 0 {
			if frac[i] >= '5' {
				us++
			}
			break
		}
		us += int64(frac[i]-'0') * p
		p /= 10
	}
	return int64(sec)*MicrosPerSecond + us, true
}

func (p *dateParser) finish(now func() int64) (out parsedTime, err error) {
	out.zone, out.micros = p.zone, p.micros
	if p.micros < 0 {
		return out, errTimeRange(p.text)
	}
	if p.am || p.pm {
		h := p.micros / MicrosPerHour
		if !p.haveTime || h < 1 || h > 12 {
			return out, errTimeRange(p.text)
		}
		out.micros -= h / 12 * 12 * MicrosPerHour
		if p.pm {
			out.micros += 12 * MicrosPerHour
		}
	}
	switch p.special {
	case "":
	case "infinity", "-infinity":
		if p.kind == Time {
			return out, errTime(p.kind, p.text)
		}
		out.special = TimeInfinity
		if p.special[0] == '-' {
			out.special = TimeNegInfinity
		}
		return out, nil
	case "epoch":
		if p.kind == TimestampTZ {
			out.zone = UTC
		}
		return out, nil
	case "allballs":
		return out, nil
	case "julian":
		out.days = p.julian
		return out, nil
	default:
		if len(p.numbers) > 0 || p.month > 0 || p.special == "now" && p.haveTime || p.special != "now" && p.kind == Time {
			return out, errTime(p.kind, p.text)
		}
		if now == nil {
			return out, errTime(p.kind, p.text)
		}
		days, us := SplitMicros(now())
		switch p.special {
		case "now":
			out.micros, out.zone = us, nil // now is on the session's clock
		case "tomorrow":
			days++
		case "yesterday":
			days--
		}
		out.days = days
		return out, nil
	}
	switch {
	case p.kind != Time:
	case p.dated && len(p.numbers) == 0:
		return out, errTime(p.kind, p.text)
	case !p.haveTime:
		return out, errTime(p.kind, p.text)
	case len(p.numbers) == 0:
		return out, nil
	}
	return p.civil(out)
}

// civil puts the numbers in order: year first after an ISO form, else month,
// day, year; a month name leaves day and year.
func (p *dateParser) civil(out parsedTime) (parsedTime, error) {
	n := p.numbers
	var ys, ms, ds string
	switch {
	case p.doy && len(n) == 2:
		ys, ms, ds = n[0], "1", n[1]
	case p.month > 0 && len(n) == 2:
		ms = strconv.Itoa(p.month)
		if len(n[0]) > 2 {
			ys, ds = n[0], n[1]
		} else {
			ds, ys = n[0], n[1]
		}
	case p.month == 0 && len(n) == 3 && (p.iso || len(n[0]) > 2):
		ys, ms, ds = n[0], n[1], n[2]
	case p.month == 0 && len(n) == 3:
		ms, ds, ys = n[0], n[1], n[2]
	default:
		return out, errTime(p.kind, p.text)
	}
	y, err1 := strconv.ParseInt(ys, 10, 32)
	m, err2 := strconv.Atoi(ms)
	d, err3 := strconv.Atoi(ds)
	if err1 != nil || err2 != nil || err3 != nil {
		return out, errTimeRange(p.text)
	}
	if len(ys) <= 2 && !p.bc {
		if y < 70 {
			y += 2000
		} else {
			y += 1900
		}
	}
	if p.bc {
		y = 1 - y
	} else if y == 0 {
		return out, errTimeRange(p.text)
	}
	if p.doy {
		if d < 1 || d > 366 {
			return out, errTimeRange(p.text)
		}
		out.days = DaysFromCivil(y, 1, 1) + int64(d) - 1
		return out, nil
	}
	if m < 1 || m > 12 || d < 1 || d > DaysInMonth(y, m) {
		return out, errTimeRange(p.text)
	}
	out.days = DaysFromCivil(y, m, d)
	return out, nil
}
