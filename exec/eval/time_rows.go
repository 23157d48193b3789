package eval

import (
	"math"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func ts(v int64, err error) (types.Value, error) { return intValue(v), err }

func iv(v types.Interval, err error) (types.Value, error) { return types.Value{Interval: v}, err }

func (x *row) iv(i int) types.Interval { return x.v[i].Interval }

func (x *row) now() int64 { return x.f.ctx.Now }

func (x *row) localNow() int64 { return x.f.ctx.zone().ToLocal(x.now()) }

// nowRounded is the time with the precision given as an argument.
func nowRounded(local bool) rowFn {
	return func(x *row) (types.Value, error) {
		v := x.now()
		if local {
			v = x.localNow()
		}
		if len(x.v) > 0 {
			v = types.RoundMicros(v, int32(x.int(0)))
		}
		return intValue(v), nil
	}
}

// currentWatermark is what the operator's input has passed, whatever the argument's
// value is.
func currentWatermark(x *row) (types.Value, error) {
	if x.f.ctx.Watermark == nil {
		return types.NullValue, nil
	}
	return intValue(*x.f.ctx.Watermark), nil
}

func dateMicros(d int64) (int64, error) {
	if types.IsInfinite(d) {
		return d, nil
	}
	if d > math.MaxInt64/types.MicrosPerDay-1 || d < math.MinInt64/types.MicrosPerDay+1 {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return d * types.MicrosPerDay, nil
}

// datePlus is date ± interval and date + time.
func datePlus(d int64, v types.Interval, minus bool) (types.Value, error) {
	us, err := dateMicros(d)
	if err == nil && minus {
		v, err = v.Neg()
	}
	if err != nil {
		return types.NullValue, err
	}
	return ts(v.AddToTimestamp(us))
}

func dateDays(d, n int64) (types.Value, error) {
	if types.IsInfinite(d) {
		return intValue(d), nil
	}
	r := d + n
	if r < -2440588 || r > 2145042905 {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range")
	}
	return intValue(r), nil
}

func zonedPlus(x *row, ts_, iv_ int, minus bool) (types.Value, error) {
	v, err := x.iv(iv_), error(nil)
	if minus {
		v, err = v.Neg()
	}
	if err != nil {
		return types.NullValue, err
	}
	return ts(v.AddToTimestampTZ(x.int(ts_), x.f.ctx.zone()))
}

func timePlus(t int64, v types.Interval, sign int64) (types.Value, error) {
	r := (t + sign*(v.Micros%types.MicrosPerDay)) % types.MicrosPerDay
	if r < 0 {
		r += types.MicrosPerDay
	}
	return intValue(r), nil
}

var timeRows = map[string]rowFn{
	"now": nowRounded(false), "current_timestamp": nowRounded(false), "transaction_timestamp": nowRounded(false),
	"statement_timestamp": nowRounded(false), "proctime": nowRounded(false),
	"localtimestamp": nowRounded(true), "current_watermark": currentWatermark,
	"clock_timestamp": func(x *row) (types.Value, error) {
		if x.f.ctx.Clock != nil {
			return intValue(x.f.ctx.Clock()), nil
		}
		return intValue(x.now()), nil
	},
	"current_date": func(x *row) (types.Value, error) { d, _ := types.SplitMicros(x.localNow()); return intValue(d), nil },
	"current_time": func(x *row) (types.Value, error) { _, us := types.SplitMicros(x.localNow()); return intValue(us), nil },
	"localtime":    func(x *row) (types.Value, error) { _, us := types.SplitMicros(x.localNow()); return intValue(us), nil },

	"+(date,integer)":              func(x *row) (types.Value, error) { return dateDays(x.int(0), x.int(1)) },
	"+(integer,date)":              func(x *row) (types.Value, error) { return dateDays(x.int(1), x.int(0)) },
	"-(date,integer)":              func(x *row) (types.Value, error) { return dateDays(x.int(0), -x.int(1)) },
	"+(date,interval)":             func(x *row) (types.Value, error) { return datePlus(x.int(0), x.iv(1), false) },
	"+(interval,date)":             func(x *row) (types.Value, error) { return datePlus(x.int(1), x.iv(0), false) },
	"-(date,interval)":             func(x *row) (types.Value, error) { return datePlus(x.int(0), x.iv(1), true) },
	"+(date,time)":                 func(x *row) (types.Value, error) { return datePlus(x.int(0), types.Interval{Micros: x.int(1)}, false) },
	"+(time,date)":                 func(x *row) (types.Value, error) { return datePlus(x.int(1), types.Interval{Micros: x.int(0)}, false) },
	"-(date,date)":                 dateMinus,
	"+(timestamptz,interval)":      func(x *row) (types.Value, error) { return zonedPlus(x, 0, 1, false) },
	"+(interval,timestamptz)":      func(x *row) (types.Value, error) { return zonedPlus(x, 1, 0, false) },
	"-(timestamptz,interval)":      func(x *row) (types.Value, error) { return zonedPlus(x, 0, 1, true) },
	"+(time,interval)":             func(x *row) (types.Value, error) { return timePlus(x.int(0), x.iv(1), 1) },
	"+(interval,time)":             func(x *row) (types.Value, error) { return timePlus(x.int(1), x.iv(0), 1) },
	"-(time,interval)":             func(x *row) (types.Value, error) { return timePlus(x.int(0), x.iv(1), -1) },
	"-(time,time)":                 func(x *row) (types.Value, error) { return iv(types.Interval{Micros: x.int(0) - x.int(1)}, nil) },
	"+(interval,interval)":         func(x *row) (types.Value, error) { return iv(x.iv(0).Add(x.iv(1))) },
	"-(interval,interval)":         func(x *row) (types.Value, error) { return iv(x.iv(0).Sub(x.iv(1))) },
	"-(interval)":                  func(x *row) (types.Value, error) { return iv(x.iv(0).Neg()) },
	"*(interval,double precision)": func(x *row) (types.Value, error) { return iv(x.iv(0).Mul(x.float(1))) },
	"*(double precision,interval)": func(x *row) (types.Value, error) { return iv(x.iv(1).Mul(x.float(0))) },
	"/(interval,double precision)": func(x *row) (types.Value, error) { return iv(x.iv(0).Div(x.float(1))) },

	"at time zone": func(x *row) (types.Value, error) { return atZone(x, 1, 0) },
	"timezone":     func(x *row) (types.Value, error) { return atZone(x, 0, 1) },

	"extract": func(x *row) (types.Value, error) { return extractAny(x) },
	"date_part": func(x *row) (types.Value, error) {
		v, err := extractAny(x)
		if err != nil || v.Null {
			return v, err
		}
		return floatValue(v.Dec.Float64()), nil
	},
	"date_trunc": dateTrunc, "date_bin": dateBin, "age": age,
	"make_date": makeDate, "make_time": makeTime, "make_timestamp": makeTimestamp,
	"make_timestamptz": makeTimestampTZ, "make_interval": makeInterval,
	"to_char": toChar, "to_timestamp(text,text)": toTimestampText, "to_date": toDate, "to_number": toNumber,
	"to_timestamp(double precision)": func(x *row) (types.Value, error) { return epochFloat(x.float(0)) },
	"date_format":                    dateFormat,
	"justify_hours":                  func(x *row) (types.Value, error) { return iv(x.iv(0).JustifyHours()) },
	"justify_days":                   func(x *row) (types.Value, error) { return iv(x.iv(0).JustifyDays()) },
	"justify_interval":               func(x *row) (types.Value, error) { return iv(x.iv(0).JustifyInterval()) },
	"isfinite": func(x *row) (types.Value, error) {
		return boolValue(x.typ(0).Kind == types.IntervalK || !types.IsInfinite(x.int(0))), nil
	},
	"unix_timestamp": func(x *row) (types.Value, error) {
		v := x.now()
		if len(x.v) > 0 {
			v = x.int(0)
		}
		return intValue(types.FloorDiv(v, types.MicrosPerSecond)), nil
	},
	"unix_millis": func(x *row) (types.Value, error) { return intValue(types.FloorDiv(x.int(0), 1000)), nil },
	"unix_micros": func(x *row) (types.Value, error) { return x.v[0], nil },
	"from_unixtime": func(x *row) (types.Value, error) {
		v, err := epochMicros(x.int(0), types.MicrosPerSecond)
		return strValue(string(types.AppendTimestamp(nil, x.f.ctx.zone().ToLocal(v)))), err
	},
	"to_timestamp_ltz": func(x *row) (types.Value, error) {
		unit := types.MicrosPerSecond
		if x.int(1) == 3 {
			unit = 1000
		}
		return ts(epochMicros(x.int(0), unit))
	},
	"overlaps": overlaps,
}

func epochMicros(v, unit int64) (int64, error) {
	if v > math.MaxInt64/unit/2 || v < math.MinInt64/unit/2 {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range")
	}
	return v * unit, nil
}

func epochFloat(s float64) (types.Value, error) {
	switch {
	case math.IsInf(s, 1):
		return intValue(types.TimeInfinity), nil
	case math.IsInf(s, -1):
		return intValue(types.TimeNegInfinity), nil
	case math.IsNaN(s):
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp cannot be NaN")
	case math.Abs(s) > 9.2e12:
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range: \"%g\"", s)
	}
	return intValue(int64(math.RoundToEven(s * 1e6))), nil
}

func dateMinus(x *row) (types.Value, error) {
	if types.IsInfinite(x.int(0)) || types.IsInfinite(x.int(1)) {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "cannot subtract infinite dates")
	}
	return intValue(x.int(0) - x.int(1)), nil
}

func (x *row) zone(i int) (*types.Zone, error) {
	if x.typ(i).Kind == types.IntervalK {
		v := x.iv(i)
		if v.Months != 0 || v.Days != 0 {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "interval time zone %q must not include months or days", v.String())
		}
		return types.FixedZone(v.String(), v.Micros/types.MicrosPerSecond), nil
	}
	return types.LoadZone(x.str(i), true)
}

func atZone(x *row, zone, value int) (types.Value, error) {
	z, err := x.zone(zone)
	if err != nil {
		return types.NullValue, err
	}
	if x.typ(value).Kind == types.TimestampTZ {
		return intValue(z.ToLocal(x.int(value))), nil
	}
	return intValue(z.ToUTC(x.int(value))), nil
}

func extractAny(x *row) (types.Value, error) {
	field, t := x.str(0), x.typ(1)
	switch t.Kind {
	case types.IntervalK:
		return extractInterval(field, x.iv(1))
	case types.TimestampTZ:
		z := x.f.ctx.zone()
		return extractTimestamp(field, z.ToLocal(x.int(1)), x.int(1), z, t)
	case types.Date:
		us, err := dateMicros(x.int(1))
		if err != nil {
			return types.NullValue, err
		}
		if x.e.Type.Kind != types.Numeric { // to date_part it is a timestamp
			return extractTimestamp(field, us, us, nil, types.Of(types.Timestamp))
		}
		switch f := fieldOf(field); f {
		case "hour", "minute", "second", "milliseconds", "microseconds", "timezone", "timezone_hour", "timezone_minute":
			return types.NullValue, errField(t, field, true)
		}
		return extractTimestamp(field, us, us, nil, t)
	case types.Time:
		switch f := fieldOf(field); f {
		case "hour", "minute", "second", "milliseconds", "microseconds", "epoch":
		default:
			return types.NullValue, errField(t, field, knownField(f))
		}
	}
	return extractTimestamp(field, x.int(1), x.int(1), nil, t)
}

func dateTrunc(x *row) (types.Value, error) {
	field, t := fieldOf(x.str(0)), x.typ(1)
	if t.Kind == types.IntervalK {
		v, ok := truncInterval(field, x.iv(1))
		if !ok {
			return types.NullValue, errTrunc(t, field, x.str(0))
		}
		return iv(v, nil)
	}
	v, z := x.int(1), x.f.ctx.zone()
	if len(x.v) > 2 {
		var err error
		if z, err = x.zone(2); err != nil {
			return types.NullValue, err
		}
	}
	zoned := t.Kind == types.TimestampTZ
	if zoned {
		v = z.ToLocal(v)
	}
	r, ok := truncTimestamp(field, v)
	if !ok {
		return types.NullValue, errTrunc(t, field, x.str(0))
	}
	if zoned {
		r = z.ToUTC(r)
	}
	return intValue(r), nil
}

func truncInterval(field string, v types.Interval) (types.Interval, bool) {
	months := map[string]int32{"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}
	micros := map[string]int64{"microseconds": 1, "milliseconds": 1000, "second": types.MicrosPerSecond, "minute": types.MicrosPerMinute, "hour": types.MicrosPerHour}
	if m := months[field]; m > 0 {
		return types.Interval{Months: v.Months / m * m}, true
	}
	if u := micros[field]; u > 0 {
		v.Micros = v.Micros / u * u
		return v, true
	}
	v.Micros = 0
	return v, field == "day"
}

func dateBin(x *row) (types.Value, error) {
	v, src, origin := x.iv(0), x.int(1), x.int(2)
	if types.IsInfinite(src) {
		return intValue(src), nil
	}
	if types.IsInfinite(origin) {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "origin out of range")
	}
	if v.Months != 0 {
		return types.NullValue, pgerr.New(pgerr.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	days := int64(v.Days) * types.MicrosPerDay
	stride, ok := types.AddInt64(days, v.Micros)
	if !ok || days/types.MicrosPerDay != int64(v.Days) {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
	}
	if stride <= 0 {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	since := src - origin
	if (src < origin) != (since < 0) {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
	}
	return intValue(origin + types.FloorDiv(since, stride)*stride), nil
}

func age(x *row) (types.Value, error) {
	zoned := x.typ(0).Kind == types.TimestampTZ
	local := func(v int64) int64 {
		if zoned {
			return x.f.ctx.zone().ToLocal(v)
		}
		return v
	}
	if len(x.v) == 1 {
		days, _ := types.SplitMicros(x.localNow())
		return iv(types.Age(days*types.MicrosPerDay, local(x.int(0))))
	}
	return iv(types.Age(local(x.int(0)), local(x.int(1))))
}

func civil(y, m, d int64) (int64, error) {
	bc := y < 0
	year := y
	if bc {
		year = y + 1
	}
	if y == 0 || m < 1 || m > 12 || d < 1 || d > int64(types.DaysInMonth(year, int(m))) {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	}
	days := types.DaysFromCivil(year, int(m), int(d))
	if days < -2440588 || days > 106751990 {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range: %d-%02d-%02d", y, m, d)
	}
	return days, nil
}

func clock(h, m int64, s float64) (int64, error) {
	if h < 0 || h > 24 || m < 0 || m > 59 || !(s >= 0 && s <= 60) || h == 24 && (m > 0 || s > 0) {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "time field value out of range: %d:%02d:%02g", h, m, s)
	}
	return h*types.MicrosPerHour + m*types.MicrosPerMinute + int64(math.RoundToEven(s*1e6)), nil
}

func makeDate(x *row) (types.Value, error) { return ts(civil(x.int(0), x.int(1), x.int(2))) }
func makeTime(x *row) (types.Value, error) { return ts(clock(x.int(0), x.int(1), x.float(2))) }

func makeTimestamp(x *row) (types.Value, error) {
	d, err := civil(x.int(0), x.int(1), x.int(2))
	if err != nil {
		return types.NullValue, err
	}
	us, err := clock(x.int(3), x.int(4), x.float(5))
	return intValue(d*types.MicrosPerDay + us), err
}

func makeTimestampTZ(x *row) (types.Value, error) {
	v, err := makeTimestamp(x)
	if err != nil {
		return v, err
	}
	z := x.f.ctx.zone()
	if len(x.v) > 6 {
		if s := x.str(6); strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
			z, err = types.LoadZone(s, false)
		} else {
			z, err = types.LoadZone(s, true)
		}
		if err != nil {
			return types.NullValue, err
		}
	}
	return intValue(z.ToUTC(v.Int)), nil
}

func makeInterval(x *row) (types.Value, error) {
	var n [6]int64
	for i := range min(len(x.v), 6) {
		n[i] = x.int(i)
	}
	sec := 0.0
	if len(x.v) > 6 {
		sec = x.float(6)
	}
	months, days := n[0]*12+n[1], n[2]*7+n[3]
	if months != int64(int32(months)) || days != int64(int32(days)) || math.Abs(sec) > 9e12 {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
	}
	us := n[4]*types.MicrosPerHour + n[5]*types.MicrosPerMinute + int64(math.RoundToEven(sec*1e6))
	return iv(types.Interval{Months: int32(months), Days: int32(days), Micros: us}, nil)
}

// overlaps is (a, b) OVERLAPS (c, d). An end may be an interval after its start,
// and one end of a pair may be unknown: then the answer is what follows from the
// other one.
func overlaps(x *row) (types.Value, error) {
	first, err := x.period(0)
	if err != nil {
		return types.NullValue, err
	}
	second, err := x.period(2)
	if err != nil || first.unknown || second.unknown {
		return types.NullValue, err
	}
	if first.from > second.from {
		first, second = second, first
	}
	switch {
	case first.from == second.from:
		if first.open || second.open {
			return types.NullValue, nil
		}
		return boolValue(true), nil
	case first.open:
		return types.NullValue, nil
	case second.from < first.to:
		return boolValue(true), nil
	case second.open:
		return types.NullValue, nil
	}
	return boolValue(false), nil
}

// period is one side of OVERLAPS, its ends in order.
type period struct {
	from, to int64
	open     bool // only from is known
	unknown  bool
}

func (x *row) period(i int) (period, error) {
	length := x.typ(i+1).Kind == types.IntervalK
	end, noEnd := x.int(i+1), x.null(i+1) || length && x.null(i)
	if length && !noEnd {
		var err error
		switch x.typ(i).Kind {
		case types.TimestampTZ:
			end, err = x.iv(i+1).AddToTimestampTZ(x.int(i), x.f.ctx.zone())
		case types.Time:
			end = ((x.int(i)+x.iv(i+1).Micros)%types.MicrosPerDay + types.MicrosPerDay) % types.MicrosPerDay
		default:
			end, err = x.iv(i + 1).AddToTimestamp(x.int(i))
		}
		if err != nil {
			return period{}, err
		}
	}
	switch {
	case x.null(i) && noEnd:
		return period{unknown: true}, nil
	case x.null(i):
		return period{from: end, open: true}, nil
	case noEnd:
		return period{from: x.int(i), open: true}, nil
	}
	return period{from: min(x.int(i), end), to: max(x.int(i), end)}, nil
}
