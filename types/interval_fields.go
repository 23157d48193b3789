package types

import (
	"strconv"
	"strings"
)

// The fields of an interval type, INTERVAL HOUR or INTERVAL DAY TO SECOND, are its
// Scale, as PostgreSQL's typmod has them: a bit for each. 0 is all of them.
var intervalParts = [...]struct {
	name string
	bit  int32
}{{"year", 1 << 2}, {"month", 1 << 1}, {"day", 1 << 3}, {"hour", 1 << 10}, {"minute", 1 << 11}, {"second", 1 << 12}}

// intervalMicros is the Precision of an interval type that has fields and no precision.
const intervalMicros = 6

// WithIntervalFields is t, an interval, with the fields of a name such as "day to
// second".
func (t Type) WithIntervalFields(fields string) Type {
	first, last, _ := strings.Cut(fields, " to ")
	t.Scale = 0
	for _, u := range intervalParts {
		if u.name == first || t.Scale != 0 && last != "" {
			t.Scale |= u.bit
		}
		if u.name == last {
			break
		}
	}
	if t.Scale != 0 && !t.HasPrecision {
		t.HasPrecision, t.Precision = true, intervalMicros
	}
	return t
}

// intervalFields names the fields of an interval type, "" for all.
func (t Type) intervalFields() string {
	first, last := "", ""
	for _, u := range intervalParts {
		if t.Scale&u.bit != 0 {
			if first == "" {
				first = u.name
			}
			last = u.name
		}
	}
	if first == last {
		return first
	}
	return first + " to " + last
}

// intervalName is an interval type with its modifiers.
func (t Type) intervalName() string {
	name := "interval"
	if t.Scale != 0 {
		name += " " + t.intervalFields()
	}
	if t.HasPrecision && (t.Scale == 0 || t.Precision < intervalMicros) {
		name += "(" + strconv.Itoa(int(t.Precision)) + ")"
	}
	return name
}

// FitInterval cuts off what is finer than the fields and the precision of t.
func FitInterval(t Type, v Interval) Interval {
	return v.truncate(t.intervalFields(), intervalPrecision(t))
}
