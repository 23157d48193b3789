package types

import "github.com/millrace/millrace/internal/pgerr"

// parseRow reads (…) as PostgreSQL's record_in does.
func parseRow(s string, fields []Field, opt *ParseOptions) (string, error) {
	if len(fields) == 0 {
		return "", pgerr.New(pgerr.FeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	bad := func(detail string) (string, error) {
		return "", pgerr.New(pgerr.InvalidTextRepresentation, "malformed record literal: \"%s\"", s).WithDetail("%s", detail)
	}
	t := trimSpace(s)
	if t == "" || t[0] != '(' {
		return bad("Missing left parenthesis.")
	}
	t = t[1:]
	vals := make([]Value, len(fields))
	for i, f := range fields {
		if i > 0 {
			if t[0] != ',' {
				return bad("Too few columns.")
			}
			t = t[1:]
		}
		text, rest, null := rowField(t)
		if rest == "" {
			return bad("Unexpected end of input.")
		}
		t = rest
		if null {
			vals[i] = NullValue
			continue
		}
		v, err := ParseText(f.Type, text, opt)
		if err != nil {
			return "", err
		}
		vals[i] = v
	}
	switch {
	case t[0] != ')':
		return bad("Too many columns.")
	case len(t) > 1:
		return bad("Junk after right parenthesis.")
	}
	return EncodeRow(fields, vals), nil
}

// rowField takes a field's text off the front; rest begins with the comma or the
// parenthesis behind it, or is empty if there is none. Nothing at all is a null.
func rowField(t string) (text, rest string, null bool) {
	var out []byte
	quoted := false
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case !quoted && (c == ',' || c == ')'):
			return string(out), t[i:], i == 0
		case c == '\\':
			if i++; i < len(t) {
				out = append(out, t[i])
			}
		case c == '"' && quoted && i+1 < len(t) && t[i+1] == '"':
			i++
			out = append(out, c)
		case c == '"':
			quoted = !quoted
		default:
			out = append(out, c)
		}
	}
	return "", "", false
}
