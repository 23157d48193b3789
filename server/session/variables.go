package session

import (
	"maps"
	"sort"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// variables is the session's settings: what is set, over the defaults. SET in a
// transaction is undone when that is rolled back, SET LOCAL at its end.
type variables struct {
	defaults map[string]string // startup values of this session
	session  map[string]string
	local    map[string]string
	before   map[string]string // session as it was when the transaction first set something; nil if it did not
	touched  bool
}

func newVariables(defaults map[string]string) *variables {
	return &variables{defaults: defaults, session: map[string]string{}, local: map[string]string{}}
}

// Variable is a setting as SHOW ALL and pg_settings list it.
type Variable struct {
	*Definition
	Value   string
	Initial string // what RESET goes back to
	// FromSession tells that the value was set and is not a default.
	FromSession bool
}

// Variables lists all settings by name.
func (s *Session) Variables() []Variable {
	var out []Variable
	for i := range definitions {
		d := &definitions[i]
		_, set := s.vars.session[d.key()]
		out = append(out, Variable{d, s.vars.get(d.key()), s.vars.initial(d.key()), set})
	}
	for _, m := range []map[string]string{s.vars.session, s.vars.local} {
		for name, v := range m {
			if strings.Contains(name, ".") {
				out = append(out, Variable{&Definition{Name: name, Kind: "string", Category: "Customized Options"}, v, "", true})
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return strings.ToLower(out[i].Name) < strings.ToLower(out[j].Name) })
	return out
}

// Variable returns the value of a setting, as SHOW and current_setting do.
func (s *Session) Variable(name string) (string, error) {
	name = canonicalVariable(name)
	if d := s.vars.find(name); d != nil {
		if name == "transaction_read_only" && s.tx != nil && s.tx.ReadOnly {
			return "on", nil
		}
		if name == "transaction_isolation" && s.tx != nil {
			return s.tx.Isolation, nil
		}
		return s.vars.get(name), nil
	}
	if v, ok := s.vars.custom(name); ok {
		return v, nil
	}
	return "", pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter %q", name)
}

// SetVariable changes a setting, as SET and set_config do.
func (s *Session) SetVariable(name, value string, local bool) error {
	return s.assign(canonicalVariable(name), value, local)
}

// SearchPath returns the schemas in which unqualified names are looked for.
// pg_catalog is always searched first, and is in the list only if it was set so.
func (s *Session) SearchPath() []string {
	var out []string
	for _, part := range splitList(s.vars.get("search_path")) {
		if part == "$user" {
			continue // roles have no schemas of their own
		}
		out = append(out, part)
	}
	return out
}

// Duration is the value of a setting that is a time; 0 means none.
func (s *Session) Duration(name string) time.Duration { return s.vars.duration(name) }

// Size is the value of a setting that is a number of bytes.
func (s *Session) Size(name string) int64 {
	n, _ := memory.ParseSize(s.vars.get(name)) // it was checked when it was set
	return n
}

// TimeZone is the session's time zone.
func (s *Session) TimeZone() *types.Zone {
	name := s.vars.get("timezone")
	if s.zone == nil || s.zoneName != name {
		z, err := types.LoadZone(name, true)
		if err != nil { // cannot be: it was checked when it was set
			z = types.UTC
		}
		s.zone, s.zoneName = z, name
	}
	return s.zone
}

// ParseOptions is what the text of dates and times depends on.
func (s *Session) ParseOptions() *types.ParseOptions {
	return &types.ParseOptions{Zone: s.TimeZone(), Now: func() int64 {
		if s.tx != nil {
			return s.tx.Started.UnixMicro()
		}
		return s.clock.Now().UnixMicro()
	}}
}

// ReadOnly reports whether the current transaction must not change anything.
func (s *Session) ReadOnly() bool { return s.tx != nil && s.tx.ReadOnly }

// canonicalVariable folds a name and resolves the spellings of SET's special
// forms.
func canonicalVariable(name string) string {
	name = strings.ToLower(name)
	switch name {
	case "time zone":
		return "timezone"
	case "names":
		return "client_encoding"
	case "session authorization":
		return "session_authorization"
	case "transaction isolation level":
		return "transaction_isolation"
	}
	return name
}

func (v *variables) find(name string) *Definition { return definitionOf[name] }

// definitionOf has the settings by key.
var definitionOf = func() map[string]*Definition {
	m := make(map[string]*Definition, len(definitions))
	for i := range definitions {
		m[definitions[i].key()] = &definitions[i]
	}
	return m
}()

func (v *variables) custom(name string) (string, bool) {
	if x, ok := v.local[name]; ok {
		return x, true
	}
	x, ok := v.session[name]
	return x, ok
}

// get returns a value; name is in lower case.
func (v *variables) get(name string) string {
	if x, ok := v.custom(name); ok {
		return x
	}
	return v.initial(name)
}

func (v *variables) initial(name string) string {
	if x, ok := v.defaults[name]; ok {
		return x
	}
	if d := v.find(name); d != nil {
		return d.Default
	}
	return ""
}

// duration reads a setting in milliseconds.
func (v *variables) duration(name string) time.Duration {
	d, _ := parseDuration(v.get(name), time.Millisecond)
	return d
}

func (v *variables) checkSettable(name string) error {
	d := v.find(name)
	switch {
	case d == nil && strings.Contains(name, "."):
		return nil
	case d == nil:
		return pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter %q", name)
	case d.ReadOnly:
		return pgerr.New(pgerr.CantChangeRuntimeParam, "parameter %q cannot be changed", d.Name)
	}
	return nil
}

// assign checks and sets a variable.
func (s *Session) assign(name, value string, local bool) error {
	v := s.vars
	if err := v.checkSettable(name); err != nil {
		return err
	}
	if d := v.find(name); d != nil && d.Check != nil {
		var err error
		if value, err = d.Check(value); err != nil {
			e := pgerr.From(err)
			if e.Message == "" {
				e.Message = "invalid value for parameter \"" + d.Name + "\": \"" + value + "\""
			}
			return e
		}
	}
	switch {
	case name == "transaction_read_only" && s.tx != nil:
		s.tx.ReadOnly = value == "on"
		return nil
	case name == "transaction_isolation" && s.tx != nil:
		return s.setIsolation(value)
	}
	old := v.get(name)
	v.save()
	if local {
		v.local[name] = value
	} else {
		v.session[name] = value
		delete(v.local, name)
	}
	v.tell(name, old, s.report)
	return nil
}

func (v *variables) save() {
	if !v.touched {
		v.before, v.touched = maps.Clone(v.session), true
	}
}

// tell reports a variable that clients watch, if it changed.
func (v *variables) tell(name, old string, report func(name, value string)) {
	if d := v.find(name); d != nil && d.Report && v.get(name) != old {
		report(d.Name, v.get(name))
	}
}

func (v *variables) reset(name string, local bool, report func(name, value string)) {
	old := v.get(name)
	v.save()
	if local {
		v.local[name] = v.initial(name)
	} else {
		delete(v.session, name)
		delete(v.local, name)
	}
	v.tell(name, old, report)
}

func (v *variables) resetAll(report func(name, value string)) {
	v.change(report, func() {
		v.save()
		clear(v.session)
		clear(v.local)
	})
}

// change runs f and reports what it changed.
func (v *variables) change(report func(name, value string), f func()) {
	old := map[string]string{}
	for i := range definitions {
		if definitions[i].Report {
			old[definitions[i].key()] = v.get(definitions[i].key())
		}
	}
	f()
	for i := range definitions {
		if definitions[i].Report {
			v.tell(definitions[i].key(), old[definitions[i].key()], report)
		}
	}
}

// endTransaction drops local values, and the session's too if the transaction
// was rolled back.
func (v *variables) endTransaction(committed bool, report func(name, value string)) {
	if !v.touched {
		return
	}
	v.change(report, func() {
		if !committed {
			v.session = v.before
		}
		clear(v.local)
	})
	v.before, v.touched = nil, false
}

// localPrefix marks SET LOCAL values in the copy that a savepoint keeps.
const localPrefix = "local\x00"

func (v *variables) copy() map[string]string {
	out := maps.Clone(v.session)
	for name, x := range v.local {
		out[localPrefix+name] = x
	}
	return out
}

func (v *variables) restore(saved map[string]string, report func(name, value string)) {
	v.change(report, func() {
		v.save()
		clear(v.local)
		v.session = map[string]string{}
		for name, x := range saved {
			if rest, ok := strings.CutPrefix(name, localPrefix); ok {
				v.local[rest] = x
			} else {
				v.session[name] = x
			}
		}
	})
}

// applyStartup takes the variables of the startup message. An unknown one is
// refused, as PostgreSQL does.
func (s *Session) applyStartup(settings map[string]string) error {
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		key := canonicalVariable(name)
		if err := s.vars.checkSettable(key); err != nil {
			return err
		}
		value := settings[name]
		if d := s.vars.find(key); d != nil && d.Check != nil {
			var err error
			if value, err = d.Check(value); err != nil {
				return err
			}
		}
		s.vars.defaults[key] = value
	}
	return nil
}

// Reported lists the variables that a client is told at the start.
func (s *Session) Reported() map[string]string {
	out := map[string]string{}
	for i := range definitions {
		if d := &definitions[i]; d.Report {
			out[d.Name] = s.vars.get(d.key())
		}
	}
	return out
}
