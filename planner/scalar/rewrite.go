package scalar

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/types"
)

// Walk calls f for x and everything below it, parents first. A nil x is no
// expression and is left out.
func Walk(x *Expr, f func(*Expr)) {
	if x == nil {
		return
	}
	f(x)
	for _, a := range x.Args {
		Walk(a, f)
	}
}

// Map returns x with f applied bottom-up. f must not change the node it is
// given; where it returns it as it is, nothing is copied.
func Map(x *Expr, f func(*Expr) *Expr) *Expr {
	if x == nil {
		return nil
	}
	var args []*Expr
	for i, a := range x.Args {
		b := Map(a, f)
		if b != a && args == nil {
			args = slices.Clone(x.Args)
		}
		if args != nil {
			args[i] = b
		}
	}
	if args != nil {
		c := *x
		c.Args = args
		x = &c
	}
	return f(x)
}

// Substitute replaces column i by columns[i] throughout x.
func Substitute(x *Expr, columns []*Expr) *Expr {
	return Map(x, func(e *Expr) *Expr {
		if e.Op != OpColumn {
			return e
		}
		return columns[e.Column]
	})
}

// Remap replaces column i by column to(i) throughout x.
func Remap(x *Expr, to func(int) int) *Expr {
	return Map(x, func(e *Expr) *Expr {
		if e.Op != OpColumn || to(e.Column) == e.Column {
			return e
		}
		c := *e
		c.Column = to(e.Column)
		return &c
	})
}

// Columns lists the columns that x reads, each once, in order of number.
func Columns(x *Expr) []int {
	var out []int
	Walk(x, func(e *Expr) {
		if e.Op == OpColumn {
			out = append(out, e.Column)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// SideOf is -1 for an expression over a join's left columns only, of which there
// are width, 1 for one over right columns only, and 0 for any other.
func SideOf(x *Expr, width int) int {
	cols := Columns(x)
	switch {
	case len(cols) == 0 || VolatilityOf(x) == Volatile:
		return 0
	case cols[len(cols)-1] < width:
		return -1
	case cols[0] >= width:
		return 1
	}
	return 0
}

// Equal reports whether two expressions are the same but for Pos and Text.
func Equal(x, y *Expr) bool {
	if x == nil || y == nil {
		return x == y
	}
	if x.Op != y.Op || x.Column != y.Column || x.Func != y.Func || len(x.Args) != len(y.Args) || !x.Type.Equal(y.Type) {
		return false
	}
	if (x.Value == nil) != (y.Value == nil) || x.Value != nil && *x.Value != *y.Value {
		return false
	}
	for i := range x.Args {
		if !Equal(x.Args[i], y.Args[i]) {
			return false
		}
	}
	return true
}

// And joins conditions, flattening nested conjunctions; nil stands for true.
func And(all ...*Expr) *Expr {
	var parts []*Expr
	for _, x := range all {
		parts = append(parts, Conjuncts(x)...)
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	text := ""
	for i, p := range parts {
		if i > 0 {
			text += " and "
		}
		if p.Op == OpOr {
			text += "(" + p.Text + ")"
		} else {
			text += p.Text
		}
	}
	return &Expr{Op: OpAnd, Type: parts[0].Type, Args: parts, Pos: parts[0].Pos, Text: text}
}

// Conjuncts splits a condition at its top-level ANDs; nil gives none.
func Conjuncts(x *Expr) []*Expr {
	if x == nil {
		return nil
	}
	if x.Op != OpAnd {
		return []*Expr{x}
	}
	var out []*Expr
	for _, a := range x.Args {
		out = append(out, Conjuncts(a)...)
	}
	return out
}

// VolatilityOf is the highest volatility of the functions that x calls, and of
// its casts: those from and to timestamptz depend on the session's time zone, and
// so do comparisons of one with a date or timestamp.
func VolatilityOf(x *Expr) Volatility {
	v := Immutable
	Walk(x, func(e *Expr) {
		if e.Op == OpCast && zoned(e.Type) != zoned(e.Args[0].Type) {
			v = max(v, Stable)
		}
		if e.Op != OpCall {
			return
		}
		if mixedZones(e.Args) {
			v = max(v, Stable)
		}
		if f := ByKey(e.Func); f == nil {
			v = Volatile
		} else if f.Volatility > v {
			v = f.Volatility
		}
	})
	return v
}

// mixedZones reports whether the first two of args are times, and one of them has a zone.
func mixedZones(args []*Expr) bool {
	return len(args) > 1 && args[0].Type.IsTime() && args[1].Type.IsTime() && zoned(args[0].Type) != zoned(args[1].Type)
}

// zoned reports whether values of t are points in time that a time zone shows.
func zoned(t types.Type) bool {
	if t.Elem != nil && zoned(*t.Elem) {
		return true
	}
	return t.Kind == types.TimestampTZ || slices.ContainsFunc(t.Fields, func(f types.Field) bool { return zoned(f.Type) })
}

// IsTrue reports whether x is the constant true.
func IsTrue(x *Expr) bool {
	return x.Op == OpConst && x.Value != nil && !x.Value.Null && x.Value.Bool
}

// ReadsWatermark reports whether x calls current_watermark.
func ReadsWatermark(x *Expr) bool {
	found := false
	Walk(x, func(e *Expr) { found = found || IsCurrentWatermark(e) })
	return found
}

// IsCurrentWatermark reports whether x is a call of current_watermark.
func IsCurrentWatermark(x *Expr) bool {
	return x.Op == OpCall && strings.HasPrefix(x.Func, "current_watermark(")
}
