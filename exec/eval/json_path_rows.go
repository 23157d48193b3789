package eval

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// The functions with a SQL/JSON path take (target, path[, vars[, silent]]); the
// operators @? and @@ are silent.

// pathCall is such a call: the path that was compiled last is kept, so that one
// that is constant is compiled once.
type pathCall struct {
	text     string
	compiled *JSONPath
}

func (c *pathCall) path(text string) (*JSONPath, error) {
	if c.compiled == nil || c.text != text {
		p, err := CompileJSONPath(text)
		if err != nil {
			return nil, err
		}
		// A row's text lies in memory that is used again.
		c.text, c.compiled = string([]byte(text)), p
	}
	return c.compiled, nil
}

// arguments are those of a call, compiled and parsed.
func (c *pathCall) arguments(args []types.Value, operator bool) (p *JSONPath, doc, vars *types.JSON, silent bool, err error) {
	if p, err = c.path(args[1].Bytes); err != nil {
		return
	}
	if doc, err = types.ParseJSON(args[0].Bytes); err != nil {
		return
	}
	if len(args) > 2 {
		vars, err = types.ParseJSON(args[2].Bytes)
	} else if !operator {
		vars = &types.JSON{Kind: types.JSONObject}
	}
	return p, doc, vars, operator || len(args) > 3 && args[3].Bool, err
}

// items are those of a call; under silent those before an error.
func (c *pathCall) items(args []types.Value, operator bool) (items []*types.JSON, silent bool, err error) {
	p, doc, vars, silent, err := c.arguments(args, operator)
	if err != nil {
		return nil, silent, err
	}
	_, err = p.Run(doc, vars, silent, func(v *types.JSON) bool {
		items = append(items, v)
		return true
	})
	return items, silent, err
}

// JSONPathQuery gives the items of jsonb_path_query(target, path[, vars[, silent]]).
func JSONPathQuery(args []types.Value, row func(types.Value) error) error {
	var c pathCall
	items, _, err := c.items(args, false)
	if err != nil {
		return err
	}
	for _, v := range items {
		if err := row(jsonValue(v)); err != nil {
			return err
		}
	}
	return nil
}

func pathExists(operator bool) rowFn {
	return func(x *row) (types.Value, error) {
		p, doc, vars, silent, err := x.path.arguments(x.v, operator)
		if err != nil {
			return types.NullValue, err
		}
		found, failed, err := p.Exists(doc, vars, silent)
		if failed || err != nil {
			return types.NullValue, err
		}
		return boolValue(found), nil
	}
}

func pathMatch(operator bool) rowFn {
	return func(x *row) (types.Value, error) {
		items, silent, err := x.path.items(x.v, operator)
		switch {
		case err != nil:
			return types.NullValue, err
		case len(items) == 1 && items[0].Kind == types.JSONBool:
			return boolValue(items[0].Bool), nil
		case silent || len(items) == 1 && items[0].Kind == types.JSONNull:
			return types.NullValue, nil
		}
		return types.NullValue, pgerr.New(pgerr.SingletonJSONItemRequired, "single boolean result is expected")
	}
}

func pathQueryArray(x *row) (types.Value, error) {
	items, _, err := x.path.items(x.v, false)
	if err != nil {
		return types.NullValue, err
	}
	return jsonValue(&types.JSON{Kind: types.JSONArray, Items: items}), nil
}

func pathQueryFirst(x *row) (types.Value, error) {
	items, _, err := x.path.items(x.v, false)
	if err != nil || len(items) == 0 {
		return types.NullValue, err
	}
	return jsonValue(items[0]), nil
}
