package eval

import (
	"bytes"
	"cmp"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// pathTime is what .datetime() gives: an item of its own kind, which is a string
// only when it leaves the path.
type pathTime struct {
	kind timeKind
	// at is the day of a date, and else microseconds: of the local time, or for
	// timestamps with a zone since 1970 in UTC.
	at int64
	// offset is the zone's, seconds east.
	offset int64
}

// timeKind is one of the five types of dates and times.
type timeKind uint8

const (
	pathDate timeKind = iota
	pathTimeOfDay
	pathTimeTZ
	pathTimestamp
	pathTimestampTZ
)

func (k timeKind) zoned() bool { return k == pathTimeTZ || k == pathTimestampTZ }
func (k timeKind) dated() bool { return k != pathTimeOfDay && k != pathTimeTZ }

var (
	timeKindNames = [...]string{"date", "time without time zone", "time with time zone", "timestamp without time zone", "timestamp with time zone"}
	timeCastNames = [...]string{"date", "time", "timetz", "timestamp", "timestamptz"}
)

// standardTimes are the templates that .datetime() tries without one of its own.
var standardTimes = func() (list [][]timeNode) {
	times := []string{"HH24:MI:SS.USTZH:TZM", "HH24:MI:SS.USTZH", "HH24:MI:SSTZH:TZM", "HH24:MI:SSTZH", "HH24:MI:SS.US", "HH24:MI:SS"}
	all := append([]string{"yyyy-mm-dd"}, times...)
	for _, zoned := range [][]string{times[:4], times[4:]} {
		for _, between := range []string{" ", `"T"`} {
			for _, t := range zoned {
				all = append(all, "yyyy-mm-dd"+between+t)
			}
		}
	}
	for _, t := range all {
		nodes, _ := parseTimeTemplate(t, true)
		list = append(list, nodes)
	}
	return list
}()

// datetime evaluates .datetime().
func (r *pathRun) datetime(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	if v.Kind != types.JSONString || r.timeOf(v) != nil {
		return false, r.fail(pgerr.InvalidJSONDatetime, "jsonpath item method .datetime() can only be applied to a string")
	}
	var t pathTime
	var err error
	if x.Left != nil {
		nodes, ok := r.templates[x]
		if !ok {
			if nodes, err = parseTimeTemplate(x.Left.Str, true); err != nil {
				return false, err
			}
			r.templates[x] = nodes
		}
		if t, err = readPathTime(v.Str, nodes); err != nil {
			return false, pathError{err}
		}
		return r.next(x, r.newTime(t), out)
	}
	for _, nodes := range standardTimes {
		if t, err = readPathTime(v.Str, nodes); err == nil {
			return r.next(x, r.newTime(t), out)
		}
	}
	if r.silent {
		return false, errNoItem
	}
	return false, pathError{pgerr.New(pgerr.InvalidJSONDatetime, "datetime format is not recognized: %q", v.Str).
		Hint("Use a datetime template argument to specify the input data format.")}
}

// timeOf is what v is beyond a string, nil for nothing.
func (r *pathRun) timeOf(v *types.JSON) *pathTime { return r.times[v] }

// newTime makes an item.
func (r *pathRun) newTime(t pathTime) *types.JSON {
	v := &types.JSON{Kind: types.JSONString, Str: t.String()}
	if r.times == nil {
		r.times = map[*types.JSON]*pathTime{}
	}
	r.times[v] = &t
	return v
}

// readPathTime reads a date or time; the template says which it is.
func readPathTime(s string, nodes []timeNode) (pathTime, error) {
	read, err := scanTime(s, nodes, true)
	if err != nil {
		return pathTime{}, err
	}
	parts := partsOf(nodes)
	switch {
	case parts&datedPart == 0 && parts&timedPart == 0:
		return pathTime{}, errFormat("datetime format is not dated and not timed")
	case parts&timedPart == 0 && parts&zonedPart != 0:
		return pathTime{}, errFormat("datetime format is zoned but not timed")
	case parts&timedPart == 0 && (read.days < dateDayMin || read.days > dateDayMax):
		return pathTime{}, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range: %q", s)
	case parts&timedPart == 0:
		return pathTime{kind: pathDate, at: read.days}, nil
	}
	t := pathTime{kind: pathTimeOfDay, at: read.us, offset: read.offset}
	if parts&datedPart != 0 {
		if read.days < dateDayMin || read.days > timestampDayMax {
			return t, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range")
		}
		t.kind, t.at = pathTimestamp, read.days*types.MicrosPerDay+read.us
	}
	if parts&zonedPart != 0 {
		if t.kind++; !read.zoned {
			return t, errFormat("missing time zone in input string for type %s", timeCastNames[t.kind])
		}
	}
	if read.precision > 0 {
		t.at = types.RoundMicros(t.at, int32(read.precision))
	}
	if t.kind == pathTimestampTZ {
		t.at -= t.offset * types.MicrosPerSecond
	}
	return t, nil
}

// String is how JSON shows it.
func (t *pathTime) String() string {
	var b []byte
	switch t.kind {
	case pathDate:
		return string(types.AppendDate(nil, t.at))
	case pathTimeOfDay, pathTimeTZ:
		b = types.AppendTime(nil, t.at)
	case pathTimestamp, pathTimestampTZ:
		at := t.at
		if t.kind == pathTimestampTZ {
			at += t.offset * types.MicrosPerSecond
		}
		b = bytes.Replace(types.AppendTimestamp(nil, at), []byte{' '}, []byte{'T'}, 1)
	}
	if !t.kind.zoned() {
		return string(b)
	}
	b, bc := bytes.CutSuffix(b, []byte(" BC"))
	sign, off := byte('+'), t.offset
	if off < 0 {
		sign, off = '-', -off
	}
	h, m := off/3600, off/60%60
	b = append(b, sign, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10))
	if bc {
		b = append(b, " BC"...)
	}
	return string(b)
}

// compareTimes compares dates and times of the same kind, or of kinds that can be
// cast to one; without a zone, none is given a zone by a cast.
func (r *pathRun) compareTimes(a, b *pathTime) (c int, known bool, err error) {
	switch {
	case a.kind.dated() != b.kind.dated():
		return 0, false, nil
	case a.kind == b.kind:
	case !a.kind.zoned() && !b.kind.zoned(): // a date and a timestamp
		a, b = a.timestamp(), b.timestamp()
	default:
		if a, err = r.withZone(a, b.kind); err == nil {
			b, err = r.withZone(b, a.kind)
		}
		if err != nil {
			return 0, false, err
		}
	}
	if a.kind != pathTimeTZ {
		return cmp.Compare(a.at, b.at), true, nil
	}
	utc := func(t *pathTime) int64 { return t.at - t.offset*types.MicrosPerSecond }
	return cmp.Or(cmp.Compare(utc(a), utc(b)), cmp.Compare(-a.offset, -b.offset)), true, nil
}

// timestamp is a date's midnight.
func (t *pathTime) timestamp() *pathTime {
	if t.kind != pathDate {
		return t
	}
	return &pathTime{kind: pathTimestamp, at: t.at * types.MicrosPerDay}
}

// withZone takes t as of the session's zone, if it has none.
func (r *pathRun) withZone(t *pathTime, to timeKind) (*pathTime, error) {
	if t.kind.zoned() {
		return t, nil
	}
	if r.zone == nil {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "cannot convert value from %s to %s without time zone usage", timeCastNames[t.kind], timeCastNames[to]).
			Hint("Use *_tz() function for time zone support.")
	}
	if t.kind == pathTimeOfDay {
		return &pathTime{kind: pathTimeTZ, at: t.at, offset: r.zone.OffsetAt(r.now)}, nil
	}
	return &pathTime{kind: pathTimestampTZ, at: r.zone.ToUTC(t.timestamp().at)}, nil
}
