package ast

import "strings"

// The binding strengths of PostgreSQL's operators, from loose to tight.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindIs
	bindCompare
	bindPattern
	bindOther
	bindAdd
	bindMultiply
	bindPower
	bindAt
	bindCollate
	bindSign
	bindPostfix
	bindPrimary
)

func binding(op string) int {
	switch op {
	case "or":
		return bindOr
	case "and":
		return bindAnd
	case "is distinct from", "is not distinct from":
		return bindIs
	case "=", "<>", "<", ">", "<=", ">=":
		return bindCompare
	case "+", "-":
		return bindAdd
	case "*", "/", "%":
		return bindMultiply
	case "^":
		return bindPower
	case "at time zone":
		return bindAt
	}
	return bindOther
}

// strength is how tightly the outermost operator of x binds.
func strength(x Expr) int {
	switch x := x.(type) {
	case *Binary:
		return binding(x.Op)
	case *Unary:
		switch x.Op {
		case "not":
			return bindNot
		case "-", "+":
			return bindSign
		}
		return bindOther
	case *Quantified:
		return quantifiedBinding(x.Op)
	case *IsTest:
		return bindIs
	case *Like, *Between, *In:
		return bindPattern
	case *Collate:
		return bindCollate
	case *Cast:
		if !x.Typed && !x.Try {
			return bindPostfix
		}
	case *Call:
		if x.Form == "overlaps" {
			return bindOther
		}
	case *Subscript, *FieldAccess:
		return bindPostfix
	}
	return bindPrimary
}

func quantifiedBinding(op string) int {
	switch op {
	case "like", "ilike", "not like", "not ilike":
		return bindPattern
	}
	return binding(op)
}

// expr writes x, in parentheses unless it binds at least as tightly as least.
func (p *printer) expr(x Expr, least int) {
	if strength(x) < least {
		p.put("(")
		p.bare(x)
		p.put(")")
		return
	}
	p.bare(x)
}

func (p *printer) exprs(list []Expr) {
	p.each(len(list), func(i int) { p.expr(list[i], 0) })
}

func (p *printer) bare(x Expr) {
	switch x := x.(type) {
	case *Literal:
		p.literal(x)
	case *ColumnRef:
		p.path(x.Path)
	case *Star:
		if len(x.Qualifier) > 0 {
			p.path(x.Qualifier)
			p.put(".")
		}
		p.put("*")
	case *Param:
		p.put("$")
		p.int(int64(x.N))
	case *Unary:
		p.unary(x)
	case *Binary:
		p.binary(x)
	case *Quantified:
		p.quantified(x)
	case *IsTest:
		p.expr(x.X, bindCompare)
		p.put(" IS ")
		p.flag(x.Not, "NOT ")
		p.put(strings.ToUpper(x.Test))
	case *Like:
		p.like(x)
	case *Between:
		p.expr(x.X, bindOther)
		p.flag(x.Not, " NOT")
		p.put(" BETWEEN ")
		p.flag(x.Symmetric, "SYMMETRIC ")
		p.expr(x.Lo, bindOther)
		p.put(" AND ")
		p.expr(x.Hi, bindOther)
	case *In:
		p.in(x)
	case *Exists:
		p.put("EXISTS ")
		p.subquery(x.Query)
	case *Subquery:
		p.flag(x.Array, "ARRAY")
		p.subquery(x.Query)
	case *Case:
		p.caseExpr(x)
	case *Cast:
		p.cast(x)
	case *IntervalLiteral:
		p.interval(x)
	case *Call:
		p.call(x)
	default:
		p.composite(x)
	}
}

// composite writes what is made of several values.
func (p *printer) composite(x Expr) {
	switch x := x.(type) {
	case *ArrayExpr:
		p.put("ARRAY[")
		p.exprs(x.Elems)
		p.put("]")
	case *RowExpr:
		p.flag(x.Explicit || len(x.Elems) < 2, "ROW")
		p.put("(")
		p.exprs(x.Elems)
		p.put(")")
	case *Subscript:
		p.subscript(x)
	case *FieldAccess:
		p.accessed(x.X)
		p.put(".")
		if x.Field.Value == "" {
			p.put("*")
		} else {
			p.name(x.Field)
		}
	case *Collate:
		p.expr(x.X, bindCollate)
		p.put(" COLLATE ")
		p.path(x.Collation)
	case *Default:
		p.put("DEFAULT")
	case *Descriptor:
		p.put("DESCRIPTOR(")
		p.paths(x.Columns)
		p.put(")")
	case *TableArg:
		p.put("TABLE ")
		if x.Query != nil {
			p.subquery(x.Query)
		} else {
			p.path(x.Relation)
		}
		if len(x.PartitionBy) > 0 {
			p.put(" PARTITION BY (")
			p.exprs(x.PartitionBy)
			p.put(")")
		}
	}
}

func (p *printer) literal(x *Literal) {
	switch x.Kind {
	case NullLiteral:
		p.put("NULL")
	case BoolLiteral:
		p.put(strings.ToUpper(x.Text))
	case StringLiteral:
		p.put(QuoteString(x.Text))
	case BitLiteral:
		p.put("B'", x.Text, "'")
	default:
		p.put(x.Text)
	}
}

// unary writes a space after an operator, but for a sign before what is none.
func (p *printer) unary(x *Unary) {
	switch x.Op {
	case "not":
		p.put("NOT ")
		p.expr(x.X, bindNot)
	case "-", "+":
		p.put(x.Op)
		if inner, ok := x.X.(*Unary); ok && (inner.Op == "-" || inner.Op == "+") {
			p.put(" ")
		}
		p.expr(x.X, bindSign)
	default:
		p.put(x.Op, " ")
		p.expr(x.X, bindAdd)
	}
}

func (p *printer) binary(x *Binary) {
	strong := binding(x.Op)
	left := strong
	if strong == bindIs || strong == bindCompare {
		left++ // these do not associate
	}
	p.expr(x.L, left)
	p.put(" ", strings.ToUpper(x.Op), " ")
	p.expr(x.R, strong+1)
}

func (p *printer) quantified(x *Quantified) {
	p.expr(x.X, quantifiedBinding(x.Op)+1)
	p.put(" ", strings.ToUpper(x.Op))
	if x.All {
		p.put(" ALL ")
	} else {
		p.put(" ANY ")
	}
	if x.Query != nil {
		p.subquery(x.Query)
		return
	}
	p.put("(")
	p.expr(x.Array, 0)
	p.put(")")
}

func (p *printer) like(x *Like) {
	p.expr(x.X, bindOther)
	p.flag(x.Not, " NOT")
	switch x.Kind {
	case "similar":
		p.put(" SIMILAR TO ")
	default:
		p.put(" ", strings.ToUpper(x.Kind), " ")
	}
	p.expr(x.Pattern, bindOther)
	if x.Escape != nil {
		p.put(" ESCAPE ")
		p.expr(x.Escape, bindOther)
	}
}

func (p *printer) in(x *In) {
	p.expr(x.X, bindOther)
	p.flag(x.Not, " NOT")
	p.put(" IN ")
	if x.Query != nil {
		p.subquery(x.Query)
		return
	}
	p.put("(")
	p.exprs(x.List)
	p.put(")")
}

func (p *printer) caseExpr(x *Case) {
	p.put("CASE")
	if x.Operand != nil {
		p.put(" ")
		p.expr(x.Operand, 0)
	}
	for _, w := range x.Whens {
		p.put(" WHEN ")
		p.expr(w.Cond, 0)
		p.put(" THEN ")
		p.expr(w.Then, 0)
	}
	if x.Else != nil {
		p.put(" ELSE ")
		p.expr(x.Else, 0)
	}
	p.put(" END")
}

func (p *printer) cast(x *Cast) {
	switch {
	case x.Typed:
		p.typeName(x.Type)
		p.put(" ")
		p.expr(x.X, 0)
	case x.Try:
		p.put("TRY_CAST(")
		p.expr(x.X, 0)
		p.put(" AS ")
		p.typeName(x.Type)
		p.put(")")
	default:
		p.expr(x.X, bindPostfix)
		p.put("::")
		p.typeName(x.Type)
	}
}

func (p *printer) interval(x *IntervalLiteral) {
	p.put("INTERVAL")
	atEnd := strings.HasSuffix(x.Fields, "second")
	precision := func() {
		p.put("(")
		p.int(int64(x.Precision))
		p.put(")")
	}
	if x.Precision >= 0 && !atEnd {
		precision()
	}
	p.put(" ", QuoteString(x.Text))
	p.flag(x.Fields != "", " "+strings.ToUpper(x.Fields))
	if x.Precision >= 0 && atEnd {
		precision()
	}
}

// accessed writes what a field is taken of: parentheses but for another access.
func (p *printer) accessed(x Expr) {
	switch x.(type) {
	case *FieldAccess, *Subscript:
		p.bare(x)
	default:
		p.put("(")
		p.expr(x, 0)
		p.put(")")
	}
}

func (p *printer) subscript(x *Subscript) {
	switch of := x.X.(type) {
	case *ColumnRef, *Param:
		p.bare(of)
	case *Subscript:
		if x.Chained {
			p.bare(of)
			break
		}
		p.put("(")
		p.bare(of)
		p.put(")")
	default:
		p.accessed(of)
	}
	p.bounds(x)
}

// bounds prints [i] or [lo:hi].
func (p *printer) bounds(x *Subscript) {
	p.put("[")
	if x.Index != nil {
		p.expr(x.Index, 0)
	}
	if x.Slice {
		p.put(":")
		if x.Upper != nil {
			p.expr(x.Upper, 0)
		}
	}
	p.put("]")
}
