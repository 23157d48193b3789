package eval

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

const stringBytesMax = types.ValueBytesMax

func errTooLong() error {
	return pgerr.New(pgerr.ProgramLimitExceeded, "requested length too large")
}

var textRows = map[string]rowFn{
	"bit_length":  func(x *row) (types.Value, error) { return intValue(int64(len(x.str(0))) * 8), nil },
	"initcap":     func(x *row) (types.Value, error) { return strValue(initcap(x.str(0))), nil },
	"lpad":        func(x *row) (types.Value, error) { return pad(x, true) },
	"rpad":        func(x *row) (types.Value, error) { return pad(x, false) },
	"replace":     replace,
	"translate":   func(x *row) (types.Value, error) { return strValue(translate(x.str(0), x.str(1), x.str(2))), nil },
	"overlay":     overlay,
	"reverse":     func(x *row) (types.Value, error) { return strValue(reverse(x.str(0))), nil },
	"repeat":      repeat,
	"concat":      func(x *row) (types.Value, error) { return strValue(concat(x, "", 0)), nil },
	"concat_ws":   concatWS,
	"starts_with": func(x *row) (types.Value, error) { return boolValue(strings.HasPrefix(x.str(0), x.str(1))), nil },
	"^@":          func(x *row) (types.Value, error) { return boolValue(strings.HasPrefix(x.str(0), x.str(1))), nil },
	"like_escape": func(x *row) (types.Value, error) { s, err := likeEscape(x.str(0), x.str(1)); return strValue(s), err },
	"md5": func(x *row) (types.Value, error) {
		h := md5.Sum([]byte(x.str(0)))
		return strValue(hex.EncodeToString(h[:])), nil
	},
	"sha224": func(x *row) (types.Value, error) {
		h := sha256.Sum224([]byte(x.str(0)))
		return strValue(string(h[:])), nil
	},
	"sha256": func(x *row) (types.Value, error) {
		h := sha256.Sum256([]byte(x.str(0)))
		return strValue(string(h[:])), nil
	},
	"sha384": func(x *row) (types.Value, error) {
		h := sha512.Sum384([]byte(x.str(0)))
		return strValue(string(h[:])), nil
	},
	"sha512": func(x *row) (types.Value, error) {
		h := sha512.Sum512([]byte(x.str(0)))
		return strValue(string(h[:])), nil
	},
	"encode":              encode,
	"decode":              decode,
	"convert_from":        convertFrom,
	"convert_to":          convertTo,
	"convert":             convert,
	"length(bytea,text)":  encodedLength,
	"pg_column_size":      columnSize,
	"format_variadic":     spread(format, true),
	"to_hex":              toHex,
	"ascii":               ascii,
	"chr":                 chr,
	"format":              format,
	"quote_ident":         func(x *row) (types.Value, error) { return strValue(quoteIdent(x.str(0))), nil },
	"quote_literal":       func(x *row) (types.Value, error) { return strValue(quoteLiteral(x.castText(0))), nil },
	"quote_nullable":      quoteNullable,
	"get_byte":            getByte,
	"set_byte":            setByte,
	"unistr":              unistr,
	"normalize":           normalize,
	"is_normalized":       isNormalized,
	"parse_ident":         parseIdent,
	"||(text,anyelement)": func(x *row) (types.Value, error) { return strValue(x.str(0) + x.castText(1)), nil },
	"||(anyelement,text)": func(x *row) (types.Value, error) { return strValue(x.castText(0) + x.str(1)), nil },
}

func initcap(s string) string {
	word := false
	return strings.Map(func(r rune) rune {
		up := !word
		word = unicode.IsLetter(r) || unicode.IsDigit(r)
		if !word {
			return r
		}
		if up {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func pad(x *row, left bool) (types.Value, error) {
	s, n, fill := x.str(0), x.int(1), " "
	if len(x.v) > 2 {
		fill = x.str(2)
	}
	if n > stringBytesMax {
		return types.NullValue, errTooLong()
	}
	have := int64(utf8.RuneCountInString(s))
	if n <= have || fill == "" {
		return strValue(s[:runeOffset(s, int(max(n, 0)))]), nil
	}
	need := int(n - have)
	runes := utf8.RuneCountInString(fill)
	p := strings.Repeat(fill, need/runes) + fill[:runeOffset(fill, need%runes)]
	if left {
		return strValue(p + s), nil
	}
	return strValue(s + p), nil
}

func replace(x *row) (types.Value, error) {
	if x.str(1) == "" {
		return strValue(x.str(0)), nil
	}
	s, from, to := x.str(0), x.str(1), x.str(2)
	if len(to) > len(from) && int64(len(s))+int64(strings.Count(s, from))*int64(len(to)-len(from)) > stringBytesMax {
		return types.NullValue, errTooLong()
	}
	return strValue(strings.ReplaceAll(s, from, to)), nil
}

func translate(s, from, to string) string {
	f, t := []rune(from), []rune(to)
	return strings.Map(func(r rune) rune {
		for i, c := range f {
			if c == r {
				if i < len(t) {
					return t[i]
				}
				return -1
			}
		}
		return r
	}, s)
}

func overlay(x *row) (types.Value, error) {
	s, with, from := x.str(0), x.str(1), x.int(2)
	count := int64(utf8.RuneCountInString(with))
	if len(x.v) > 3 {
		count = x.int(3)
	}
	if from <= 0 {
		return types.NullValue, pgerr.New(pgerr.SubstringError, "negative substring length not allowed")
	}
	lo := runeOffset(s, int(from-1))
	hi := runeOffset(s, int(max(from-1+count, 0)))
	return strValue(s[:lo] + with + s[hi:]), nil
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

func repeat(x *row) (types.Value, error) {
	n := max(x.int(1), 0)
	if n*int64(len(x.str(0))) > stringBytesMax {
		return types.NullValue, errTooLong()
	}
	return strValue(strings.Repeat(x.str(0), int(n))), nil
}

// concat joins the arguments from the given one on that are not null.
func concat(x *row, sep string, from int) string {
	var b strings.Builder
	first := true
	for i := from; i < len(x.v); i++ {
		if x.null(i) {
			continue
		}
		if !first {
			b.WriteString(sep)
		}
		first = false
		b.WriteString(x.text(i))
	}
	return b.String()
}

func concatWS(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	return strValue(concat(x, x.str(0), 1)), nil
}

func encode(x *row) (types.Value, error) {
	b := []byte(x.str(0))
	switch strings.ToLower(x.str(1)) {
	case "hex":
		return strValue(hex.EncodeToString(b)), nil
	case "base64":
		s := base64.StdEncoding.EncodeToString(b)
		var out strings.Builder
		for len(s) > 76 {
			out.WriteString(s[:76] + "\n")
			s = s[76:]
		}
		return strValue(out.String() + s), nil
	case "escape":
		var out strings.Builder
		for _, c := range b {
			switch {
			case c == '\\':
				out.WriteString(`\\`)
			case c == 0 || c >= 0x80:
				out.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
			default:
				out.WriteByte(c)
			}
		}
		return strValue(out.String()), nil
	}
	return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "unrecognized encoding: %q", x.str(1))
}

func decode(x *row) (types.Value, error) {
	s := x.str(0)
	switch strings.ToLower(x.str(1)) {
	case "hex":
		s, err := types.ParseBytea(`\x` + s)
		return strValue(s), err
	case "escape":
		s, err := types.ParseBytea(s)
		return strValue(s), err
	case "base64":
		s = strings.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r == '\r' || r == '\t' {
				return -1
			}
			return r
		}, s)
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "invalid base64 end sequence").
				Hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
		}
		return strValue(string(b)), nil
	}
	return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "unrecognized encoding: %q", x.str(1))
}

func toHex(x *row) (types.Value, error) {
	v := uint64(x.int(0))
	if x.typ(0).Kind != types.Int64 {
		v &= 0xffffffff
	}
	return strValue(strconv.FormatUint(v, 16)), nil
}

func ascii(x *row) (types.Value, error) {
	if x.str(0) == "" {
		return intValue(0), nil
	}
	r, _ := utf8.DecodeRuneInString(x.str(0))
	return intValue(int64(r)), nil
}

func chr(x *row) (types.Value, error) {
	n := x.int(0)
	switch {
	case n == 0:
		return types.NullValue, pgerr.New(pgerr.ProgramLimitExceeded, "null character not permitted")
	case n < 0:
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "character number must be positive")
	case n > unicode.MaxRune || n >= 0xd800 && n < 0xe000:
		return types.NullValue, pgerr.New(pgerr.ProgramLimitExceeded, "requested character not valid for encoding: %d", n)
	}
	return strValue(string(rune(n))), nil
}

// reservedWords are the keywords that quote_ident quotes.
var reservedWords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean
		both case cast char character check coalesce collate collation column concurrently constraint create cross
		current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal
		default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full
		grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull
		join lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not
		notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary
		real references returning right row select session_user setof similar smallint some substring symmetric table
		tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic
		verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse
		xmlpi xmlroot xmlserialize xmltable`) {
		m[w] = true
	}
	return m
}()

func quoteIdent(s string) string {
	plain := s != "" && !reservedWords[s]
	for i, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			plain = false
		}
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func quoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.IndexByte(s, '\\') >= 0 {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

func quoteNullable(x *row) (types.Value, error) {
	if x.null(0) {
		return strValue("NULL"), nil
	}
	return strValue(quoteLiteral(x.castText(0))), nil
}

func getByte(x *row) (types.Value, error) {
	s, n := x.str(0), x.int(1)
	if n < 0 || n >= int64(len(s)) {
		return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "index %d out of valid range, 0..%d", n, len(s)-1)
	}
	return intValue(int64(s[n])), nil
}

func setByte(x *row) (types.Value, error) {
	if v, err := getByte(x); err != nil {
		return v, err
	}
	b := []byte(x.str(0))
	b[x.int(1)] = byte(x.int(2))
	return strValue(string(b)), nil
}

func unistr(x *row) (types.Value, error) {
	s := x.str(0)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		rest, digits := s[i+1:], 4
		switch {
		case strings.HasPrefix(rest, `\`):
			b.WriteByte('\\')
			i++
			continue
		case strings.HasPrefix(rest, "+"):
			rest, digits, i = rest[1:], 6, i+1
		case strings.HasPrefix(rest, "u"):
			rest, i = rest[1:], i+1
		case strings.HasPrefix(rest, "U"):
			rest, digits, i = rest[1:], 8, i+1
		}
		if len(rest) < digits {
			return types.NullValue, pgerr.New(pgerr.SyntaxError, "invalid Unicode escape")
		}
		v, err := strconv.ParseUint(rest[:digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(v)) {
			return types.NullValue, pgerr.New(pgerr.SyntaxError, "invalid Unicode escape")
		}
		b.WriteRune(rune(v))
		i += digits
	}
	return strValue(b.String()), nil
}

// formatWidth is the argument at i as a width of format; null is none.
func (x *row) formatWidth(i int) (int, error) {
	if i >= len(x.v) {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "too few arguments for format()")
	}
	if x.null(i) {
		return 0, nil
	}
	n, err := types.ParseInt(x.text(i), types.Int32)
	return int(n), err
}

// format is PostgreSQL's format(): %s %I %L %% with width, - and n$.
func format(x *row) (types.Value, error) {
	if x.null(0) {
		return types.NullValue, nil
	}
	s := x.str(0)
	var b strings.Builder
	next := 1
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i < len(s) && s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		left, width, arg := false, 0, 0
		num := func() int {
			n := 0
			for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
				n = min(n*10+int(s[i]-'0'), math.MaxInt32+1)
			}
			return n
		}
		if n := num(); i < len(s) && s[i] == '$' && n > 0 {
			arg = n
			i++
		} else {
			width = n
		}
		for i < len(s) && s[i] == '-' {
			left = true
			i++
		}
		if i < len(s) && s[i] == '*' {
			i++
			if n := num(); n > 0 { // *n$
				if next = n; i >= len(s) || s[i] != '$' {
					return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "width argument position must be ended by \"$\"")
				}
				i++
			}
			var err error
			if width, err = x.formatWidth(next); err != nil {
				return types.NullValue, err
			}
			if next++; width < 0 {
				left, width = true, -width
			}
		} else if n := num(); n > 0 {
			width = n
		}
		if max(width, arg) > math.MaxInt32 {
			return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "number is out of range")
		}
		if b.Len()+width > stringBytesMax {
			return types.NullValue, errTooLong()
		}
		if i >= len(s) {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "unterminated format() type specifier").Hint("For a single \"%%\" use \"%%%%\".")
		}
		if arg == 0 {
			arg = next
		}
		next = arg + 1
		if arg >= len(x.v) {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "too few arguments for format()")
		}
		var t string
		switch s[i] {
		case 's':
			if !x.null(arg) {
				t = x.text(arg)
			}
		case 'I':
			if x.null(arg) {
				return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "null values cannot be formatted as an SQL identifier")
			}
			t = quoteIdent(x.text(arg))
		case 'L':
			if t = "NULL"; !x.null(arg) {
				t = quoteLiteral(x.text(arg))
			}
		default:
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "unrecognized format() type specifier %q", s[i:i+1]).
				Hint("For a single \"%%\" use \"%%%%\".")
		}
		fill := strings.Repeat(" ", max(width-utf8.RuneCountInString(t), 0))
		if left {
			b.WriteString(t + fill)
		} else {
			b.WriteString(fill + t)
		}
	}
	return strValue(b.String()), nil
}
