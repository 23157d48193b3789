package eval

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func jsonValue(j *types.JSON) types.Value { return strValue(j.String()) }

func (x *row) json(i int) (*types.JSON, error) { return x.document(x.str(i)) }

// withJSON calls fn with the first argument parsed.
func withJSON(fn func(x *row, j *types.JSON) (types.Value, error)) rowFn {
	return func(x *row) (types.Value, error) {
		j, err := x.json(0)
		if err != nil {
			return types.NullValue, err
		}
		return fn(x, j)
	}
}

var jsonRows = map[string]rowFn{
	"jsonb_typeof": jsonTypeof, "json_typeof": jsonTypeof,
	"jsonb_array_length": jsonArrayLength, "json_array_length": jsonArrayLength,
	"jsonb_build_object": buildObject, "json_build_object": buildObject,
	"json_build_object_variadic": spread(buildObject, false), "json_build_array_variadic": spread(buildArray, false),
	"jsonb_build_array": buildArray, "json_build_array": buildArray,
	"to_jsonb": toJSON, "to_json": toJSON, "row_to_json": toJSON, "array_to_json": toJSON,
	"json_extract_path_variadic": extractPath(false), "json_extract_path_text_variadic": extractPath(true),
	"jsonb_extract_path":      func(x *row) (types.Value, error) { return jsonPath(x, x.strings(1), false) },
	"jsonb_extract_path_text": func(x *row) (types.Value, error) { return jsonPath(x, x.strings(1), true) },
	"json_extract_path_text":  func(x *row) (types.Value, error) { return jsonPath(x, x.strings(1), true) },
	"#>":                      func(x *row) (types.Value, error) { return jsonPathArray(x, false) },
	"#>>":                     func(x *row) (types.Value, error) { return jsonPathArray(x, true) },
	"json_extract_path":       func(x *row) (types.Value, error) { return jsonPath(x, x.strings(1), false) },
	"json_strip_nulls":        withJSON(func(_ *row, j *types.JSON) (types.Value, error) { stripNulls(j); return jsonValue(j), nil }),
	"jsonb_strip_nulls":       withJSON(func(_ *row, j *types.JSON) (types.Value, error) { stripNulls(j); return jsonValue(j), nil }),
	"jsonb_pretty": withJSON(func(_ *row, j *types.JSON) (types.Value, error) {
		return strValue(string(pretty(nil, j, 0))), nil
	}),
	"json_record_field": jsonRecordField,
	"jsonb_set_lax":     jsonSetLax,
	"jsonb_set":         func(x *row) (types.Value, error) { return jsonSet(x, false) },
	"jsonb_insert":      func(x *row) (types.Value, error) { return jsonSet(x, true) },
	"@>(jsonb,jsonb)":   jsonContains, "jsonb_contains": jsonContains,
	"<@(jsonb,jsonb)": func(x *row) (types.Value, error) {
		x.v[0], x.v[1] = x.v[1], x.v[0]
		return jsonContains(x)
	},
	"?": jsonExists, "jsonb_exists": jsonExists,
	"?|":            func(x *row) (types.Value, error) { return jsonExistsMany(x, false) },
	"?&":            func(x *row) (types.Value, error) { return jsonExistsMany(x, true) },
	"-(jsonb,text)": withJSON(func(x *row, j *types.JSON) (types.Value, error) { return jsonWithout(j, []string{x.str(1)}) }),
	"-(jsonb,text[])": withJSON(func(x *row, j *types.JSON) (types.Value, error) {
		keys, err := x.texts(1)
		if err != nil {
			return types.NullValue, err
		}
		return jsonWithout(j, keys)
	}),
	"-(jsonb,integer)": withJSON(jsonWithoutElement),
	"#-":               withJSON(jsonWithoutPath),
	"||(jsonb,jsonb)":  withJSON(jsonConcat),
	"jsonb_object_keys_array": withJSON(func(_ *row, j *types.JSON) (types.Value, error) {
		if j.Kind != types.JSONObject {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "cannot call jsonb_object_keys on a non-object")
		}
		elems := make([]types.Value, len(j.Keys))
		for i, k := range j.Keys {
			elems[i] = strValue(k)
		}
		return strValue(types.EncodeList(types.Of(types.Text), elems)), nil
	}),
	"jsonb_object": jsonObject, "json_object": jsonObject,
	"json_value":   jsonScalarAt,
	"json_query":   jsonQuery,
	"json_exists":  jsonExistsAt,
	"jsonb_concat": withJSON(jsonConcat),
	"@?":           pathExists(pathOperator), "jsonb_path_exists": pathExists(pathFunction), "jsonb_path_exists_tz": pathExists(pathZoned),
	"is json": isJSON,
	"@@":      pathMatch(pathOperator), "jsonb_path_match": pathMatch(pathFunction), "jsonb_path_match_tz": pathMatch(pathZoned),
	"jsonb_path_query_array": pathQueryArray(pathFunction), "jsonb_path_query_array_tz": pathQueryArray(pathZoned),
	"jsonb_path_query_first": pathQueryFirst(pathFunction), "jsonb_path_query_first_tz": pathQueryFirst(pathZoned),
}

func jsonTypeof(x *row) (types.Value, error) {
	s := x.str(0)
	kind := "number"
	switch s[0] {
	case '{':
		kind = "object"
	case '[':
		kind = "array"
	case '"':
		kind = "string"
	case 't', 'f':
		kind = "boolean"
	case 'n':
		kind = "null"
	}
	return strValue(kind), nil
}

func jsonArrayLength(x *row) (types.Value, error) {
	n := types.JSONArrayLength(x.str(0))
	if n < 0 {
		if strings.HasPrefix(x.str(0), "{") {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "cannot get array length of a non-array")
		}
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "cannot get array length of a scalar")
	}
	return intValue(int64(n)), nil
}

// jsonOf turns any SQL value into JSON, as to_jsonb does.
func jsonOf(x *row, t types.Type, v types.Value) (*types.JSON, error) {
	if v.Null {
		return &types.JSON{}, nil
	}
	switch t.Kind {
	case types.Bool:
		return &types.JSON{Kind: types.JSONBool, Bool: v.Bool}, nil
	case types.JSONB:
		return x.document(v.Bytes)
	case types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Numeric:
		s := string(types.AppendText(nil, t, &v, nil))
		if n, err := types.ParseJSON(s); err == nil {
			return n, nil
		}
		return &types.JSON{Kind: types.JSONString, Str: s}, nil // NaN, Infinity
	case types.Timestamp, types.TimestampTZ:
		b := types.AppendText(nil, t, &v, x.f.ctx.zone())
		s := string(b)
		if !types.IsInfinite(v.Int) {
			s = strings.Replace(s, " ", "T", 1)
			if t.Kind == types.TimestampTZ && len(s) > 3 && (s[len(s)-3] == '+' || s[len(s)-3] == '-') {
				s += ":00"
			}
		}
		return &types.JSON{Kind: types.JSONString, Str: s}, nil
	case types.Array:
		a, err := x.list(*t.Elem, v.Bytes)
		if err != nil {
			return nil, err
		}
		next := 0
		return jsonLevel(x, *t.Elem, &a, 0, &next)
	case types.Row:
		vals, err := types.DecodeRow(t.Fields, v.Bytes)
		if err != nil {
			return nil, err
		}
		var keys []string
		var items []*types.JSON
		for i := range vals {
			j, err := jsonOf(x, t.Fields[i].Type, vals[i])
			if err != nil {
				return nil, err
			}
			keys, items = append(keys, t.Fields[i].Name), append(items, j)
		}
		return types.NewJSONObject(keys, items), nil
	}
	return &types.JSON{Kind: types.JSONString, Str: x.textOf(t, &v)}, nil
}

func jsonLevel(x *row, elem types.Type, a *types.ArrayValue, dim int, next *int) (*types.JSON, error) {
	j := &types.JSON{Kind: types.JSONArray}
	if len(a.Dims) == 0 {
		return j, nil
	}
	for range a.Dims[dim].Len {
		var e *types.JSON
		var err error
		if dim+1 < len(a.Dims) {
			e, err = jsonLevel(x, elem, a, dim+1, next)
		} else {
			e, err = jsonOf(x, elem, a.Elems[*next])
			*next++
		}
		if err != nil {
			return nil, err
		}
		j.Items = append(j.Items, e)
	}
	return j, nil
}

func toJSON(x *row) (types.Value, error) {
	j, err := jsonOf(x, x.typ(0), x.v[0])
	if err != nil {
		return types.NullValue, err
	}
	return jsonValue(j), nil
}

func buildObject(x *row) (types.Value, error) {
	if len(x.v)%2 != 0 {
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "argument list must have even number of elements").
			Hint("The arguments of jsonb_build_object() must consist of alternating keys and values.")
	}
	var keys []string
	var items []*types.JSON
	for i := 0; i < len(x.v); i += 2 {
		if x.null(i) {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "argument %d: key must not be null", i+1)
		}
		k, err := jsonKey(x, i)
		if err != nil {
			return types.NullValue, err
		}
		j, err := jsonOf(x, x.typ(i+1), x.v[i+1])
		if err != nil {
			return types.NullValue, err
		}
		keys, items = append(keys, k), append(items, j)
	}
	return jsonValue(types.NewJSONObject(keys, items)), nil
}

// jsonKey is argument i as a member's name.
func jsonKey(x *row, i int) (string, error) {
	switch t := x.typ(i); t.Kind {
	case types.Array, types.Row, types.JSONB:
		return "", pgerr.New(pgerr.InvalidParameterValue, "key value must be scalar, not array, composite, or json")
	case types.Bool:
		return strconv.FormatBool(x.v[i].Bool), nil
	case types.Timestamp, types.TimestampTZ:
		j, err := jsonOf(x, t, x.v[i])
		if err != nil {
			return "", err
		}
		return j.Str, nil
	}
	return x.text(i), nil
}

func buildArray(x *row) (types.Value, error) {
	j := &types.JSON{Kind: types.JSONArray}
	for i := range x.v {
		e, err := jsonOf(x, x.typ(i), x.v[i])
		if err != nil {
			return types.NullValue, err
		}
		j.Items = append(j.Items, e)
	}
	return jsonValue(j), nil
}

// strings are the text arguments from i on.
func (x *row) strings(i int) []string {
	var out []string
	for ; i < len(x.v); i++ {
		out = append(out, x.str(i))
	}
	return out
}

// texts decodes a text[] argument without nulls.
func (x *row) texts(i int) ([]string, error) {
	a, err := x.list(types.Of(types.Text), x.str(i))
	var out []string
	for _, e := range a.Elems {
		if !e.Null {
			out = append(out, e.Bytes)
		}
	}
	return out, err
}

func jsonPathArray(x *row, text bool) (types.Value, error) {
	a, err := x.list(types.Of(types.Text), x.str(1))
	if err != nil {
		return types.NullValue, err
	}
	var path []string
	for _, e := range a.Elems {
		if e.Null {
			return types.NullValue, nil
		}
		path = append(path, e.Bytes)
	}
	return jsonPath(x, path, text)
}

func jsonPath(x *row, path []string, text bool) (types.Value, error) {
	s := x.str(0)
	for _, p := range path {
		ok := false
		if strings.HasPrefix(s, "[") {
			if n, err := strconv.ParseInt(p, 10, 32); err == nil {
				s, ok = types.JSONElement(s, n)
			}
		} else {
			s, ok = types.JSONField(s, p)
		}
		if !ok {
			return types.NullValue, nil
		}
	}
	if text {
		if s == "null" {
			return types.NullValue, nil
		}
		s = types.JSONUnquote(s)
	}
	return strValue(s), nil
}

func stripNulls(j *types.JSON) {
	if j.Kind == types.JSONObject {
		n := 0
		for i, e := range j.Items {
			if e.Kind != types.JSONNull {
				j.Keys[n], j.Items[n] = j.Keys[i], e
				n++
			}
		}
		j.Keys, j.Items = j.Keys[:n], j.Items[:n]
	}
	for _, e := range j.Items {
		stripNulls(e)
	}
}

func pretty(dst []byte, j *types.JSON, depth int) []byte {
	if j.Kind < types.JSONArray {
		return j.AppendTo(dst)
	}
	newline := func(d int) { dst = append(append(dst, '\n'), strings.Repeat("    ", d)...) }
	open, end := byte('['), byte(']')
	if j.Kind == types.JSONObject {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i, e := range j.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		newline(depth + 1)
		if j.Kind == types.JSONObject {
			dst = append(types.AppendJSONString(dst, j.Keys[i]), ": "...)
		}
		dst = pretty(dst, e, depth+1)
	}
	newline(depth)
	return append(dst, end)
}

func jsonContains(x *row) (types.Value, error) {
	a, err := x.json(0)
	if err != nil {
		return types.NullValue, err
	}
	b, err := x.json(1)
	if err != nil {
		return types.NullValue, err
	}
	if a.Kind == types.JSONArray && b.Kind < types.JSONArray { // an array contains a scalar, at the top only
		for _, e := range a.Items {
			if types.CompareJSON(e, b) == 0 {
				return boolValue(true), nil
			}
		}
		return boolValue(false), nil
	}
	return boolValue(contains(a, b)), nil
}

func contains(a, b *types.JSON) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case types.JSONObject:
		for i, k := range b.Keys {
			if v := a.Get(k); v == nil || !contains(v, b.Items[i]) {
				return false
			}
		}
		return true
	case types.JSONArray:
		for _, want := range b.Items {
			found := false
			for _, have := range a.Items {
				found = found || contains(have, want)
			}
			if !found {
				return false
			}
		}
		return true
	}
	return types.CompareJSON(a, b) == 0
}

func exists(j *types.JSON, key string) bool {
	switch j.Kind {
	case types.JSONObject:
		return j.Get(key) != nil
	case types.JSONArray:
		for _, e := range j.Items {
			if e.Kind == types.JSONString && e.Str == key {
				return true
			}
		}
	case types.JSONString:
		return j.Str == key
	}
	return false
}

func jsonExists(x *row) (types.Value, error) {
	j, err := x.json(0)
	if err != nil {
		return types.NullValue, err
	}
	return boolValue(exists(j, x.str(1))), nil
}

func jsonExistsMany(x *row, all bool) (types.Value, error) {
	j, err := x.json(0)
	if err != nil {
		return types.NullValue, err
	}
	keys, err := x.texts(1)
	for _, k := range keys {
		if exists(j, k) != all {
			return boolValue(!all), err
		}
	}
	return boolValue(all), err
}

func jsonObject(x *row) (types.Value, error) {
	a, err := x.list(types.Of(types.Text), x.str(0))
	if err != nil {
		return types.NullValue, err
	}
	var keys []string
	var items []*types.JSON
	member := func(k, v types.Value) error {
		if k.Null {
			return pgerr.New(pgerr.NullValueNotAllowed, "null value not allowed for object key")
		}
		j := &types.JSON{}
		if !v.Null {
			j = &types.JSON{Kind: types.JSONString, Str: v.Bytes}
		}
		keys, items = append(keys, k.Bytes), append(items, j)
		return nil
	}
	if len(x.v) > 1 {
		b, err := x.list(types.Of(types.Text), x.str(1))
		if err != nil {
			return types.NullValue, err
		}
		switch {
		case len(a.Dims) > 1 || len(a.Dims) != len(b.Dims):
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "wrong number of array subscripts")
		case len(a.Elems) != len(b.Elems):
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "mismatched array dimensions")
		}
		for i := range a.Elems {
			if err := member(a.Elems[i], b.Elems[i]); err != nil {
				return types.NullValue, err
			}
		}
	} else {
		switch {
		case len(a.Dims) > 2:
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "wrong number of array subscripts")
		case len(a.Dims) == 2 && a.Dims[1].Len != 2:
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "array must have two columns")
		case len(a.Elems)%2 != 0:
			return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "array must have even number of elements")
		}
		for i := 0; i < len(a.Elems); i += 2 {
			if err := member(a.Elems[i], a.Elems[i+1]); err != nil {
				return types.NullValue, err
			}
		}
	}
	return jsonValue(types.NewJSONObject(keys, items)), nil
}

// jsonScalarAt is json_value with a plain path such as $.a[0]."b c".
func jsonScalarAt(x *row) (types.Value, error) {
	path, err := plainPath(x)
	if err != nil {
		return types.NullValue, err
	}
	v, err := jsonPath(x, path, true)
	if err == nil && !v.Null && (strings.HasPrefix(v.Bytes, "{") || strings.HasPrefix(v.Bytes, "[")) {
		return types.NullValue, nil
	}
	return v, err
}

// plainPath reads the second argument, a path of keys and indexes.
func plainPath(x *row) ([]string, error) {
	p, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(x.str(1)), "lax "), "$")
	var path []string
	for ok && p != "" {
		var part string
		switch {
		case strings.HasPrefix(p, `."`):
			end := strings.IndexByte(p[2:], '"')
			if ok = end >= 0; ok {
				part, p = p[2:2+end], p[3+end:]
			}
		case p[0] == '.':
			end := strings.IndexAny(p[1:], ".[")
			if end < 0 {
				end = len(p) - 1
			}
			part, p = p[1:1+end], p[1+end:]
		case p[0] == '[':
			end := strings.IndexByte(p, ']')
			if ok = end > 0; ok {
				part, p = p[1:end], p[end+1:]
			}
		default:
			ok = false
		}
		path = append(path, part)
	}
	if !ok {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "path %q is not a plain path of keys and indexes", x.str(1))
	}
	return path, nil
}

// jsonQuery is the object or array at a path, null for none.
func jsonQuery(x *row) (types.Value, error) {
	path, err := plainPath(x)
	if err != nil {
		return types.NullValue, err
	}
	v, err := jsonPath(x, path, false)
	if err == nil && !v.Null && !strings.HasPrefix(v.Bytes, "{") && !strings.HasPrefix(v.Bytes, "[") {
		return types.NullValue, nil
	}
	return v, err
}

func jsonExistsAt(x *row) (types.Value, error) {
	path, err := plainPath(x)
	if err != nil {
		return types.NullValue, err
	}
	v, err := jsonPath(x, path, false)
	return boolValue(!v.Null), err
}
