package job

import (
	"testing"
	"time"
)

func TestRestartPolicy(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// at are the times of the failures so far, in seconds.
	for _, c := range []struct {
		name  string
		p     RestartPolicy
		at    []int
		delay time.Duration
		again bool
	}{
		{"nothing failed", RestartPolicy{Kind: "none"}, nil, 0, true},
		{"none", RestartPolicy{Kind: "none"}, []int{0}, 0, false},
		{"fixed, first", RestartPolicy{Kind: "fixed_delay", Attempts: 2, Delay: time.Second}, []int{0}, time.Second, true},
		{"fixed, last", RestartPolicy{Kind: "fixed_delay", Attempts: 2, Delay: time.Second}, []int{0, 5}, time.Second, true},
		{"fixed, over", RestartPolicy{Kind: "fixed_delay", Attempts: 2, Delay: time.Second}, []int{0, 5, 9}, time.Second, false},
		{"fixed, no attempts", RestartPolicy{Kind: "fixed_delay", Delay: time.Second}, []int{0}, time.Second, false},
		{"rate, within", RestartPolicy{Kind: "failure_rate", Attempts: 2, Delay: time.Second, RateInterval: time.Minute}, []int{0, 10}, time.Second, true},
		{"rate, exceeded", RestartPolicy{Kind: "failure_rate", Attempts: 2, Delay: time.Second, RateInterval: time.Minute}, []int{0, 10, 59}, time.Second, false},
		{"rate, old ones do not count", RestartPolicy{Kind: "failure_rate", Attempts: 2, Delay: time.Second, RateInterval: time.Minute}, []int{0, 10, 60}, time.Second, true},
		{"exponential, first", RestartPolicy{Kind: "exponential_delay", Delay: time.Second, MaxDelay: time.Minute}, []int{0}, time.Second, true},
		{"exponential, fourth", RestartPolicy{Kind: "exponential_delay", Delay: time.Second, MaxDelay: time.Minute}, []int{0, 2, 5, 10}, 8 * time.Second, true},
		{"exponential, at most", RestartPolicy{Kind: "exponential_delay", Delay: time.Second, MaxDelay: 5 * time.Second}, []int{0, 2, 5, 10, 20, 30}, 5 * time.Second, true},
		{"exponential, more at first than at most", RestartPolicy{Kind: "exponential_delay", Delay: time.Minute, MaxDelay: time.Second}, []int{0}, time.Second, true},
		{"exponential, calm since", RestartPolicy{Kind: "exponential_delay", Delay: time.Second, MaxDelay: time.Minute}, []int{0, 2, 5, 10 + 600}, time.Second, true},
		{"exponential, just not calm", RestartPolicy{Kind: "exponential_delay", Delay: time.Second, MaxDelay: time.Minute}, []int{0, 599}, 2 * time.Second, true},
	} {
		var failures []time.Time
		for _, s := range c.at {
			failures = append(failures, begin.Add(time.Duration(s)*time.Second))
		}
		delay, again := c.p.Next(failures)
		if again != c.again || again && delay != c.delay {
			t.Errorf("%s: %s, %t; want %s, %t", c.name, delay, again, c.delay, c.again)
		}
	}
}
