package ast

// Expr is a scalar expression.
type Expr interface {
	Node
	expr()
}

type exprNode struct{ At }

func (exprNode) expr() {}

// LiteralKind tells literals apart.
type LiteralKind uint8

// The kinds of literal.
const (
	NullLiteral    LiteralKind = iota
	BoolLiteral                // Text is "true" or "false"
	IntegerLiteral             // Text is decimal digits
	DecimalLiteral             // Text has a point or an exponent
	StringLiteral              // Text is the value, escapes resolved
	BitLiteral                 // B'…'
)

// The expression nodes.
type (
	// Literal is a constant.
	Literal struct {
		exprNode
		Kind LiteralKind
		Text string
	}
	// ColumnRef is a name that may be qualified; it may also turn out to be a
	// row type's field.
	ColumnRef struct {
		exprNode
		Path Path
	}
	// Star is * or t.* in a select list or count(*).
	Star struct {
		exprNode
		Qualifier Path
	}
	// Param is $n.
	Param struct {
		exprNode
		N int
	}
	// Unary is a prefix operator: "-", "+", "not", "~", "|/", "@" ….
	Unary struct {
		exprNode
		Op string
		X  Expr
	}
	// Binary is an infix operator: "+", "||", "->>", "and", "or", "=", "<>",
	// "is distinct from", "is not distinct from", "~", "!~*", "@>", "at time zone" …;
	// OPERATOR(schema.op) gives the bare operator.
	Binary struct {
		exprNode
		Op   string
		L, R Expr
	}
	// Quantified is x op ANY|ALL (subquery or array).
	Quantified struct {
		exprNode
		Op    string
		All   bool
		X     Expr
		Array Expr   // or nil
		Query *Query // or nil
	}
	// IsTest is x IS [NOT] NULL|TRUE|FALSE|UNKNOWN|DOCUMENT|JSON ….
	IsTest struct {
		exprNode
		X    Expr
		Test string // "null", "true", "false", "unknown", "json" …
		Not  bool
	}
	// Like is x [NOT] LIKE|ILIKE|SIMILAR TO pattern [ESCAPE e].
	Like struct {
		exprNode
		X, Pattern, Escape Expr
		Kind               string // "like", "ilike", "similar"
		Not                bool
	}
	// Between is x [NOT] BETWEEN [SYMMETRIC] lo AND hi.
	Between struct {
		exprNode
		X, Lo, Hi      Expr
		Symmetric, Not bool
	}
	// In is x [NOT] IN (list) or (subquery).
	In struct {
		exprNode
		X     Expr
		List  []Expr
		Query *Query
		Not   bool
	}
	// Exists is EXISTS (subquery).
	Exists struct {
		exprNode
		Query *Query
	}
	// Subquery is a scalar subquery, or ARRAY(subquery) when Array is set.
	Subquery struct {
		exprNode
		Query *Query
		Array bool
	}
	// Case is CASE [operand] WHEN … END.
	Case struct {
		exprNode
		Operand Expr
		Whens   []When
		Else    Expr
	}
	// Cast is CAST(x AS t), x::t, TRY_CAST(x AS t), or a typed literal such as
	// DATE '2024-01-01' (then Typed is set).
	Cast struct {
		exprNode
		X     Expr
		Type  TypeName
		Try   bool
		Typed bool
	}
	// IntervalLiteral is INTERVAL 'text' [fields] [(p)].
	IntervalLiteral struct {
		exprNode
		Text      string
		Fields    string // "", "minute", "day to second" …
		Precision int32  // -1: none
	}
	// Call is a function, aggregate or window function call. Special forms such
	// as EXTRACT(f FROM x), SUBSTRING(x FROM a FOR b), TRIM, POSITION, OVERLAY,
	// CURRENT_TIMESTAMP are calls of PostgreSQL's functions of that name with
	// Form set to how they were written.
	Call struct {
		exprNode
		Name        Path
		Args        []Expr
		ArgNames    []string // f(a => 1); "" for positional; nil when none is named
		Star        bool     // count(*)
		Distinct    bool
		Variadic    bool
		OrderBy     []OrderItem
		WithinGroup []OrderItem
		Filter      Expr
		IgnoreNulls bool
		Over        *Window
		Form        string
	}
	// ArrayExpr is ARRAY[…], possibly nested.
	ArrayExpr struct {
		exprNode
		Elems []Expr
	}
	// RowExpr is ROW(…) or (a, b, …).
	RowExpr struct {
		exprNode
		Elems    []Expr
		Explicit bool
	}
	// Subscript is x[i] or x[lo:hi].
	Subscript struct {
		exprNode
		X, Index, Upper Expr
		Slice           bool
		// Chained is set when X is a subscript too, without parentheses around it:
		// x[1][2] is an element of an array with two dimensions.
		Chained bool
	}
	// FieldAccess is (x).field or (x).*, the latter with an empty name.
	FieldAccess struct {
		exprNode
		X     Expr
		Field Name
	}
	// Collate is x COLLATE c.
	Collate struct {
		exprNode
		X         Expr
		Collation Path
	}
	// Default is DEFAULT in INSERT and UPDATE.
	Default struct{ exprNode }
	// Descriptor is DESCRIPTOR(col, …) in a window table function.
	Descriptor struct {
		exprNode
		Columns []Path
	}
	// TableArg is TABLE t or TABLE (query) as an argument of a table function,
	// or either of them, also without TABLE, with PARTITION BY x or (x, …).
	TableArg struct {
		exprNode
		Relation    Path
		Query       *Query
		PartitionBy []Expr
	}
)

// When is one branch of a CASE.
type When struct{ Cond, Then Expr }

// OrderItem is one ORDER BY element.
type OrderItem struct {
	At
	X          Expr
	Desc       bool
	NullsFirst *bool // nil: the default (nulls last when ascending, first when descending)
}

// Window is a window specification, or a reference to a named one.
type Window struct {
	At
	Ref         string // OVER w, or the base of (w ORDER BY …)
	PartitionBy []Expr
	OrderBy     []OrderItem
	Frame       *Frame
}

// Frame is ROWS|RANGE|GROUPS BETWEEN … AND … [EXCLUDE …].
type Frame struct {
	Unit       string // "rows", "range", "groups"
	Start, End FrameBound
	Exclude    string // "", "current row", "group", "ties"
}

// FrameBound is one end of a frame.
type FrameBound struct {
	Kind   string // "unbounded preceding", "preceding", "current row", "following", "unbounded following"
	Offset Expr
}
