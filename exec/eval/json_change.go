package eval

import (
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func errScalar(what string) error {
	return pgerr.New(pgerr.InvalidParameterValue, "cannot %s", what)
}

func jsonWithout(j *types.JSON, keys []string) (types.Value, error) {
	if j.Kind < types.JSONArray {
		return types.NullValue, errScalar("delete from scalar")
	}
	gone := map[string]bool{}
	for _, k := range keys {
		gone[k] = true
	}
	n := 0
	for i, e := range j.Items {
		if j.Kind == types.JSONObject && gone[j.Keys[i]] || j.Kind == types.JSONArray && e.Kind == types.JSONString && gone[e.Str] {
			continue
		}
		if j.Kind == types.JSONObject {
			j.Keys[n] = j.Keys[i]
		}
		j.Items[n] = e
		n++
	}
	j.Items = j.Items[:n]
	if j.Kind == types.JSONObject {
		j.Keys = j.Keys[:n]
	}
	return jsonValue(j), nil
}

func jsonWithoutElement(x *row, j *types.JSON) (types.Value, error) {
	switch j.Kind {
	case types.JSONObject:
		return types.NullValue, errScalar("delete from object using integer index")
	case types.JSONArray:
	default:
		return types.NullValue, errScalar("delete from scalar")
	}
	n := x.int(1)
	if n < 0 {
		n += int64(len(j.Items))
	}
	if n >= 0 && n < int64(len(j.Items)) {
		j.Items = append(j.Items[:n:n], j.Items[n+1:]...)
	}
	return jsonValue(j), nil
}

func jsonConcat(x *row, a *types.JSON) (types.Value, error) {
	b, err := x.json(1)
	if err != nil {
		return types.NullValue, err
	}
	if a.Kind == types.JSONObject && b.Kind == types.JSONObject {
		return jsonValue(types.NewJSONObject(append(a.Keys[:len(a.Keys):len(a.Keys)], b.Keys...), append(a.Items[:len(a.Items):len(a.Items)], b.Items...))), nil
	}
	out := &types.JSON{Kind: types.JSONArray}
	for _, j := range []*types.JSON{a, b} {
		if j.Kind == types.JSONArray {
			out.Items = append(out.Items, j.Items...)
		} else {
			out.Items = append(out.Items, j)
		}
	}
	return jsonValue(out), nil
}

// step finds the child of j that a path element names; at is where it is, or
// would go.
func step(j *types.JSON, p string) (at int, found bool, err error) {
	switch j.Kind {
	case types.JSONObject:
		for i, k := range j.Keys {
			if k == p {
				return i, true, nil
			}
		}
		return len(j.Keys), false, nil
	case types.JSONArray:
		n, err := strconv.Atoi(p)
		if err != nil {
			return 0, false, pgerr.New(pgerr.InvalidTextRepresentation, "path element is not an integer: %q", p)
		}
		if n < 0 {
			if n += len(j.Items); n < 0 {
				return -1, false, nil
			}
		}
		return min(n, len(j.Items)), n < len(j.Items), nil
	}
	return 0, false, nil
}

func jsonWithoutPath(x *row, j *types.JSON) (types.Value, error) {
	if j.Kind < types.JSONArray {
		return types.NullValue, errScalar("delete path in scalar")
	}
	path, err := x.texts(1)
	if err != nil || len(path) == 0 || len(j.Items) == 0 {
		return x.v[0], err
	}
	cur := j
	for i, p := range path {
		at, found, err := step(cur, p)
		if err != nil {
			return types.NullValue, err
		}
		if !found {
			break
		}
		if i+1 < len(path) {
			cur = cur.Items[at]
			continue
		}
		cur.Items = append(cur.Items[:at:at], cur.Items[at+1:]...)
		if cur.Kind == types.JSONObject {
			cur.Keys = append(cur.Keys[:at:at], cur.Keys[at+1:]...)
		}
	}
	return jsonValue(j), nil
}

// jsonSet is jsonb_set (replace, or create) and jsonb_insert (before or after).
func jsonSet(x *row, insert bool) (types.Value, error) {
	j, err := x.json(0)
	if err != nil {
		return types.NullValue, err
	}
	path, err := x.texts(1)
	if err != nil {
		return types.NullValue, err
	}
	value, err := x.json(2)
	if err != nil {
		return types.NullValue, err
	}
	flag := !insert // create, or for insert: after
	if len(x.v) > 3 {
		flag = x.v[3].Bool
	}
	if j.Kind < types.JSONArray {
		return types.NullValue, errScalar("set path in scalar")
	}
	if len(j.Items) == 0 && !insert && !flag {
		return x.v[0], nil
	}
	cur := j
	for i, p := range path {
		at, found, err := step(cur, p)
		if err != nil {
			return types.NullValue, err
		}
		if i+1 < len(path) {
			if !found {
				break
			}
			cur = cur.Items[at]
			continue
		}
		switch {
		case cur.Kind < types.JSONArray:
		case found && insert && cur.Kind == types.JSONObject:
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "cannot replace existing key").
				Hint("Try using the function jsonb_set to replace key value.")
		case found && !insert:
			cur.Items[at] = value
		case !found && !insert && !flag:
		case cur.Kind == types.JSONObject:
			*cur = *types.NewJSONObject(append(cur.Keys, p), append(cur.Items, value))
		default:
			if at < 0 {
				at = 0
			} else if insert && flag && found {
				at++
			}
			cur.Items = append(cur.Items[:at:at], append([]*types.JSON{value}, cur.Items[at:]...)...)
		}
	}
	return jsonValue(j), nil
}

// jsonSetLax is jsonb_set_lax(target, path, value[, create[, what a null does]]).
func jsonSetLax(x *row) (types.Value, error) {
	if x.null(0) || x.null(1) || len(x.v) > 3 && x.null(3) {
		return types.NullValue, nil
	}
	treatment := "use_json_null"
	if len(x.v) > 4 {
		if x.null(4) {
			return types.NullValue, errNullTreatment()
		}
		treatment = x.str(4)
	}
	switch treatment {
	case "raise_exception", "use_json_null", "delete_key", "return_target":
	default:
		return types.NullValue, errNullTreatment()
	}
	if !x.null(2) {
		return jsonSet(x, false)
	}
	switch treatment {
	case "raise_exception":
		return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "JSON value must not be null").
			WithDetail("Exception was raised because null_value_treatment is \"raise_exception\".").
			Hint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
	case "use_json_null":
		x.v[2] = strValue("null")
		return jsonSet(x, false)
	case "delete_key":
		j, err := x.json(0)
		if err != nil {
			return types.NullValue, err
		}
		return jsonWithoutPath(x, j)
	}
	return x.v[0], nil
}

func errNullTreatment() error {
	return pgerr.New(pgerr.InvalidParameterValue,
		"null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
}
