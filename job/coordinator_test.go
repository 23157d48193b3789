package job

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// bench drives a coordinator by a script of events, one per line, and writes down
// what it decides:
//
//	at 10s            time passes to there
//	ask NAME WHAT     somebody asks: checkpoint, seal, catch-up or final
//	begin             the attempt begins with a checkpoint
//	report            a task reports on the barrier under way
//	written, failed   the upload ends
//	withdraw NAME     somebody wants it no longer
//	stuck ID          the operator that the barrier waits for
//	stop              the attempt ends
type bench struct {
	c     coordinator
	begin time.Time
	now   time.Time
	asked map[string]chan requestResult
	why   string
	out   []string
}

func (b *bench) say(format string, args ...any) { b.out = append(b.out, fmt.Sprintf(format, args...)) }

func (b *bench) run(t *testing.T, line string) {
	t.Helper()
	w := strings.Fields(line)
	switch w[0] {
	case "at":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			t.Fatal(err)
		}
		b.now = b.begin.Add(d)
	case "ask":
		done := make(chan requestResult, 1)
		b.asked[w[1]] = done
		b.c.asked = append(b.c.asked, &request{checkpoint: w[2] == "checkpoint" || w[2] == "final", catchUp: w[2] == "catch-up", final: w[2] == "final", done: done})
	case "withdraw":
		b.c.withdraw(b.asked[w[1]])
	case "stuck":
		b.why = w[1] + " is busy"
	case "begin":
		b.c.beginWithCheckpoint()
	case "report":
		if p := b.c.reported(b.c.epoch); p != nil {
			b.say("passed %d", p.epoch)
			answer(p.requests, requestResult{})
		}
	case "stale":
		if b.c.reported(b.c.epoch-1) != nil {
			b.say("a stale report counted")
		}
	case "written":
		b.c.uploaded(b.now, nil)
	case "failed":
		b.c.uploaded(b.now, errors.New("bucket is down"))
	case "stop":
		b.c.stopped(nil)
	default:
		t.Fatalf("unknown event %q", line)
	}
	if p, err := b.c.expire(b.now, b.why); p != nil {
		b.say("expired: %s", err)
	}
	if d, ok := b.c.decide(b.now); ok {
		s := fmt.Sprintf("barrier %d", d.epoch)
		if d.checkpoint > 0 {
			s += fmt.Sprintf(" checkpoint %d", d.checkpoint)
		}
		if d.catchUp {
			s += " catching up"
		}
		if d.final {
			s += " final"
		}
		b.say("%s", s)
	}
	for _, name := range sortedKeys(b.asked) {
		select {
		case r := <-b.asked[name]:
			if r.err != nil {
				b.say("%s: %s", name, r.err)
			} else {
				b.say("%s: %d", name, r.checkpoint)
			}
			delete(b.asked, name)
		default:
		}
	}
	if b.c.tooManyFailed() {
		b.say("too many failed")
	}
}

func TestCoordinator(t *testing.T) {
	ten := Options{CheckpointInterval: 10 * time.Second, CheckpointTimeout: time.Minute, TolerableFailed: -1}
	with := func(f func(o *Options)) Options {
		o := ten
		f(&o)
		return o
	}
	for _, c := range []struct {
		name   string
		opt    Options
		seals  bool
		script string
		want   string
	}{
		{"by the clock", ten, false, `at 9s; at 10s; report; report; at 15s; written; at 19s; at 20s`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 checkpoint 8`},
		{"not while one is under way", ten, false, `at 10s; at 30s; report; at 31s; report; at 40s; written`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 checkpoint 8`},
		{"none by itself", with(func(o *Options) { o.CheckpointInterval = 0 }), false, `at 1h; ask a checkpoint; report; report; written`,
			`barrier 1 checkpoint 7; passed 1; a: 7`},
		{"a pause after the end", with(func(o *Options) { o.CheckpointMinPause = 8 * time.Second }), false, `at 10s; report; report; at 17s; written; at 20s; at 24s; at 25s`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 checkpoint 8`},
		{"a pause that is over before the interval", with(func(o *Options) { o.CheckpointMinPause = time.Second }), false, `at 10s; report; report; at 11s; written; at 19s; at 20s`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 checkpoint 8`},
		{"readers get seals between checkpoints", ten, true, `at 100ms; report; report; at 150ms; at 200ms; report; report; at 10s; report; report; at 11s; report; report`,
			`barrier 1; passed 1; barrier 2; passed 2; barrier 3 checkpoint 7; passed 3; barrier 4; passed 4`},
		{"wishes that come together share a barrier", ten, false, `at 1s; ask a catch-up; ask b checkpoint; ask c catch-up; report; report; report; report; written`,
			`barrier 1 catching up; passed 1; barrier 2 checkpoint 7 catching up; a: 0; passed 2; b: 7; c: 7`},
		{"a checkpoint waits for the upload before it, a seal does not", ten, false, `at 1s; ask a checkpoint; report; report; ask b checkpoint; ask c catch-up; report; report; written; report; report; written`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 catching up; passed 2; c: 0; barrier 3 checkpoint 8; a: 7; passed 3; b: 8`},
		{"a last one", ten, false, `at 1s; ask a final; report; report; written`,
			`barrier 1 checkpoint 7 final; passed 1; a: 7`},
		{"a report of another epoch does not count", ten, false, `at 10s; stale; report; stale; report`,
			`barrier 1 checkpoint 7; passed 1`},
		{"a failure keeps the number and is told", ten, false, `at 1s; ask a checkpoint; report; report; failed; at 10s; ask b checkpoint; at 11s; report; report; written`,
			`barrier 1 checkpoint 7; passed 1; a: bucket is down; barrier 2 checkpoint 8; passed 2; b: 8`},
		{"none may fail", with(func(o *Options) { o.TolerableFailed = 0 }), false, `at 10s; report; report; failed`,
			`barrier 1 checkpoint 7; passed 1; too many failed`},
		{"one in a row may fail", with(func(o *Options) { o.TolerableFailed = 1 }), false,
			`at 10s; report; report; failed; at 20s; report; report; written; at 30s; report; report; failed; at 40s; report; report; failed`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 checkpoint 8; passed 2; barrier 3 checkpoint 9; passed 3; barrier 4 checkpoint 10; passed 4; too many failed`},
		{"a barrier that takes too long", with(func(o *Options) { o.TolerableFailed = 0 }), false, `at 10s; ask a checkpoint; at 70s; at 71s; report; report`,
			`barrier 1 checkpoint 7; expired: checkpoint 7 did not pass through the job within 1m0s; too many failed; too many failed; passed 1; barrier 2 checkpoint 8; too many failed`},
		{"it is told what a barrier waits for", ten, false, `at 10s; ask a checkpoint; at 20s; ask b checkpoint; stuck unnest; at 71s; withdraw b; report; report`,
			`barrier 1 checkpoint 7; expired: checkpoint 7 did not pass through the job within 1m0s: unnest is busy; passed 1; barrier 2 checkpoint 8`},
		{"who withdraws gets no answer", ten, false, `at 1s; ask a checkpoint; ask b final; withdraw a; withdraw b; report; report; written`,
			`barrier 1 checkpoint 7; passed 1`},
		{"no limit of time", with(func(o *Options) { o.CheckpointTimeout = 0 }), false, `at 10s; at 100h; report; report; written`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 checkpoint 8`},
		{"one before the job is called ready", ten, true, `begin; ask a catch-up; report; report; at 1s; report; report; written; report; report`,
			`barrier 1 checkpoint 7; passed 1; barrier 2; passed 2; barrier 3 catching up; passed 3; a: 0`},
		{"a first one that fails keeps nobody", ten, false, `begin; report; report; ask a catch-up; failed; report; report; ask b catch-up; report; report`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 catching up; passed 2; a: 0; barrier 3 catching up; passed 3; b: 0`},
		{"everybody is told at the end", ten, false, `at 1s; ask a checkpoint; report; report; ask b checkpoint; ask c catch-up; stop`,
			`barrier 1 checkpoint 7; passed 1; barrier 2 catching up; a: the job is not running; b: the job is not running; c: the job is not running`},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			b := &bench{begin: begin, now: begin, asked: map[string]chan requestResult{}}
			b.c = coordinator{opt: c.opt, tasks: 2, seals: c.seals, next: 7, lastDone: begin, lastSeal: begin}
			for line := range strings.SplitSeq(c.script, ";") {
				b.run(t, line)
			}
			if got := strings.Join(b.out, "; "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
