// Package ast is the syntax tree of Millrace SQL: what was written, with the
// byte offset of each part, before any name is looked up. It is made by
// sql/parse, prints back to SQL, and imports nothing of the engine but types.
package ast

import "strings"

// Pos is a byte offset into the statement's text; -1 means none.
type Pos int

// Node is any part of the tree.
type Node interface {
	// Offset is where the part begins in the source.
	Offset() Pos
}

// At is embedded in every node and carries its offset.
type At struct{ Pos Pos }

// Offset implements Node.
func (a At) Offset() Pos { return a.Pos }

// Place sets the offset; the parser uses it.
func (a *At) Place(p Pos) { a.Pos = p }

// Name is one identifier, folded to lower case unless it was quoted.
type Name struct {
	At
	Value string
}

// Path is a possibly qualified name: [database.][schema.]relation, or
// [[relation.]column].
type Path []Name

// Last returns the final part.
func (p Path) Last() Name { return p[len(p)-1] }

// Offset is where the first part begins.
func (p Path) Offset() Pos {
	if len(p) == 0 {
		return -1
	}
	return p[0].Pos
}

// Statement is one SQL statement.
type Statement interface {
	Node
	statement()
}

// Parsed is a statement with its text, as one string may hold several.
type Parsed struct {
	Statement Statement // nil for an empty statement
	Text      string    // the statement's own text, without the semicolon
	Start     int       // offset of Text in the whole string
	Params    int       // highest $n
	// FirstParam is where the first of them is, -1 without one.
	FirstParam Pos
}

// Option is one name = value of a WITH list, a SET list or a hint.
type Option struct {
	At
	Name  string
	Value Expr // a literal, an identifier (as *ColumnRef), or nil for a bare flag
}

// Word is the text of an option's value that is a literal or a name, else "".
func Word(x Expr) string {
	switch x := x.(type) {
	case *Literal:
		return x.Text
	case *ColumnRef:
		return x.Path.Last().Value
	}
	return ""
}

// Switch reads the value of an option that is on or off. Without a value it is on.
func Switch(x Expr) (on, ok bool) {
	if x == nil {
		return true, true
	}
	switch strings.ToLower(Word(x)) {
	case "true", "on", "1":
		return true, true
	case "false", "off", "0":
		return false, true
	}
	return false, false
}

// TypeName is a type as written. Name is PostgreSQL's canonical short name
// (int8, timestamptz, varchar, …) for built-in types, else as written.
type TypeName struct {
	At
	Name      string
	Modifiers []int32 // (p, s), (n)
	ArrayDims int     // [] count
	Fields    []RowField
	Interval  string // fields of an interval type, such as "day to second", else ""
}

// RowField is one field of ROW(name type, …).
type RowField struct {
	Name Name
	Type TypeName
}
