package ast

// The statements about sessions, transactions, cursors and what is there.
type (
	// Explain is EXPLAIN [ANALYZE] [(options)] [STATE] statement, or EXPLAIN JOB j
	// (Job is set then).
	Explain struct {
		stmtNode
		Analyze   bool
		State     bool
		Options   []Option
		Statement Statement
		Job       *Name
	}
	// Subscribe is SUBSCRIBE TO relation|(query) WITH (…).
	Subscribe struct {
		stmtNode
		Relation Path
		Query    *Query
		Options  []Option
	}
	// Transaction is BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT.
	Transaction struct {
		stmtNode
		Verb  string // "begin", "commit", "rollback"
		Start bool   // START TRANSACTION
		Modes string // as written
		Chain bool
	}
	// TransactionSavepoint is SAVEPOINT x, RELEASE x, ROLLBACK TO x.
	TransactionSavepoint struct {
		stmtNode
		Verb string // "savepoint", "release", "rollback to"
		Name Name
	}
	// Set is SET [SESSION|LOCAL] name = value | TO DEFAULT, and SET TIME ZONE,
	// SET TRANSACTION …, SET ROLE (with those names).
	Set struct {
		stmtNode
		Local   bool
		System  bool // ALTER SYSTEM SET
		Name    string
		Values  []Expr // empty: DEFAULT
		Default bool
	}
	// Reset is RESET name|ALL.
	Reset struct {
		stmtNode
		Name string // "all"
	}
	// Show is SHOW name, SHOW ALL, SHOW JOBS, SHOW TABLES, SHOW SAVEPOINTS FOR JOB j,
	// SHOW CREATE kind name, SHOW COLUMNS FROM t, SHOW OPERATORS FOR JOB j ….
	Show struct {
		stmtNode
		Kind     string // "variable", "all", "jobs", "tables", "sources", "sinks", "views", "materialized views", "indexes", "columns", "operators", "checkpoints", "savepoints", "create", "databases", "schemas", "functions", "secrets", "connections" …
		Variable string
		Object   RelationKind // SHOW CREATE
		Name     Path
		Job      *Name
		Like     string
	}
	// Describe is DESCRIBE [kind] name.
	Describe struct {
		stmtNode
		Kind RelationKind // "" unless written
		Name Path
	}
	// Use is USE name.
	Use struct {
		stmtNode
		Name Name
	}
	// Prepare is PREPARE name [(types)] AS statement.
	Prepare struct {
		stmtNode
		Name      Name
		Types     []TypeName
		Statement Statement
	}
	// Execute is EXECUTE name [(args)].
	Execute struct {
		stmtNode
		Name Name
		Args []Expr
	}
	// Deallocate is DEALLOCATE name|ALL.
	Deallocate struct {
		stmtNode
		Name Name
		All  bool
	}
	// DeclareCursor is DECLARE c CURSOR FOR query|SUBSCRIBE.
	DeclareCursor struct {
		stmtNode
		Name      Name
		Modes     string
		Hold      bool
		Scroll    bool
		Binary    bool
		Statement Statement
	}
	// Fetch is FETCH and MOVE.
	Fetch struct {
		stmtNode
		Move      bool
		Direction string // "forward", "backward", "next", "prior", "first", "last", "absolute", "relative"
		Count     int64
		All       bool
		Cursor    Name
		Options   []Option // WITH (timeout = '1s')
	}
	// CloseCursor is CLOSE c|ALL.
	CloseCursor struct {
		stmtNode
		Name Name
		All  bool
	}
	// Discard is DISCARD ALL|PLANS|….
	Discard struct {
		stmtNode
		What string
	}
	// Listen is LISTEN, UNLISTEN and NOTIFY.
	Listen struct {
		stmtNode
		Verb    string
		Channel string
		Payload string
	}
	// Cancel is CANCEL and KILL of queries and jobs.
	Cancel struct {
		stmtNode
		Kind string
		Name string
	}
	// Analyze is ANALYZE and VACUUM, which do nothing here.
	Analyze struct {
		stmtNode
		Verb string
		Rest string
	}
	// Lock is LOCK TABLE, kept as text; Call is CALL f(…); Do is DO $$…$$.
	Lock struct {
		stmtNode
		Rest string
	}
	// CallStatement is CALL f(…).
	CallStatement struct {
		stmtNode
		Call *Call
	}
	// Do is DO $$…$$.
	Do struct {
		stmtNode
		Body string
	}
)
