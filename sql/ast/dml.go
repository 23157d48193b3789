package ast

// The statements that change own tables.
type (
	// Insert is INSERT INTO.
	Insert struct {
		stmtNode
		With       *With
		Target     Path
		Alias      *Name
		Columns    []Name
		Overriding string
		Query      *Query // nil for DEFAULT VALUES
		OnConflict *OnConflict
		Returning  []SelectItem
		Hints      []Hint
	}
	// Update is UPDATE.
	Update struct {
		stmtNode
		With      *With
		Target    Path
		Alias     *Name
		Set       []Assignment
		From      []TableExpr
		Where     Expr
		Returning []SelectItem
	}
	// Delete is DELETE FROM.
	Delete struct {
		stmtNode
		With      *With
		Target    Path
		Alias     *Name
		Using     []TableExpr
		Where     Expr
		Returning []SelectItem
	}
	// Merge is MERGE, kept as text.
	Merge struct {
		stmtNode
		Rest string
	}
	// Copy is COPY t [(cols)] FROM STDIN, COPY t|(query) TO STDOUT.
	Copy struct {
		stmtNode
		Relation Path
		Columns  []Name
		Query    Statement // *Query, *Subscribe, *Insert, *Update or *Delete
		From     bool
		File     string // "" for STDIN and STDOUT
		Options  []Option
		Where    Expr // of COPY FROM: the rows that are taken
	}
)

// Assignment is one SET col = x; several columns with one row expression or
// subquery for (a, b) = ….
type Assignment struct {
	At
	Targets []Target
	X       Expr
}

// Target is a column that is assigned to, or a part of it that Parts lead to, from
// the outside.
type Target struct {
	Name
	Parts []TargetPart
}

// TargetPart is an element or a slice of what is before it, or a field of it.
type TargetPart struct {
	Subscript *Subscript // without what it is applied to, nil for a field
	Field     Name
}

// OnConflict is ON CONFLICT … DO ….
type OnConflict struct {
	At
	Columns    []Name
	Predicate  Expr // of the index that is meant, nil for none
	Constraint string
	DoUpdate   bool
	Set        []Assignment
	Where      Expr
}
