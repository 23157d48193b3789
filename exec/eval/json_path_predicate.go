package eval

import (
	"strings"

	"github.com/millrace/millrace/types"
)

// filter evaluates the predicate x over v, which @ stands for in it.
func (r *pathRun) filter(x *types.PathItem, v *types.JSON) (logic, error) {
	outer := r.current
	defer func() { r.current = outer }()
	r.current = v
	return r.predicate(x, v)
}

// predicate evaluates x over v by three-valued logic.
func (r *pathRun) predicate(x *types.PathItem, v *types.JSON) (logic, error) {
	switch x.Op {
	case types.PathAnd, types.PathOr:
		decides := map[types.PathOp]logic{types.PathAnd: isFalse, types.PathOr: isTrue}[x.Op]
		left, err := r.predicate(x.Left, v)
		if err != nil || left == decides {
			return left, err
		}
		right, err := r.predicate(x.Right, v)
		if err != nil || right == decides || right == unknown {
			return right, err
		}
		return left, nil
	case types.PathNot:
		l, err := r.predicate(x.Left, v)
		if err != nil || l == unknown {
			return l, err
		}
		return logicOf(l == isFalse), nil
	case types.PathIsUnknown:
		l, err := r.predicate(x.Left, v)
		return logicOf(l == unknown), err
	case types.PathExists:
		return r.exists(x.Left, v)
	case types.PathStartsWith:
		return r.compare(x, v, false, func(whole, start *types.JSON) (logic, error) {
			if !r.isString(whole) || !r.isString(start) {
				return unknown, nil
			}
			return logicOf(strings.HasPrefix(whole.Str, start.Str)), nil
		})
	case types.PathLikeRegex:
		re := r.regexps[x]
		return r.compare(x, v, false, func(e, _ *types.JSON) (logic, error) {
			if !r.isString(e) {
				return unknown, nil
			}
			return logicOf(re.MatchString(e.Str)), nil
		})
	}
	return r.compare(x, v, true, func(a, b *types.JSON) (logic, error) { return r.compareItems(x.Op, a, b) })
}

func (r *pathRun) isString(v *types.JSON) bool {
	return v.Kind == types.JSONString && r.timeOf(v) == nil
}

// quiet runs f, whose errors are part of the answer, not of the data.
func (r *pathRun) quiet(f func() error) (failed bool, err error) {
	outer := r.silent
	r.silent = true
	err = f()
	r.silent = outer
	if swallowed(err) {
		return true, nil
	}
	return false, err
}

func (r *pathRun) exists(x *types.PathItem, v *types.JSON) (logic, error) {
	found, outer := false, r.probing
	defer func() { r.probing = outer }()
	r.probing = !r.path.Strict
	failed, err := r.quiet(func() error {
		_, err := r.item(x, v, r.lax(), func(*types.JSON) (bool, error) {
			found = true
			return r.path.Strict, nil // strict mode looks for errors in all of them
		})
		return err
	})
	if failed {
		return unknown, nil
	}
	return logicOf(found), err
}

// compare evaluates a predicate over all pairs of items of its operands: in lax
// mode one that holds is enough, in strict mode there must be no error either.
func (r *pathRun) compare(x *types.PathItem, v *types.JSON, unwrapRight bool, holds func(a, b *types.JSON) (logic, error)) (logic, error) {
	var left []*types.JSON
	right := []*types.JSON{nil}
	failed, err := r.quiet(func() (err error) {
		if left, err = r.list(x.Left, v, true); err == nil && x.Right != nil {
			right, err = r.list(x.Right, v, unwrapRight)
		}
		return err
	})
	if failed || err != nil {
		return unknown, err
	}
	found, wrong := false, false
	for _, a := range left {
		for _, b := range right {
			l, err := holds(a, b)
			if err != nil {
				return unknown, err
			}
			switch l {
			case unknown:
				if r.path.Strict {
					return unknown, nil
				}
				wrong = true
			case isTrue:
				if !r.path.Strict {
					return isTrue, nil
				}
				found = true
			}
		}
	}
	switch {
	case found:
		return isTrue, nil
	case wrong:
		return unknown, nil
	}
	return isFalse, nil
}

// comparePathItems compares two items of the same kind. Null differs from
// everything else; other kinds cannot be compared with each other.
func (r *pathRun) compareItems(op types.PathOp, a, b *types.JSON) (logic, error) {
	at, bt := r.timeOf(a), r.timeOf(b)
	switch {
	case at != nil && bt != nil:
		c, known, err := r.compareTimes(at, bt)
		if err != nil || !known {
			return unknown, err
		}
		return ordered(op, c), nil
	case at != nil && b.Kind == types.JSONString, bt != nil && a.Kind == types.JSONString:
		return unknown, nil
	case a.Kind != b.Kind && (a.Kind == types.JSONNull || b.Kind == types.JSONNull):
		return logicOf(op == types.PathNotEqual), nil
	case a.Kind != b.Kind, a.Kind >= types.JSONArray:
		return unknown, nil
	}
	return ordered(op, types.CompareJSON(a, b)), nil
}

// ordered is what op says of values that compare as c.
func ordered(op types.PathOp, c int) logic {
	switch op {
	case types.PathEqual:
		return logicOf(c == 0)
	case types.PathNotEqual:
		return logicOf(c != 0)
	case types.PathLess:
		return logicOf(c < 0)
	case types.PathLessEqual:
		return logicOf(c <= 0)
	case types.PathGreater:
		return logicOf(c > 0)
	}
	return logicOf(c >= 0)
}
