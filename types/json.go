package types

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// JSONKind tells JSON values apart, in PostgreSQL's sort order.
type JSONKind uint8

// The kinds of JSON value.
const (
	JSONNull JSONKind = iota
	JSONString
	JSONNumber
	JSONBool
	JSONArray
	JSONObject
)

// JSON is a parsed JSON value. Str is a string's text or a number's canonical
// text. An object's Keys are sorted as jsonb sorts them, by length, then bytes,
// with Items alongside.
type JSON struct {
	Kind  JSONKind
	Bool  bool
	Str   string
	Keys  []string
	Items []*JSON
}

const jsonDepthMax = 1000

func errJSON(s string) *pgerr.Error {
	return pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type json")
}

type jsonParser struct {
	s     string
	i     int
	depth int
}

// ParseJSON reads JSON text as jsonb does: numbers and strings become
// canonical, the last of equal keys wins.
func ParseJSON(s string) (*JSON, error) {
	p := &jsonParser{s: s}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i != len(s) {
		return nil, p.fail()
	}
	return v, nil
}

// CanonicalJSON gives the text that jsonb prints.
func CanonicalJSON(s string) (string, error) {
	v, err := ParseJSON(s)
	if err != nil {
		return "", err
	}
	return string(v.AppendTo(nil)), nil
}

func (p *jsonParser) fail() error {
	rest := p.s[min(p.i, len(p.s)):]
	if trimSpace(rest) == "" {
		return errJSON(p.s).WithDetail("The input string ended unexpectedly.")
	}
	end := 0
	for end < len(rest) && !isSpace(rest[end]) && end < 20 {
		end++
	}
	return errJSON(p.s).WithDetail("Token %q is invalid.", rest[:end])
}

func (p *jsonParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *jsonParser) value() (*JSON, error) {
	p.space()
	if p.i >= len(p.s) {
		return nil, p.fail()
	}
	if p.depth++; p.depth > jsonDepthMax {
		return nil, pgerr.New(pgerr.StatementTooComplex, "json is nested more than %d levels", jsonDepthMax)
	}
	defer func() { p.depth-- }()
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		s, err := p.str()
		return &JSON{Kind: JSONString, Str: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, v := range map[string]*JSON{"null": {}, "true": {Kind: JSONBool, Bool: true}, "false": {Kind: JSONBool}} {
		if strings.HasPrefix(p.s[p.i:], word) {
			if end := p.i + len(word); end == len(p.s) || !isWordByte(p.s[end]) {
				p.i = end
				return v, nil
			}
		}
	}
	return nil, p.fail()
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

func (p *jsonParser) array() (*JSON, error) {
	v := &JSON{Kind: JSONArray}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return v, nil
	}
	for {
		e, err := p.value()
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, e)
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ',' && p.s[p.i] != ']' {
			return nil, p.fail()
		}
		p.i++
		if p.s[p.i-1] == ']' {
			return v, nil
		}
	}
}

func (p *jsonParser) object() (*JSON, error) {
	v := &JSON{Kind: JSONObject}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return v, nil
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, p.fail()
		}
		k, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, p.fail()
		}
		p.i++
		e, err := p.value()
		if err != nil {
			return nil, err
		}
		v.Keys, v.Items = append(v.Keys, k), append(v.Items, e)
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ',' && p.s[p.i] != '}' {
			return nil, p.fail()
		}
		p.i++
		if p.s[p.i-1] == '}' {
			v.sortKeys()
			return v, nil
		}
	}
}

func jsonKeyLess(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

type jsonPairs struct{ *JSON }

func (p jsonPairs) Len() int           { return len(p.Keys) }
func (p jsonPairs) Less(i, j int) bool { return jsonKeyLess(p.Keys[i], p.Keys[j]) }
func (p jsonPairs) Swap(i, j int) {
	p.Keys[i], p.Keys[j] = p.Keys[j], p.Keys[i]
	p.Items[i], p.Items[j] = p.Items[j], p.Items[i]
}

func (v *JSON) sortKeys() {
	sort.Stable(jsonPairs{v})
	n := 0
	for i := range v.Keys {
		if i+1 < len(v.Keys) && v.Keys[i] == v.Keys[i+1] {
			continue // the last one wins
		}
		v.Keys[n], v.Items[n] = v.Keys[i], v.Items[i]
		n++
	}
	v.Keys, v.Items = v.Keys[:n], v.Items[:n]
}

// NewJSONObject makes an object of pairs.
func NewJSONObject(keys []string, items []*JSON) *JSON {
	v := &JSON{Kind: JSONObject, Keys: keys, Items: items}
	v.sortKeys()
	return v
}

func (p *jsonParser) str() (string, error) {
	p.i++
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != '"' && p.s[p.i] != '\\' && p.s[p.i] >= 0x20 {
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == '"' {
		p.i++
		return p.s[start : p.i-1], nil
	}
	out := []byte(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return string(out), nil
		case c < 0x20:
			return "", errJSON(p.s).WithDetail("Character with value 0x%02x must be escaped.", c)
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
			p.i++
		}
	}
	return "", p.fail()
}

func (p *jsonParser) escape() (rune, error) {
	p.i++
	if p.i >= len(p.s) {
		return 0, p.fail()
	}
	c := p.s[p.i]
	p.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, ok := p.hex4()
		if !ok {
			return 0, errJSON(p.s).WithDetail(`"\u" must be followed by four hexadecimal digits.`)
		}
		if r == 0 {
			return 0, pgerr.New(pgerr.UntranslatableCharacter, "unsupported Unicode escape sequence").WithDetail(`\u0000 cannot be converted to text.`)
		}
		if r >= 0xd800 && r < 0xe000 {
			if r < 0xdc00 && strings.HasPrefix(p.s[p.i:], `\u`) {
				p.i += 2
				if lo, ok := p.hex4(); ok && lo >= 0xdc00 && lo < 0xe000 {
					return (r-0xd800)<<10 + (lo - 0xdc00) + 0x10000, nil
				}
			}
			return 0, errJSON(p.s).WithDetail("Unicode high surrogate must not follow a high surrogate.")
		}
		return r, nil
	}
	p.i--
	return 0, errJSON(p.s).WithDetail("Escape sequence %q is invalid.", `\`+p.s[p.i:p.i+1])
}

func (p *jsonParser) hex4() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	v, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	p.i += 4
	return rune(v), err == nil
}

func (p *jsonParser) number() (*JSON, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	if p.s[p.i] == '-' {
		p.i++
	}
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	from := p.i
	if !digits() || zero && p.i-from > 1 {
		p.i = start
		return nil, p.fail()
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !digits() {
			p.i = start
			return nil, p.fail()
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !digits() {
			p.i = start
			return nil, p.fail()
		}
	}
	if p.i < len(p.s) && isWordByte(p.s[p.i]) {
		p.i = start
		return nil, p.fail()
	}
	t, err := canonicalNumber(p.s[start:p.i])
	return &JSON{Kind: JSONNumber, Str: t}, err
}

// canonicalNumber writes a JSON number without exponent, as numeric prints it.
func canonicalNumber(s string) (string, error) {
	e := strings.IndexAny(s, "eE")
	if e < 0 {
		if strings.HasPrefix(s, "-0") && strings.Trim(s, "-0.") == "" {
			return s[1:], nil
		}
		return s, nil
	}
	exp, err := strconv.Atoi(s[e+1:])
	if err != nil || exp > 16383 || exp < -16383 {
		return "", pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	m, sign := s[:e], ""
	if m[0] == '-' {
		m, sign = m[1:], "-"
	}
	whole, frac, _ := strings.Cut(m, ".")
	digits, point := whole+frac, len(whole)+exp
	switch {
	case point <= 0:
		whole, frac = "0", strings.Repeat("0", -point)+digits
	case point >= len(digits):
		whole, frac = digits+strings.Repeat("0", point-len(digits)), ""
	default:
		whole, frac = digits[:point], digits[point:]
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if strings.Trim(whole+frac, "0") == "" {
		sign = ""
	}
	if frac != "" {
		frac = "." + frac
	}
	return sign + whole + frac, nil
}

// AppendTo appends the text that jsonb prints.
func (v *JSON) AppendTo(dst []byte) []byte {
	switch v.Kind {
	case JSONNull:
		return append(dst, "null"...)
	case JSONBool:
		return strconv.AppendBool(dst, v.Bool)
	case JSONNumber:
		return append(dst, v.Str...)
	case JSONString:
		return AppendJSONString(dst, v.Str)
	case JSONArray:
		dst = append(dst, '[')
		for i, e := range v.Items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = e.AppendTo(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, e := range v.Items {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = e.AppendTo(append(AppendJSONString(dst, v.Keys[i]), ": "...))
	}
	return append(dst, '}')
}

// String is the text that jsonb prints.
func (v *JSON) String() string { return string(v.AppendTo(nil)) }

// AppendJSONString appends a JSON string literal.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// Get returns an object's member, nil when it is absent.
func (v *JSON) Get(key string) *JSON {
	if v.Kind != JSONObject {
		return nil
	}
	i := sort.Search(len(v.Keys), func(i int) bool { return !jsonKeyLess(v.Keys[i], key) })
	if i < len(v.Keys) && v.Keys[i] == key {
		return v.Items[i]
	}
	return nil
}

// CompareJSON orders jsonb values as PostgreSQL does.
func CompareJSON(a, b *JSON) int {
	if a.Kind != b.Kind {
		return cmpInt(int(a.Kind), int(b.Kind))
	}
	switch a.Kind {
	case JSONBool:
		switch {
		case a.Bool == b.Bool:
			return 0
		case b.Bool:
			return -1
		}
		return 1
	case JSONNumber:
		return compareNumberText(a.Str, b.Str)
	case JSONString:
		return strings.Compare(a.Str, b.Str)
	case JSONArray, JSONObject:
		if c := cmpInt(len(a.Items), len(b.Items)); c != 0 {
			return c
		}
		for i := range a.Items {
			if a.Kind == JSONObject && a.Keys[i] != b.Keys[i] {
				if jsonKeyLess(a.Keys[i], b.Keys[i]) {
					return -1
				}
				return 1
			}
			if c := CompareJSON(a.Items[i], b.Items[i]); c != 0 {
				return c
			}
		}
	}
	return 0
}

// compareNumberText compares canonical decimal texts of any length.
func compareNumberText(a, b string) int {
	na, nb := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	switch {
	case na && !nb:
		return -1
	case nb && !na:
		return 1
	case na:
		return compareNumberText(b[1:], a[1:])
	}
	wa, fa, _ := strings.Cut(a, ".")
	wb, fb, _ := strings.Cut(b, ".")
	if len(wa) != len(wb) {
		return cmpInt(len(wa), len(wb))
	}
	if c := strings.Compare(wa, wb); c != 0 {
		return c
	}
	return strings.Compare(strings.TrimRight(fa, "0"), strings.TrimRight(fb, "0"))
}
