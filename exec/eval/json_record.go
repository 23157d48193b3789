package eval

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// jsonRecordField is json_record_field(object, key, function, missing): a member of
// a JSON object as a value of the call's type, as the record function converts it.
func jsonRecordField(x *row) (types.Value, error) {
	if x.null(0) {
		return x.v[3], nil
	}
	j, err := x.json(0)
	if err != nil {
		return types.NullValue, err
	}
	if j.Kind != types.JSONObject {
		if fn := x.str(2); strings.HasSuffix(fn, "set") {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "argument of %s must be an array of objects", fn)
		}
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "cannot call populate_composite on %s", kindOfJSON(j))
	}
	for i, k := range j.Keys {
		if k == x.str(1) {
			return jsonToValue(x.e.Type, j.Items[i], fmt.Sprintf("key %q", k), x.f.ctx.parse())
		}
	}
	return x.v[3], nil
}

func kindOfJSON(j *types.JSON) string {
	switch j.Kind {
	case types.JSONArray:
		return "an array"
	case types.JSONObject:
		return "an object"
	}
	return "a scalar"
}

// jsonToValue makes an SQL value of JSON: arrays and rows of arrays and objects,
// everything else from its text. where says in messages which part it is.
func jsonToValue(t types.Type, j *types.JSON, where string, opt *types.ParseOptions) (types.Value, error) {
	if j.Kind == types.JSONNull {
		return types.NullValue, nil
	}
	text := j.Str
	if j.Kind != types.JSONString {
		text = j.String()
	}
	switch {
	case t.Kind == types.JSONB:
		return strValue(j.String()), nil
	case j.Kind == types.JSONString:
	case t.Kind == types.Array:
		return jsonToArray(t, j, where, opt)
	case t.Kind == types.Row && len(t.Fields) > 0:
		return jsonToRow(t, j, opt)
	}
	return types.ParseText(t, text, opt)
}

func jsonToRow(t types.Type, j *types.JSON, opt *types.ParseOptions) (types.Value, error) {
	if j.Kind != types.JSONObject {
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "cannot call populate_composite on %s", kindOfJSON(j))
	}
	vals := make([]types.Value, len(t.Fields))
	for i, f := range t.Fields {
		vals[i] = types.NullValue
		for n, k := range j.Keys {
			if k != f.Name {
				continue
			}
			var err error
			if vals[i], err = jsonToValue(f.Type, j.Items[n], fmt.Sprintf("key %q", k), opt); err != nil {
				return types.NullValue, err
			}
		}
	}
	return strValue(types.EncodeRow(t.Fields, vals)), nil
}

// jsonToArray makes an array, with as many dimensions as the first elements have.
func jsonToArray(t types.Type, j *types.JSON, where string, opt *types.ParseOptions) (types.Value, error) {
	if j.Kind != types.JSONArray {
		return types.NullValue, pgerr.New(pgerr.InvalidTextRepresentation, "expected JSON array").Hint("See the value of %s.", where)
	}
	var a types.ArrayValue
	for x := j; x.Kind == types.JSONArray && t.Elem.Kind != types.JSONB; x = x.Items[0] {
		a.Dims = append(a.Dims, types.Dimension{Len: len(x.Items), Lower: 1})
		if len(x.Items) == 0 {
			break
		}
	}
	if t.Elem.Kind == types.JSONB && len(j.Items) > 0 {
		a.Dims = []types.Dimension{{Len: len(j.Items), Lower: 1}}
	}
	if len(j.Items) == 0 {
		a.Dims = nil
	}
	if err := jsonElements(&a, *t.Elem, j, 0, where, opt); err != nil {
		return types.NullValue, err
	}
	return strValue(types.EncodeArray(*t.Elem, a)), nil
}

func jsonElements(a *types.ArrayValue, elem types.Type, j *types.JSON, depth int, where string, opt *types.ParseOptions) error {
	if depth == len(a.Dims) {
		if depth == 0 {
			return nil
		}
		v, err := jsonToValue(elem, j, where, opt)
		a.Elems = append(a.Elems, v)
		return err
	}
	if j.Kind != types.JSONArray {
		return pgerr.New(pgerr.InvalidTextRepresentation, "expected JSON array").Hint("See the array element of %s.", where)
	}
	if len(j.Items) != a.Dims[depth].Len {
		return pgerr.New(pgerr.InvalidTextRepresentation, "malformed JSON array").
			WithDetail("Multidimensional arrays must have sub-arrays with matching dimensions.")
	}
	for _, item := range j.Items {
		if err := jsonElements(a, elem, item, depth+1, where, opt); err != nil {
			return err
		}
	}
	return nil
}
