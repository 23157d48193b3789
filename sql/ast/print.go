package ast

import (
	"strconv"
	"strings"
)

// Print writes a statement as canonical SQL, which parses back to the same tree:
// upper-case keywords, the parentheses that are needed and no others. It masks
// nothing; who prints for a user takes secrets out of the options first.
func Print(s Statement) string {
	var p printer
	p.statement(s)
	return p.b.String()
}

// PrintQuery writes a query as canonical SQL.
func PrintQuery(q *Query) string {
	var p printer
	p.query(q)
	return p.b.String()
}

// PrintExpr writes an expression as canonical SQL.
func PrintExpr(x Expr) string {
	var p printer
	p.expr(x, 0)
	return p.b.String()
}

// PrintType writes a type by its SQL name, such as bigint or numeric(12,2).
func PrintType(t TypeName) string {
	var p printer
	p.typeName(t)
	return p.b.String()
}

// PrintPath writes a name, each part quoted where it must be.
func PrintPath(path Path) string {
	var p printer
	p.path(path)
	return p.b.String()
}

// QuoteName writes a name as it must stand in SQL.
func QuoteName(name string) string {
	if Keyword(name) == Plain && isSimpleName(name) && !soft[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// soft are words that PostgreSQL does not know and that begin clauses here.
var soft = map[string]bool{
	"map": true, "emit": true, "qualify": true, "asof": true, "match_recognize": true, "descriptor": true, "try_cast": true,
	"operator": true, "watermark": true, "metadata": true, "generated": true, "claim": true, "allow": true, "no": true,
}

func isSimpleName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c == '_' || i > 0 && (c >= '0' && c <= '9' || c == '$') {
			continue
		}
		return false
	}
	return name != ""
}

// QuoteString writes a string literal.
func QuoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// printer collects the text of a tree.
type printer struct{ b strings.Builder }

// put writes pieces as they are.
func (p *printer) put(pieces ...string) {
	for _, s := range pieces {
		p.b.WriteString(s)
	}
}

// flag writes text when on.
func (p *printer) flag(on bool, text string) {
	if on {
		p.put(text)
	}
}

func (p *printer) name(n Name) { p.put(QuoteName(n.Value)) }

func (p *printer) path(path Path) {
	for i, n := range path {
		p.flag(i > 0, ".")
		p.name(n)
	}
}

// each writes n things with commas between them.
func (p *printer) each(n int, thing func(i int)) {
	for i := range n {
		p.flag(i > 0, ", ")
		thing(i)
	}
}

func (p *printer) names(list []Name) {
	p.put("(")
	p.each(len(list), func(i int) { p.name(list[i]) })
	p.put(")")
}

func (p *printer) paths(list []Path) {
	p.each(len(list), func(i int) { p.path(list[i]) })
}

func (p *printer) int(n int64) { p.put(strconv.FormatInt(n, 10)) }

// optionName writes the name of an option: words and dots as they are.
func (p *printer) optionName(name string) {
	for _, part := range strings.Split(name, ".") {
		if !isSimpleName(part) {
			p.put(QuoteString(name))
			return
		}
	}
	p.put(name)
}

// options writes ( name = value, … ).
func (p *printer) options(list []Option) {
	p.put("(")
	p.each(len(list), func(i int) {
		p.optionName(list[i].Name)
		if list[i].Value != nil {
			p.put(" = ")
			p.optionValue(list[i].Value)
		}
	})
	p.put(")")
}

// optionValue writes a value; a word stays a word even if it is reserved.
func (p *printer) optionValue(x Expr) {
	if ref, ok := x.(*ColumnRef); ok {
		for i, n := range ref.Path {
			p.flag(i > 0, ".")
			if isSimpleName(n.Value) && n.Value != "default" && n.Value != "null" && n.Value != "true" && n.Value != "false" {
				p.put(n.Value)
			} else {
				p.put(`"`, strings.ReplaceAll(n.Value, `"`, `""`), `"`)
			}
		}
		return
	}
	p.expr(x, 0)
}

func (p *printer) withOptions(list []Option) {
	if len(list) > 0 {
		p.put(" WITH ")
		p.options(list)
	}
}

func (p *printer) hints(list []Hint) {
	if len(list) == 0 {
		return
	}
	p.put("/*+ ")
	for i, h := range list {
		p.flag(i > 0, " ")
		p.put(QuoteName(h.Name))
		if h.Args == nil {
			continue
		}
		p.put("(")
		p.each(len(h.Args), func(i int) {
			p.put(QuoteString(h.Args[i].Name))
			if v := h.Args[i].Value; v != nil {
				p.put(" = ")
				p.optionValue(v)
			}
		})
		p.put(")")
	}
	p.put(" */ ")
}

// sqlTypes gives the SQL names of the types whose short names differ.
var sqlTypes = map[string]string{
	"bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
	"varbit": "bit varying",
}

func (p *printer) typeName(t TypeName) {
	switch name := sqlTypes[t.Name]; {
	case t.Name == "row" && len(t.Fields) > 0:
		p.put("row(")
		p.each(len(t.Fields), func(i int) {
			p.name(t.Fields[i].Name)
			p.put(" ")
			p.typeName(t.Fields[i].Type)
		})
		p.put(")")
	case name != "":
		p.put(name)
	case t.Name == "bpchar" && len(t.Modifiers) > 0:
		p.put("char")
	case t.Name == `"char"` || Keyword(t.Name) == ColumnKeyword && isSimpleName(t.Name):
		p.put(t.Name)
	default:
		for i, part := range strings.Split(t.Name, ".") {
			p.flag(i > 0, ".")
			p.put(QuoteName(part))
		}
	}
	p.flag(t.Interval != "", " "+t.Interval)
	if len(t.Modifiers) > 0 {
		p.put("(")
		for i, m := range t.Modifiers {
			p.flag(i > 0, ",")
			p.int(int64(m))
		}
		p.put(")")
	}
	for range t.ArrayDims {
		p.put("[]")
	}
}
