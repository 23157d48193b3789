package types

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	_ "time/tzdata" // zone rules do not depend on the machine

	"github.com/millrace/millrace/internal/pgerr"
)

// Zone is a time zone with the offset last used remembered, so that looking up
// neighbouring times costs no search. It may be shared.
type Zone struct {
	name  string
	loc   *time.Location // nil: fixed offset
	fixed int64          // seconds east
	dst   bool           // of a fixed offset: it is daylight-saving time
	last  atomic.Pointer[zoneSpan]
}

type zoneSpan struct{ from, to, offset int64 } // seconds

// UTC is the zone without offset.
var UTC = &Zone{name: "UTC"}

// FixedZone is a zone so many seconds east of Greenwich.
func FixedZone(name string, east int64) *Zone { return &Zone{name: name, fixed: east} }

// Name is the zone's name as SHOW timezone prints it.
func (z *Zone) Name() string { return z.name }

// Fixed reports whether the offset is the same at all times.
func (z *Zone) Fixed() bool {
	if z.loc == nil {
		return true
	}
	from, to := time.Unix(0, 0).In(z.loc).ZoneBounds()
	return from.IsZero() && to.IsZero()
}

// LoadZone finds a zone by IANA name, abbreviation or offset. With posix set a
// bare offset such as '+05:30' counts west of Greenwich, as in AT TIME ZONE and
// SET timezone; else east, as within a timestamp.
func LoadZone(name string, posix bool) (*Zone, error) {
	s := strings.TrimSpace(name)
	switch strings.ToLower(s) {
	case "utc", "z", "zulu", "default":
		return UTC, nil
	case "gmt":
		return FixedZone("GMT", 0), nil
	case "", "local":
		return nil, pgerr.New(pgerr.InvalidParameterValue, "time zone %q not recognized", name)
	}
	if z := abbreviated(s); z != nil {
		return z, nil
	}
	if off, ok := parseOffset(s); ok {
		if posix {
			off = -off
		}
		return FixedZone(s, off), nil
	}
	if i := strings.IndexByte(s, '>'); i > 0 && s[0] == '<' { // <+03>-03, as SHOW timezone has it
		if off, ok := parseOffset(s[1:i]); ok {
			return FixedZone(s, off), nil
		}
	}
	loc, err := time.LoadLocation(canonicalZone(s))
	if err != nil {
		// GMT+3, UTC-2: POSIX sign, west is positive.
		if i := strings.IndexAny(s, "+-"); i > 0 {
			if off, ok := parseOffset(s[i:]); ok {
				return FixedZone(s, -off), nil
			}
		}
		return nil, pgerr.New(pgerr.InvalidParameterValue, "time zone %q not recognized", name)
	}
	return &Zone{name: loc.String(), loc: loc}, nil
}

// parseOffset reads +05, +0530, -05:30, +05:30:15 as seconds.
func parseOffset(s string) (int64, bool) {
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	var parts [3]int64
	fields := strings.Split(s[1:], ":")
	if len(fields) == 1 && len(fields[0]) > 2 {
		f := fields[0]
		switch len(f) {
		case 3:
			fields = []string{f[:1], f[1:]}
		case 4:
			fields = []string{f[:2], f[2:]}
		case 6:
			fields = []string{f[:2], f[2:4], f[4:]}
		default:
			return 0, false
		}
	}
	if len(fields) > 3 {
		return 0, false
	}
	for i, f := range fields {
		v, err := strconv.ParseUint(f, 10, 8)
		if err != nil || len(f) > 2 || i > 0 && v > 59 || i == 0 && v > 15 {
			return 0, false
		}
		parts[i] = int64(v)
	}
	off := parts[0]*3600 + parts[1]*60 + parts[2]
	if s[0] == '-' {
		off = -off
	}
	return off, true
}

// OffsetAt is how many seconds local time is ahead of UTC at a UTC time.
func (z *Zone) OffsetAt(utcMicros int64) int64 {
	if z.loc == nil {
		return z.fixed
	}
	sec := FloorDiv(utcMicros, MicrosPerSecond)
	if s := z.last.Load(); s != nil && sec >= s.from && sec < s.to {
		return s.offset
	}
	t := time.Unix(sec, 0).In(z.loc)
	start, end := t.ZoneBounds()
	_, off := t.Zone()
	span := &zoneSpan{from: -1 << 62, to: 1 << 62, offset: int64(off)}
	if !start.IsZero() {
		span.from = start.Unix()
	}
	if !end.IsZero() {
		span.to = end.Unix()
	}
	z.last.Store(span)
	return span.offset
}

// Abbreviation is the zone's short name at a UTC time, such as CEST.
func (z *Zone) Abbreviation(utcMicros int64) string {
	if z.loc == nil {
		return z.name
	}
	n, _ := time.Unix(FloorDiv(utcMicros, MicrosPerSecond), 0).In(z.loc).Zone()
	return n
}

// DST reports whether it is daylight-saving time in the zone at a UTC time.
func (z *Zone) DST(utcMicros int64) bool {
	if z.loc == nil {
		return z.dst
	}
	return time.Unix(FloorDiv(utcMicros, MicrosPerSecond), 0).In(z.loc).IsDST()
}

// ToLocal turns UTC into the zone's wall clock.
func (z *Zone) ToLocal(utcMicros int64) int64 {
	if IsInfinite(utcMicros) || z.loc == nil && z.fixed == 0 {
		return utcMicros
	}
	return utcMicros + z.OffsetAt(utcMicros)*MicrosPerSecond
}

// ToUTC turns the zone's wall clock into UTC. A time that a change of the clock
// skips is read with the offset before it, one that occurs twice with the
// offset after it, as PostgreSQL does.
func (z *Zone) ToUTC(local int64) int64 {
	if IsInfinite(local) || z.loc == nil && z.fixed == 0 {
		return local
	}
	if z.loc == nil {
		return local - z.fixed*MicrosPerSecond
	}
	before := z.OffsetAt(local - MicrosPerDay)
	after := z.OffsetAt(local + MicrosPerDay)
	if before == after {
		return local - before*MicrosPerSecond
	}
	a := local - after*MicrosPerSecond
	if z.OffsetAt(a) == after {
		return a
	}
	return local - before*MicrosPerSecond
}
