package types

import "github.com/millrace/millrace/internal/pgerr"

func append2(dst []byte, v int) []byte { return append(dst, byte('0'+v/10%10), byte('0'+v%10)) }

func appendYear(dst []byte, y int64) []byte {
	if y <= 0 {
		y = 1 - y
	}
	if y < 10000 {
		return append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10))
	}
	return AppendInt(dst, y)
}

func appendCivil(dst []byte, days int64) ([]byte, bool) {
	y, m, d := CivilFromDays(days)
	dst = append(appendYear(dst, y), '-')
	dst = append(append2(dst, m), '-')
	return append2(dst, d), y <= 0
}

func appendInfinity(dst []byte, v int64) []byte {
	if v == TimeInfinity {
		return append(dst, "infinity"...)
	}
	return append(dst, "-infinity"...)
}

// AppendDate appends a date in ISO form.
func AppendDate(dst []byte, days int64) []byte {
	if IsInfinite(days) {
		return appendInfinity(dst, days)
	}
	dst, bc := appendCivil(dst, days)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// AppendTime appends a time of day.
func AppendTime(dst []byte, us int64) []byte {
	s := us / MicrosPerSecond
	dst = append(append2(dst, int(s/3600)), ':')
	dst = append(append2(dst, int(s/60%60)), ':')
	dst = append2(dst, int(s%60))
	return appendFraction(dst, us%MicrosPerSecond)
}

// appendFraction appends .ffffff without trailing zeros, nothing for 0.
func appendFraction(dst []byte, f int64) []byte {
	if f == 0 {
		return dst
	}
	dst = append(dst, '.')
	for p := int64(100_000); f > 0; p /= 10 {
		dst = append(dst, byte('0'+f/p))
		f %= p
	}
	return dst
}

// AppendTimestamp appends a timestamp without zone in ISO form.
func AppendTimestamp(dst []byte, us int64) []byte {
	if IsInfinite(us) {
		return appendInfinity(dst, us)
	}
	days, t := SplitMicros(us)
	dst, bc := appendCivil(dst, days)
	dst = AppendTime(append(dst, ' '), t)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// AppendTimestampTZ appends a timestamp in the zone's local time with its offset.
func AppendTimestampTZ(dst []byte, us int64, z *Zone) []byte {
	if IsInfinite(us) {
		return appendInfinity(dst, us)
	}
	off := z.OffsetAt(us)
	days, t := SplitMicros(us + off*MicrosPerSecond)
	dst, bc := appendCivil(dst, days)
	dst = AppendTime(append(dst, ' '), t)
	dst = appendOffset(dst, off)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendOffset(dst []byte, off int64) []byte {
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	dst = append2(append(dst, sign), int(off/3600))
	if off%3600 != 0 {
		dst = append2(append(dst, ':'), int(off/60%60))
	}
	if off%60 != 0 {
		dst = append2(append(dst, ':'), int(off%60))
	}
	return dst
}

// RoundMicros rounds a time to so many fractional digits, half away from zero.
func RoundMicros(us int64, precision int32) int64 {
	if precision < 0 || precision >= 6 || IsInfinite(us) {
		return us
	}
	p := int64(1)
	for range 6 - precision {
		p *= 10
	}
	if us >= 0 {
		return (us + p/2) / p * p
	}
	return -((-us + p/2) / p * p)
}

func errTime(kind Kind, s string) error {
	name := kind.String()
	switch kind {
	case Time:
		name = "time"
	case Timestamp:
		name = "timestamp"
	}
	return pgerr.New(pgerr.InvalidDatetimeFormat, "invalid input syntax for type %s: %q", name, s)
}

func errTimeRange(s string) error {
	return pgerr.New(pgerr.DatetimeFieldOverflow, "date/time field value out of range: %q", s)
}

// isoFast reads exactly YYYY-MM-DD, optionally with a blank or T and
// HH:MM:SS[.f…]; rest is what follows, ok false when the form is another.
func isoFast(s string) (days, us int64, hasTime bool, rest string, ok bool) {
	num := func(i, n int) int {
		v := 0
		for _, c := range []byte(s[i : i+n]) {
			if c < '0' || c > '9' {
				return -1
			}
			v = v*10 + int(c-'0')
		}
		return v
	}
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return
	}
	y, m, d := num(0, 4), num(5, 2), num(8, 2)
	if y < 1 || m < 1 || m > 12 || d < 1 || d > DaysInMonth(int64(y), m) {
		return
	}
	days = DaysFromCivil(int64(y), m, d)
	if len(s) == 10 {
		return days, 0, false, "", true
	}
	if len(s) < 19 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return
	}
	h, mi, sec := num(11, 2), num(14, 2), num(17, 2)
	if h < 0 || h > 23 || mi < 0 || mi > 59 || sec < 0 || sec > 59 {
		return
	}
	us = (int64(h)*3600 + int64(mi)*60 + int64(sec)) * MicrosPerSecond
	i := 19
	if i < len(s) && s[i] == '.' {
		p := int64(100_000)
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			if p == 0 {
				return 0, 0, false, "", false // more than six digits round: the slow path
			}
			us += int64(s[i]-'0') * p
			p /= 10
		}
	}
	return days, us, true, s[i:], true
}

// ParseDate reads a date.
func ParseDate(s string, now func() int64) (int64, error) {
	if days, _, _, rest, ok := isoFast(s); ok && rest == "" {
		return days, nil
	}
	p, err := parseDateTime(s, Date, now)
	if err != nil {
		return 0, err
	}
	if p.special != 0 {
		return p.special, nil
	}
	if p.days < dateMin || p.days > dateMax {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range: %q", s)
	}
	return p.days, nil
}

// ParseTime reads a time of day; a zone in it is ignored.
func ParseTime(s string, now func() int64) (int64, error) {
	p, err := parseDateTime(s, Time, now)
	if err != nil {
		return 0, err
	}
	return p.micros, nil
}

// ParseTimestamp reads a timestamp without zone; a zone in it is ignored.
func ParseTimestamp(s string, now func() int64) (int64, error) {
	if days, us, _, rest, ok := isoFast(s); ok && (rest == "" || rest == "Z") {
		return days*MicrosPerDay + us, nil
	}
	p, err := parseDateTime(s, Timestamp, now)
	if err != nil {
		return 0, err
	}
	if p.special != 0 {
		return p.special, nil
	}
	return timestampOf(p, s)
}

func timestampOf(p parsedTime, s string) (int64, error) {
	if p.days < dateMin || p.days >= tsMax/MicrosPerDay {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range: %q", s)
	}
	return p.days*MicrosPerDay + p.micros, nil
}

// ParseTimestampTZ reads a timestamp; without a zone in it, it is in z.
func ParseTimestampTZ(s string, z *Zone, now func() int64) (int64, error) {
	if days, us, _, rest, ok := isoFast(s); ok {
		switch rest {
		case "Z", "+00", "+00:00":
			return days*MicrosPerDay + us, nil
		case "":
			return z.ToUTC(days*MicrosPerDay + us), nil
		}
	}
	p, err := parseDateTime(s, TimestampTZ, now)
	if err != nil {
		return 0, err
	}
	if p.special != 0 {
		return p.special, nil
	}
	ts, err := timestampOf(p, s)
	if err != nil {
		return 0, err
	}
	if p.zone != nil {
		return p.zone.ToUTC(ts), nil
	}
	return z.ToUTC(ts), nil
}
