package eval

import (
	"math"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func (x *row) unit(i int) (types.Interval, error) {
	u, ok := types.ParseTimeUnit(x.str(i))
	if !ok {
		return u, pgerr.New(pgerr.InvalidParameterValue, "unit %q not recognized", x.str(i))
	}
	return u, nil
}

// timestampAdd is TIMESTAMPADD(unit, n, time).
func timestampAdd(x *row) (types.Value, error) {
	unit, err := x.unit(0)
	if err != nil {
		return types.NullValue, err
	}
	n, t := x.int(1), x.int(2)
	most := math.MaxInt64 / max(unit.Micros, 1)
	if calendar := int64(max(unit.Months, unit.Days)); calendar > 0 {
		most = math.MaxInt32 / calendar
	}
	if n > most || n < -most {
		return types.NullValue, pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
	}
	by := types.Interval{Months: unit.Months * int32(n), Days: unit.Days * int32(n), Micros: unit.Micros * n}
	switch x.typ(2).Kind {
	case types.TimestampTZ:
		t, err = by.AddToTimestampTZ(t, x.f.ctx.zone())
	case types.Date:
		if types.IsInfinite(t) {
			return intValue(t), nil
		}
		if t, err = dateMicros(t); err != nil {
			return types.NullValue, err
		}
		if t, err = by.AddToTimestamp(t); err == nil {
			t, _ = types.SplitMicros(t)
		}
	default:
		t, err = by.AddToTimestamp(t)
	}
	return intValue(t), err
}

// timestampDiff is TIMESTAMPDIFF(unit, from, to). Months of timestamps with time
// zone are those of the session's wall clock.
func timestampDiff(x *row) (types.Value, error) {
	unit, err := x.unit(0)
	if err != nil {
		return types.NullValue, err
	}
	var at [2]int64
	for i := range at {
		at[i] = x.int(i + 1)
		switch x.typ(i + 1).Kind {
		case types.Date:
			if at[i], err = dateMicros(at[i]); err != nil {
				return types.NullValue, err
			}
		case types.TimestampTZ:
			if unit.Months > 0 && !types.IsInfinite(at[i]) {
				at[i] = x.f.ctx.zone().ToLocal(at[i])
			}
		}
	}
	n, err := types.UnitsBetween(unit, at[0], at[1])
	return intValue(n), err
}
