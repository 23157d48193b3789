package connector

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
)

// SourceOptions are the options that every source knows. The runtime acts on
// them; connectors accept them and look no further.
func SourceOptions() []Option {
	return []Option{
		{Name: "rows_per_second", Default: "0", Doc: "wall-clock limit on rows read, 0 for none"},
		{Name: "bad_data", Default: "dead_letter", Values: []string{"fail", "skip", "dead_letter"}, Doc: "what becomes of a row that cannot be decoded"},
		{Name: "idle_timeout", Default: "0s", Doc: "how long a split may be silent before the watermark passes it by, 0s for ever"},
		{Name: "watermark_alignment", Default: "0s", Doc: "how far one split may run ahead of the slowest in event time, 0s for any distance"},
	}
}

// SinkOptions are the options that every sink knows.
func SinkOptions() []Option {
	return []Option{
		{Name: "delivery", Default: "exactly_once", Values: []string{"exactly_once", "at_least_once"}, Doc: "guarantee of what is written"},
	}
}

// Accepts lists every option a relation of kind k may carry: its own, and the
// shared ones of the directions it has, in name order.
func (k *Kind) Accepts() []Option {
	all := append([]Option(nil), k.Options...)
	if k.NewSource != nil {
		for _, o := range SourceOptions() {
			o.Only = SourceOnly
			all = append(all, o)
		}
	}
	if k.NewSink != nil {
		for _, o := range SinkOptions() {
			o.Only = SinkOnly
			if o.Name == "delivery" && !k.AtLeastOnce {
				o.Values = []string{"exactly_once"}
			}
			all = append(all, o)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Settings are the checked options of one relation, with defaults filled in.
type Settings struct {
	kind   string
	values map[string]string
	given  map[string]bool
}

// dynamicOption tells names such as fields.<col>.kind, which a connector checks
// itself: they contain a dot and the kind has an option with the same first part.
func dynamicOption(accepts []Option, name string) bool {
	head, _, dotted := strings.Cut(name, ".")
	if !dotted {
		return false
	}
	for _, o := range accepts {
		if strings.HasPrefix(o.Name, head+".<") {
			return true
		}
	}
	return false
}

// Check holds the options of spec against what k accepts. The first fault found
// is returned as an error for the user that names the option and says what is
// valid; faults are looked for in name order.
func (k *Kind) Check(spec Spec) (*Settings, error) {
	accepts := k.Accepts()
	s := &Settings{kind: k.Name, values: map[string]string{}, given: map[string]bool{}}
	known := map[string]Option{}
	for _, o := range accepts {
		known[o.Name] = o
		if !strings.Contains(o.Name, "<") {
			s.values[o.Name] = o.Default
		}
	}
	names := make([]string, 0, len(spec.Options))
	for name := range spec.Options {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		value := spec.Options[name]
		if name == "connector" {
			continue
		}
		o, ok := known[name]
		if !ok || strings.Contains(name, "<") {
			if !dynamicOption(accepts, name) {
				return nil, unknownOption(k.Name, name, accepts, spec.Direction)
			}
		} else if !o.serves(spec.Direction) {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "option %q is for %ss only", name, o.Only).
				Hint("Valid options of a %s are %s.", spec.Direction, optionNames(accepts, spec.Direction))
		} else if len(o.Values) > 0 && !contains(o.Values, value) {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "invalid value for option %q: %q", name, value).
				Hint("Valid values are %s.", strings.Join(o.Values, ", "))
		}
		s.values[name], s.given[name] = value, true
	}
	for _, o := range accepts {
		if o.Required && s.values[o.Name] == "" {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "connector %q requires option %q", k.Name, o.Name).Hint("%s.", capitalized(o.Name+" is "+o.Doc))
		}
	}
	if err := s.checkShared(); err != nil {
		return nil, err
	}
	return s, nil
}

// storageParameters are those of PostgreSQL's tables that tools write as a matter of
// course, as pgbench does. They say nothing about how tables are stored here.
func storageParameters() []Option {
	return []Option{
		{Name: "fillfactor", Default: "100", Doc: "taken, without effect"},
		{Name: "autovacuum_enabled", Default: "true", Doc: "taken, without effect"},
	}
}

// CheckOwnTable is Check for a table without a connector: it has the options of
// sources that are about pace and time.
func CheckOwnTable(spec Spec) error {
	k := &Kind{Options: storageParameters()}
	for _, o := range SourceOptions() {
		if o.Name != "bad_data" {
			k.Options = append(k.Options, o)
		}
	}
	s, err := k.Check(spec)
	if err != nil {
		return err
	}
	if _, err := s.Int("fillfactor", 10, 100); err != nil {
		return err
	}
	_, err = s.Bool("autovacuum_enabled")
	return err
}

func (s *Settings) checkShared() error {
	if _, ok := s.values["rows_per_second"]; ok {
		if _, err := s.Int("rows_per_second", 0, 1<<40); err != nil {
			return err
		}
	}
	for _, name := range []string{"idle_timeout", "watermark_alignment"} {
		if _, ok := s.values[name]; ok {
			if _, err := s.Duration(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func contains(values []string, v string) bool {
	for _, x := range values {
		if x == v {
			return true
		}
	}
	return false
}

func capitalized(s string) string {
	return strings.ToUpper(s[:1]) + s[1:]
}

// String is what a relation of that direction is called.
func (d Direction) String() string {
	return [...]string{"table", "source", "sink"}[d]
}

// serves reports whether a relation of a direction may carry the option.
func (o *Option) serves(d Direction) bool {
	return o.Only == BothWays || d == BothWays || o.Only == d
}

func optionNames(accepts []Option, d Direction) string {
	var names []string
	for i := range accepts {
		if accepts[i].serves(d) {
			names = append(names, accepts[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

func unknownOption(kind, name string, accepts []Option, d Direction) error {
	if kind == "" {
		return pgerr.New(pgerr.InvalidParameterValue, "a table without a connector has no option %q", name).
			Hint("Valid options are %s; with a connector = '…' there are more.", optionNames(accepts, d))
	}
	return pgerr.New(pgerr.InvalidParameterValue, "connector %q has no option %q", kind, name).
		Hint("Valid options are %s.", optionNames(accepts, d))
}

// Given reports whether the declaration wrote the option.
func (s *Settings) Given(name string) bool { return s.given[name] }

// Text returns the option as written, or its default.
func (s *Settings) Text(name string) string { return s.values[name] }

// Bad is the error for an unusable value of an option; want says what is valid.
func (s *Settings) Bad(name, want string) error {
	return pgerr.New(pgerr.InvalidParameterValue, "invalid value for option %q: %q", name, s.values[name]).Hint("Valid is %s.", want)
}

// Int returns the option as a whole number in [lo, hi].
func (s *Settings) Int(name string, lo, hi int64) (int64, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(s.values[name], "_", ""), 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, s.Bad(name, "a whole number from "+strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10))
	}
	return n, nil
}

// Bool returns the option as PostgreSQL reads a boolean.
func (s *Settings) Bool(name string) (bool, error) {
	switch strings.ToLower(s.values[name]) {
	case "true", "on", "yes", "t", "1":
		return true, nil
	case "false", "off", "no", "f", "0":
		return false, nil
	}
	return false, s.Bad(name, "true or false")
}

// Duration returns the option as a span of time: 500ms, 10s, 5min, 1h30m, 2d.
func (s *Settings) Duration(name string) (time.Duration, error) {
	d, ok := ParseDuration(s.values[name])
	if !ok {
		return 0, s.Bad(name, "a duration such as 500ms, 10s, 5min, 1h or 1d")
	}
	return d, nil
}

// ParseDuration reads a non-negative span of time made of numbers and units
// (us, ms, s, sec, m, min, h, hour, d, day, and their plurals), or a plain 0.
func ParseDuration(text string) (time.Duration, bool) {
	text = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), " ", ""))
	if text == "0" {
		return 0, true
	}
	if text == "" {
		return 0, false
	}
	var total float64
	for len(text) > 0 {
		i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i <= 0 {
			return 0, false
		}
		n, err := strconv.ParseFloat(text[:i], 64)
		if err != nil {
			return 0, false
		}
		text = text[i:]
		j := strings.IndexFunc(text, func(r rune) bool { return r >= '0' && r <= '9' })
		if j < 0 {
			j = len(text)
		}
		unit, ok := durationUnit(text[:j])
		if !ok {
			return 0, false
		}
		total += n * float64(unit)
		text = text[j:]
	}
	if total > float64(1<<62) {
		return 0, false
	}
	return time.Duration(total), true
}

func durationUnit(u string) (time.Duration, bool) {
	switch u {
	case "us":
		return time.Microsecond, true
	case "ms", "millisecond", "milliseconds":
		return time.Millisecond, true
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "h", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return 24 * time.Hour, true
	}
	return 0, false
}

// Bytes returns the option as a size in [lo, hi]: 1048576, 64kB, 128MB, 1GB.
func (s *Settings) Bytes(name string, lo, hi int64) (int64, error) {
	text := strings.ToLower(strings.TrimSpace(s.values[name]))
	unit := int64(1)
	for _, u := range []struct {
		suffix string
		size   int64
	}{{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"b", 1}} {
		if strings.HasSuffix(text, u.suffix) {
			text, unit = strings.TrimSpace(strings.TrimSuffix(text, u.suffix)), u.size
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > hi/unit || n*unit < lo {
		return 0, s.Bad(name, "a size from "+strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10)+" bytes, such as 64kB or 128MB")
	}
	return n * unit, nil
}
