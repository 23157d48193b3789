package job

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
)

// Options are a job's WITH options, parsed.
type Options struct {
	Parallelism              int
	CheckpointInterval       time.Duration
	CheckpointTimeout        time.Duration
	CheckpointMinPause       time.Duration
	MaxConcurrentCheckpoints int
	CheckpointMode           string // exactly_once, at_least_once
	TolerableFailed          int    // checkpoints in a row; -1: unlimited
	AlignedTimeout           time.Duration
	RetainedCheckpoints      int
	CheckpointRetention      string // retain, delete
	Restart                  RestartPolicy
	StateTTL                 time.Duration // 0: none
	MemoryBudget             int64         // bytes; 0: as many as the server may use
	BadData                  string        // fail, skip, dead_letter
	LateData                 string        // drop, dead_letter
	BatchRows                int           // 0: the engine's choice
}

// option is one job option: how its text is checked and taken, and what it
// reads when it was not given.
type option struct {
	name, byDefault, doc string
	set                  func(o *Options, v string) error
}

// OptionDoc describes a job option for messages and documentation.
type OptionDoc struct{ Name, Default, Doc string }

func duration(field func(*Options) *time.Duration) func(*Options, string) error {
	return func(o *Options, v string) error {
		d, err := parseDuration(v)
		if err != nil {
			return err
		}
		*field(o) = d
		return nil
	}
}

func integer(least, most int64, field func(*Options, int64)) func(*Options, string) error {
	return func(o *Options, v string) error {
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("a whole number from %d to %d", least, most)
		}
		field(o, n)
		return nil
	}
}

func oneOf(values []string, field func(*Options) *string) func(*Options, string) error {
	return func(o *Options, v string) error {
		for _, w := range values {
			if strings.EqualFold(v, w) {
				*field(o) = w
				return nil
			}
		}
		return fmt.Errorf("one of %s", strings.Join(values, ", "))
	}
}

func jobOptions() []option {
	return []option{
		{"parallelism", "", "tasks per stage; the number of cores unless given",
			integer(1, 1024, func(o *Options, n int64) { o.Parallelism = int(n) })},
		{"checkpoint_interval", "10s", "time between checkpoints; 0 takes none by itself",
			duration(func(o *Options) *time.Duration { return &o.CheckpointInterval })},
		{"checkpoint_timeout", "10min", "after it a checkpoint has failed",
			duration(func(o *Options) *time.Duration { return &o.CheckpointTimeout })},
		{"checkpoint_min_pause", "0s", "least time between the end of a checkpoint and the next",
			duration(func(o *Options) *time.Duration { return &o.CheckpointMinPause })},
		{"max_concurrent_checkpoints", "1", "checkpoints under way at once",
			integer(1, 1, func(o *Options, n int64) { o.MaxConcurrentCheckpoints = int(n) })},
		{"checkpoint_mode", "exactly_once", "exactly_once or at_least_once",
			oneOf([]string{"exactly_once", "at_least_once"}, func(o *Options) *string { return &o.CheckpointMode })},
		{"tolerable_failed_checkpoints", "unlimited", "failed checkpoints in a row before the job restarts",
			func(o *Options, v string) error {
				if strings.EqualFold(v, "unlimited") {
					o.TolerableFailed = -1
					return nil
				}
				if integer(0, 1<<30, func(o *Options, n int64) { o.TolerableFailed = int(n) })(o, v) != nil {
					return fmt.Errorf("unlimited or a whole number from 0")
				}
				return nil
			}},
		{"aligned_checkpoint_timeout", "0s", "time after which a checkpoint goes unaligned; 0: always aligned",
			func(o *Options, v string) error {
				d, err := parseDuration(v)
				if err == nil && d != 0 {
					return pgerr.NotSupported(-1, "an unaligned checkpoint").Hint("aligned_checkpoint_timeout takes 0s.")
				}
				return err
			}},
		{"retained_checkpoints", "3", "complete checkpoints that are kept",
			integer(1, 1000, func(o *Options, n int64) { o.RetainedCheckpoints = int(n) })},
		{"checkpoint_retention", "retain", "what DROP JOB does with checkpoints: retain or delete",
			oneOf([]string{"retain", "delete"}, func(o *Options) *string { return &o.CheckpointRetention })},
		{"restart", "exponential_delay", "what follows a failure: none, fixed_delay, failure_rate, exponential_delay",
			oneOf([]string{"none", "fixed_delay", "failure_rate", "exponential_delay"}, func(o *Options) *string { return &o.Restart.Kind })},
		{"restart_attempts", "10", "fixed_delay: restarts before the job has failed",
			integer(0, 1<<30, func(o *Options, n int64) { o.Restart.Attempts = int(n) })},
		{"restart_delay", "1s", "time before a restart; exponential_delay begins with it",
			duration(func(o *Options) *time.Duration { return &o.Restart.Delay })},
		{"restart_max_delay", "1min", "exponential_delay: the longest time before a restart",
			duration(func(o *Options) *time.Duration { return &o.Restart.MaxDelay })},
		{"restart_rate_interval", "5min", "failure_rate: over which time restart_attempts counts",
			duration(func(o *Options) *time.Duration { return &o.Restart.RateInterval })},
		{"state_ttl", "0s", "how long state stays that is not written any more; 0: for ever",
			duration(func(o *Options) *time.Duration { return &o.StateTTL })},
		{"memory_budget", "0", "memory for state, such as 2GB, over which the job stops; 0: as much as the server may use",
			func(o *Options, v string) (err error) {
				var ok bool
				if o.MemoryBudget, ok = memory.ParseSize(v); !ok {
					return errors.New(memory.SizeForm)
				}
				return nil
			}},
		{"bad_data", "dead_letter", "what happens to a row that fails: fail, skip, dead_letter",
			oneOf([]string{"fail", "skip", "dead_letter"}, func(o *Options) *string { return &o.BadData })},
		{"late_data", "drop", "what happens to a row that is too late: drop (and count), dead_letter",
			oneOf([]string{"drop", "dead_letter"}, func(o *Options) *string { return &o.LateData })},
		{"batch_rows", "1024", "rows per batch",
			integer(1, 1<<15, func(o *Options, n int64) { o.BatchRows = int(n) })},
	}
}

// OptionDocs lists the job options, for documentation and messages.
func OptionDocs() []OptionDoc {
	var docs []OptionDoc
	for _, o := range jobOptions() {
		docs = append(docs, OptionDoc{o.name, o.byDefault, o.doc})
	}
	return docs
}

// ParseOptions checks a job's options and fills in the defaults. Its errors name
// the option and what it takes.
func ParseOptions(given map[string]string) (Options, error) {
	var o Options
	o.Parallelism = background.Processors
	known := map[string]bool{}
	for _, opt := range jobOptions() {
		known[opt.name] = true
		v, ok := given[opt.name]
		if !ok {
			v = opt.byDefault
		}
		if v == "" && !ok {
			continue
		}
		if err := opt.set(&o, v); err != nil {
			if refusal := (*pgerr.Error)(nil); errors.As(err, &refusal) {
				return o, refusal
			}
			return o, pgerr.New(pgerr.InvalidParameterValue, "invalid value for job option %q: %q", opt.name, v).
				Hint("It takes %s.", err)
		}
	}
	for _, name := range sortedKeys(given) {
		if !known[name] {
			return o, pgerr.New(pgerr.UndefinedObject, "unknown job option %q", name).
				Hint("Valid options are %s.", strings.Join(sortedKeys(known), ", "))
		}
	}
	return o, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func parseDuration(v string) (time.Duration, error) {
	d, ok := connector.ParseDuration(v)
	if !ok {
		return 0, fmt.Errorf("a duration such as 500ms, 10s, 5min or 1h")
	}
	return d, nil
}
