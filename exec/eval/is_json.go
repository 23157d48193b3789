package eval

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// isJSON is x IS JSON; the second argument is what follows: "", "value",
// "object", "array" or "scalar", and "with unique keys".
func isJSON(x *row) (types.Value, error) {
	s, t := x.str(0), x.typ(0).Kind
	what, unique := strings.CutSuffix(x.str(1), "with unique keys")
	if t == types.Bytea && !utf8.ValidString(s) {
		return types.NullValue, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
	}
	kind, ok := types.ValidJSON(s, unique && t != types.JSONB)
	switch strings.TrimSpace(what) {
	case "object":
		ok = ok && kind == types.JSONObject
	case "array":
		ok = ok && kind == types.JSONArray
	case "scalar":
		ok = ok && kind < types.JSONArray
	}
	return boolValue(ok), nil
}
