package types

import "strings"

// The functions here work on canonical jsonb text without parsing all of it.

// skipJSON returns the end of the value that starts at i.
func skipJSON(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			i = skipJSONString(s, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',', ' ', ':':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

func skipJSONString(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// JSONField finds an object's member in canonical text and returns its text.
func JSONField(s, key string) (string, bool) {
	if len(s) < 2 || s[0] != '{' {
		return "", false
	}
	for i := 1; i < len(s) && s[i] == '"'; {
		end := skipJSONString(s, i)
		raw := s[i+1 : end-1]
		from := end + 2 // ": "
		to := skipJSON(s, from)
		if raw == key || strings.IndexByte(raw, '\\') >= 0 && JSONUnquote(s[i:end]) == key {
			return s[from:to], true
		}
		i = to + 2 // ", "
	}
	return "", false
}

// JSONElement finds an array's element, from 0, or from the end when negative.
func JSONElement(s string, n int64) (string, bool) {
	if s == "" || s[0] == '{' {
		return "", false
	}
	if s[0] != '[' {
		return s, n == 0 || n == -1 // PostgreSQL keeps a scalar as an array of one
	}
	if n < 0 {
		if n += int64(JSONArrayLength(s)); n < 0 {
			return "", false
		}
	}
	for i := 1; i < len(s) && s[i] != ']'; n-- {
		to := skipJSON(s, i)
		if n == 0 {
			return s[i:to], true
		}
		i = to + 2
	}
	return "", false
}

// JSONArrayLength counts an array's elements in canonical text, -1 for another value.
func JSONArrayLength(s string) int {
	if s == "" || s[0] != '[' {
		return -1
	}
	n := 0
	for i := 1; i < len(s) && s[i] != ']'; n++ {
		i = skipJSON(s, i) + 2
	}
	return n
}

// JSONUnquote gives a canonical value as ->> does: strings without quotes and
// escapes, anything else as it is.
func JSONUnquote(s string) string {
	if len(s) < 2 || s[0] != '"' {
		return s
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1]
	}
	p := jsonParser{s: s}
	t, err := p.str()
	if err != nil {
		return s
	}
	return t
}
