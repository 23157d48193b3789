package pgcatalog

import (
	"context"
	"time"

	"github.com/millrace/millrace/types"
)

// maxSleepSeconds is how long pg_sleep waits at the most: longer than a server
// runs, and still a time.Duration.
const maxSleepSeconds = 1e9

// sleep waits for so many seconds, or until the statement is cancelled.
func sleep(q *query, args []types.Value) (types.Value, error) {
	if args[0].Null {
		return types.NullValue, nil
	}
	select {
	case <-q.c.options.Clock.After(time.Duration(min(args[0].Float, maxSleepSeconds) * float64(time.Second))):
		return text(""), nil
	case <-q.ctx.Done():
		return types.NullValue, context.Cause(q.ctx)
	}
}

func cancelBackend(q *query, args []types.Value) (types.Value, error) {
	if q.c.options.Sessions == nil {
		return boolean(false), nil
	}
	return boolean(q.c.options.Sessions.CancelPID(uint32(args[0].Int))), nil
}

func terminateBackend(q *query, args []types.Value) (types.Value, error) {
	if q.c.options.Sessions == nil {
		return boolean(false), nil
	}
	return boolean(q.c.options.Sessions.TerminatePID(uint32(args[0].Int))), nil
}

// transactionID is a number that grows with every transaction's start.
func transactionID(q *query, _ []types.Value) (types.Value, error) {
	if q.s != nil && q.s.Tx() != nil {
		return number8(q.s.Tx().Started.UnixMicro()), nil
	}
	return number8(q.c.options.Clock.Now().UnixMicro()), nil
}
