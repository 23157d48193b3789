package types

import (
	_ "embed"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// zoneNamesText is the names of time zones, one a line.
//
//go:embed zone_names.txt
var zoneNamesText string

// zoneAbbreviationsText is the abbreviations that PostgreSQL knows by default, one a
// line: with seconds east of Greenwich, and D for daylight-saving time, or with the
// zone whose offset it is where that has changed.
//
//go:embed zone_abbreviations.txt
var zoneAbbreviationsText string

// zoneNames has the names of time zones by their lower case.
var zoneNames = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for name := range strings.FieldsSeq(zoneNamesText) {
		m[strings.ToLower(name)] = name
	}
	return m
})

// zoneAbbreviation is what an abbreviation stands for.
type zoneAbbreviation struct {
	zone string // "" for a fixed offset
	east int64  // seconds
	dst  bool
}

// zoneAbbreviations has the abbreviations by their lower case.
var zoneAbbreviations = sync.OnceValue(func() map[string]zoneAbbreviation {
	m := map[string]zoneAbbreviation{}
	for line := range strings.Lines(zoneAbbreviationsText) {
		words := strings.Fields(line)
		a := zoneAbbreviation{dst: len(words) == 3}
		var err error
		if a.east, err = strconv.ParseInt(words[1], 10, 64); err != nil {
			a.zone = words[1]
		}
		m[strings.ToLower(words[0])] = a
	}
	return m
})

// ZoneNames lists the names of all time zones, in order.
func ZoneNames() []string { return slices.Sorted(maps.Values(zoneNames())) }

// ZoneAbbreviations lists the abbreviations that may stand for a time zone, in order.
func ZoneAbbreviations() []string {
	var list []string
	for name := range zoneAbbreviations() {
		list = append(list, strings.ToUpper(name))
	}
	slices.Sort(list)
	return list
}

// abbreviated is the zone that an abbreviation stands for, nil for none.
func abbreviated(name string) *Zone {
	a, ok := zoneAbbreviations()[strings.ToLower(name)]
	if !ok {
		return nil
	}
	name = strings.ToUpper(name)
	if a.zone == "" {
		return &Zone{name: name, fixed: a.east, dst: a.dst}
	}
	loc, err := time.LoadLocation(a.zone)
	if err != nil {
		return nil
	}
	return &Zone{name: name, loc: loc}
}

// canonicalZone writes the name of a zone as it is listed.
func canonicalZone(s string) string {
	if name, ok := zoneNames()[strings.ToLower(s)]; ok {
		return name
	}
	return s
}
