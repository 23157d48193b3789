package format

import (
	"github.com/millrace/millrace/types"
)

// ScanTimestamp reads the common spelling of a timestamp, in microseconds:
// YYYY-MM-DD, T or a blank, HH:MM:SS, up to six digits of fraction, and nothing
// or Z behind. Anything else is left to the type's input rules.
func ScanTimestamp(b []byte) (us int64, ok bool) {
	if n := len(b); n > 19 && b[n-1] == 'Z' {
		b = b[:n-1]
	}
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	y1, ok1 := two(b, 0)
	y2, ok2 := two(b, 2)
	mo, ok3 := two(b, 5)
	d, ok4 := two(b, 8)
	h, ok5 := two(b, 11)
	mi, ok6 := two(b, 14)
	s, ok7 := two(b, 17)
	y := y1*100 + y2
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) || y == 0 || mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) || h > 23 || mi > 59 || s > 59 {
		return 0, false
	}
	us = ((daysSince1970(y, mo, d)*24+h)*60+mi)*60 + s
	us *= 1_000_000
	if len(b) > 19 {
		if b[19] != '.' || len(b) == 20 || len(b) > 26 {
			return 0, false
		}
		unit := int64(100_000)
		for _, c := range b[20:] {
			if c < '0' || c > '9' {
				return 0, false
			}
			us += int64(c-'0') * unit
			unit /= 10
		}
	}
	return us, true
}

func two(b []byte, i int) (int64, bool) {
	hi, lo := b[i]-'0', b[i+1]-'0'
	return int64(hi)*10 + int64(lo), hi <= 9 && lo <= 9
}

func daysIn(y, m int64) int64 {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts by eras of 400 years that begin in March.
func daysSince1970(y, m, d int64) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yearOfEra := y - era*400
	dayOfYear := (153*((m+9)%12)+2)/5 + d - 1
	return era*146_097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719_468
}

// RoundMicros rounds a timestamp to the fraction digits of its type, half away
// from zero.
func RoundMicros(us int64, t types.Type) int64 {
	if !t.HasPrecision || t.Precision >= 6 || us == 1<<63-1 || us == -1<<63 {
		return us
	}
	unit := int64(1)
	for p := t.Precision; p < 6; p++ {
		unit *= 10
	}
	rest := us % unit
	switch {
	case rest >= unit/2:
		return us - rest + unit
	case rest <= -unit/2 && rest != 0:
		return us - rest - unit
	}
	return us - rest
}
