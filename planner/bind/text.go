package bind

import (
	"strings"

	"github.com/millrace/millrace/planner/scalar"
)

// The binding strengths of PostgreSQL's grammar, for minimal parentheses.
const (
	precOr int8 = iota + 1
	precAnd
	precNot
	precIs
	precCompare
	precLike // BETWEEN, IN, LIKE
	precOther
	precAdd
	precMul
	precPower
	precZone
	precUnary
	precPostfix // casts and subscripts
	precAtom
)

// withText names an expression; prec is how strongly its outermost operator
// binds.
func (b *binder) withText(e *scalar.Expr, text string, prec int8) *scalar.Expr {
	e.Text = text
	if prec != precAtom {
		b.prec[e] = prec
	} else {
		delete(b.prec, e)
	}
	return e
}

func (b *binder) precOf(e *scalar.Expr) int8 {
	if p, ok := b.prec[e]; ok {
		return p
	}
	return precAtom
}

// inner is e's text as an operand of something that binds with prec.
func (b *binder) inner(e *scalar.Expr, prec int8) string {
	if b.precOf(e) < prec {
		return "(" + e.Text + ")"
	}
	return e.Text
}

// infix is the text of l op r; operators of one strength group from the left.
func (b *binder) infix(l *scalar.Expr, op string, r *scalar.Expr, prec int8) string {
	left := prec
	if prec == precCompare || prec == precLike {
		left = prec + 1
	}
	return b.inner(l, left) + " " + op + " " + b.inner(r, prec+1)
}

func (b *binder) texts(args []*scalar.Expr) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.Text
	}
	return strings.Join(parts, ", ")
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// precOfOperator is the strength of an infix operator.
func precOfOperator(op string) int8 {
	switch op {
	case "or":
		return precOr
	case "and":
		return precAnd
	case "=", "<>", "!=", "<", "<=", ">", ">=":
		return precCompare
	case "is distinct from", "is not distinct from":
		return precIs
	case "like", "not like", "ilike", "not ilike", "similar to", "not similar to", "in", "not in", "between":
		return precLike
	case "+", "-":
		return precAdd
	case "*", "/", "%":
		return precMul
	case "^":
		return precPower
	case "at time zone":
		return precZone
	}
	return precOther
}

func upper(s string) string { return strings.ToUpper(s) }
