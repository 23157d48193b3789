package json

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// The faults a scanner finds. They carry no position of their own; the decoder
// adds the column.
var (
	errSyntax    = errors.New("malformed JSON")
	errEnd       = errors.New("JSON ends too early")
	errControl   = errors.New("control character in a JSON string")
	errEscape    = errors.New("invalid escape in a JSON string")
	errSurrogate = errors.New("unpaired surrogate in a JSON string")
	errNUL       = errors.New("\\u0000 cannot be converted to text")
	errUTF8      = errors.New("invalid byte sequence for encoding \"UTF8\"")
	errDepth     = errors.New("JSON is nested too deeply")
	errShape     = errors.New("JSON value has another shape than the type")
)

// depthMax bounds recursion on hostile input.
const depthMax = 512

// scanner walks over one JSON text. It never allocates; strings with escapes go
// through scratch.
type scanner struct {
	data    []byte
	pos     int
	scratch []byte
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// peek skips blanks and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' {
		return s.data[s.pos]
	}
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *scanner) expect(c byte) error {
	switch got := s.peek(); {
	case got == c:
		s.pos++
		return nil
	case got == 0 && s.pos == len(s.data):
		return errEnd
	}
	return errSyntax
}

// stringEnd finds the first byte from i on that is a quote, a backslash or a
// control character. high collects the bytes passed, so that its top bits tell
// whether any was not ASCII.
//
// hot: eight bytes a step; most strings are plain.
func stringEnd(data []byte, i int) (end int, high uint64) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(data) {
		w := binary.LittleEndian.Uint64(data[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & tops
		if found != 0 {
			n := bits.TrailingZeros64(found) >> 3
			return i + n, high | w&(1<<(8*n)-1)
		}
		high |= w
		i += 8
	}
	for ; i < len(data); i++ {
		c := data[i]
		if c == '"' || c == '\\' || c < 0x20 {
			return i, high
		}
		high |= uint64(c)
	}
	return i, high
}

const nonASCII = 0x8080808080808080

// str reads a string, the opening quote being next. The result lies in the data
// or in scratch and is good until the next call.
func (s *scanner) str() ([]byte, error) {
	start := s.pos + 1
	end, high := stringEnd(s.data, start)
	if end == len(s.data) {
		return nil, errEnd
	}
	if s.data[end] == '"' {
		s.pos = end + 1
		text := s.data[start:end]
		if high&nonASCII != 0 && !utf8.Valid(text) {
			return nil, errUTF8
		}
		return text, nil
	}
	return s.escaped(start, end)
}

// escaped reads on where str met a byte that is not plain.
func (s *scanner) escaped(start, end int) ([]byte, error) {
	out := append(s.scratch[:0], s.data[start:end]...)
	for {
		if end >= len(s.data) {
			return nil, errEnd
		}
		switch c := s.data[end]; {
		case c == '"':
			s.pos, s.scratch = end+1, out
			if !utf8.Valid(out) {
				return nil, errUTF8
			}
			return out, nil
		case c != '\\':
			return nil, errControl
		}
		var err error
		if out, end, err = s.unescape(out, end+1); err != nil {
			return nil, err
		}
		next, _ := stringEnd(s.data, end)
		out = append(out, s.data[end:next]...)
		end = next
	}
}

// unescape appends what the escape at i (after the backslash) stands for.
func (s *scanner) unescape(out []byte, i int) ([]byte, int, error) {
	if i >= len(s.data) {
		return nil, 0, errEnd
	}
	switch c := s.data[i]; c {
	case '"', '\\', '/':
		return append(out, c), i + 1, nil
	case 'b':
		return append(out, '\b'), i + 1, nil
	case 'f':
		return append(out, '\f'), i + 1, nil
	case 'n':
		return append(out, '\n'), i + 1, nil
	case 'r':
		return append(out, '\r'), i + 1, nil
	case 't':
		return append(out, '\t'), i + 1, nil
	case 'u':
		r, ok := s.hex4(i + 1)
		if !ok {
			return nil, 0, errEscape
		}
		i += 5
		switch {
		case r == 0:
			return nil, 0, errNUL
		case r >= 0xdc00 && r < 0xe000:
			return nil, 0, errSurrogate
		case r >= 0xd800 && r < 0xdc00:
			if i+1 >= len(s.data) || s.data[i] != '\\' || s.data[i+1] != 'u' {
				return nil, 0, errSurrogate
			}
			low, ok := s.hex4(i + 2)
			if !ok || low < 0xdc00 || low >= 0xe000 {
				return nil, 0, errSurrogate
			}
			r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
			i += 6
		}
		return utf8.AppendRune(out, r), i, nil
	}
	return nil, 0, errEscape
}

func (s *scanner) hex4(i int) (rune, bool) {
	if i+4 > len(s.data) {
		return 0, false
	}
	var r rune
	for _, c := range s.data[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number reads a number by JSON's grammar and returns its text. whole tells that
// it has neither fraction nor exponent.
func (s *scanner) number() (text []byte, whole bool, err error) {
	start, i, d := s.pos, s.pos, s.data
	digits := func() bool {
		from := i
		for i < len(d) && d[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if i < len(d) && d[i] == '-' {
		i++
	}
	zero := i < len(d) && d[i] == '0'
	from := i
	if !digits() || zero && i > from+1 {
		return nil, false, errSyntax
	}
	whole = true
	if i < len(d) && d[i] == '.' {
		whole = false
		i++
		if !digits() {
			return nil, false, errSyntax
		}
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		whole = false
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if !digits() {
			return nil, false, errSyntax
		}
	}
	s.pos = i
	return d[start:i], whole, nil
}

// literal reads one of true, false, null.
func (s *scanner) literal(word string) error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return errSyntax
	}
	s.pos += len(word)
	return nil
}

// skip passes over one value of any kind and returns its text.
func (s *scanner) skip(depth int) ([]byte, error) {
	if depth > depthMax {
		return nil, errDepth
	}
	c := s.peek()
	start := s.pos
	var err error
	switch c {
	case '"':
		_, err = s.str()
	case '{', '[':
		err = s.skipNested(c, depth)
	case 't':
		err = s.literal("true")
	case 'f':
		err = s.literal("false")
	case 'n':
		err = s.literal("null")
	case 0:
		err = errEnd
	default:
		_, _, err = s.number()
	}
	return s.data[start:s.pos], err
}

func (s *scanner) skipNested(open byte, depth int) error {
	closing := open + 2 // ']' and '}' lie two behind their openers
	s.pos++
	if s.peek() == closing {
		s.pos++
		return nil
	}
	for {
		if open == '{' {
			if s.peek() != '"' {
				return errSyntax
			}
			if _, err := s.str(); err != nil {
				return err
			}
			if err := s.expect(':'); err != nil {
				return err
			}
		}
		if _, err := s.skip(depth + 1); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case closing:
			s.pos++
			return nil
		case 0:
			return errEnd
		default:
			return errSyntax
		}
	}
}

// textOf lends b as a string for a call that does not keep it.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
