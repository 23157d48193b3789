package job

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/object"
)

// TestEndedMeanwhile ends the run of a job that others wait for: they are told what was
// done to it, whatever it was waiting for itself.
func TestEndedMeanwhile(t *testing.T) {
	ctx := context.Background()
	ends := map[string]struct {
		end  func(w *world)
		code pgerr.Code
		text string
		over bool // it does not go on
	}{
		"dropped":   {func(w *world) { w.manager.Abandon("j", dropped) }, pgerr.UndefinedObject, `job "j" was dropped meanwhile`, true},
		"restored":  {func(w *world) { w.manager.Abandon("j", restored) }, pgerr.ObjectNotInPrerequisiteState, `job "j" was restored meanwhile`, false},
		"stopped":   {func(w *world) { w.manager.Abandon("j", Stopped) }, pgerr.ObjectNotInPrerequisiteState, `job "j" was stopped meanwhile`, true},
		"shut down": {func(w *world) { w.manager.Kill() }, pgerr.AdminShutdown, "the server is shutting down", false},
	}
	hangs := map[string]func(w *world){
		"create": func(w *world) { w.bucket.Set(object.Fault{Op: "create", Delay: time.Hour}) },
		"commit": func(w *world) {
			w.out.set(once("commit", make(chan struct{}), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
		},
	}
	for how, e := range ends {
		for what, hang := range hangs {
			t.Run(how+" with a hanging "+what, func(t *testing.T) {
				w := newWorld(t)
				j := w.create(query, "checkpoint_interval", "0s")
				w.read(1)
				hang(w)
				waiters := map[string]func() error{
					"a checkpoint": func() error { _, err := w.manager.Checkpoint(ctx, "j"); return err },
					"a savepoint":  func() error { _, err := w.manager.Savepoint(ctx, j, SavepointSpec{}); return err },
					"a stop":       func() error { _, err := w.manager.order(ctx, "j", &stopOrder{end: Paused, must: true}); return err },
					"a new query":  func() error { _, err := w.manager.Alter(ctx, j, RestoreSpec{Graph: w.graph(query)}); return err },
				}
				answers := map[string]chan error{}
				for name, wait := range waiters {
					answer := make(chan error, 1)
					answers[name] = answer
					go func() { answer <- wait() }()
				}
				time.Sleep(200 * time.Millisecond)
				e.end(w)
				for name, answer := range answers {
					err := <-answer
					if got := pgerr.From(err); got.Code != e.code || got.Message != e.text || errors.Is(err, ErrNotRunning) != e.over {
						t.Errorf("who waits for %s is told: %s %v", name, got.Code, err)
					}
				}
			})
		}
	}
}

// TestTwoEnds ends a run twice at once: the job does what was said last, and who is not
// obeyed is told.
func TestTwoEnds(t *testing.T) {
	ctx := context.Background()
	alter := func(w *world) error {
		return w.manager.Reconfigure(ctx, w.store.Snapshot().Job("j"), map[string]string{"parallelism": "3"})
	}
	pause := func(w *world) error { _, err := w.manager.Stop(ctx, "j", Paused, false); return err }
	for name, test := range map[string]struct {
		first, last func(w *world) error
		told        string
		runs        bool
	}{
		"paused while it is altered": {alter, pause, "", false},
		"altered while it is paused": {pause, alter, `job "j" was altered meanwhile`, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(query, "checkpoint_interval", "0s")
			w.read(1)
			w.bucket.Set(object.Fault{Op: "create", Delay: time.Second})
			first, last := make(chan error, 1), make(chan error, 1)
			go func() { first <- test.first(w) }()
			w.eventually("a last checkpoint", func() bool { return w.bucket.Count("create") > 0 })
			go func() { last <- test.last(w) }()
			told := ""
			if err := <-first; err != nil {
				told = err.Error()
			}
			if err := <-last; err != nil || told != test.told {
				t.Errorf("the first is told %q, the last %v", told, err)
			}
			w.bucket.Set()
			if w.manager.Running("j") != test.runs {
				t.Errorf("the job runs: %v", !test.runs)
			}
			if j := w.store.Snapshot().Job("j"); j.Options["parallelism"] != "3" {
				t.Errorf("options: %v", j.Options)
			}
		})
	}
}
