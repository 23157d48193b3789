package bind

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// candidate is an overload with its parameters repeated to the number of
// arguments.
type candidate struct {
	f      *scalar.Function
	params []types.Type
}

// choose resolves an overload by PostgreSQL's rules. found is nil when nothing
// matches; ambiguous when several do equally well.
func choose(overloads []scalar.Function, args []types.Type, operator bool) (found *candidate, ambiguous bool) {
	var all []candidate
	for i := range overloads {
		if p, ok := expand(&overloads[i], len(args)); ok {
			all = append(all, candidate{&overloads[i], p})
		}
	}
	exactArgs := args
	if operator && len(args) == 2 {
		switch {
		case args[0].Kind == types.Unknown && args[1].Kind != types.Unknown:
			exactArgs = []types.Type{args[1], args[1]}
		case args[1].Kind == types.Unknown && args[0].Kind != types.Unknown:
			exactArgs = []types.Type{args[0], args[0]}
		}
	}
	for i := range all {
		if exactAll(&all[i], exactArgs) {
			return &all[i], false
		}
	}
	var fit []candidate
	for _, c := range all {
		if fits(&c, args) {
			fit = append(fit, c)
		}
	}
	switch len(fit) {
	case 0:
		return nil, false
	case 1:
		return &fit[0], false
	}
	return narrow(fit, args)
}

// expand gives an overload's parameter types for n arguments.
func expand(f *scalar.Function, n int) ([]types.Type, bool) {
	if len(f.Args) == n {
		return f.Args, true
	}
	if !f.Variadic || n < len(f.Args) {
		return nil, false
	}
	p := append([]types.Type(nil), f.Args[:len(f.Args)-1]...)
	for len(p) < n {
		p = append(p, f.Args[len(f.Args)-1])
	}
	return p, true
}

func exactAll(c *candidate, args []types.Type) bool {
	for i, a := range args {
		if !exactType(a, c.params[i]) {
			return false
		}
	}
	return true
}

func exactType(a, p types.Type) bool {
	if a.Kind != p.Kind {
		return false
	}
	if a.Kind == types.Array {
		return p.Elem != nil && exactType(*a.Elem, *p.Elem)
	}
	return true
}

// fits reports whether every argument reaches its parameter by an implicit cast
// and the polymorphic ones agree.
func fits(c *candidate, args []types.Type) bool {
	for i, a := range args {
		p := c.params[i]
		switch p.Kind {
		case scalar.AnyElement:
			if a.Kind == types.Array && c.f.Name == "||" {
				return false // PostgreSQL's anynonarray
			}
		case scalar.Any, scalar.AnyCompatible:
		case scalar.AnyArray, scalar.AnyCompatibleArray:
			if a.Kind != types.Array && a.Kind != types.Unknown {
				return false
			}
		default:
			if scalar.CastBetween(a, p) != scalar.ImplicitCast {
				return false
			}
		}
	}
	_, _, ok := elements(c, args)
	return ok
}

// elements finds what anyelement and anycompatible stand for in a call; Unknown
// when only untyped literals say.
func elements(c *candidate, args []types.Type) (element, compatible types.Type, ok bool) {
	element = types.Of(types.Unknown)
	var list []types.Type
	for i, a := range args {
		if a.Kind == types.Unknown {
			if c.params[i].Kind == scalar.AnyCompatible {
				list = append(list, a)
			}
			continue
		}
		switch c.params[i].Kind {
		case scalar.AnyElement, scalar.AnyArray:
			e := a
			if c.params[i].Kind == scalar.AnyArray {
				e = *a.Elem
			}
			if element.Kind == types.Unknown {
				element = e
			} else if !exactType(e, element) {
				return element, compatible, false
			} else if !e.Equal(element) {
				element = bare(element)
			}
		case scalar.AnyCompatible:
			list = append(list, a)
		case scalar.AnyCompatibleArray:
			list = append(list, *a.Elem)
		}
	}
	compatible, at := common(list)
	return element, compatible, at < 0
}

// narrow is func_select_candidate: most exact matches, then preferred types,
// then what untyped literals most likely are.
func narrow(fit []candidate, args []types.Type) (*candidate, bool) {
	fit = best(fit, args, func(a, p types.Type) bool { return exactType(a, p) })
	if len(fit) == 1 {
		return &fit[0], false
	}
	fit = best(fit, args, func(a, p types.Type) bool {
		return exactType(a, p) || scalar.Category(p.Kind) == scalar.Category(a.Kind) && scalar.Preferred(p.Kind)
	})
	if len(fit) == 1 {
		return &fit[0], false
	}
	known, unknowns := types.Of(types.Unknown), 0
	sameKnown := true
	for _, a := range args {
		if a.Kind == types.Unknown {
			unknowns++
		} else if known.Kind == types.Unknown {
			known = a
		} else if !exactType(a, known) {
			sameKnown = false
		}
	}
	if unknowns == 0 {
		return nil, true
	}
	fit = byCategory(fit, args)
	if len(fit) == 1 {
		return &fit[0], false
	}
	if known.Kind != types.Unknown && sameKnown {
		all := make([]types.Type, len(args))
		for i := range all {
			all[i] = known
		}
		var last []candidate
		for _, c := range fit {
			if fits(&c, all) {
				last = append(last, c)
			}
		}
		if len(last) == 1 {
			return &last[0], false
		}
	}
	return nil, true
}

// best keeps the candidates with the most matches among the typed arguments.
func best(fit []candidate, args []types.Type, match func(a, p types.Type) bool) []candidate {
	most := -1
	var out []candidate
	for _, c := range fit {
		n := 0
		for i, a := range args {
			if a.Kind != types.Unknown && match(a, c.params[i]) {
				n++
			}
		}
		if n > most {
			most, out = n, nil
		}
		if n == most {
			out = append(out, c)
		}
	}
	return out
}

// byCategory decides each untyped argument's category (string, if any candidate
// takes one, else the one all share) and keeps the candidates that fit, those
// with the category's preferred type first.
func byCategory(fit []candidate, args []types.Type) []candidate {
	category := make([]byte, len(args))
	preferred := make([]bool, len(args))
	for i, a := range args {
		if a.Kind != types.Unknown {
			continue
		}
		for _, c := range fit {
			k := categoryOf(c.params[i])
			switch {
			case category[i] == 0:
				category[i], preferred[i] = k, scalar.Preferred(c.params[i].Kind)
			case category[i] == k:
				preferred[i] = preferred[i] || scalar.Preferred(c.params[i].Kind)
			case k == 'S':
				category[i], preferred[i] = k, scalar.Preferred(c.params[i].Kind)
			case category[i] != 'S':
				category[i] = '?'
			}
		}
		if category[i] == '?' {
			return fit
		}
	}
	var out []candidate
	for _, c := range fit {
		ok := true
		for i := range args {
			if category[i] == 0 {
				continue
			}
			p := c.params[i]
			if categoryOf(p) != category[i] || preferred[i] && !scalar.Preferred(p.Kind) {
				ok = false
				break
			}
		}
		if ok {
			out = append(out, c)
		}
	}
	if len(out) > 0 {
		return out
	}
	return fit
}

func categoryOf(t types.Type) byte {
	if scalar.IsPseudo(t.Kind) {
		return 'P'
	}
	return scalar.Category(t.Kind)
}

// applyCall coerces the arguments to the parameters of the chosen overload and
// makes the call.
func (b *binder) applyCall(c *candidate, args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	element, compatible, _ := elements(c, exprs2types(args))
	if element.Kind == types.Unknown {
		element = types.Of(types.Text)
	}
	if compatible.Kind == types.Unknown {
		compatible = types.Of(types.Text)
	}
	out := make([]*scalar.Expr, len(args))
	for i, a := range args {
		var t types.Type
		switch c.params[i].Kind {
		case scalar.Any:
			t = a.Type
			if t.Kind == types.Unknown {
				t = types.Of(types.Text)
			}
		case scalar.AnyElement:
			t = element
		case scalar.AnyArray:
			t = types.ArrayOf(element)
		case scalar.AnyCompatible:
			t = compatible
		case scalar.AnyCompatibleArray:
			t = types.ArrayOf(compatible)
		default:
			t = c.params[i]
		}
		v, err := b.coerce(a, t, implicit)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	call := &scalar.Expr{Op: scalar.OpCall, Func: c.f.Key, Args: out, Pos: pos}
	call.Type = c.f.Return(exprs2types(out))
	return call, nil
}

// noSuchFunction is the error for a call that no overload takes.
func noSuchFunction(name string, args []*scalar.Expr, pos int, names []string) error {
	e := pgerr.New(pgerr.UndefinedFunction, "function %s(%s) does not exist", name, typeList(args)).At(pos)
	if names != nil {
		if near := nearest(name, names); near != "" {
			return e.Hint("No function matches the given name and argument types. Perhaps you meant %q.", near)
		}
	}
	return e.Hint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

func typeList(args []*scalar.Expr) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = bare(a.Type).String()
	}
	return strings.Join(parts, ", ")
}

// operator resolves and applies an infix or prefix operator; shown is how error
// messages write it.
func (b *binder) operator(op, shown string, args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	c, ambiguous := choose(scalar.Operators(op), exprs2types(args), true)
	if c == nil {
		var e *pgerr.Error
		text := ""
		if len(args) == 1 {
			text = shown + " " + bare(args[0].Type).String()
		} else {
			text = bare(args[0].Type).String() + " " + shown + " " + bare(args[1].Type).String()
		}
		if ambiguous {
			e = pgerr.New(pgerr.AmbiguousFunction, "operator is not unique: %s", text).At(pos).
				Hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
		} else {
			e = pgerr.New(pgerr.UndefinedFunction, "operator does not exist: %s", text).At(pos).
				Hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
			if len(args) == 1 {
				e.Hint("No operator matches the given name and argument type. You might need to add an explicit type cast.")
			}
		}
		return nil, e
	}
	if len(args) == 2 {
		for i, a := range args {
			if like := args[1-i].Type; a.Type.Kind == types.Unknown && c.params[i].Kind == types.Row && like.Kind == types.Row {
				v, err := b.coerce(a, like, implicit) // a record of no type has no text
				if err != nil {
					return nil, err
				}
				args = slices.Clone(args)
				args[i] = v
			}
		}
	}
	return b.applyCall(c, args, pos)
}
