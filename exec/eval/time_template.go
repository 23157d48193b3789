package eval

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// nodeKind says what a part of a template is to somebody who reads by it.
type nodeKind uint8

const (
	fieldNode nodeKind = iota
	spaceNode
	separatorNode
	textNode // one character
)

// timeNode is a part of a template: a field, or one character.
type timeNode struct {
	kind nodeKind
	scanWord
	word    string // upper case
	raw     string // as written
	fill    bool   // FM
	local   bool   // TM
	ordinal string // TH as written, or ""
}

// convention is how fields count days: Gregorian ones do not go with ISO weeks.
type convention uint8

const (
	anyConvention convention = iota
	gregorian
	isoWeek
)

// scanWord is what is known of a field.
type scanWord struct {
	// width is how many characters the field has where it ends by no separator.
	width int
	// digits tells that it begins with a digit.
	digits bool
	conv   convention
	// part is what the field says of: a date, a time or its zone.
	part scanPart
}

// scanPart is a set of what a template says something of.
type scanPart uint8

const (
	datedPart scanPart = 1 << iota
	timedPart
	zonedPart
)

var scanWords = map[string]scanWord{
	"A.D.": {4, false, 0, datedPart}, "AD": {2, false, 0, datedPart}, "B.C.": {4, false, 0, datedPart}, "BC": {2, false, 0, datedPart},
	"A.M.": {4, false, 0, timedPart}, "AM": {2, false, 0, timedPart}, "P.M.": {4, false, 0, timedPart}, "PM": {2, false, 0, timedPart},
	"CC": {2, true, 0, datedPart}, "DAY": {3, false, 0, datedPart}, "DY": {2, false, 0, datedPart}, "DDD": {3, true, gregorian, datedPart},
	"DD": {2, true, gregorian, datedPart}, "D": {1, true, gregorian, datedPart},
	"FF1": {1, true, 0, timedPart}, "FF2": {2, true, 0, timedPart}, "FF3": {3, true, 0, timedPart}, "FF4": {4, true, 0, timedPart},
	"FF5": {5, true, 0, timedPart}, "FF6": {6, true, 0, timedPart}, "US": {6, true, 0, timedPart}, "MS": {3, true, 0, timedPart}, "FX": {2, false, 0, 0},
	"HH24": {2, true, 0, timedPart}, "HH12": {2, true, 0, timedPart}, "HH": {2, true, 0, timedPart}, "MI": {2, true, 0, timedPart}, "SS": {2, true, 0, timedPart},
	"SSSS": {4, true, 0, timedPart}, "SSSSS": {5, true, 0, timedPart},
	"IDDD": {3, true, isoWeek, datedPart}, "ID": {1, true, isoWeek, datedPart}, "IW": {2, true, isoWeek, datedPart},
	"IYYY": {4, true, isoWeek, datedPart}, "IYY": {3, true, isoWeek, datedPart}, "IY": {2, true, isoWeek, datedPart}, "I": {1, true, isoWeek, datedPart},
	"J": {1, true, 0, datedPart}, "MM": {2, true, gregorian, datedPart}, "MONTH": {5, false, gregorian, datedPart}, "MON": {3, false, gregorian, datedPart},
	"OF": {2, false, 0, zonedPart}, "TZ": {2, false, 0, zonedPart}, "TZH": {2, false, 0, zonedPart}, "TZM": {2, true, 0, zonedPart},
	"Q": {1, true, 0, datedPart}, "RM": {2, false, gregorian, datedPart}, "WW": {2, true, gregorian, datedPart}, "W": {1, true, gregorian, datedPart},
	"Y,YYY": {5, true, gregorian, datedPart}, "YYYY": {4, true, gregorian, datedPart}, "YYY": {3, true, gregorian, datedPart}, "YY": {2, true, gregorian, datedPart},
	"Y": {1, true, gregorian, datedPart},
}

func isSpaceByte(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isSeparatorByte(c byte) bool {
	return c > 0x20 && c < 0x7f && !(c >= '0' && c <= '9') && !(c|0x20 >= 'a' && c|0x20 <= 'z')
}

// prefixed reports whether s begins with one of the words of two letters.
func prefixed(s string, words ...string) bool {
	for _, w := range words {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

// parseTimeTemplate takes a template apart. In the standard's form, which jsonpath
// knows, only some characters may separate fields.
func parseTimeTemplate(s string, standard bool) ([]timeNode, error) {
	var nodes []timeNode
	for s != "" {
		fill, local := prefixed(s, "FM", "fm"), prefixed(s, "TM", "tm")
		if fill || local {
			if s = s[2:]; s == "" {
				break
			}
		}
		if word := timeKeyword(s); word != "" {
			n := timeNode{word: strings.ToUpper(word), raw: word, fill: fill, local: local}
			n.scanWord = scanWords[n.word]
			s = s[len(word):]
			if prefixed(s, "TH", "th") {
				n.ordinal = s[:2]
			}
			if n.ordinal != "" || prefixed(s, "SP") {
				s = s[2:]
			}
			nodes = append(nodes, n)
			continue
		}
		if s[0] == '"' {
			nodes, s = quotedNodes(nodes, s[1:])
			continue
		}
		if !standard && strings.HasPrefix(s, `\"`) {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		n := timeNode{kind: textNode, raw: s[:size]}
		switch {
		case standard && !strings.Contains("-./,':; ", n.raw):
			return nil, pgerr.New(pgerr.InvalidDatetimeFormat, "invalid datetime format separator: \"%s\"", n.raw)
		case standard && n.raw == " ", !standard && isSpaceByte(s[0]):
			n.kind = spaceNode
		case standard, isSeparatorByte(s[0]):
			n.kind = separatorNode
		}
		nodes, s = append(nodes, n), s[size:]
	}
	return nodes, nil
}

// timeKeyword is the field that s begins with, "" for none.
func timeKeyword(s string) string {
	for _, k := range timeKeywords {
		if strings.HasPrefix(s, k) {
			return k
		}
	}
	return ""
}

// quotedNodes appends the characters up to the quote that ends s; rest is what
// follows it.
func quotedNodes(nodes []timeNode, s string) (_ []timeNode, rest string) {
	for s != "" {
		if s[0] == '"' {
			return nodes, s[1:]
		}
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		nodes = append(nodes, timeNode{kind: textNode, raw: s[:size]})
		s = s[size:]
	}
	return nodes, s
}

// partsOf is what a template says something of.
func partsOf(nodes []timeNode) (parts scanPart) {
	for _, n := range nodes {
		parts |= n.part
	}
	return parts
}

// separated reports whether what follows node i cannot be taken for a part of it.
func separated(nodes []timeNode, i int) bool {
	if nodes[i].ordinal != "" || i+1 == len(nodes) {
		return true
	}
	next := &nodes[i+1]
	if next.kind == fieldNode {
		return !next.digits
	}
	return len(next.raw) != 1 || next.raw[0] < '0' || next.raw[0] > '9'
}
