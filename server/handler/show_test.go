package handler_test

import "testing"

// TestShowHints has slips in SHOW told from settings that there are none of.
func TestShowHints(t *testing.T) {
	c := start(t, "")
	for sql, want := range map[string]string{
		`SHOW JOBZ`:    "Perhaps you meant SHOW jobs.",
		`SHOW tabels`:  "Perhaps you meant SHOW tables.",
		`SHOW work_me`: "Perhaps you meant SHOW work_mem.",
		`SHOW nothing`: "",
	} {
		if e := c.fails("42704", sql); e.Hint != want {
			t.Errorf("%s: hint %q, want %q", sql, e.Hint, want)
		}
	}
}
