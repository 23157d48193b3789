package types

import (
	"math"

	"github.com/millrace/millrace/internal/pgerr"
)

func errIntervalRange() error {
	return pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
}

func errTimestampRange() error {
	return pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range")
}

// Cmp orders intervals as PostgreSQL does: a month is 30 days, a day 24 hours.
func (v Interval) Cmp(w Interval) int {
	d1, u1 := v.span()
	d2, u2 := w.span()
	if d1 != d2 {
		return cmpInt(d1, d2)
	}
	return cmpInt(u1, u2)
}

func (v Interval) span() (days, micros int64) {
	d := FloorDiv(v.Micros, MicrosPerDay)
	return int64(v.Months)*30 + int64(v.Days) + d, v.Micros - d*MicrosPerDay
}

// Normalize gives the one form that all equal intervals share, for hashing.
func (v Interval) Normalize() Interval {
	d, u := v.span()
	m := FloorDiv(d, 30)
	return Interval{Months: int32(m), Days: int32(d - m*30), Micros: u}
}

func add32(a, b int32) (int32, bool) {
	s := int64(a) + int64(b)
	return int32(s), s == int64(int32(s))
}

// AddInt64 adds with an overflow check.
func AddInt64(a, b int64) (int64, bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

// Add is v + w, field by field.
func (v Interval) Add(w Interval) (Interval, error) {
	m, ok1 := add32(v.Months, w.Months)
	d, ok2 := add32(v.Days, w.Days)
	u, ok3 := AddInt64(v.Micros, w.Micros)
	if !ok1 || !ok2 || !ok3 {
		return Interval{}, errIntervalRange()
	}
	return Interval{Months: m, Days: d, Micros: u}, nil
}

// Neg is -v.
func (v Interval) Neg() (Interval, error) {
	if v.Months == math.MinInt32 || v.Days == math.MinInt32 || v.Micros == math.MinInt64 {
		return Interval{}, errIntervalRange()
	}
	return Interval{Months: -v.Months, Days: -v.Days, Micros: -v.Micros}, nil
}

// Sub is v - w.
func (v Interval) Sub(w Interval) (Interval, error) {
	n, err := w.Neg()
	if err != nil {
		return n, err
	}
	return v.Add(n)
}

// Mul scales v; fractions of months become days, fractions of days time.
func (v Interval) Mul(f float64) (Interval, error) { return v.scale(f, false) }

// Div is v ÷ f.
func (v Interval) Div(f float64) (Interval, error) {
	if f == 0 {
		return Interval{}, errDivisionByZero()
	}
	return v.scale(f, true)
}

func (v Interval) scale(f float64, div bool) (Interval, error) {
	by := func(x float64) float64 {
		if div {
			return x / f
		}
		return x * f
	}
	round6 := func(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }
	months, days := by(float64(v.Months)), by(float64(v.Days))
	if math.IsNaN(months) || math.Abs(months) > math.MaxInt32 || math.IsNaN(days) || math.Abs(days) > math.MaxInt32 {
		return Interval{}, errIntervalRange()
	}
	r := Interval{Months: int32(months), Days: int32(days)}
	monthDays := round6((months - float64(r.Months)) * 30)
	sec := round6((days - float64(r.Days) + monthDays - math.Trunc(monthDays)) * 86400)
	d := int64(r.Days) + int64(monthDays)
	if math.Abs(sec) >= 86400 {
		d += int64(sec / 86400)
		sec -= float64(int64(sec/86400)) * 86400
	}
	us := math.RoundToEven(by(float64(v.Micros)) + sec*1e6)
	if math.IsNaN(us) || math.Abs(us) >= math.MaxInt64 || d != int64(int32(d)) {
		return Interval{}, errIntervalRange()
	}
	r.Days, r.Micros = int32(d), int64(us)
	return r, nil
}

// JustifyHours turns 24 hours into days, keeping signs alike.
func (v Interval) JustifyHours() (Interval, error) {
	d := v.Micros / MicrosPerDay
	v.Micros -= d * MicrosPerDay
	days := int64(v.Days) + d
	if days > 0 && v.Micros < 0 {
		v.Micros += MicrosPerDay
		days--
	} else if days < 0 && v.Micros > 0 {
		v.Micros -= MicrosPerDay
		days++
	}
	if days != int64(int32(days)) {
		return v, errIntervalRange()
	}
	v.Days = int32(days)
	return v, nil
}

// JustifyDays turns 30 days into months, keeping signs alike.
func (v Interval) JustifyDays() (Interval, error) {
	m := int64(v.Days / 30)
	v.Days -= int32(m) * 30
	months := int64(v.Months) + m
	if months > 0 && v.Days < 0 {
		v.Days += 30
		months--
	} else if months < 0 && v.Days > 0 {
		v.Days -= 30
		months++
	}
	if months != int64(int32(months)) {
		return v, errIntervalRange()
	}
	v.Months = int32(months)
	return v, nil
}

// JustifyInterval is both of the above, with one sign in all fields.
func (v Interval) JustifyInterval() (Interval, error) {
	total := int64(v.Days) + v.Micros/MicrosPerDay
	v.Micros %= MicrosPerDay
	months := int64(v.Months) + total/30
	days := total % 30
	if months > 0 && (days < 0 || days == 0 && v.Micros < 0) {
		days += 30
		months--
	} else if months < 0 && (days > 0 || days == 0 && v.Micros > 0) {
		days -= 30
		months++
	}
	if days > 0 && v.Micros < 0 {
		v.Micros += MicrosPerDay
		days--
	} else if days < 0 && v.Micros > 0 {
		v.Micros -= MicrosPerDay
		days++
	}
	if months != int64(int32(months)) {
		return v, errIntervalRange()
	}
	v.Months, v.Days = int32(months), int32(days)
	return v, nil
}

// AddToTimestamp is ts + v without zone: months first, clamped to the month's
// length, then days, then time.
func (v Interval) AddToTimestamp(ts int64) (int64, error) {
	if v.Months == 0 && v.Days == 0 { // hot: fixed lengths
		if r, ok := AddInt64(ts, v.Micros); ok && r >= tsMin && r <= tsMax && !IsInfinite(ts) {
			return r, nil
		}
	}
	if IsInfinite(ts) {
		return ts, nil
	}
	days, us := SplitMicros(ts)
	days, err := v.addDays(days)
	if err != nil {
		return 0, err
	}
	if days < dateMin || days > tsMax/MicrosPerDay {
		return 0, errTimestampRange()
	}
	r, ok := AddInt64(days*MicrosPerDay+us, v.Micros)
	if !ok || r < tsMin || r > tsMax {
		return 0, errTimestampRange()
	}
	return r, nil
}

func (v Interval) addDays(days int64) (int64, error) {
	if v.Months != 0 {
		y, m, d := CivilFromDays(days)
		n := y*12 + int64(m-1) + int64(v.Months)
		y, m = FloorDiv(n, 12), int(n-FloorDiv(n, 12)*12)+1
		days = DaysFromCivil(y, m, min(d, DaysInMonth(y, m)))
	}
	return days + int64(v.Days), nil
}

// AddToTimestampTZ is ts + v, with months and days counted on the zone's wall clock.
func (v Interval) AddToTimestampTZ(ts int64, z *Zone) (int64, error) {
	if v.Months == 0 && v.Days == 0 || IsInfinite(ts) {
		return Interval{Micros: v.Micros}.AddToTimestamp(ts)
	}
	local, err := Interval{Months: v.Months, Days: v.Days}.AddToTimestamp(z.ToLocal(ts))
	if err != nil {
		return 0, err
	}
	return Interval{Micros: v.Micros}.AddToTimestamp(z.ToUTC(local))
}

// SubTimestamps is a - b in days and time, as timestamp subtraction gives it.
func SubTimestamps(a, b int64) (Interval, error) {
	if IsInfinite(a) || IsInfinite(b) {
		return Interval{}, pgerr.New(pgerr.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	d := a - b
	if (a >= b) != (d >= 0) {
		return Interval{}, errIntervalRange()
	}
	return Interval{Micros: d}.JustifyHours()
}

// Age is a - b in years, months, days and time on the calendar.
func Age(a, b int64) (Interval, error) {
	if IsInfinite(a) || IsInfinite(b) {
		return Interval{}, pgerr.New(pgerr.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	neg := a < b
	if neg {
		a, b = b, a
	}
	da, ua := SplitMicros(a)
	db, ub := SplitMicros(b)
	y1, m1, d1 := CivilFromDays(da)
	y2, m2, d2 := CivilFromDays(db)
	us, d, months := ua-ub, d1-d2, (y1-y2)*12+int64(m1-m2)
	if us < 0 {
		us += MicrosPerDay
		d--
	}
	if d < 0 {
		d += DaysInMonth(y2, m2) // the month that the earlier day belongs to
		months--
	}
	r := Interval{Months: int32(months), Days: int32(d), Micros: us}
	if neg {
		return r.Neg()
	}
	return r, nil
}
