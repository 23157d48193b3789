package slt

import (
	"regexp"
	"strings"
	"testing"
)

// takesBack is a statement that changes rows that are there, or takes them away.
var takesBack = regexp.MustCompile(`(?im)^\s*(UPDATE|DELETE|TRUNCATE|COPY \(WITH|EXECUTE)\b|\b(DO UPDATE SET|AS \((UPDATE|DELETE))\b`)

// hasNull is a null, given or expected, and noNull what only looks like one.
var (
	hasNull = regexp.MustCompile(`(?i)(^|[^a-z])NULL([^a-z]|$)|\\N`)
	noNull  = regexp.MustCompile(`(?i)\b(IS|NOT|ON|SET|DROP)\s+(NOT\s+)?NULL\b`)
)

// nothingChanges are the scripts, or folders of them, over rows that do not change,
// and why.
var nothingChanges = map[string]string{
	"error/cannot_run":         "no query of it runs",
	"error/job":                "no query of it runs",
	"error/name":               "no query of it runs",
	"error/refused":            "no query of it runs",
	"join/refused":             "no query of it runs",
	"query/functions_finished": "of finished data",
	"query/recursive":          "WITH RECURSIVE is of finished data",
	"query/search_cycle":       "WITH RECURSIVE is of finished data",
	"query/select":             "of finished data",
	"window/close_all_session": "close_changing_all_session has rows that change",
	"window/close_cumulate":    "close_changing_cumulate has rows that change",
	"window/close_hop":         "close_changing_hop has rows that change",
	"window/close_session":     "close_changing_session has rows that change",
	"window/close_tumble":      "close_changing_tumble has rows that change",
	"window/current_watermark": "it is refused over rows that change",
	"window/session":           "session_changes has rows that change",
	"window/top_n":             "top_n_changing has rows that change",
}

// nothingNull are the scripts without nulls, and why.
var nothingNull = map[string]string{
	"error/job":     "no query of it runs",
	"error/name":    "no query of it runs",
	"error/refused": "no query of it runs",
	"join/refused":  "no query of it runs",
}

// TestScriptsChange holds that scripts take rows back, and have nulls.
func TestScriptsChange(t *testing.T) {
	queries := 0
	for _, path := range scripts(t) {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".slt")
		change, null := false, false
		for _, r := range load(t, path).Records {
			change = change || takesBack.MatchString(r.SQL) && !r.Fails
			null = null || hasNull.MatchString(noNull.ReplaceAllString(r.SQL, "")) || hasNull.MatchString(strings.Join(r.Expected, "\n"))
			if r.hasRows() {
				queries++
			}
		}
		judge(t, name, "takes no row back", change, nothingChanges)
		judge(t, name, "has no null", null, nothingNull)
	}
	if queries < 600 {
		t.Errorf("%d queries are fewer than 600", queries)
	}
	t.Logf("%d queries", queries)
}

func judge(t *testing.T, script, missing string, has bool, exempt map[string]string) {
	t.Helper()
	switch _, excused := exempt[script]; {
	case has && excused:
		t.Errorf("%s needs no excuse any more", script)
	case !has && !excused:
		t.Errorf("%s %s: extend it, or say in this test why it cannot", script, missing)
	}
}
