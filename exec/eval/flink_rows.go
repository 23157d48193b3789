package eval

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// flinkRows are the functions that Flink has and PostgreSQL has not.
var flinkRows = map[string]rowFn{
	"year": timePart("year"), "quarter": timePart("quarter"), "month": timePart("month"), "week": timePart("week"),
	"dayofyear": timePart("doy"), "dayofmonth": timePart("day"), "dayofweek": timePart("dow"),
	"hour": timePart("hour"), "minute": timePart("minute"), "second": timePart("second"),
	"last_day":     lastDay,
	"timestampadd": timestampAdd, "timestampdiff": timestampDiff,
	"e":          func(*row) (types.Value, error) { return floatValue(math.E), nil },
	"hex":        hexOf,
	"bin":        func(x *row) (types.Value, error) { return strValue(strconv.FormatUint(uint64(x.int(0)), 2)), nil },
	"locate":     locate,
	"ucase":      func(x *row) (types.Value, error) { return strValue(strings.ToUpper(x.str(0))), nil },
	"lcase":      func(x *row) (types.Value, error) { return strValue(strings.ToLower(x.str(0))), nil },
	"is_alpha":   allOf(unicode.IsLetter),
	"is_digit":   allOf(unicode.IsDigit),
	"is_decimal": isDecimal,
	"to_base64": func(x *row) (types.Value, error) {
		return strValue(base64.StdEncoding.EncodeToString([]byte(x.str(0)))), nil
	},
	"from_base64": func(x *row) (types.Value, error) {
		s, err := base64.StdEncoding.DecodeString(x.str(0))
		if err != nil || !utf8.Valid(s) {
			return types.NullValue, nil
		}
		return strValue(string(s)), nil
	},
	"url_encode": func(x *row) (types.Value, error) { return strValue(url.QueryEscape(x.str(0))), nil },
	"url_decode": func(x *row) (types.Value, error) {
		s, err := url.QueryUnescape(x.str(0))
		if err != nil || !utf8.ValidString(s) {
			return types.NullValue, nil
		}
		return strValue(s), nil
	},
	"parse_url": parseURL,
	"sha1": func(x *row) (types.Value, error) {
		h := sha1.Sum([]byte(x.str(0)))
		return strValue(hex.EncodeToString(h[:])), nil
	},
	"sha2": sha2,
}

// timePart is extract as a bigint, with weekdays from 1.
func timePart(field string) rowFn {
	return func(x *row) (types.Value, error) {
		ts := x.int(0)
		switch x.typ(0).Kind {
		case types.Date:
			us, err := dateMicros(ts)
			if err != nil {
				return types.NullValue, err
			}
			ts = us
		case types.TimestampTZ:
			if !types.IsInfinite(ts) {
				ts = x.f.ctx.zone().ToLocal(ts)
			}
		}
		if types.IsInfinite(ts) {
			return types.NullValue, nil
		}
		switch field {
		case "second":
			_, us := types.SplitMicros(ts)
			return intValue(us / types.MicrosPerSecond % 60), nil
		case "week":
			v, err := extractTimestamp(field, ts, ts, nil, types.Of(types.Timestamp))
			if err != nil {
				return types.NullValue, err
			}
			n, err := v.Dec.Int64("bigint")
			return intValue(n), err
		case "dow":
			return intValue(simpleField(field, ts) + 1), nil
		}
		return intValue(simpleField(field, ts)), nil
	}
}

func lastDay(x *row) (types.Value, error) {
	days := x.int(0)
	if _, err := dateMicros(days); err != nil {
		return types.NullValue, err
	}
	y, m, _ := types.CivilFromDays(days)
	if m++; m > 12 {
		y, m = y+1, 1
	}
	return intValue(types.DaysFromCivil(y, m, 1) - 1), nil
}

func hexOf(x *row) (types.Value, error) {
	if x.typ(0).IsInteger() {
		return strValue(strings.ToUpper(strconv.FormatUint(uint64(x.int(0)), 16))), nil
	}
	return strValue(strings.ToUpper(hex.EncodeToString([]byte(x.str(0))))), nil
}

// locate is the character at which the first argument is in the second, 0 for none.
func locate(x *row) (types.Value, error) {
	what, in := x.str(0), x.str(1)
	skipped := int64(0)
	if len(x.v) > 2 {
		if x.int(2) < 1 {
			return intValue(0), nil
		}
		for ; skipped < x.int(2)-1; skipped++ {
			if in == "" {
				return intValue(0), nil
			}
			_, n := utf8.DecodeRuneInString(in)
			in = in[n:]
		}
	}
	at := strings.Index(in, what)
	if at < 0 {
		return intValue(0), nil
	}
	return intValue(skipped + int64(utf8.RuneCountInString(in[:at])) + 1), nil
}

func allOf(is func(rune) bool) rowFn {
	return func(x *row) (types.Value, error) {
		s := x.str(0)
		return boolValue(s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0), nil
	}
}

func isDecimal(x *row) (types.Value, error) {
	_, err := types.ParseDecimal(x.str(0))
	return boolValue(err == nil), nil
}

func sha2(x *row) (types.Value, error) {
	var sum []byte
	s := []byte(x.str(0))
	switch x.int(1) {
	case 224:
		h := sha256.Sum224(s)
		sum = h[:]
	case 256:
		h := sha256.Sum256(s)
		sum = h[:]
	case 384:
		h := sha512.Sum384(s)
		sum = h[:]
	case 512:
		h := sha512.Sum512(s)
		sum = h[:]
	default:
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "sha2 has 224, 256, 384 or 512 bits, not %d", x.int(1))
	}
	return strValue(hex.EncodeToString(sum)), nil
}

// parseURL gives a part of a URL, null for what is none or has no such part.
func parseURL(x *row) (types.Value, error) {
	u, err := url.Parse(x.str(0))
	if err != nil {
		return types.NullValue, nil
	}
	part, there := "", true
	switch x.str(1) {
	case "PROTOCOL":
		part = u.Scheme
	case "HOST":
		part = u.Hostname()
	case "PATH":
		return strValue(u.EscapedPath()), nil
	case "QUERY":
		if part = u.RawQuery; len(x.v) > 2 {
			part, there = queryValue(part, x.str(2))
			if there {
				return strValue(part), nil
			}
		}
	case "REF":
		part = u.EscapedFragment()
	case "FILE":
		if part = u.EscapedPath(); u.RawQuery != "" {
			part += "?" + u.RawQuery
		}
	case "AUTHORITY":
		if part = u.Host; u.User != nil {
			part = u.User.String() + "@" + part
		}
	case "USERINFO":
		if u.User != nil {
			part = u.User.String()
		}
	}
	if part == "" {
		return types.NullValue, nil
	}
	return strValue(part), nil
}

// queryValue finds key=value among the parts of a query, as they are written.
func queryValue(query, key string) (string, bool) {
	for _, part := range strings.Split(query, "&") {
		if k, v, ok := strings.Cut(part, "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}
