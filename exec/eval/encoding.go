package eval

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// encoding is a character set that text may be converted from and to. Text is
// always UTF-8 here.
type encoding struct {
	name  string
	table *charmap.Charmap // of one byte a character; nil for UTF-8
}

// encodings are by their names without what is no letter or digit.
var encodings = func() map[string]encoding {
	m := map[string]encoding{}
	add := func(name string, table *charmap.Charmap, others ...string) {
		for _, n := range append(others, name) {
			m[plainName(n)] = encoding{name, table}
		}
	}
	add("UTF8", nil, "unicode")
	add("SQL_ASCII", nil)
	add("LATIN1", charmap.ISO8859_1, "iso88591")
	add("LATIN2", charmap.ISO8859_2, "iso88592")
	add("LATIN3", charmap.ISO8859_3, "iso88593")
	add("LATIN4", charmap.ISO8859_4, "iso88594")
	add("LATIN5", charmap.ISO8859_9, "iso88599")
	add("LATIN6", charmap.ISO8859_10, "iso885910")
	add("LATIN7", charmap.ISO8859_13, "iso885913")
	add("LATIN8", charmap.ISO8859_14, "iso885914")
	add("LATIN9", charmap.ISO8859_15, "iso885915")
	add("LATIN10", charmap.ISO8859_16, "iso885916")
	add("ISO_8859_5", charmap.ISO8859_5)
	add("ISO_8859_6", charmap.ISO8859_6)
	add("ISO_8859_7", charmap.ISO8859_7)
	add("ISO_8859_8", charmap.ISO8859_8)
	add("WIN866", charmap.CodePage866, "alt", "windows866")
	add("WIN874", charmap.Windows874, "windows874")
	add("KOI8R", charmap.KOI8R, "koi8")
	add("KOI8U", charmap.KOI8U)
	add("WIN1250", charmap.Windows1250, "windows1250")
	add("WIN1251", charmap.Windows1251, "windows1251", "win")
	add("WIN1252", charmap.Windows1252, "windows1252")
	add("WIN1253", charmap.Windows1253, "windows1253")
	add("WIN1254", charmap.Windows1254, "windows1254")
	add("WIN1255", charmap.Windows1255, "windows1255")
	add("WIN1256", charmap.Windows1256, "windows1256")
	add("WIN1257", charmap.Windows1257, "windows1257")
	add("WIN1258", charmap.Windows1258, "windows1258", "abc", "tcvn", "vscii")
	return m
}()

// plainName is a name of an encoding as names are compared.
func plainName(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		}
		return -1
	}, s)
}

func encodingOf(name, what string) (encoding, error) {
	e, ok := encodings[plainName(name)]
	if !ok {
		return e, pgerr.New(pgerr.InvalidParameterValue, "invalid %sencoding name %q", what, name)
	}
	return e, nil
}

// sequence prints bytes as errors do.
func sequence(s string) string {
	var out []string
	for _, c := range []byte(s) {
		out = append(out, fmt.Sprintf("0x%02x", c))
	}
	return strings.Join(out, " ")
}

// decode gives the text of bytes.
func (e encoding) decode(s string) (string, error) {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return "", e.invalid(s[i : i+1])
	}
	if e.table == nil {
		for i := 0; i < len(s); {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n < 2 {
				return "", e.invalid(s[i:min(i+sequenceLen(s[i]), len(s))])
			}
			i += n
		}
		return s, nil
	}
	var out strings.Builder
	for i := range len(s) {
		r := e.table.DecodeByte(s[i])
		if r == utf8.RuneError {
			return "", pgerr.New(pgerr.UntranslatableCharacter, "character with byte sequence %s in encoding %q has no equivalent in encoding %q", sequence(s[i:i+1]), e.name, "UTF8")
		}
		out.WriteRune(r)
	}
	return out.String(), nil
}

func (e encoding) invalid(bytes string) error {
	return pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding %q: %s", e.name, sequence(bytes))
}

// sequenceLen is how many bytes a character has that begins with c.
func sequenceLen(c byte) int {
	switch {
	case c&0xe0 == 0xc0:
		return 2
	case c&0xf0 == 0xe0:
		return 3
	case c&0xf8 == 0xf0:
		return 4
	}
	return 1
}

// encode gives the bytes of text.
func (e encoding) encode(s string) (string, error) {
	if e.table == nil {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i, r := range s {
		b, ok := e.table.EncodeRune(r)
		if !ok {
			return "", pgerr.New(pgerr.UntranslatableCharacter, "character with byte sequence %s in encoding %q has no equivalent in encoding %q",
				sequence(s[i:i+utf8.RuneLen(r)]), "UTF8", e.name)
		}
		out = append(out, b)
	}
	return string(out), nil
}

// convertFrom is convert_from(bytes, encoding).
func convertFrom(x *row) (types.Value, error) {
	e, err := encodingOf(x.str(1), "source ")
	if err != nil {
		return types.NullValue, err
	}
	s, err := e.decode(x.str(0))
	return strValue(s), err
}

// convertTo is convert_to(text, encoding).
func convertTo(x *row) (types.Value, error) {
	e, err := encodingOf(x.str(1), "destination ")
	if err != nil {
		return types.NullValue, err
	}
	s, err := e.encode(x.str(0))
	return strValue(s), err
}

// convert is convert(bytes, from, to).
func convert(x *row) (types.Value, error) {
	from, err := encodingOf(x.str(1), "source ")
	if err != nil {
		return types.NullValue, err
	}
	to, err := encodingOf(x.str(2), "destination ")
	if err != nil {
		return types.NullValue, err
	}
	s, err := from.decode(x.str(0))
	if err == nil {
		s, err = to.encode(s)
	}
	return strValue(s), err
}

// encodedLength is length(bytes, encoding), in characters.
func encodedLength(x *row) (types.Value, error) {
	e, err := encodingOf(x.str(1), "")
	if err != nil {
		return types.NullValue, err
	}
	s, err := e.decode(x.str(0))
	return intValue(int64(utf8.RuneCountInString(s))), err
}
