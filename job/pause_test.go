package job

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/clock"
)

// TestPause waits between two attempts, in made-up time: for as long as the policy
// says, and answering those who come meanwhile.
func TestPause(t *testing.T) {
	waiting := func() *runner {
		r := &runner{m: &Manager{opt: ManagerOptions{Clock: clock.System{}}}, requests: make(chan *request), stop: make(chan *stopOrder), tune: make(chan Options)}
		r.live.setJob(&catalog.Job{Name: "j", Failure: "the sink is down"})
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		r := waiting()
		begin := time.Now()
		asked, must := make(chan requestResult, 1), make(chan requestResult, 1)
		go func() {
			time.Sleep(10 * time.Minute)
			r.requests <- &request{checkpoint: true, done: asked}
			r.stop <- &stopOrder{must: true, checkpoint: must}
			r.tune <- Options{RetainedCheckpoints: 7}
		}()
		if !r.pause(t.Context(), time.Hour) {
			t.Error("the job was stopped")
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("it took %s", took)
		}
		for _, c := range []chan requestResult{asked, must} {
			if res := <-c; res.err == nil || !strings.Contains(res.err.Error(), `job "j" is between two attempts: the sink is down`) {
				t.Errorf("the answer is %v", res.err)
			}
		}
		if r.opt.RetainedCheckpoints != 7 {
			t.Error("new options did not arrive")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := waiting()
		begin := time.Now()
		done := make(chan requestResult, 1)
		go func() {
			time.Sleep(time.Minute)
			r.stop <- &stopOrder{checkpoint: done}
		}()
		if r.pause(t.Context(), time.Hour) {
			t.Error("the job was not stopped")
		}
		if res := <-done; res.err != nil || time.Since(begin) != time.Minute {
			t.Errorf("it was stopped after %s with %v", time.Since(begin), res.err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if waiting().pause(ctx, time.Hour) {
			t.Error("the end of the server did not end the pause")
		}
	})
}
