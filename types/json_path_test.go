package types

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// paths are paths and what PostgreSQL 15 prints for them.
var paths = []struct{ in, out string }{
	{`$`, `$`},
	{`strict $.a`, `strict $."a"`},
	{`LAX $ . a [ * ]`, `$."a"[*]`},
	{`$.a ? (@ > 1).b`, `$."a"?(@ > 1)."b"`},
	{`$.**{2 to last}.a`, `$.**{2 to last}."a"`},
	{`$.**{last}`, `$.**{last}`},
	{`$[0, 2 to last - 1]`, `$[0,2 to last - 1]`},
	{`$ ? ((@.a == 1) is unknown && exists(@.b))`, `$?((@."a" == 1) is unknown && exists (@."b"))`},
	{`($.a == 1 || $.b == 2) && $.c <> 3`, `(($."a" == 1 || $."b" == 2) && $."c" != 3)`},
	{`1 - (2 - 3)`, `(1 - (2 - 3))`},
	{`1 - 2 - 3`, `((1 - 2) - 3)`},
	{`(1 + 2).abs() * -3`, `((1 + 2).abs() * -3)`},
	{`--1`, `1`},
	{`-$.a.b`, `(-$."a"."b")`},
	{`1 .type()`, `(1).type()`},
	{`.5e-2`, `0.005`},
	{`$ ? (@ like_regex "a" flag "smi")`, `$?(@ like_regex "a" flag "ism")`},
	{`$ starts with $"v"`, `($ starts with $"v")`},
	{`$.null.true.exists.last.type`, `$."null"."true"."exists"."last"."type"`},
	{`/* c */ "\u0041\x42\n\t\"\\\/\q\u{1F600}\ud83d\ude00"`, `"AB\n\t\"\\/q😀😀"`},
	{`$.\u0061b`, `$."ab"`},
	{``, `invalid input syntax for type jsonpath: ""`},
	{`$.a b`, `syntax error at or near "b" of jsonpath input`},
	{`$ ? (1)`, `syntax error at or near ")" of jsonpath input`},
	{`$[`, `syntax error at end of jsonpath input`},
	{`($.a == 1) == true`, `syntax error at or near "==" of jsonpath input`},
	{`@.a`, `@ is not allowed in root expressions`},
	{`last`, `LAST is allowed only in array subscripts`},
	{`1a`, `trailing junk after numeric literal at or near "1a" of jsonpath input`},
	{`1e+`, `invalid numeric literal at or near "1e+" of jsonpath input`},
	{`"a`, `unexpected end of quoted string at end of jsonpath input`},
	{`$ /* c`, `unexpected end of comment at end of jsonpath input`},
	{`"\xz"`, `invalid hex character sequence at or near "\x" of jsonpath input`},
	{`$ ? (@ like_regex "a" flag "b")`, `invalid input syntax for type jsonpath`},
	{`$.datetime() < $.datetime ("yyyy \"T\"").a`, `($.datetime() < $.datetime("yyyy \"T\"")."a")`},
	{`$.datetime($.a)`, `syntax error at or near "$" of jsonpath input`},
	{`exists((-$.a).type())`, `exists ((-$."a").type())`},
	{`$.datetime`, `$."datetime"`},
}

func TestJSONPath(t *testing.T) {
	for _, c := range paths {
		got, err := CanonicalJSONPath(c.in)
		if err != nil {
			got = err.Error()
		}
		if got != c.out {
			t.Errorf("%s\n  is %s\nwant %s", c.in, got, c.out)
		}
	}
}

// FuzzJSONPath checks that what a path prints is read back as the same path.
func FuzzJSONPath(f *testing.F) {
	for _, c := range paths {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := CanonicalJSONPath(s)
		if err != nil || !utf8.ValidString(s) || strings.Contains(s, "\x00") { // which no text is
			return
		}
		again, err := CanonicalJSONPath(text)
		if err != nil || again != text {
			t.Errorf("%q prints %q, which reads as %q, %v", s, text, again, err)
		}
	})
}
