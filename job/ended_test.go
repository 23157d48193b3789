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
