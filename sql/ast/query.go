package ast

// Query is WITH … body ORDER BY … LIMIT …; it is also a statement.
type Query struct {
	At
	With    *With
	Body    SetExpr
	OrderBy []OrderItem
	Limit   Expr // nil: none; LIMIT ALL is none as well
	Skip    Expr // OFFSET
	// WithTies is FETCH FIRST n ROWS WITH TIES.
	WithTies bool
	Locking  string // FOR UPDATE and so on, as written; "" when absent
	// LockingPos is where that begins.
	LockingPos Pos
	Emit       string // "" or "window close"
	// EmitPos is where that begins.
	EmitPos Pos
}

// With is a WITH clause.
type With struct {
	At
	Recursive bool
	CTEs      []CTE
}

// CTE is one common table expression.
type CTE struct {
	Name         Name
	Columns      []Name
	Materialized *bool
	Query        *Query
	// Statement is an INSERT, UPDATE or DELETE whose RETURNING is the query; Query
	// is nil then.
	Statement Statement
	Search    *Search
	Cycle     *Cycle
}

// Search is SEARCH BREADTH|DEPTH FIRST BY columns SET column.
type Search struct {
	At
	Depth   bool
	Columns []Name
	Set     Name
}

// Cycle is CYCLE columns SET mark [TO x DEFAULT y] USING path.
type Cycle struct {
	At
	Columns    []Name
	Mark, Path Name
	To         Expr // nil: true
	Default    Expr // nil: false
}

// SetExpr is the body of a query.
type SetExpr interface {
	Node
	setExpr()
}

type setNode struct{ At }

func (setNode) setExpr() {}

// The bodies of a query.
type (
	// Select is one SELECT block.
	Select struct {
		setNode
		Hints      []Hint
		Distinct   bool
		DistinctOn []Expr
		Items      []SelectItem
		From       []TableExpr
		Where      Expr
		GroupBy    []GroupItem
		GroupAll   bool // GROUP BY DISTINCT / ALL are accepted; this is the DISTINCT one
		GroupItems bool // GROUP BY ALL and no more: by what is selected and aggregates nothing
		Having     Expr
		Windows    []NamedWindow
		Qualify    Expr
	}
	// SetOp is UNION, INTERSECT or EXCEPT.
	SetOp struct {
		setNode
		Op   string // "union", "intersect", "except"
		All  bool
		L, R SetExpr
	}
	// Values is VALUES (…), (…).
	Values struct {
		setNode
		Rows [][]Expr
	}
	// Nested is a parenthesised query with its own ORDER BY or LIMIT.
	Nested struct {
		setNode
		Query *Query
	}
)

// SelectItem is one element of a select list.
type SelectItem struct {
	X     Expr // *Star for * and t.*
	Alias *Name
}

// GroupItem is an expression, or a grouping construct.
type GroupItem struct {
	At
	Kind string // "expr", "rollup", "cube", "grouping sets", "empty"
	X    Expr   // for "expr"; a *RowExpr inside a set groups several columns
	Sets []GroupItem
}

// NamedWindow is one element of a WINDOW clause.
type NamedWindow struct {
	Name Name
	Spec Window
}

// Hint is one hint of /*+ … */.
type Hint struct {
	At
	Name string // lower case
	Args []Option
}

// TableExpr is an element of FROM.
type TableExpr interface {
	Node
	tableExpr()
}

type tableNode struct{ At }

func (tableNode) tableExpr() {}

// Alias names a table expression.
type Alias struct {
	Name    Name
	Columns []Name
	Types   []TypeName // column definitions of a function that returns record
}

// The table expressions.
type (
	// TableRef is a named relation.
	TableRef struct {
		tableNode
		Name     Path
		Alias    *Alias
		Only     bool
		Hints    []Hint // after the name: t /*+ OPTIONS(…) */
		SystemAt Expr   // FOR SYSTEM_TIME AS OF x
	}
	// Derived is a subquery in FROM.
	Derived struct {
		tableNode
		Query   *Query
		Lateral bool
		Alias   *Alias
	}
	// TableFunc is a function in FROM: window TVFs, unnest, generate_series,
	// savepoint(…); TABLE(f(…)) and ROWS FROM (…) come here too.
	TableFunc struct {
		tableNode
		Calls      []*Call
		Columns    []*Alias // column definitions in ROWS FROM: of each call, nil for none; empty without any
		Ordinality bool
		Lateral    bool
		Alias      *Alias
	}
	// Join combines two table expressions.
	Join struct {
		tableNode
		Kind    string // "inner", "left", "right", "full", "cross", "asof", "left asof"
		Natural bool
		L, R    TableExpr
		On      Expr
		Using   []Name
		Match   Expr   // ASOF JOIN … MATCH_CONDITION (…)
		Merged  *Name  // the alias of USING's columns, USING (…) AS a
		Alias   *Alias // of a parenthesised join
	}
	// MatchRecognize is r MATCH_RECOGNIZE (…), kept as text.
	MatchRecognize struct {
		tableNode
		Input TableExpr
		Text  string
		Alias *Alias
	}
)

func (*Query) statement() {}
