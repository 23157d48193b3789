package eval

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// parseIdent is parse_ident(text[, strict]): the parts of a qualified name. Unless
// strict, what follows the name does not matter.
func parseIdent(x *row) (types.Value, error) {
	whole := x.str(0)
	bad := func() *pgerr.Error {
		return pgerr.New(pgerr.InvalidParameterValue, "string is not a valid identifier: \"%s\"", whole)
	}
	const space = " \t\n\r\f\v"
	rest := strings.TrimLeft(whole, space)
	var parts []types.Value
	afterDot := false
	for {
		part, left, err := identPart(rest, afterDot, bad)
		if err != nil {
			return types.NullValue, err
		}
		parts = append(parts, strValue(part))
		rest = strings.TrimLeft(left, space)
		if !strings.HasPrefix(rest, ".") {
			break
		}
		rest, afterDot = strings.TrimLeft(rest[1:], space), true
	}
	if rest != "" && (len(x.v) < 2 || x.v[1].Bool) {
		return types.NullValue, bad()
	}
	return strValue(types.EncodeList(types.Of(types.Text), parts)), nil
}

// identPart takes one part of a name: quoted, or of letters, digits, _ and $.
func identPart(s string, afterDot bool, bad func() *pgerr.Error) (part, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s[1:], '"')
		for end >= 0 && strings.HasPrefix(s[end+2:], `"`) {
			more := strings.IndexByte(s[end+3:], '"')
			if more < 0 {
				end = -1
				break
			}
			end += 2 + more
		}
		if end < 0 {
			return "", "", bad().WithDetail("String has unclosed double quotes.")
		}
		if part = strings.ReplaceAll(s[1:end+1], `""`, `"`); part == "" {
			return "", "", bad().WithDetail("Quoted identifier must not be empty.")
		}
		return part, s[end+2:], nil
	}
	n := 0
	for n < len(s) {
		c := s[n]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
		if !letter && (n == 0 || !(c == '$' || c >= '0' && c <= '9')) {
			break
		}
		n++
	}
	switch {
	case n > 0:
		return strings.ToLower(s[:n]), s[n:], nil
	case afterDot:
		return "", "", bad().WithDetail("No valid identifier after \".\".")
	case strings.HasPrefix(s, "."):
		return "", "", bad().WithDetail("No valid identifier before \".\".")
	}
	return "", "", bad()
}
