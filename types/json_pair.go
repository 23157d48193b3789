package types

import (
	"cmp"
	"slices"
	"strings"
)

// JSONPair is a field of an object, with its value in jsonb's text.
type JSONPair struct{ Name, Value string }

// AppendJSONObject appends the text that jsonb prints of an object of fields, which it
// puts in order. Of fields of one name the last one counts.
func AppendJSONObject(dst []byte, fields []JSONPair) []byte {
	slices.SortStableFunc(fields, func(a, b JSONPair) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
	})
	dst = append(dst, '{')
	any := false
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].Name == f.Name {
			continue
		}
		if any {
			dst = append(dst, ", "...)
		}
		dst = append(append(AppendJSONString(dst, f.Name), ": "...), f.Value...)
		any = true
	}
	return append(dst, '}')
}
