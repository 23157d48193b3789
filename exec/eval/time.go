package eval

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// timeKernel makes the time functions that are common in streams: extract,
// date_trunc, to_char and date_format with a constant field or template,
// timestamps plus and minus intervals.
func timeKernel(e *scalar.Expr, fn *scalar.Function) kernel {
	switch fn.Key {
	case "extract(text,timestamp)", "date_part(text,timestamp)", "extract(text,timestamptz)", "date_part(text,timestamptz)":
		return extractKernel(e, fn)
	case "date_trunc(text,timestamp)":
		return truncKernel(e)
	case "+(timestamp,interval)":
		return shiftKernel(0, 1, false)
	case "+(interval,timestamp)":
		return shiftKernel(1, 0, false)
	case "-(timestamp,interval)":
		return shiftKernel(0, 1, true)
	case "to_char(timestamp,text)", "to_char(timestamptz,text)", "date_format(timestamp,text)", "date_format(timestamptz,text)":
		return formatKernel(e, fn)
	case "-(timestamp,timestamp)", "-(timestamptz,timestamptz)":
		return func(f *frame, c *call, sel []uint16) {
			a, b := c.cols[0].Int, c.cols[1].Int
			each(f.n, sel, func(i int) {
				v, err := types.SubTimestamps(a[i], b[i])
				if c.out.Interval[i] = v; err != nil {
					c.fail(f, i, err)
				}
			})
		}
	}
	return nil
}

// fieldOf is the canonical name of an extract or date_trunc field.
func fieldOf(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "us", "usec", "usecs", "usecond", "useconds", "microsecond", "microsec":
		return "microseconds"
	case "ms", "msec", "msecs", "msecond", "mseconds", "millisecond", "millisecon":
		return "milliseconds"
	case "s", "sec", "secs", "seconds":
		return "second"
	case "m", "min", "mins", "minutes":
		return "minute"
	case "h", "hr", "hrs", "hours":
		return "hour"
	case "d", "days":
		return "day"
	case "w", "weeks":
		return "week"
	case "mon", "mons", "months":
		return "month"
	case "qtr", "quarters":
		return "quarter"
	case "y", "yr", "yrs", "years":
		return "year"
	case "dec", "decs", "decades":
		return "decade"
	case "c", "cent", "centuries":
		return "century"
	case "mil", "mils", "millennia":
		return "millennium"
	case "j", "jd":
		return "julian"
	}
	return s
}

func errField(t types.Type, field string, known bool) error {
	if known {
		return pgerr.New(pgerr.FeatureNotSupported, "unit %q not supported for type %s", field, t)
	}
	return pgerr.New(pgerr.InvalidParameterValue, "unit %q not recognized for type %s", field, t)
}

// extractKernel is extract with a constant field that is one number per row.
func extractKernel(e *scalar.Expr, fn *scalar.Function) kernel {
	p := e.Args[0]
	if p.Op != scalar.OpConst || p.Value == nil || p.Value.Null {
		return nil
	}
	field := fieldOf(p.Value.Bytes)
	switch field {
	case "year", "month", "day", "hour", "minute", "dow", "doy", "quarter":
	default:
		return nil
	}
	decimal, zoned := fn.Ret.Kind == types.Numeric, fn.Args[1].Kind == types.TimestampTZ
	return func(f *frame, c *call, sel []uint16) {
		a, z := c.cols[1].Int, f.ctx.zone()
		if decimal && field == "hour" && (!zoned || z == types.UTC) && hourLoop(c, a, sel, f.n) {
			return
		}
		each(f.n, sel, func(i int) {
			ts := a[i]
			if types.IsInfinite(ts) {
				v, err := infiniteField(field, ts)
				switch {
				case err != nil:
					c.fail(f, i, err)
				case v.Null:
					c.null(f, i)
				case decimal:
					c.out.Dec[i] = v.Dec
				default:
					c.out.Float[i] = v.Dec.Float64()
				}
				return
			}
			if zoned {
				ts = z.ToLocal(ts)
			}
			v := simpleField(field, ts)
			if decimal {
				c.out.Dec[i] = types.DecimalFromInt(v)
			} else {
				c.out.Float[i] = float64(v)
			}
		})
	}
}

// hot: hours of UTC since 1970; false when a row needs more care.
func hourLoop(c *call, a []int64, sel []uint16, n int) bool {
	odd := false
	hour := func(i int) {
		v := uint64(a[i])
		odd = odd || v >= 1<<62 // infinite, or before 1970
		c.out.Dec[i] = types.Decimal{Lo: v / uint64(types.MicrosPerHour) % 24}
	}
	if sel == nil {
		for i := range n {
			hour(i)
		}
		return !odd
	}
	for _, i := range sel {
		hour(int(i))
	}
	return !odd
}

// simpleField computes the integer fields of a local timestamp.
func simpleField(field string, ts int64) int64 {
	days, us := types.SplitMicros(ts)
	switch field {
	case "hour":
		return us / types.MicrosPerHour
	case "minute":
		return us / types.MicrosPerMinute % 60
	case "dow":
		return int64(types.Weekday(days))
	}
	y, m, d := types.CivilFromDays(days)
	switch field {
	case "year":
		if y <= 0 {
			return y - 1
		}
		return y
	case "month":
		return int64(m)
	case "quarter":
		return int64(m-1)/3 + 1
	case "doy":
		return days - types.DaysFromCivil(y, 1, 1) + 1
	}
	return int64(d)
}

// infiniteField is extract from infinity: null for what cycles, else infinity.
func infiniteField(field string, ts int64) (types.Value, error) {
	switch field {
	case "year", "decade", "century", "millennium", "julian", "isoyear", "epoch":
		if ts > 0 {
			return decValue(types.Decimal{Special: types.DecimalInf}), nil
		}
		return decValue(types.Decimal{Special: types.DecimalNegInf}), nil
	}
	return types.NullValue, nil
}

// truncTimestamp is date_trunc of a local timestamp.
func truncTimestamp(field string, ts int64) (int64, bool) {
	if types.IsInfinite(ts) {
		return ts, true
	}
	floor := func(unit int64) int64 { return types.FloorDiv(ts, unit) * unit }
	switch field {
	case "microseconds":
		return ts, true
	case "milliseconds":
		return floor(1000), true
	case "second":
		return floor(types.MicrosPerSecond), true
	case "minute":
		return floor(types.MicrosPerMinute), true
	case "hour":
		return floor(types.MicrosPerHour), true
	case "day":
		return floor(types.MicrosPerDay), true
	}
	days, _ := types.SplitMicros(ts)
	if field == "week" {
		return (days - int64(types.Weekday(days)+6)%7) * types.MicrosPerDay, true
	}
	y, m, _ := types.CivilFromDays(days)
	switch field {
	case "month":
	case "quarter":
		m = (m-1)/3*3 + 1
	case "year":
		m = 1
	case "decade":
		y, m = types.FloorDiv(y, 10)*10, 1
	case "century":
		y, m = types.FloorDiv(y-1, 100)*100+1, 1
	case "millennium":
		y, m = types.FloorDiv(y-1, 1000)*1000+1, 1
	default:
		return 0, false
	}
	return types.DaysFromCivil(y, m, 1) * types.MicrosPerDay, true
}

func truncKernel(e *scalar.Expr) kernel {
	p := e.Args[0]
	if p.Op != scalar.OpConst || p.Value == nil || p.Value.Null {
		return nil
	}
	field := fieldOf(p.Value.Bytes)
	return func(f *frame, c *call, sel []uint16) {
		a, out := c.cols[1].Int, c.out.Int
		each(f.n, sel, func(i int) {
			v, ok := truncTimestamp(field, a[i])
			if out[i] = v; !ok {
				c.fail(f, i, errTrunc(types.Of(types.Timestamp), field, p.Value.Bytes))
			}
		})
	}
}

// errTrunc is the error of a field that date_trunc has not; written is how it was written.
func errTrunc(t types.Type, field, written string) error {
	return errField(t, written, field == "week" || strings.HasPrefix(field, "timezone"))
}

func knownField(field string) bool {
	switch field {
	case "dow", "doy", "isodow", "isoyear", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute",
		"microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium":
		return true
	}
	return false
}

// extractTimestamp is extract of any field from a local timestamp; utc and zone
// serve epoch and the zone fields, zone is nil without one.
func extractTimestamp(field string, ts, utc int64, z *types.Zone, t types.Type) (types.Value, error) {
	f := fieldOf(field)
	if types.IsInfinite(ts) {
		if !knownField(f) {
			return types.NullValue, errField(t, field, false)
		}
		return infiniteField(f, ts)
	}
	scaled := func(v int64, scale int32) (types.Value, error) {
		d := types.DecimalFromInt(v)
		d.Scale = scale
		return decValue(d), nil
	}
	days, us := types.SplitMicros(ts)
	y, _, _ := types.CivilFromDays(days)
	switch f {
	case "year", "month", "day", "hour", "minute", "dow", "doy", "quarter":
		if f == "hour" && t.Kind == types.Time { // up to 24
			return scaled(ts/types.MicrosPerHour, 0)
		}
		return scaled(simpleField(f, ts), 0)
	case "second":
		return scaled(us%types.MicrosPerMinute, 6)
	case "milliseconds":
		return scaled(us%types.MicrosPerMinute, 3)
	case "microseconds":
		return scaled(us%types.MicrosPerMinute, 0)
	case "epoch":
		if t.Kind == types.Date {
			return scaled(utc/types.MicrosPerSecond, 0)
		}
		return scaled(utc, 6)
	case "isodow":
		return scaled(int64(types.Weekday(days)+6)%7+1, 0)
	case "week":
		_, w := types.ISOWeek(days)
		return scaled(int64(w), 0)
	case "isoyear":
		y, _ := types.ISOWeek(days)
		if y <= 0 {
			y--
		}
		return scaled(y, 0)
	case "decade":
		return scaled(types.FloorDiv(y, 10), 0)
	case "century":
		return scaled(ordinal(y, 100), 0)
	case "millennium":
		return scaled(ordinal(y, 1000), 0)
	case "julian":
		d := types.DecimalFromInt(days + 2440588)
		if t.Kind == types.Date {
			return decValue(d), nil
		}
		frac, err := types.DecimalFromInt(us).Div(types.DecimalFromInt(types.MicrosPerDay))
		if err == nil {
			d, err = d.Add(frac)
		}
		return decValue(d), err
	case "timezone", "timezone_hour", "timezone_minute":
		if z != nil {
			off := z.OffsetAt(utc)
			switch f {
			case "timezone_hour":
				off /= 3600
			case "timezone_minute":
				off = off / 60 % 60
			}
			return scaled(off, 0)
		}
	}
	return types.NullValue, errField(t, field, knownField(f))
}

// ordinal counts centuries or millennia from 1, backwards from -1.
func ordinal(y, unit int64) int64 {
	if y > 0 {
		return (y + unit - 1) / unit
	}
	return -((unit - 1 - (y - 1)) / unit)
}

func extractInterval(field string, v types.Interval) (types.Value, error) {
	scaled := func(n int64, scale int32) (types.Value, error) {
		d := types.DecimalFromInt(n)
		d.Scale = scale
		return decValue(d), nil
	}
	f := fieldOf(field)
	years := int64(v.Months / 12)
	switch f {
	case "microseconds":
		return scaled(v.Micros%types.MicrosPerMinute, 0)
	case "milliseconds":
		return scaled(v.Micros%types.MicrosPerMinute, 3)
	case "second":
		return scaled(v.Micros%types.MicrosPerMinute, 6)
	case "minute":
		return scaled(v.Micros/types.MicrosPerMinute%60, 0)
	case "hour":
		return scaled(v.Micros/types.MicrosPerHour, 0)
	case "day":
		return scaled(int64(v.Days), 0)
	case "month":
		return scaled(int64(v.Months%12), 0)
	case "quarter":
		return scaled(int64(v.Months%12/3+1), 0)
	case "year":
		return scaled(years, 0)
	case "decade":
		return scaled(years/10, 0)
	case "century":
		return scaled(years/100, 0)
	case "millennium":
		return scaled(years/1000, 0)
	case "epoch":
		// A year is 365.25 days, a month 30.
		d, err := types.DecimalFromInt(years).Mul(types.DecimalFromInt(31557600))
		if err == nil {
			d, err = d.Add(types.DecimalFromInt(int64(v.Months%12)*30*86400 + int64(v.Days)*86400))
		}
		us := types.DecimalFromInt(v.Micros)
		us.Scale = 6
		if err == nil {
			d, err = d.Add(us)
		}
		return decValue(d), err
	}
	return types.NullValue, errField(types.Of(types.IntervalK), field, knownField(f))
}
