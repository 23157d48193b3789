package types

import "strings"

// jsonChecker reads JSON text without making anything of it. It takes what the
// json type takes, which is more than jsonb does: any escape and any number.
type jsonChecker struct {
	s      string
	i      int
	depth  int
	unique bool
}

// ValidJSON reports whether s is JSON text, and of which kind of value; with
// unique, objects that have a key twice are none.
func ValidJSON(s string, unique bool) (kind JSONKind, ok bool) {
	c := &jsonChecker{s: s, unique: unique}
	kind, ok = c.value()
	c.space()
	return kind, ok && c.i == len(s)
}

func (c *jsonChecker) space() {
	for c.i < len(c.s) && strings.IndexByte(" \n\t\r", c.s[c.i]) >= 0 {
		c.i++
	}
}

// take takes b if it stands next, after blanks.
func (c *jsonChecker) take(b byte) bool {
	c.space()
	if c.i == len(c.s) || c.s[c.i] != b {
		return false
	}
	c.i++
	return true
}

func (c *jsonChecker) value() (JSONKind, bool) {
	c.space()
	if c.i == len(c.s) {
		return 0, false
	}
	if c.depth++; c.depth > jsonDepthMax {
		return 0, false
	}
	defer func() { c.depth-- }()
	switch b := c.s[c.i]; {
	case b == '{':
		return JSONObject, c.object()
	case b == '[':
		return JSONArray, c.array()
	case b == '"':
		return JSONString, c.str()
	case b == '-' || b >= '0' && b <= '9':
		return JSONNumber, c.number()
	}
	end := c.i
	for end < len(c.s) && isWordByte(c.s[end]) {
		end++
	}
	word := c.s[c.i:end]
	c.i = end
	switch word {
	case "null":
		return JSONNull, true
	case "true", "false":
		return JSONBool, true
	}
	return 0, false
}

func (c *jsonChecker) array() bool {
	c.i++
	if c.take(']') {
		return true
	}
	for {
		if _, ok := c.value(); !ok {
			return false
		}
		if !c.take(',') {
			return c.take(']')
		}
	}
}

func (c *jsonChecker) object() bool {
	c.i++
	if c.take('}') {
		return true
	}
	var seen map[string]bool
	if c.unique {
		seen = map[string]bool{}
	}
	for {
		c.space()
		from := c.i
		if c.i == len(c.s) || c.s[c.i] != '"' || !c.str() {
			return false
		}
		if c.unique {
			p := jsonParser{s: c.s, i: from}
			key, err := p.str()
			if err != nil || seen[key] {
				return false
			}
			seen[key] = true
		}
		if !c.take(':') {
			return false
		}
		if _, ok := c.value(); !ok {
			return false
		}
		if !c.take(',') {
			return c.take('}')
		}
	}
}

func (c *jsonChecker) str() bool {
	for c.i++; c.i < len(c.s); c.i++ {
		switch b := c.s[c.i]; {
		case b == '"':
			c.i++
			return true
		case b < 0x20:
			return false
		case b == '\\':
			if c.i++; c.i == len(c.s) || strings.IndexByte(`"\/bfnrtu`, c.s[c.i]) < 0 {
				return false
			}
			if c.s[c.i] == 'u' {
				p := jsonParser{s: c.s, i: c.i + 1}
				if _, ok := p.hex4(); !ok {
					return false
				}
				c.i += 4
			}
		}
	}
	return false
}

func (c *jsonChecker) digits() bool {
	from := c.i
	for c.i < len(c.s) && c.s[c.i] >= '0' && c.s[c.i] <= '9' {
		c.i++
	}
	return c.i > from
}

func (c *jsonChecker) number() bool {
	if c.s[c.i] == '-' {
		c.i++
	}
	from := c.i
	if !c.digits() || c.s[from] == '0' && c.i > from+1 {
		return false
	}
	if c.i < len(c.s) && c.s[c.i] == '.' {
		if c.i++; !c.digits() {
			return false
		}
	}
	if c.i < len(c.s) && c.s[c.i]|0x20 == 'e' {
		if c.i++; c.i < len(c.s) && (c.s[c.i] == '+' || c.s[c.i] == '-') {
			c.i++
		}
		if !c.digits() {
			return false
		}
	}
	return c.i == len(c.s) || !isWordByte(c.s[c.i])
}
