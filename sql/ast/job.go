package ast

import "errors"

// ErrOpenSet is the cause of the syntax error of a statement set whose END has not
// come yet: psql sends each statement of it in a message of its own.
var ErrOpenSet = errors.New("the statement set has no END yet")

// SavepointRef names a savepoint, by name or by URL.
type SavepointRef struct {
	At
	Name string
	URL  string
}

// MapEntry is 'old operator' => 'new operator', or => DISCARD.
type MapEntry struct {
	At
	Old     string
	New     string
	Discard bool
}

// RestorePoint is what a RESTORE or a fork starts from.
type RestorePoint struct {
	At
	Kind string // "savepoint", "checkpoint", "latest"
	Name string
	URL  string
	N    int64
}

// The statements about jobs and savepoints.
type (
	// CreateJob is CREATE JOB j … AS INSERT …, AS BEGIN …; END, or FROM SAVEPOINT ….
	CreateJob struct {
		stmtNode
		IfNotExists      bool
		Name             Name
		Options          []Option
		Inserts          []*Insert // empty only with From
		From             *RestorePoint
		Map              []MapEntry
		AllowNonRestored bool
	}
	// StopJob is STOP JOB.
	StopJob struct {
		stmtNode
		Name          Name
		IfExists      bool
		WithSavepoint bool
		Savepoint     string // name, may be empty
		To            string
		Format        string
		Drain         bool
	}
	// PauseJob is PAUSE JOB and RESUME JOB.
	PauseJob struct {
		stmtNode
		Name   Name
		Resume bool
	}
	// AlterJob is ALTER JOB j SET | RESET | AS | RENAME TO.
	AlterJob struct {
		stmtNode
		Name             Name
		Set              []Option
		Reset            []string
		Rename           *Name
		Inserts          []*Insert
		Map              []MapEntry
		AllowNonRestored bool
	}
	// CreateSavepoint is SAVEPOINT JOB j … and CREATE SAVEPOINT sp FOR JOB j ….
	CreateSavepoint struct {
		stmtNode
		Job    Name
		Name   string // may be empty: chosen
		To     string
		Format string // "", "canonical", "native"
	}
	// RestoreJob is RESTORE JOB.
	RestoreJob struct {
		stmtNode
		Job              Name
		From             RestorePoint
		Inserts          []*Insert
		Query            *Query // RESTORE of a materialized view on a new query
		Map              []MapEntry
		Claim            bool
		AllowNonRestored bool
		Options          []Option
	}
	// VerifySavepoint is VERIFY SAVEPOINT.
	VerifySavepoint struct {
		stmtNode
		Savepoint SavepointRef
	}
	// Flush is FLUSH.
	Flush struct{ stmtNode }
)
