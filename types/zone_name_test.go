package types

import (
	"strings"
	"testing"
	"time"
)

// Every name that is listed is one of a zone, in whatever case, and every abbreviation
// has an offset.
func TestZoneNames(t *testing.T) {
	for _, name := range ZoneNames() {
		z, err := LoadZone(strings.ToUpper(name), true)
		if err != nil || z.loc != nil && z.Name() != name {
			t.Errorf("%s: %v, %v", name, z, err)
		}
	}
	for _, name := range ZoneAbbreviations() {
		if z, err := LoadZone(name, false); err != nil || z.OffsetAt(0)%900 != 0 && z.loc == nil {
			t.Errorf("%s: %v, %v", name, z, err)
		}
	}
	summer := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for _, c := range []struct {
		name   string
		offset int64
		dst    bool
	}{
		{"Europe/Isle_of_Man", 3600, true}, {"america/port-au-prince", -4 * 3600, true}, {"EDT", -4 * 3600, true}, {"est", -5 * 3600, false}, {"msk", 3 * 3600, false},
	} {
		z, err := LoadZone(c.name, true)
		if err != nil || z.OffsetAt(summer) != c.offset || z.DST(summer) != c.dst {
			t.Errorf("%s: %v, %v", c.name, z, err)
		}
	}
}
