package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// partAssignment puts a value, which is x or if that is bound ready, in the place of a
// part of a column: of an array, of jsonb or of a row.
type partAssignment struct {
	l      *level
	column ast.Name
	x      ast.Expr
	ready  *scalar.Expr
}

// in gives now, which name tells, with the value in the place that parts lead to.
func (p *partAssignment) in(now *scalar.Expr, name string, parts []ast.TargetPart) (*scalar.Expr, error) {
	if parts[0].Subscript == nil {
		return p.inRow(now, parts)
	}
	var chain []*ast.Subscript
	for _, part := range parts {
		if part.Subscript == nil {
			break
		}
		chain = append(chain, part.Subscript)
	}
	return p.inElements(now, name, chain, parts[len(chain):])
}

// inRow puts it into a field. All others stay, which are nulls in what is no row yet.
func (p *partAssignment) inRow(now *scalar.Expr, parts []ast.TargetPart) (*scalar.Expr, error) {
	name, b := parts[0].Field, p.l.b
	bad := func(code pgerr.Code, why string) error {
		return pgerr.New(code, "cannot assign to field %q of column %q because %s", name.Value, p.column.Value, why).At(int(p.column.Pos))
	}
	if now.Type.Kind != types.Row {
		return nil, bad(pgerr.DatatypeMismatch, "its type "+bare(now.Type).String()+" is not a composite type")
	}
	at := slices.IndexFunc(now.Type.Fields, func(f types.Field) bool { return f.Name == name.Value })
	if at < 0 {
		return nil, bad(pgerr.UndefinedColumn, "there is no such column in data type "+bare(now.Type).String())
	}
	row := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: now.Type, Pos: int(p.column.Pos)}
	for i := range now.Type.Fields {
		row.Args = append(row.Args, b.fieldAt(now, i))
	}
	var err error
	row.Args[at], err = p.value(row.Args[at], now.Type.Fields[at].Type, name.Value, "subfield %q is of type %s but expression is of type %s", parts[1:])
	if err != nil {
		return nil, err
	}
	return b.withText(row, "row("+b.texts(row.Args)+")", precAtom), nil
}

const assignElement = "assign_element(anyarray,anyelement,integer...)"

// inElements puts it into elements or a slice of an array, or a member of jsonb, and
// there into what rest leads to.
func (p *partAssignment) inElements(now *scalar.Expr, name string, chain []*ast.Subscript, rest []ast.TargetPart) (*scalar.Expr, error) {
	l, pos := p.l, int(p.column.Pos)
	call := &scalar.Expr{Op: scalar.OpCall, Type: now.Type, Pos: pos}
	var want types.Type
	var places []*scalar.Expr
	old := now // what is in the place
	var err error
	switch sliced := slices.ContainsFunc(chain, func(s *ast.Subscript) bool { return s.Slice }); {
	case now.Type.Kind == types.JSONB:
		call.Func, want = "assign_member(jsonb,jsonb,boolean,text...)", now.Type
		places, err = l.members(chain)
	case now.Type.Kind != types.Array:
		return nil, pgerr.New(pgerr.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", bare(now.Type)).At(pos)
	case len(chain) > types.DimensionsMax:
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(chain), types.DimensionsMax)
	case sliced:
		call.Func, want = "assign_slice(anyarray,anyarray,integer...)", now.Type
		places, err = l.boundsOf(chain, now.Type)
	default:
		call.Func, want = assignElement, *now.Type.Elem
		for _, s := range chain {
			i, failed := l.index(s.Index, now.Type, pos)
			if failed != nil {
				return nil, failed
			}
			if len(rest) > 0 && scalar.VolatilityOf(i) == scalar.Volatile { // it would be another one for each field
				return nil, pgerr.NotSupported(i.Pos, "assignment to a field of an element by a volatile subscript").
					Hint("Compute the subscript in FROM: UPDATE t SET a[s.i].f = … FROM (SELECT id, … AS i FROM t) AS s WHERE s.id = t.id.")
			}
			places = append(places, i)
		}
		if len(rest) > 0 {
			old, err = p.element(now, places)
		}
	}
	if err != nil {
		return nil, err
	}
	value, err := p.value(old, want, name, "subscripted assignment to %q requires type %s but expression is of type %s", rest)
	if err != nil {
		return nil, err
	}
	call.Args = append([]*scalar.Expr{now, value}, places...)
	return call, nil
}

// copiedMax is how large the fields together may be of an element that is taken of an array's
// new value, which each of them reads: it would multiply with each assignment.
const copiedMax = 1 << 14

// element is the one at places of now, an array that SET may have assigned to already:
// what it has put there, or what was there before it if that went elsewhere.
func (p *partAssignment) element(now *scalar.Expr, places []*scalar.Expr) (*scalar.Expr, error) {
	for now.Func == assignElement && len(now.Args) == 2+len(places) {
		same, other := true, false
		for i, at := range places {
			was := now.Args[2+i]
			same = same && exprEqual(was, at) && scalar.VolatilityOf(at) != scalar.Volatile
			other = other || was.Op == scalar.OpConst && at.Op == scalar.OpConst && *was.Value != *at.Value
		}
		if same {
			return now.Args[1], nil
		}
		if !other {
			break
		}
		now = now.Args[0]
	}
	size, fields := 0, max(1, len(now.Type.Elem.Fields))
	if !walk(now, func(*scalar.Expr) bool { size++; return size*fields <= copiedMax }) {
		return nil, pgerr.New(pgerr.StatementTooComplex, "too many assignments to parts of elements of column %q", p.column.Value).At(int(p.column.Pos)).
			Hint("Subscripts that are constants can be told apart before the statement runs.")
	}
	return &scalar.Expr{Op: scalar.OpCall, Func: "subscripts(anyarray,integer...)", Type: *now.Type.Elem,
		Args: append([]*scalar.Expr{now}, places...), Pos: int(p.column.Pos)}, nil
}

// value is what takes the place of old, of type want: old with the value where parts
// lead to, or without any the value itself.
func (p *partAssignment) value(old *scalar.Expr, want types.Type, name, mismatch string, parts []ast.TargetPart) (*scalar.Expr, error) {
	if len(parts) > 0 {
		return p.in(old, name, parts)
	}
	value, b := p.ready, p.l.b
	if value == nil {
		var err error
		if value, err = p.l.exprAs(p.x, want, assignment); err != nil {
			return nil, err
		}
	}
	if !b.canCoerce(value.Type, want, assignment) {
		return nil, pgerr.New(pgerr.DatatypeMismatch, mismatch, name, bare(want), bare(value.Type)).
			At(int(p.column.Pos)).Hint("You will need to rewrite or cast the expression.")
	}
	return b.coerce(value, want, assignment)
}
