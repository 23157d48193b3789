package eval

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// The functions with a SQL/JSON path take (target, path[, vars[, silent]]); the
// operators @? and @@ are silent.

// pathKind tells the calls of a path apart: operators are silent, and only the
// functions with _tz in their name may depend on the session's time zone.
type pathKind uint8

const (
	pathFunction pathKind = iota
	pathOperator
	pathZoned
)

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
func (c *pathCall) arguments(ctx *Context, args []types.Value, kind pathKind) (p *JSONPath, in PathInput, err error) {
	if p, err = c.path(args[1].Bytes); err != nil {
		return
	}
	if len(args[0].Bytes) >= heldMin {
		if err = ctx.Memory.Room(types.JSONTreeBytes(args[0].Bytes)); err != nil {
			return
		}
	}
	if in.Doc, err = types.ParseJSON(args[0].Bytes); err != nil {
		return
	}
	if len(args) > 2 {
		in.Vars, err = types.ParseJSON(args[2].Bytes)
	} else if kind != pathOperator {
		in.Vars = &types.JSON{Kind: types.JSONObject}
	}
	in.Silent = kind == pathOperator || len(args) > 3 && args[3].Bool
	if kind == pathZoned {
		in.zone, in.now = ctx.zone(), ctx.Now
	}
	return p, in, err
}

// items are those of a call; under silent those before an error.
func (c *pathCall) items(ctx *Context, args []types.Value, kind pathKind) (items []*types.JSON, silent bool, err error) {
	p, in, err := c.arguments(ctx, args, kind)
	if err != nil {
		return nil, in.Silent, err
	}
	_, err = p.Run(in, func(v *types.JSON) bool {
		items = append(items, v)
		return true
	})
	return items, in.Silent, err
}

// JSONPathQuery gives the items of jsonb_path_query(target, path[, vars[, silent]]);
// zoned says that it is jsonb_path_query_tz.
func JSONPathQuery(ctx *Context, args []types.Value, zoned bool, row func(types.Value) error) error {
	var c pathCall
	kind := pathFunction
	if zoned {
		kind = pathZoned
	}
	items, _, err := c.items(ctx, args, kind)
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

func pathExists(kind pathKind) rowFn {
	return func(x *row) (types.Value, error) {
		p, in, err := x.path.arguments(x.f.ctx, x.v, kind)
		if err != nil {
			return types.NullValue, err
		}
		found, failed, err := p.Exists(in)
		if failed || err != nil {
			return types.NullValue, err
		}
		return boolValue(found), nil
	}
}

func pathMatch(kind pathKind) rowFn {
	return func(x *row) (types.Value, error) {
		items, silent, err := x.path.items(x.f.ctx, x.v, kind)
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

func pathQueryArray(kind pathKind) rowFn {
	return func(x *row) (types.Value, error) {
		items, _, err := x.path.items(x.f.ctx, x.v, kind)
		if err != nil {
			return types.NullValue, err
		}
		return jsonValue(&types.JSON{Kind: types.JSONArray, Items: items}), nil
	}
}

func pathQueryFirst(kind pathKind) rowFn {
	return func(x *row) (types.Value, error) {
		items, _, err := x.path.items(x.f.ctx, x.v, kind)
		if err != nil || len(items) == 0 {
			return types.NullValue, err
		}
		return jsonValue(items[0]), nil
	}
}
