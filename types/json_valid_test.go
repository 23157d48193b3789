package types

import (
	"encoding/json"
	"testing"
)

func TestValidJSON(t *testing.T) {
	for s, want := range map[string]bool{
		`1`: true, ` -0.5e+10 `: true, `1e99999`: true, `01`: false, `-`: false, `1.`: false, `.5`: false, `1e`: false, `1a`: false,
		`"a\u0000\ud800\n"`: true, `"\u12g4"`: false, `"\x"`: false, "\"a\nb\"": false, `"a`: false, `""`: true,
		`null`: true, `nul`: false, `True`: false, `[]`: true, `[1, [2, {"a": null}]]`: true, `[1,]`: false, `[1 2]`: false, `{`: false,
		`{"a": 1, "a": 2}`: true, `{"a" 1}`: false, `{a: 1}`: false, `{"a": 1,}`: false, ``: false, `1 2`: false, `'a'`: false,
	} {
		if _, got := ValidJSON(s, false); got != want {
			t.Errorf("%s is JSON: %v", s, got)
		}
	}
	for s, want := range map[string]bool{
		`{"a": 1, "b": {"a": 1}}`: true, `[{"a": 1}, {"a": 1}]`: true, `{"a": 1, "a": 2}`: false, `{"a": 1, "\u0061": 2}`: false, `[{"x": {"a": 1, "a": 2}}]`: false,
	} {
		if _, got := ValidJSON(s, true); got != want {
			t.Errorf("%s has unique keys: %v", s, got)
		}
	}
}

// FuzzValidJSON compares with the standard library.
func FuzzValidJSON(f *testing.F) {
	f.Add(`{"a": [1, -2.5e3, "x\u0041", null, true]}`)
	f.Fuzz(func(t *testing.T, s string) {
		if _, got := ValidJSON(s, false); got != json.Valid([]byte(s)) {
			t.Errorf("%q is JSON: %v", s, got)
		}
	})
}
