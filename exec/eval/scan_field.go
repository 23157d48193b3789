package eval

import (
	"github.com/millrace/millrace/internal/pgerr"
)

var (
	halves     = []string{"am", "pm"}
	halvesLong = []string{"a.m.", "p.m."}
	eras       = []string{"ad", "bc"}
	erasLong   = []string{"a.d.", "b.c."}
	monthShort = shortened(monthLong[:])
	dayShort   = shortened(dayLong[:])
	fieldWords = map[string][]string{"AM": halves, "PM": halves, "A.M.": halvesLong, "P.M.": halvesLong, "AD": eras, "BC": eras, "A.D.": erasLong, "B.C.": erasLong,
		"MONTH": monthLong[:], "MON": monthShort, "DAY": dayLong[:], "DY": dayShort, "RM": romanDown}
	romanDown = []string{"XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"}
)

func shortened(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n[:3]
	}
	return out
}

// field reads the field of node i.
func (r *timeScanner) field(i int) error {
	n := &r.nodes[i]
	if n.conv != anyConvention {
		if r.conv != anyConvention && r.conv != n.conv {
			return errFormat("invalid combination of date conventions").
				Hint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
		}
		r.conv = n.conv
	}
	if n.digits {
		if err := r.numberField(i, n); err != nil {
			return err
		}
		if n.ordinal != "" {
			for k := 0; k < 2 && r.s != ""; k++ {
				r.skipRune()
			}
		}
		return nil
	}
	switch n.word {
	case "FX":
		r.fixed = true
		return nil
	case "TZH":
		return r.zoneHours(i)
	case "TZ", "OF":
		return pgerr.NotSupported(-1, "formatting field \""+n.raw+"\" is only supported in to_char")
	}
	return r.wordField(n)
}

// wordField reads a field that is a word.
func (r *timeScanner) wordField(n *timeNode) error {
	k, err := r.oneOf(fieldWords[n.word], n)
	if err != nil {
		return err
	}
	v := int64(k)
	switch n.word {
	case "AM", "PM", "A.M.", "P.M.":
		r.hour12 = true
		return set(&r.half, v, n)
	case "AD", "BC", "A.D.", "B.C.":
		return set(&r.bc, v, n)
	case "MONTH", "MON":
		return set(&r.month, v+1, n)
	case "RM":
		return set(&r.month, 12-v, n)
	}
	// As in PostgreSQL: a second name of a day is compared with the number of the
	// first, which counts from one.
	err = set(&r.weekday, v, n)
	r.weekday++
	return err
}

// numberField reads a field that is a number.
func (r *timeScanner) numberField(i int, n *timeNode) error {
	switch n.word {
	case "Y,YYY":
		return r.millennia(n)
	case "TZM":
		if r.zoneSign == 0 {
			r.zoneSign = 1
		}
	case "HH", "HH12":
		r.hour12 = true
	}
	used, err := r.number(r.target(n.word), i, n.width)
	if err != nil {
		return err
	}
	switch n.word {
	case "MS":
		r.ms *= powerOf10(3 - used)
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		r.precision = int64(n.width)
		r.us *= powerOf10(6 - used)
	case "US":
		r.us *= powerOf10(6 - used)
	case "ID": // from one for Sunday, as D does
		if r.weekday++; r.weekday > 7 {
			r.weekday = 1
		}
	case "YYYY", "IYYY":
		r.yearLen = 4
	case "YYY", "IYY", "YY", "IY", "Y", "I":
		if r.yearLen = int64(n.width); used < 4 {
			r.year = nearYear2020(r.year)
		}
	}
	return nil
}

// target is where a field's number goes.
func (r *timeScanner) target(word string) *int64 {
	switch word {
	case "HH", "HH12", "HH24":
		return &r.hour
	case "MI":
		return &r.min
	case "SS":
		return &r.sec
	case "SSSS", "SSSSS":
		return &r.daySec
	case "MS":
		return &r.ms
	case "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return &r.us
	case "TZM":
		return &r.zoneMin
	case "DDD", "IDDD":
		return &r.yearDay
	case "DD":
		return &r.day
	case "D", "ID":
		return &r.weekday
	case "WW", "IW":
		return &r.week
	case "W":
		return &r.monthWeek
	case "CC":
		return &r.century
	case "MM":
		return &r.month
	case "J":
		return &r.julian
	case "Q":
		return new(int64) // says nothing of a date
	}
	return &r.year
}

func powerOf10(n int) int64 {
	v := int64(1)
	for ; n > 0; n-- {
		v *= 10
	}
	return v
}

// nearYear2020 fills up a year of fewer than four digits.
func nearYear2020(y int64) int64 {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

// millennia reads Y,YYY.
func (r *timeScanner) millennia(n *timeNode) error {
	thousands, used := leadingInt(r.s)
	bad := errFormat(`invalid input string for "Y,YYY"`)
	if used == 0 || used+1 >= len(r.s) || r.s[used] != ',' {
		return bad
	}
	years, more := leadingInt(r.s[used+1 : min(used+4, len(r.s))])
	if more == 0 {
		return bad
	}
	r.skip(used + 1 + more)
	r.yearLen = 4
	return set(&r.year, int64(int32(thousands*1000+years)), n)
}

// zoneHours reads TZH, whose minus may have been passed as a separator.
func (r *timeScanner) zoneHours(i int) error {
	r.zoneSign = 1
	switch c := r.s[0]; {
	case c == '+' || c == '-' || c == ' ':
		if c == '-' {
			r.zoneSign = -1
		}
		r.skip(1)
	case r.skipped > 0 && r.last == '-':
		r.zoneSign = -1
	}
	_, err := r.number(&r.zoneHour, i, 2)
	return err
}
