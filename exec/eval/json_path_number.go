package eval

import (
	"math"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func numberJSON(d types.Decimal) *types.JSON {
	return &types.JSON{Kind: types.JSONNumber, Str: d.String()}
}

// arithmetic evaluates an operator with two operands, each a single number.
func (r *pathRun) arithmetic(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	var lists [2][]*types.JSON
	var sides [2]types.Decimal
	var err error
	for i, operand := range []*types.PathItem{x.Left, x.Right} {
		if lists[i], err = r.list(operand, v, true); err != nil {
			return false, err
		}
	}
	for i, list := range lists {
		if len(list) != 1 || list[0].Kind != types.JSONNumber {
			side := [...]string{"left", "right"}[i]
			return false, r.fail(pgerr.SingletonJSONItemRequired, "%s operand of jsonpath operator %s is not a single numeric value", side, x.Op)
		}
		if sides[i], err = types.ParseDecimal(list[0].Str); err != nil {
			return false, pathError{err}
		}
	}
	op := map[types.PathOp]func(a, b types.Decimal) (types.Decimal, error){types.PathAdd: types.Decimal.Add, types.PathSub: types.Decimal.Sub,
		types.PathMul: types.Decimal.Mul, types.PathDiv: types.Decimal.Div, types.PathMod: types.Decimal.Mod}[x.Op]
	d, err := op(sides[0], sides[1])
	if err != nil {
		return false, pathError{err}
	}
	return r.next(x, numberJSON(d), out)
}

// signed evaluates + and - before each item of an operand.
func (r *pathRun) signed(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	list, err := r.list(x.Left, v, true)
	if err != nil {
		return false, err
	}
	for _, e := range list {
		if e.Kind != types.JSONNumber {
			if r.probing && x.Next == nil {
				continue // there may be a number among the others
			}
			return false, r.fail(pgerr.JSONNumberNotFound, "operand of unary jsonpath operator %s is not a numeric value", x.Op)
		}
		if x.Op == types.PathMinus {
			d, err := types.ParseDecimal(e.Str)
			if err != nil {
				return false, pathError{err}
			}
			e = numberJSON(d.Neg())
		}
		if more, err := r.next(x, e, out); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// method evaluates .type() and its kin.
func (r *pathRun) method(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	switch x.Str {
	case "type":
		return r.next(x, &types.JSON{Kind: types.JSONString, Str: r.kindName(v)}, out)
	case "datetime":
		return r.datetime(x, v, out)
	case "size":
		n := 1
		switch {
		case v.Kind == types.JSONArray:
			n = len(v.Items)
		case r.lax():
		case r.lenient:
			return true, nil
		default:
			return false, r.fail(pgerr.JSONArrayNotFound, "jsonpath item method .size() can only be applied to an array")
		}
		return r.next(x, numberJSON(types.DecimalFromInt(int64(n))), out)
	case "keyvalue":
		return r.keyvalue(x, v, out)
	case "double":
		d, err := r.double(v)
		if err != nil {
			return false, err
		}
		return r.next(x, d, out)
	}
	if v.Kind != types.JSONNumber {
		return false, r.fail(pgerr.NonNumericJSONItem, "jsonpath item method .%s() can only be applied to a numeric value", x.Str)
	}
	d, err := types.ParseDecimal(v.Str)
	if err != nil {
		return false, pathError{err}
	}
	switch x.Str {
	case "abs":
		d = d.Abs()
	case "floor":
		d, err = d.Floor()
	default:
		d, err = d.Ceil()
	}
	if err != nil {
		return false, pathError{err}
	}
	return r.next(x, numberJSON(d), out)
}

var jsonKindNames = [...]string{types.JSONNull: "null", types.JSONString: "string", types.JSONNumber: "number", types.JSONBool: "boolean",
	types.JSONArray: "array", types.JSONObject: "object"}

func (r *pathRun) kindName(v *types.JSON) string {
	if t := r.timeOf(v); t != nil {
		return timeKindNames[t.kind]
	}
	return jsonKindNames[v.Kind]
}

// double reads a number from a string; a number stays as it is if it is in range.
func (r *pathRun) double(v *types.JSON) (*types.JSON, error) {
	if v.Kind != types.JSONString && v.Kind != types.JSONNumber || r.timeOf(v) != nil {
		return nil, r.fail(pgerr.NonNumericJSONItem, "jsonpath item method .double() can only be applied to a string or numeric value")
	}
	f, err := types.ParseFloat(v.Str, 64)
	wrong := err != nil || math.IsInf(f, 0) || math.IsNaN(f)
	switch {
	case wrong && v.Kind == types.JSONNumber:
		return nil, r.fail(pgerr.NonNumericJSONItem, "numeric argument of jsonpath item method .double() is out of range for type double precision")
	case wrong:
		return nil, r.fail(pgerr.NonNumericJSONItem, "string argument of jsonpath item method .double() is not a valid representation of a double precision number")
	case v.Kind == types.JSONNumber:
		return v, nil
	}
	d, err := types.DecimalFromFloat(f, 64)
	if err != nil {
		return nil, pathError{err}
	}
	return numberJSON(d), nil
}

// keyvalue gives an object for each member, with an id that tells the members of
// one object from those of another: 0 for the whole document.
func (r *pathRun) keyvalue(x *types.PathItem, v *types.JSON, out sink) (bool, error) {
	if v.Kind != types.JSONObject {
		return false, r.fail(pgerr.JSONObjectNotFound, "jsonpath item method .keyvalue() can only be applied to an object")
	}
	id := r.id(v)
	for i, key := range v.Keys {
		pair := types.NewJSONObject([]string{"key", "value", "id"},
			[]*types.JSON{{Kind: types.JSONString, Str: key}, v.Items[i], numberJSON(types.DecimalFromInt(id))})
		if more, err := r.next(x, pair, out); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// id numbers objects: those of the document as they come in it, then others.
func (r *pathRun) id(v *types.JSON) int64 {
	if r.ids == nil {
		r.ids = map[*types.JSON]int64{}
		var number func(*types.JSON)
		number = func(x *types.JSON) {
			if x.Kind == types.JSONObject {
				r.ids[x] = int64(len(r.ids))
			}
			for _, e := range x.Items {
				number(e)
			}
		}
		if r.root.Kind != types.JSONObject {
			r.ids[r.root] = 0
		}
		number(r.root)
	}
	id, ok := r.ids[v]
	if !ok {
		id = int64(len(r.ids))
		r.ids[v] = id
	}
	return id
}
