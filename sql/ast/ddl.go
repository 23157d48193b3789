package ast

type stmtNode struct{ At }

func (stmtNode) statement() {}

// RelationKind tells the relations of CREATE, DROP and SHOW apart.
type RelationKind string

// The kinds of relation and object.
const (
	TableKind            RelationKind = "table"
	SourceKind           RelationKind = "source"
	SinkKind             RelationKind = "sink"
	ViewKind             RelationKind = "view"
	MaterializedViewKind RelationKind = "materialized view"
	IndexKind            RelationKind = "index"
	JobKind              RelationKind = "job"
	SavepointKind        RelationKind = "savepoint"
	SchemaKind           RelationKind = "schema"
	SecretKind           RelationKind = "secret"
	FunctionKind         RelationKind = "function"
	RoleKind             RelationKind = "role"
	ConnectionKind       RelationKind = "connection"
	DatabaseKind         RelationKind = "database"
	TypeKind             RelationKind = "type"
	SequenceKind         RelationKind = "sequence"
)

// The statements that define and remove relations.
type (
	// CreateRelation is CREATE TABLE|SOURCE|SINK.
	CreateRelation struct {
		stmtNode
		Kind        RelationKind
		OrReplace   bool
		Temporary   bool
		IfNotExists bool
		Name        Path
		Columns     []ColumnDef
		PrimaryKey  []Name
		KeyName     Name // of CONSTRAINT … PRIMARY KEY
		Unique      []Unique
		Checks      []Check
		Watermark   *Watermark
		Like        []TableLike
		AppendOnly  bool
		Options     []Option
		From        Path   // CREATE SINK s FROM mv
		Query       *Query // CREATE TABLE t AS …, CREATE SINK s AS …
		Comment     string
	}
	// CreateView is CREATE [MATERIALIZED] VIEW.
	CreateView struct {
		stmtNode
		Materialized bool
		OrReplace    bool
		Temporary    bool
		IfNotExists  bool
		Name         Path
		Columns      []Name
		Options      []Option
		Query        *Query
		WithData     bool
	}
	// CreateIndex is CREATE INDEX.
	CreateIndex struct {
		stmtNode
		Unique           bool
		IfNotExists      bool
		Name             Name // empty: chosen
		Relation         Path
		Method           string
		Columns          []OrderItem
		Include          []Name
		NullsNotDistinct bool
		Options          []Option
		Where            Expr
	}
	// CreateOther is CREATE SCHEMA|SECRET|FUNCTION|ROLE|CONNECTION|DATABASE|TYPE….
	CreateOther struct {
		stmtNode
		Kind        RelationKind
		OrReplace   bool
		IfNotExists bool
		Name        Path
		Options     []Option
		Rest        string // as written
	}
	// Drop is DROP kind [IF EXISTS] name, … [CASCADE|RESTRICT] [WITH SAVEPOINT sp].
	Drop struct {
		stmtNode
		Kind     RelationKind
		IfExists bool
		Names    []Path
		Cascade  bool
		// WithSavepoint and Savepoint are of DROP JOB.
		WithSavepoint bool
		Savepoint     *SavepointRef
	}
	// AlterRelation is ALTER TABLE|SOURCE|SINK|VIEW|MATERIALIZED VIEW ….
	AlterRelation struct {
		stmtNode
		Kind     RelationKind
		IfExists bool
		Name     Path
		Actions  []AlterAction
	}
	// Truncate is TRUNCATE [TABLE] t, ….
	Truncate struct {
		stmtNode
		Names []Path
		// RestartIdentity has identity columns count from their start again.
		RestartIdentity bool
	}
	// Comment is COMMENT ON kind name IS text.
	Comment struct {
		stmtNode
		Kind RelationKind
		Name Path
		Text *string
	}
	// Grant is GRANT and REVOKE, kept as text.
	Grant struct {
		stmtNode
		Revoke bool
		Rest   string
	}
)

// ColumnDef is one column of CREATE TABLE. Without a type (generated columns
// may leave it out) Type.Name is empty.
type ColumnDef struct {
	At
	Name       Name
	Type       TypeName
	NotNull    bool
	PrimaryKey bool
	KeyName    Name
	Unique     []Unique // without columns
	Default    Expr
	Generated  Expr // GENERATED ALWAYS AS (x), or name AS x
	Identity   *Identity
	// Metadata is the connector metadata key of METADATA [FROM 'key'] [VIRTUAL];
	// IsMetadata is set even when the key is the column's name.
	IsMetadata bool
	Metadata   string
	Virtual    bool
	Checks     []Check
	Comment    string
}

// AlterAction is one of the things that an ALTER does.
type AlterAction struct {
	At
	// Action is "add column", "drop column", "rename column", "rename constraint", "rename to", "add
	// constraint", "drop constraint", "set", "reset", "owner to", "set schema", "as", or
	// of a column "set default", "drop default", "set not null", "drop not null", "type"
	// and "alter column" for what else there is.
	Action   string
	Column   *ColumnDef
	Old, New Name
	Exists   bool // IF EXISTS, IF NOT EXISTS
	Cascade  bool
	// Constraint has what ADD adds, the only one it has.
	Constraint *CreateRelation
	Type       TypeName
	X          Expr // of SET DEFAULT, and USING
	Options    []Option
	Query      *Query
	Rest       string // as written, of "alter column"
}

// Identity is GENERATED ALWAYS|BY DEFAULT AS IDENTITY [(options)].
type Identity struct {
	At
	Always                     bool
	Start, Increment, Min, Max *int64
	Cycle                      bool
}

// TableLike is LIKE relation [INCLUDING|EXCLUDING what …] among the columns of a relation.
type TableLike struct {
	At
	Relation Path
	Before   int // the column that follows it
	Options  []LikeOption
}

// LikeOption is INCLUDING what, or EXCLUDING.
type LikeOption struct {
	Including bool
	What      string // one of LikeOptions, or "all"
}

// LikeOptions are what LIKE can copy besides columns. The last three are nothing here.
var LikeOptions = []string{"comments", "constraints", "defaults", "generated", "identity", "indexes", "metadata", "watermarks", "compression", "statistics", "storage"}

// Includes reports whether what is copied.
func (l *TableLike) Includes(what string) (in bool) {
	for _, o := range l.Options {
		if o.What == what || o.What == "all" {
			in = o.Including
		}
	}
	return in
}

// Unique is UNIQUE [NULLS NOT DISTINCT] [(columns)].
type Unique struct {
	At
	Name             Name // of CONSTRAINT; empty: chosen
	Columns          []Name
	NullsNotDistinct bool
}

// Check is CHECK (x).
type Check struct {
	At
	Name Name
	X    Expr
}

// Watermark is WATERMARK FOR col AS x.
type Watermark struct {
	At
	Column Name
	X      Expr
}
