package job

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// openAccount makes the account of an attempt, whose stop ends that.
func (r *runner) openAccount(stop func(error)) *memory.Account {
	return r.m.opt.Memory.Open(memory.AccountOptions{Kind: "job", Name: r.name, Budget: r.opt.MemoryBudget, Stop: stop,
		Over: func(budget int64) *pgerr.Error {
			return pgerr.New(pgerr.OutOfMemory, "out of memory: job %q holds more than its memory_budget, %s", r.name(), memory.Size(budget)).
				Hint("After ALTER JOB %[1]s SET (memory_budget = '…'), RESUME JOB %[1]s goes on from the last checkpoint.", r.name())
		}})
}

// isOutOfMemory reports whether a job was stopped for want of memory. It would want as
// much again, so that it does not restart by itself.
func isOutOfMemory(err error) bool {
	e := (*pgerr.Error)(nil)
	return errors.As(err, &e) && e.Code == pgerr.OutOfMemory
}

// failure is what a job's state and events say of an error: of one for want of memory,
// who held how much and what helps, too.
func failure(err error) string {
	e := (*pgerr.Error)(nil)
	if !errors.As(err, &e) || e.Code != pgerr.OutOfMemory {
		return err.Error()
	}
	return strings.TrimSpace(err.Error() + ". " + e.Detail + " " + e.HintText)
}

// share is what an operator of the attempt holds.
func (p *parts) share(op *graph.Operator) *memory.Share { return p.account.Share(op.ID) }
