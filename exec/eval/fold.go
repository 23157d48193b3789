package eval

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// lowered is words in lower-case ASCII, to be compared with the lower case of
// strings: lower(x) = 'word', lower(x) IN ('word', …). No lower case is made.
type lowered struct {
	words   []string
	lengths uint64 // bit n: some word has n bytes
	// Two characters beyond ASCII have a lower case within it, i and k: a longer
	// string may equal a word with these. long is the length of the longest such
	// string, 0 if there is none.
	long int
	// packed are the words if none has more than eight bytes, else nil.
	packed []packedWord
}

// packedWord is a word in the bytes of an integer, the first one lowest.
type packedWord struct{ text, n uint64 }

const (
	eachByte  = 0x0101010101010101
	highBits  = 0x80 * eachByte
	packedMax = 8
)

// loweredMax is the length of the longest word that lowered takes.
const loweredMax = 63

// newLowered returns nil when a word is not lower-case ASCII.
func newLowered(words []string) *lowered {
	l := &lowered{words: words}
	for _, w := range words {
		if len(w) > loweredMax {
			return nil
		}
		grown := len(w)
		for i := range len(w) {
			switch c := w[i]; {
			case c >= utf8.RuneSelf || c >= 'A' && c <= 'Z':
				return nil
			case c == 'i': // İ has two bytes
				grown++
			case c == 'k': // the sign of Kelvin has three
				grown += 2
			}
		}
		if grown > len(w) {
			l.long = max(l.long, grown)
		}
		l.lengths |= 1 << len(w)
	}
	l.pack()
	return l
}

func (l *lowered) pack() {
	for _, w := range l.words {
		if len(w) > packedMax {
			l.packed = nil
			return
		}
		var b [packedMax]byte
		copy(b[:], w)
		l.packed = append(l.packed, packedWord{binary.LittleEndian.Uint64(b[:]), uint64(len(w))})
	}
}

// lowerBytes makes each byte of x that is a capital letter a small one.
func lowerBytes(x uint64) uint64 {
	low := x &^ highBits
	fromA, afterZ := low+(0x80-'A')*eachByte, low+(0x7f-'Z')*eachByte
	return x | (fromA^afterZ)&^x&highBits>>2
}

// has reports whether the lower case of s is one of the words.
func (l *lowered) has(s string) bool {
	if len(s) <= loweredMax && l.lengths>>len(s)&1 != 0 {
		for _, w := range l.words {
			if len(w) == len(s) && equalLowered(s, w) {
				return true
			}
		}
	}
	return len(s) <= l.long && !isASCII(s) && l.hasOther(s)
}

// hasOther is has for strings beyond ASCII.
func (l *lowered) hasOther(s string) bool {
	low := string(appendMapped(nil, s, false))
	for _, w := range l.words {
		if low == w {
			return true
		}
	}
	return false
}

// equalLowered compares s in lower case with a word of its length. A byte beyond
// ASCII equals nothing.
func equalLowered(s, word string) bool {
	for i := range len(s) {
		c := s[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	high := byte(0)
	for i := range len(s) {
		high |= s[i]
	}
	return high < utf8.RuneSelf
}

// compileLowered makes lower(x) = word or lower(x) IN (words): nil if that is not
// what it is.
func compileLowered(e, arg *scalar.Expr, words []*scalar.Expr, ctx *Context) (node, error) {
	if arg.Op != scalar.OpCall || arg.Func != "lower(text)" || len(words) == 0 {
		return nil, nil
	}
	var list []string
	for _, w := range words {
		if w.Op != scalar.OpConst || w.Value == nil || w.Value.Null || !w.Type.IsString() || w.Type.Kind == types.Char {
			return nil, nil
		}
		list = append(list, w.Value.Bytes)
	}
	l := newLowered(list)
	if l == nil {
		return nil, nil
	}
	x, err := compile(arg.Args[0], ctx)
	if err != nil {
		return nil, err
	}
	return newCall(e, []node{x}, l.run, true), nil
}

func (l *lowered) run(f *frame, c *call, sel []uint16) {
	if sel == nil {
		sel = allRows(f.n)
	}
	a, out := c.cols[0], c.out.Bool
	if l.packed != nil {
		l.runPacked(a, out, sel)
		return
	}
	for _, i := range sel { // hot: most strings have another length
		n := int(a.Views[i].Len)
		out[i] = (n <= loweredMax && l.lengths>>n&1 != 0 || n <= l.long) && l.has(a.Str(int(i)))
	}
}

// runPacked is run for words of eight bytes at most.
// hot: nothing branches on what a string is, which cannot be foreseen.
func (l *lowered) runPacked(a *batch.Column, out []bool, sel []uint16) {
	arena, size := unsafe.Pointer(unsafe.SliceData(a.Arena)), len(a.Arena)
	for _, i := range sel {
		v := a.Views[i]
		if int(v.Off)+packedMax > size {
			out[i] = l.has(a.Str(int(i)))
			continue
		}
		n := uint64(v.Len)
		x := binary.LittleEndian.Uint64(unsafe.Slice((*byte)(unsafe.Add(arena, v.Off)), packedMax))
		x &= 1<<(8*min(n, packedMax)) - 1
		low, found := lowerBytes(x), uint64(0)
		for _, w := range l.packed {
			differ := (low ^ w.text) | (n ^ w.n)
			found |= ^(differ | -differ) >> 63
		}
		out[i] = found != 0
		if n <= uint64(l.long) && (x&highBits != 0 || n > packedMax) {
			out[i] = l.has(a.Str(int(i)))
		}
	}
}

// nthByte is where the n-th c of s is, n from 1, or -1. It looks at eight bytes at
// a time.
func nthByte(s string, c byte, n int) int {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	pattern := uint64(c) * 0x0101010101010101
	i, p := 0, unsafe.Pointer(unsafe.StringData(s))
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64(unsafe.Slice((*byte)(unsafe.Add(p, i)), 8)) ^ pattern
		found := ^((x&low + low) | x | low) & high
		if k := bits.OnesCount64(found); k < n {
			n -= k
			continue
		}
		for ; n > 1; n-- {
			found &= found - 1
		}
		return i + bits.TrailingZeros64(found)>>3
	}
	for ; i < len(s); i++ {
		if s[i] == c {
			if n--; n == 0 {
				return i
			}
		}
	}
	return -1
}

// finder looks for a literal by its rarest byte: the common ones stop a search
// all the time.
type finder struct {
	literal string
	rare    byte
	at      int // of rare in literal
}

func newFinder(literal string) *finder {
	f := &finder{literal: literal}
	best := 256
	for i := range len(literal) {
		if r := commonness(literal[i]); r < best {
			f.rare, f.at, best = literal[i], i, r
		}
	}
	return f
}

// commonness ranks bytes by how often text has them.
func commonness(c byte) int {
	switch {
	case c == ' ' || c == 'e' || c == 't' || c == 'a' || c == 'o' || c == 'i' || c == 'n':
		return 5
	case c >= 'a' && c <= 'z':
		return 4
	case c >= '0' && c <= '9' || c == '.' || c == '/' || c == '-' || c == ',' || c == '"':
		return 3
	case c >= 'A' && c <= 'Z' || c == '_':
		return 2
	}
	return 1
}

// in is where the literal is in s from on, -1 if it is not.
func (f *finder) in(s string, from int) int {
	for from += f.at; from < len(s); from++ {
		k := strings.IndexByte(s[from:], f.rare)
		if k < 0 {
			return -1
		}
		from += k
		if at := from - f.at; at+len(f.literal) <= len(s) && s[at:at+len(f.literal)] == f.literal {
			return at
		}
	}
	return -1
}
