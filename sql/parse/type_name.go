package parse

import (
	"math"
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// builtinTypes maps the spellings of built-in types to PostgreSQL's short names.
var builtinTypes = map[string]string{
	"bool": "bool", "boolean": "bool",
	"smallint": "int2", "int2": "int2",
	"int": "int4", "integer": "int4", "int4": "int4",
	"bigint": "int8", "int8": "int8",
	"real": "float4", "float4": "float4", "float8": "float8", "double": "float8", "float": "float8",
	"numeric": "numeric", "decimal": "numeric", "dec": "numeric",
	"text": "text", "string": "text", "varchar": "varchar",
	"char": "bpchar", "character": "bpchar", "nchar": "bpchar", "bpchar": "bpchar",
	"bytea": "bytea", "bytes": "bytea",
	"date": "date", "time": "time", "timetz": "timetz", "timestamp": "timestamp", "timestamptz": "timestamptz",
	"interval": "interval", "uuid": "uuid", "json": "json", "jsonb": "jsonb", "bit": "bit", "varbit": "varbit",
}

// typeName takes a type.
func (c *cursor) typeName() ast.TypeName {
	c.enter()
	defer c.leave()
	first := c.cur()
	if !first.isName() || first.kind == identifier && ast.Keyword(first.text) == ast.ReservedKeyword && first.text != "array" {
		c.unexpected()
		return ast.TypeName{}
	}
	ty := ast.TypeName{At: ast.At{Pos: c.at(first)}}
	c.accept("setof")
	name := c.label().Value
	for c.acceptSymbol(".") {
		if part := c.label().Value; name == "pg_catalog" {
			name = part
		} else {
			name += "." + part
		}
	}
	if first.kind == quoted && name == "char" {
		ty.Name = `"char"`
	} else if short, ok := builtinTypes[name]; ok {
		ty.Name = short
	} else {
		ty.Name = name
	}
	c.typeDetails(&ty, first, name)
	c.arrayDims(&ty)
	return ty
}

// typeDetails takes what may follow the name of a type.
func (c *cursor) typeDetails(ty *ast.TypeName, first *token, name string) {
	switch {
	case name == "double":
		c.accept("precision")
	case (name == "character" || name == "char" || name == "nchar" || name == "bit") && c.accept("varying"):
		ty.Name = map[string]string{"bit": "varbit"}[name]
		if ty.Name == "" {
			ty.Name = "varchar"
		}
	case name == "national":
		c.acceptAny("character", "char")
		ty.Name = "bpchar"
		if c.accept("varying") {
			ty.Name = "varchar"
		}
	case name == "interval":
		ty.Interval = c.intervalFields()
	case (name == "row" || name == "struct") && (c.cur().is("(") || c.cur().is("<")):
		c.rowFields(ty)
		return
	case (name == "map" || name == "multiset") && c.cur().is("<"):
		c.unsupported(first, "the type "+name)
		return
	case name == "array" && c.cur().is("<"):
		c.advance()
		elem := c.typeName()
		c.closeAngle()
		pos := ty.At
		*ty = elem
		ty.At = pos
		ty.ArrayDims++
		return
	}
	if c.cur().is("(") {
		ty.Modifiers = c.typeModifiers()
	}
	if ty.Interval == "" && name == "interval" {
		ty.Interval = c.intervalFields()
	}
	if name == "time" || name == "timestamp" {
		switch {
		case c.accept("with", "time", "zone"), c.accept("with", "local", "time", "zone"):
			ty.Name = name + "tz"
		case c.accept("without", "time", "zone"):
		}
	}
	if (ty.Name == "bpchar" && name != "bpchar" || ty.Name == "bit") && ty.Modifiers == nil {
		ty.Modifiers = []int32{1} // the standard's default
	}
	if name == "float" && len(ty.Modifiers) == 1 {
		switch p := ty.Modifiers[0]; {
		case p < 1:
			c.fail(pgerr.New(pgerr.InvalidParameterValue, "precision for type float must be at least 1 bit").At(first.pos))
		case p > 53:
			c.fail(pgerr.New(pgerr.InvalidParameterValue, "precision for type float must be less than 54 bits").At(first.pos))
		case p <= 24:
			ty.Name = "float4"
		}
		ty.Modifiers = nil
	}
}

// typeModifiers takes (n, …).
func (c *cursor) typeModifiers() []int32 {
	c.expectSymbol("(")
	var list []int32
	for {
		t := c.cur()
		n := c.number()
		if n > math.MaxInt32 || n < math.MinInt32 {
			c.fail(pgerr.New(pgerr.NumericValueOutOfRange, "type modifier %d is out of range", n).At(t.pos))
		}
		list = append(list, int32(n))
		if !c.acceptSymbol(",") {
			break
		}
	}
	c.expectSymbol(")")
	return list
}

// rowFields takes (name type, …) or <name type, …>.
func (c *cursor) rowFields(ty *ast.TypeName) {
	ty.Name = "row"
	angle := c.cur().is("<")
	c.advance()
	for {
		f := ast.RowField{Name: c.name()}
		f.Type = c.typeName()
		ty.Fields = append(ty.Fields, f)
		if !c.acceptSymbol(",") {
			break
		}
	}
	if angle {
		c.closeAngle()
	} else {
		c.expectSymbol(")")
	}
}

// closeAngle takes one >, also off an operator such as >>.
func (c *cursor) closeAngle() {
	t := c.cur()
	if t.kind != operator || t.text[0] != '>' {
		c.unexpected()
		return
	}
	if len(t.text) == 1 {
		c.advance()
		return
	}
	t.text = t.text[1:]
	t.pos++
}

// arrayDims takes [], [3], ARRAY and ARRAY[3] after a type.
func (c *cursor) arrayDims(ty *ast.TypeName) {
	if c.accept("array") {
		ty.ArrayDims++
		if c.cur().is("[") && c.peek(1).kind == integerNumber {
			c.advance()
			c.number()
			c.expectSymbol("]")
		}
		return
	}
	for c.cur().is("[") && (c.peek(1).is("]") || c.peek(1).kind == integerNumber && c.peek(2).is("]")) {
		c.i = c.cur().match + 1
		ty.ArrayDims++
	}
}

// intervalFields takes YEAR, DAY TO SECOND and so on, without a precision.
func (c *cursor) intervalFields() string {
	units := []string{"year", "month", "day", "hour", "minute", "second"}
	from := c.acceptAny(units...)
	if from == "" || !c.ahead("to") || !c.peek(1).isAny(units...) {
		return from
	}
	c.advance()
	return from + " to " + c.acceptAny(units...)
}

// intervalPrecision takes (p) after SECOND; -1 when there is none.
func (c *cursor) intervalPrecision() int32 {
	if !c.cur().is("(") || c.peek(1).kind != integerNumber {
		return -1
	}
	c.advance()
	n, err := strconv.ParseInt(c.cur().text, 10, 32)
	if err != nil {
		c.unexpected()
	}
	c.advance()
	c.expectSymbol(")")
	return int32(n)
}
