package job

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
)

func TestOptionDefaults(t *testing.T) {
	o, err := ParseOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.CheckpointInterval != 10*time.Second || o.CheckpointTimeout != 10*time.Minute || o.CheckpointMinPause != 0 || o.MaxConcurrentCheckpoints != 1 ||
		o.CheckpointMode != "exactly_once" || o.TolerableFailed != -1 || o.RetainedCheckpoints != 3 || o.CheckpointRetention != "retain" || o.Restart.Kind != "exponential_delay" {
		t.Errorf("defaults are %+v", o)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct{ name, value, code, text string }{
		{"paralelism", "1", "42704", `unknown job option "paralelism"`},
		{"parallelism", "0", "22023", "from 1 to 1024"},
		{"checkpoint_interval", "soon", "22023", "a duration such as"},
		{"checkpoint_interval", "-1s", "22023", "a duration such as"},
		{"max_concurrent_checkpoints", "2", "22023", "from 1 to 1"},
		{"tolerable_failed_checkpoints", "few", "22023", "unlimited or a whole number"},
		{"retained_checkpoints", "0", "22023", "from 1 to"},
		{"memory_budget", "much", "22023", `invalid value for job option "memory_budget": "much"`},
		{"aligned_checkpoint_timeout", "1s", "0A000", "an unaligned checkpoint is not supported yet"},
		{"aligned_checkpoint_timeout", "soon", "22023", "a duration such as"},
		{"checkpoint_retention", "keep", "22023", "retain, delete"},
		{"restart", "always", "22023", "none, fixed_delay, failure_rate, exponential_delay"},
	} {
		_, err := ParseOptions(map[string]string{c.name: c.value})
		e := pgerr.From(err)
		if err == nil || string(e.Code) != c.code || !strings.Contains(e.Message+" "+e.HintText, c.text) {
			t.Errorf("%s = %q: %v", c.name, c.value, err)
		}
	}
}

// TestAtOnce checks which options a running job takes without a restart.
func TestAtOnce(t *testing.T) {
	live := map[string]string{"checkpoint_interval": "1s", "checkpoint_timeout": "1s", "checkpoint_min_pause": "1s", "tolerable_failed_checkpoints": "1",
		"retained_checkpoints": "7", "checkpoint_retention": "delete", "restart": "none", "restart_attempts": "1", "restart_delay": "7s"}
	for _, d := range OptionDocs() {
		value, ok := live[d.Name]
		if !ok {
			value = map[string]string{"parallelism": "77", "batch_rows": "7", "bad_data": "skip", "late_data": "dead_letter", "checkpoint_mode": "at_least_once"}[d.Name]
		}
		if value == "" {
			continue
		}
		a, _ := ParseOptions(nil)
		b, err := ParseOptions(map[string]string{d.Name: value})
		if err != nil {
			t.Fatal(err)
		}
		if atOnce(a, b) != ok {
			t.Errorf("%s: at once %t", d.Name, !ok)
		}
	}
}
