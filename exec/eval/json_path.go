package eval

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// JSONPath is a SQL/JSON path ready to run. It is for one goroutine.
type JSONPath struct {
	path    *types.JSONPath
	regexps map[*types.PathItem]*Regexp
	// templates are those of .datetime() that were needed so far.
	templates map[*types.PathItem][]timeNode
}

// CompileJSONPath reads a path, and compiles its regular expressions.
func CompileJSONPath(text string) (*JSONPath, error) {
	path, err := types.ParseJSONPath(text)
	if err != nil {
		return nil, err
	}
	p := &JSONPath{path: path, regexps: map[*types.PathItem]*Regexp{}, templates: map[*types.PathItem][]timeNode{}}
	path.Root.Walk(func(x *types.PathItem) {
		if x.Op != types.PathLikeRegex || err != nil {
			return
		}
		p.regexps[x], err = compileRegexp(x.Str, regexpFlags(x.Flags))
	})
	return p, err
}

// regexpFlags turns XQuery's flags into those of PostgreSQL's regular expressions.
func regexpFlags(flags string) string {
	out := ""
	if strings.Contains(flags, "i") {
		out = "i"
	}
	if strings.Contains(flags, "q") {
		return out + "q"
	}
	s, m := strings.Contains(flags, "s"), strings.Contains(flags, "m")
	switch {
	case s && m:
		return out + "w"
	case s:
		return out + "s"
	case m:
		return out + "n"
	}
	return out + "p"
}

// logic is the outcome of a predicate.
type logic uint8

const (
	unknown logic = iota
	isFalse
	isTrue
)

func logicOf(b bool) logic {
	if b {
		return isTrue
	}
	return isFalse
}

// errNoItem is the error of a path where errors are not wanted: nobody sees it.
var errNoItem = errors.New("no such item")

// pathRun evaluates a path over one document, as PostgreSQL's jsonpath_exec.c
// does: parts hand each item on to what follows them, and stop at an error.
type pathRun struct {
	*JSONPath
	root, current *types.JSON
	vars          *types.JSON
	zone          *types.Zone
	now           int64
	// lenient paths skip what has not the structure they ask for, and unwrap
	// arrays: those in lax mode, and the first level of .** in both.
	lenient bool
	// silent runs do not word their errors.
	silent bool
	// probing runs ask only whether there is an item.
	probing bool
	// size is that of the innermost array with subscripts, negative outside.
	size int
	ids  map[*types.JSON]int64
	// times are the items that are dates and times.
	times map[*types.JSON]*pathTime
}

// sink takes an item; false stops the path, because enough is known.
type sink func(*types.JSON) (more bool, err error)

// fail is an error of the data, which a silent run and predicates swallow.
func (r *pathRun) fail(code pgerr.Code, format string, args ...any) error {
	if r.silent {
		return errNoItem
	}
	return pathError{pgerr.New(code, format, args...)}
}

// pathError is an error that predicates swallow, unlike a missing variable.
type pathError struct{ error }

func (e pathError) Unwrap() error { return e.error }

func swallowed(err error) bool {
	var e pathError
	return errors.Is(err, errNoItem) || errors.As(err, &e)
}

// PathInput is what a path looks into.
type PathInput struct {
	Doc *types.JSON
	// Vars are the variables; without them all are null.
	Vars *types.JSON
	// Silent says that errors of the data end the path without one.
	Silent bool
	// zone is the session's, nil where the path may not depend on it; now is the
	// time at which its offset counts for times of day.
	zone *types.Zone
	now  int64
}

// Run gives the items of the path to out until that returns false.
func (p *JSONPath) Run(in PathInput, out func(*types.JSON) bool) (failed bool, err error) {
	return p.run(&pathRun{root: in.Doc, vars: in.Vars, silent: in.Silent, zone: in.zone, now: in.now}, out)
}

// Exists reports whether the path finds anything; in strict mode it looks for
// errors in all of it.
func (p *JSONPath) Exists(in PathInput) (found, failed bool, err error) {
	failed, err = p.run(&pathRun{root: in.Doc, vars: in.Vars, silent: in.Silent, zone: in.zone, now: in.now, probing: !p.path.Strict}, func(*types.JSON) bool {
		found = true
		return p.path.Strict
	})
	return found, failed, err
}

func (p *JSONPath) run(r *pathRun, out func(*types.JSON) bool) (failed bool, err error) {
	if r.vars != nil && r.vars.Kind != types.JSONObject {
		return false, pgerr.New(pgerr.InvalidParameterValue, "\"vars\" argument is not an object").
			WithDetail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
	}
	r.JSONPath, r.current, r.lenient, r.size = p, r.root, !p.path.Strict, -1
	_, err = r.item(p.path.Root, r.root, r.lax(), func(v *types.JSON) (bool, error) { return out(v), nil })
	if r.silent && swallowed(err) {
		return true, nil
	}
	var e pathError
	if errors.As(err, &e) {
		err = e.error
	}
	return err != nil, err
}

func (r *pathRun) lax() bool { return !r.path.Strict }

// next hands v on to what follows x.
func (r *pathRun) next(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	if x.Next == nil {
		return out(v)
	}
	return r.item(x.Next, v, r.lax(), out)
}

// each hands the elements of v to x itself, one by one.
func (r *pathRun) each(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	for _, e := range v.Items {
		if more, err := r.item(x, e, false, out); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// item evaluates x over v; unwrap tells whether x works on an array's elements
// where it does not work on arrays.
func (r *pathRun) item(x *types.PathItem, v *types.JSON, unwrap bool, out sink) (bool, error) {
	unwrap = unwrap && v.Kind == types.JSONArray
	switch x.Op {
	case types.PathNull:
		return r.next(x, &types.JSON{}, out)
	case types.PathBool:
		return r.next(x, &types.JSON{Kind: types.JSONBool, Bool: x.Bool}, out)
	case types.PathNumber:
		return r.next(x, &types.JSON{Kind: types.JSONNumber, Str: x.Str}, out)
	case types.PathString:
		return r.next(x, &types.JSON{Kind: types.JSONString, Str: x.Str}, out)
	case types.PathVariable:
		value, err := r.variable(x.Str)
		if err != nil {
			return false, err
		}
		return r.next(x, value, out)
	case types.PathRoot:
		return r.next(x, r.root, out)
	case types.PathCurrent:
		return r.next(x, r.current, out)
	case types.PathLast:
		return r.next(x, numberJSON(types.DecimalFromInt(int64(r.size-1))), out)
	case types.PathKey, types.PathAnyKey:
		if unwrap {
			return r.each(x, v, out)
		}
		return r.member(x, v, out)
	case types.PathAnyIndex:
		return r.elements(x, v, out)
	case types.PathIndex:
		return r.subscripts(x, v, out)
	case types.PathAny:
		return r.levels(x, v, out)
	case types.PathFilter:
		if unwrap {
			return r.each(x, v, out)
		}
		l, err := r.filter(x.Left, v)
		if err != nil || l != isTrue {
			return true, err
		}
		return r.next(x, v, out)
	case types.PathMethod:
		if unwrap && x.Str != "type" && x.Str != "size" {
			return r.each(x, v, out)
		}
		return r.method(x, v, out)
	case types.PathAdd, types.PathSub, types.PathMul, types.PathDiv, types.PathMod:
		return r.arithmetic(x, v, out)
	case types.PathPlus, types.PathMinus:
		return r.signed(x, v, out)
	}
	l, err := r.predicate(x, v)
	if err != nil {
		return false, err
	}
	result := &types.JSON{}
	if l != unknown {
		result = &types.JSON{Kind: types.JSONBool, Bool: l == isTrue}
	}
	return r.next(x, result, out)
}

func (r *pathRun) variable(name string) (*types.JSON, error) {
	if r.vars == nil {
		return &types.JSON{}, nil
	}
	if v := r.vars.Get(name); v != nil {
		return v, nil
	}
	return nil, pgerr.New(pgerr.UndefinedObject, "could not find jsonpath variable %q", name)
}

func (r *pathRun) member(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	if x.Op == types.PathAnyKey {
		if v.Kind == types.JSONObject {
			return r.all(x, v, out)
		}
		if r.lenient {
			return true, nil
		}
		return false, r.fail(pgerr.JSONObjectNotFound, "jsonpath wildcard member accessor can only be applied to an object")
	}
	if v.Kind == types.JSONObject {
		if e := v.Get(x.Str); e != nil {
			return r.next(x, e, out)
		}
	}
	switch {
	case r.lenient:
		return true, nil
	case v.Kind == types.JSONObject:
		return false, r.fail(pgerr.JSONMemberNotFound, "JSON object does not contain key %q", x.Str)
	}
	return false, r.fail(pgerr.JSONMemberNotFound, "jsonpath member accessor can only be applied to an object")
}

// all hands all members or elements of v on to what follows x.
func (r *pathRun) all(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	for _, e := range v.Items {
		if more, err := r.next(x, e, out); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

func (r *pathRun) elements(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	switch {
	case v.Kind == types.JSONArray:
		return r.all(x, v, out)
	case r.lax():
		return r.next(x, v, out)
	case r.lenient:
		return true, nil
	}
	return false, r.fail(pgerr.JSONArrayNotFound, "jsonpath wildcard array accessor can only be applied to an array")
}

func (r *pathRun) subscripts(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	items := []*types.JSON{v}
	switch {
	case v.Kind == types.JSONArray:
		items = v.Items
	case r.lax():
	case r.lenient:
		return true, nil
	default:
		return false, r.fail(pgerr.JSONArrayNotFound, "jsonpath array accessor can only be applied to an array")
	}
	outer := r.size
	defer func() { r.size = outer }()
	r.size = len(items)
	for _, s := range x.Indexes {
		from, err := r.subscript(s.From, v)
		if err != nil {
			return false, err
		}
		to := from
		if s.To != nil {
			if to, err = r.subscript(s.To, v); err != nil {
				return false, err
			}
		}
		if !r.lenient && (from < 0 || from > to || to >= int64(len(items))) {
			return false, r.fail(pgerr.InvalidJSONSubscript, "jsonpath array subscript is out of bounds")
		}
		for i := max(from, 0); i <= min(to, int64(len(items))-1); i++ {
			if more, err := r.next(x, items[i], out); err != nil || !more {
				return false, err
			}
		}
	}
	return true, nil
}

func (r *pathRun) subscript(x *types.PathItem, v *types.JSON) (int64, error) {
	list, err := r.list(x, v, false)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 || list[0].Kind != types.JSONNumber {
		return 0, r.fail(pgerr.InvalidJSONSubscript, "jsonpath array subscript is not a single numeric value")
	}
	d, err := types.ParseDecimal(list[0].Str)
	if err == nil {
		d, err = d.Trunc(0)
	}
	n := int64(0)
	if err == nil {
		n, err = d.Int64("integer")
	}
	if err != nil || n != int64(int32(n)) {
		return 0, r.fail(pgerr.InvalidJSONSubscript, "jsonpath array subscript is out of integer range")
	}
	return n, nil
}

// list collects the items of x over v; unwrap takes arrays among them apart.
func (r *pathRun) list(x *types.PathItem, v *types.JSON, unwrap bool) (list []*types.JSON, err error) {
	outer := r.probing
	defer func() { r.probing = outer }()
	r.probing = false
	_, err = r.item(x, v, r.lax(), func(e *types.JSON) (bool, error) {
		if unwrap && r.lax() && e.Kind == types.JSONArray {
			list = append(list, e.Items...)
		} else {
			list = append(list, e)
		}
		return true, nil
	})
	return list, err
}

// levels is .**: v itself, what is in it, what is in that, and so on. An error of
// v itself is forgotten over what is in it, if nobody sees it.
func (r *pathRun) levels(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	if x.First == 0 {
		more, err := r.leniently(x, v, out)
		if forgotten := r.silent && v.Kind >= types.JSONArray && swallowed(err); !forgotten && (err != nil || !more) {
			return false, err
		}
	}
	return r.level(x, v, 1, out)
}

// leniently hands v on to what follows x, which does not complain of its structure.
func (r *pathRun) leniently(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	outer := r.lenient
	defer func() { r.lenient = outer }()
	r.lenient = true
	return r.next(x, v, out)
}

func (r *pathRun) level(x *types.PathItem, v *types.JSON, depth uint32, out sink) (bool, error) {
	if depth > x.Last {
		return true, nil
	}
	leaves := x.First == types.PathLevelMax && x.Last == types.PathLevelMax
	for _, e := range v.Items {
		container := e.Kind >= types.JSONArray
		if depth >= x.First || leaves && !container {
			if more, err := r.leniently(x, e, out); err != nil || !more {
				return false, err
			}
		}
		if container && depth < x.Last {
			if more, err := r.level(x, e, depth+1, out); err != nil || !more {
				return false, err
			}
		}
	}
	return true, nil
}
