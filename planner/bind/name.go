package bind

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/millrace/millrace/sql/ast"
)

// figureName is the name of an output column without an alias.
func figureName(x ast.Expr) string {
	if n, _ := figure(x); n != "" {
		return n
	}
	return "?column?"
}

// figure gives PostgreSQL's name for an expression and how good it is: a type's
// name, or CASE's, gives way to a name from within.
func figure(x ast.Expr) (string, int) {
	switch x := x.(type) {
	case *ast.ColumnRef:
		return x.Path.Last().Value, 2
	case *ast.FieldAccess:
		return x.Field.Value, 2
	case *ast.Subscript:
		return figure(x.X)
	case *ast.Call:
		return callName(x), 2
	case *ast.Cast:
		n, s := figure(x.X)
		if s <= 1 {
			return typeLabel(x.Type), 1
		}
		return n, s
	case *ast.IntervalLiteral:
		return "interval", 1
	case *ast.Case:
		if x.Else != nil {
			if n, s := figure(x.Else); s > 1 {
				return n, s
			}
		}
		return "case", 1
	case *ast.ArrayExpr:
		return "array", 2
	case *ast.RowExpr:
		return "row", 2
	case *ast.Exists:
		return "exists", 2
	case *ast.Subquery:
		if x.Array {
			return "array", 2
		}
		return firstName(x.Query.Body)
	case *ast.Star: // as a value
		if n := len(x.Qualifier); n > 0 {
			return x.Qualifier[n-1].Value, 2
		}
	case *ast.Collate:
		return figure(x.X)
	case *ast.Binary:
		if x.Op == "at time zone" {
			return "timezone", 2
		}
	}
	return "", 0
}

// firstName is the name of a query's first column, as figure's. What * stands for is not
// known here.
func firstName(q ast.SetExpr) (string, int) {
	switch q := q.(type) {
	case *ast.Select:
		if len(q.Items) == 0 {
			break
		}
		if a := q.Items[0].Alias; a != nil {
			return a.Value, 2
		}
		if _, ok := q.Items[0].X.(*ast.Star); !ok {
			return figureName(q.Items[0].X), 2
		}
	case *ast.SetOp:
		return firstName(q.L)
	case *ast.Values:
		return columnName(0), 2
	case *ast.Nested:
		return firstName(q.Query.Body)
	}
	return "", 0
}

func callName(x *ast.Call) string {
	n := x.Name.Last().Value
	switch x.Form {
	case "floor to":
		return strings.ToLower(n)
	}
	return n
}

// typeLabel is a type's name as a column's name.
func typeLabel(t ast.TypeName) string {
	if t.Name == `"char"` {
		return "char"
	}
	return strings.ToLower(systemType(t.Name))
}

func columnName(i int) string { return "column" + strconv.Itoa(i+1) }

// firstColumn finds a column reference outside of subqueries, nil for none.
func firstColumn(x ast.Expr) *ast.ColumnRef {
	var found *ast.ColumnRef
	visit(reflect.ValueOf(x), func(n any) bool {
		switch n := n.(type) {
		case *ast.ColumnRef:
			if found == nil {
				found = n
			}
		case *ast.Query:
			return false
		}
		return found == nil
	})
	return found
}

// visit walks a syntax tree, calling f for each pointer to a node; f says whether
// to look inside.
func visit(v reflect.Value, f func(any) bool) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			visit(v.Elem(), f)
		}
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct || !f(v.Interface()) {
			return
		}
		visit(v.Elem(), f)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i), f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), f)
		}
	}
}

// firstReference finds a reference to one of the named columns, nil for none.
func firstReference(x ast.Expr, names map[string]bool) *ast.ColumnRef {
	var found *ast.ColumnRef
	visit(reflect.ValueOf(x), func(n any) bool {
		if r, ok := n.(*ast.ColumnRef); ok && found == nil && names[r.Path.Last().Value] {
			found = r
		}
		return found == nil
	})
	return found
}
