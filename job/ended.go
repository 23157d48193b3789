package job

import (
	"errors"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// ErrNotRunning says that a job has no run now.
var ErrNotRunning = errors.New("the job is not running")

// An End is what was done to a job whose run was ended.
type End string

// The ends. An altered or restored job goes on in another run.
const (
	Stopped  End = "stopped"
	Paused   End = "paused"
	altered  End = "altered"
	restored End = "restored"
	dropped  End = "dropped"
	// shutDown is the end of all runs.
	shutDown End = "shut down"
)

// of is the error for those who wait for a job that is ended. It is ErrNotRunning if the
// job does not go on.
func (e End) of(name string) error {
	err := pgerr.New(pgerr.ObjectNotInPrerequisiteState, "job %q was %s meanwhile", name, string(e))
	switch e {
	case dropped:
		err.Code = pgerr.UndefinedObject
	case shutDown:
		return pgerr.New(pgerr.AdminShutdown, "the server is shutting down")
	case altered, restored:
		return err.Hint("It goes on, and the statement can be run again.")
	default:
		err = err.Hint("RESUME JOB %s starts it.", ast.QuoteName(name))
	}
	return err.Wrap(ErrNotRunning)
}

// whyEnded is for those who waited for a run that has ended.
func (r *runner) whyEnded() error {
	if r.why != nil {
		return r.why
	}
	return ErrNotRunning
}
