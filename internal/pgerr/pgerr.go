// Package pgerr is the error a person reads: a SQLSTATE, a message, the
// position of the fault in the statement and a hint. It formats nothing for the
// wire and knows no statement.
package pgerr

import (
	"errors"
	"fmt"
)

// Code is a five-character SQLSTATE.
type Code string

// SQLSTATEs in use, named as in PostgreSQL's appendix A.
const (
	SuccessfulCompletion         Code = "00000"
	Warning                      Code = "01000"
	ConnectionException          Code = "08000"
	ProtocolViolation            Code = "08P01"
	FeatureNotSupported          Code = "0A000"
	CardinalityViolation         Code = "21000"
	StringDataRightTruncation    Code = "22001"
	NumericValueOutOfRange       Code = "22003"
	NullValueNotAllowed          Code = "22004"
	InvalidDatetimeFormat        Code = "22007"
	DatetimeFieldOverflow        Code = "22008"
	SubstringError               Code = "22011"
	DivisionByZero               Code = "22012"
	SequenceLimitExceeded        Code = "2200H"
	InvalidUseOfEscapeCharacter  Code = "2200C"
	InvalidTimeZone              Code = "22009"
	InvalidEscapeSequence        Code = "22025"
	InvalidRegularExpression     Code = "2201B"
	InvalidPrecedingOrFollowing  Code = "22013"
	InvalidArgumentForNtile      Code = "22014"
	InvalidArgumentForNthValue   Code = "22016"
	InvalidArgumentForLog        Code = "2201E"
	InvalidArgumentForPower      Code = "2201F"
	InvalidRowCountInLimit       Code = "2201W"
	InvalidRowCountInOffset      Code = "2201X"
	InvalidParameterValue        Code = "22023"
	CharacterNotInRepertoire     Code = "22021"
	UntranslatableCharacter      Code = "22P05"
	InvalidTextRepresentation    Code = "22P02"
	InvalidBinaryRepresentation  Code = "22P03"
	BadCopyFileFormat            Code = "22P04"
	ArraySubscriptError          Code = "2202E"
	InvalidJSONDatetime          Code = "22031"
	InvalidJSONText              Code = "22032"
	InvalidJSONSubscript         Code = "22033"
	NonNumericJSONItem           Code = "22036"
	SingletonJSONItemRequired    Code = "22038"
	JSONArrayNotFound            Code = "22039"
	JSONMemberNotFound           Code = "2203A"
	JSONNumberNotFound           Code = "2203B"
	JSONObjectNotFound           Code = "2203C"
	NotNullViolation             Code = "23502"
	UniqueViolation              Code = "23505"
	CheckViolation               Code = "23514"
	InvalidCursorState           Code = "24000"
	InvalidTransactionState      Code = "25000"
	ActiveSQLTransaction         Code = "25001"
	NoActiveSQLTransaction       Code = "25P01"
	InFailedSQLTransaction       Code = "25P02"
	InvalidSQLStatementName      Code = "26000"
	InvalidAuthorization         Code = "28000"
	InvalidPassword              Code = "28P01"
	DependentObjectsStillExist   Code = "2BP01"
	InvalidCursorName            Code = "34000"
	InvalidSavepoint             Code = "3B001"
	InvalidCatalogName           Code = "3D000"
	InvalidSchemaName            Code = "3F000"
	SerializationFailure         Code = "40001"
	SyntaxError                  Code = "42601"
	AmbiguousColumn              Code = "42702"
	AmbiguousFunction            Code = "42725"
	CannotCoerce                 Code = "42846"
	DatatypeMismatch             Code = "42804"
	DuplicateAlias               Code = "42712"
	DuplicateColumn              Code = "42701"
	DuplicateCursor              Code = "42P03"
	DuplicateSchema              Code = "42P06"
	ReservedName                 Code = "42939"
	InvalidCursorDefinition      Code = "42P11"
	DuplicateObject              Code = "42710"
	DuplicatePreparedStatement   Code = "42P05"
	DuplicateTable               Code = "42P07"
	GeneratedAlways              Code = "428C9"
	GroupingError                Code = "42803"
	IndeterminateDatatype        Code = "42P18"
	InsufficientPrivilege        Code = "42501"
	InvalidColumnReference       Code = "42P10"
	InvalidObjectDefinition      Code = "42P17"
	InvalidTableDefinition       Code = "42P16"
	InvalidRecursion             Code = "42P19"
	NameTooLong                  Code = "42622"
	UndefinedColumn              Code = "42703"
	UndefinedFunction            Code = "42883"
	UndefinedObject              Code = "42704"
	UndefinedParameter           Code = "42P02"
	UndefinedTable               Code = "42P01"
	WindowingError               Code = "42P20"
	WrongObjectType              Code = "42809"
	OutOfMemory                  Code = "53200"
	ConfigurationLimitExceeded   Code = "53400"
	ProgramLimitExceeded         Code = "54000"
	StatementTooComplex          Code = "54001"
	DiskFull                     Code = "53100"
	TooManyConnections           Code = "53300"
	TooManyArguments             Code = "54023"
	TooManyColumns               Code = "54011"
	ObjectNotInPrerequisiteState Code = "55000"
	ObjectInUse                  Code = "55006"
	CantChangeRuntimeParam       Code = "55P02"
	QueryCanceled                Code = "57014"
	AdminShutdown                Code = "57P01"
	CannotConnectNow             Code = "57P03"
	IOError                      Code = "58030"
	DuplicateFile                Code = "58P02"
	UndefinedFile                Code = "58P01"
	InternalError                Code = "XX000"
	DataCorrupted                Code = "XX001"
)

// Error is what a client is shown. Position is the byte offset of the fault in
// the statement text, or -1 when there is none.
type Error struct {
	Code     Code
	Message  string
	Position int
	Detail   string
	HintText string
	// Schema, Table, Column and Constraint name what was violated, for programs.
	Schema, Table, Column, Constraint string
	// Routine is the function of PostgreSQL that reports this, for drivers that
	// tell apart by it what the code does not.
	Routine string
	cause   error
}

// New makes an error without a position. The message is lower case without a
// full stop.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Position: -1}
}

// At sets the byte offset of the fault; a negative offset means none. An offset
// that is already set stays, since the inner place is the more exact one.
func (e *Error) At(offset int) *Error {
	if e.Position < 0 && offset >= 0 {
		e.Position = offset
	}
	return e
}

// Hint sets what to do about it, a whole sentence.
func (e *Error) Hint(format string, args ...any) *Error {
	e.HintText = fmt.Sprintf(format, args...)
	return e
}

// WithDetail sets the DETAIL line.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// Of names the relation that the error is about, and its column or constraint,
// "" for none.
func (e *Error) Of(schema, table, column, constraint string) *Error {
	e.Schema, e.Table, e.Column, e.Constraint = schema, table, column, constraint
	return e
}

// Wrap keeps cause for errors.Is and errors.As.
func (e *Error) Wrap(cause error) *Error {
	e.cause = cause
	return e
}

// Error gives the message alone: the rest travels in fields.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.cause }

// Place returns err with the offset where it is an Error without one. The Error
// itself stays as it is, since it may be shared.
func Place(err error, offset int) error {
	var e *Error
	if offset < 0 || !errors.As(err, &e) || e.Position >= 0 {
		return err
	}
	c := *e
	return c.At(offset).Wrap(err)
}

// From returns the Error inside err, or an InternalError that carries its text.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(InternalError, "%s", err.Error()).Wrap(err)
}

// NotSupported is the refusal of a feature that parses but cannot run yet.
func NotSupported(offset int, feature string) *Error {
	return New(FeatureNotSupported, "%s is not supported yet", feature).At(offset)
}
