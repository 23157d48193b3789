package bind

import "testing"

// Durations of hints are those that job options take, and intervals.
func TestTTLMicros(t *testing.T) {
	for text, want := range map[string]int64{"0": -1, "0s": -1, "500ms": 500_000, "90s": 90_000_000, "10min": 600_000_000, "12h": 43_200_000_000,
		"1d": 86_400_000_000, "1 day": 86_400_000_000, "7 days": 604_800_000_000, "1h 30min": 5_400_000_000, "00:00:05": 5_000_000, "250 microseconds": 250} {
		if got, ok := ttlMicros(text); !ok || got != want {
			t.Errorf("%q is %d, %v, not %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "soon", "-1 day", "9999999 years"} {
		if got, ok := ttlMicros(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}
