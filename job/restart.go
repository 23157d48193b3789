package job

import "time"

// RestartPolicy says what follows a failure.
type RestartPolicy struct {
	Kind         string // none, fixed_delay, failure_rate, exponential_delay
	Attempts     int
	Delay        time.Duration
	MaxDelay     time.Duration
	RateInterval time.Duration
}

// calmAfter is how long a job must have run for its earlier failures to count no
// more under exponential_delay.
const calmAfter = 10 * time.Minute

// Next decides, from the times of the failures so far (the newest last), whether
// the job restarts and after which delay.
func (p RestartPolicy) Next(failures []time.Time) (delay time.Duration, restart bool) {
	if len(failures) == 0 {
		return 0, true
	}
	last := failures[len(failures)-1]
	switch p.Kind {
	case "none":
		return 0, false
	case "fixed_delay":
		return p.Delay, len(failures) <= p.Attempts
	case "failure_rate":
		recent := 0
		for _, f := range failures {
			if last.Sub(f) < p.RateInterval {
				recent++
			}
		}
		return p.Delay, recent <= p.Attempts
	}
	streak := 1
	for i := len(failures) - 1; i > 0 && failures[i].Sub(failures[i-1]) < calmAfter; i-- {
		streak++
	}
	delay = p.Delay
	for range streak - 1 {
		delay = min(delay*2, p.MaxDelay)
	}
	return min(delay, p.MaxDelay), true
}
