package eval

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// runeOffset is where the n-th character of s starts, len(s) when it has fewer.
func runeOffset(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

// substrRange is the place of substr(s, from, count) in s; unit counts bytes
// when raw.
func substrRange(s string, from, count int64, hasCount, raw bool) (lo, hi int, err error) {
	end := int64(1) << 62
	if hasCount {
		if count < 0 {
			return 0, 0, pgerr.New(pgerr.SubstringError, "negative substring length not allowed")
		}
		end = from + count
	}
	from = max(from, 1)
	if end <= from {
		return 0, 0, nil
	}
	if raw {
		lo = int(min(from-1, int64(len(s))))
		return lo, int(min(end-1, int64(len(s)))), nil
	}
	lo = runeOffset(s, int(min(from-1, int64(len(s)))))
	return lo, lo + runeOffset(s[lo:], int(min(end-from, int64(len(s))))), nil
}

// splitRange is the place of field n, from 1 or from the end when negative, of s
// split at sep.
func splitRange(s, sep string, n int64) (lo, hi int, ok bool) {
	if sep == "" {
		if n == 1 || n == -1 {
			return 0, len(s), true
		}
		return 0, 0, false
	}
	if n < 0 {
		n += int64(strings.Count(s, sep)) + 2
		if n < 1 {
			return 0, 0, false
		}
	}
	if len(sep) == 1 {
		return splitByte(s, sep[0], int(min(n, int64(len(s))+2)))
	}
	for ; n > 1; n-- {
		i := strings.Index(s[lo:], sep)
		if i < 0 {
			return 0, 0, false
		}
		lo += i + len(sep)
	}
	if i := strings.Index(s[lo:], sep); i >= 0 {
		return lo, lo + i, true
	}
	return lo, len(s), true
}

// splitByte is splitRange at one byte, for n from 1 on.
func splitByte(s string, sep byte, n int) (lo, hi int, ok bool) {
	if n > 1 {
		if lo = nthByte(s, sep, n-1) + 1; lo == 0 {
			return 0, 0, false
		}
	}
	if i := nthByte(s[lo:], sep, 1); i >= 0 {
		return lo, lo + i, true
	}
	return lo, len(s), true
}

func trimRange(s, set string, left, right bool) (lo, hi int) {
	hi = len(s)
	if set == " " {
		for left && lo < hi && s[lo] == ' ' {
			lo++
		}
		for right && hi > lo && s[hi-1] == ' ' {
			hi--
		}
		return lo, hi
	}
	if left {
		lo = len(s) - len(strings.TrimLeft(s, set))
	}
	if right {
		hi = lo + len(strings.TrimRight(s[lo:], set))
	}
	return lo, hi
}

// slicer computes which part of its first argument a row's result is.
type slicer func(c *call, i int, s string) (lo, hi int, ok bool, err error)

// sliceKernel makes the functions whose result is a part of their first
// argument: no byte is copied.
func sliceKernel(e *scalar.Expr, fn *scalar.Function) kernel {
	if e.Type.Phys() != types.PhysBytes || len(fn.Args) == 0 || fn.Args[0].Phys() != types.PhysBytes {
		return nil
	}
	s := slicerOf(e, fn)
	if s == nil {
		return nil
	}
	return func(f *frame, c *call, sel []uint16) {
		a := c.cols[0]
		c.out.Arena = a.Arena[:len(a.Arena):len(a.Arena)]
		each(f.n, sel, func(i int) {
			v := a.Views[i]
			lo, hi, ok, err := s(c, i, a.Str(i))
			switch {
			case err != nil:
				c.fail(f, i, err)
			case !ok:
				c.null(f, i)
			default:
				c.out.Views[i] = batch.View{Off: v.Off + uint32(lo), Len: uint32(hi - lo)}
			}
		})
	}
}

func slicerOf(e *scalar.Expr, fn *scalar.Function) slicer {
	raw := fn.Args[0].Kind == types.Bytea
	switch fn.Key {
	case "substr(text,integer)", "substring(text,integer)", "substr(bytea,integer)", "substring(bytea,integer)":
		return func(c *call, i int, s string) (int, int, bool, error) {
			lo, hi, err := substrRange(s, c.cols[1].Int[i], 0, false, raw)
			return lo, hi, true, err
		}
	case "substr(text,integer,integer)", "substring(text,integer,integer)", "substr(bytea,integer,integer)", "substring(bytea,integer,integer)":
		return func(c *call, i int, s string) (int, int, bool, error) {
			lo, hi, err := substrRange(s, c.cols[1].Int[i], c.cols[2].Int[i], true, raw)
			return lo, hi, true, err
		}
	case "left(text,integer)":
		return func(c *call, i int, s string) (int, int, bool, error) {
			n := c.cols[1].Int[i]
			if n < 0 {
				n = max(n+int64(utf8.RuneCountInString(s)), 0)
			}
			return 0, runeOffset(s, int(n)), true, nil
		}
	case "right(text,integer)":
		return func(c *call, i int, s string) (int, int, bool, error) {
			n := c.cols[1].Int[i]
			if n >= 0 {
				n = max(int64(utf8.RuneCountInString(s))-n, 0)
			} else {
				n = -n
			}
			return runeOffset(s, int(n)), len(s), true, nil
		}
	case "split_part(text,text,integer)":
		return func(c *call, i int, s string) (int, int, bool, error) {
			n := c.cols[2].Int[i]
			if n == 0 {
				return 0, 0, false, pgerr.New(pgerr.InvalidParameterValue, "field position must not be zero")
			}
			lo, hi, _ := splitRange(s, c.cols[1].Str(i), n)
			return lo, hi, true, nil
		}
	case "split_index(text,text,integer)":
		return func(c *call, i int, s string) (int, int, bool, error) {
			n := c.cols[2].Int[i]
			if n < 0 {
				return 0, 0, false, nil
			}
			lo, hi, ok := splitRange(s, c.cols[1].Str(i), n+1)
			return lo, hi, ok, nil
		}
	case "subscript(jsonb,text)":
		return jsonSlicer(func(c *call, i int, s string) (string, bool) { return jsonMember(s, c.cols[1].Str(i)) })
	case "->(jsonb,text)":
		return jsonSlicer(func(c *call, i int, s string) (string, bool) { return types.JSONField(s, c.cols[1].Str(i)) })
	case "subscript(jsonb,integer)":
		return jsonSlicer(func(c *call, i int, s string) (string, bool) { return jsonItem(s, c.cols[1].Int[i]) })
	case "->(jsonb,integer)":
		return jsonSlicer(func(c *call, i int, s string) (string, bool) { return types.JSONElement(s, c.cols[1].Int[i]) })
	case "regexp_extract(text,text,integer)", "regexp_extract(text,text)":
		return extractSlicer(e)
	}
	if len(fn.Args) > 0 && fn.Args[0].Kind == types.Bytea {
		return nil
	}
	switch fn.Name {
	case "btrim", "ltrim", "rtrim", "trim":
		left, right := fn.Name != "rtrim", fn.Name != "ltrim"
		return func(c *call, i int, s string) (int, int, bool, error) {
			set := " "
			if len(c.cols) > 1 {
				set = c.cols[1].Str(i)
			}
			lo, hi := trimRange(s, set, left, right)
			return lo, hi, true, nil
		}
	}
	return nil
}

// jsonSlicer finds a part of canonical JSON by its place in s.
func jsonSlicer(find func(c *call, i int, s string) (string, bool)) slicer {
	return func(c *call, i int, s string) (int, int, bool, error) {
		part, ok := find(c, i, s)
		if !ok {
			return 0, 0, false, nil
		}
		lo := placeIn(s, part)
		return lo, lo + len(part), true, nil
	}
}

// appender appends a row's result to the arena.
type appender func(dst []byte, c *call, i int) []byte

func appendKernel(fn appender) kernel {
	return func(f *frame, c *call, sel []uint16) {
		each(f.n, sel, func(i int) {
			off := len(c.out.Arena)
			c.out.Arena = fn(c.out.Arena, c, i)
			c.out.Views[i] = batch.View{Off: uint32(off), Len: uint32(len(c.out.Arena) - off)}
		})
	}
}

func intKernel(fn func(c *call, i int) int64) kernel {
	return func(f *frame, c *call, sel []uint16) {
		each(f.n, sel, func(i int) { c.out.Int[i] = fn(c, i) })
	}
}

// appendMapped appends s in upper or lower case.
func appendMapped(dst []byte, s string, upper bool) []byte {
	from := len(dst)
	dst = append(dst, s...)
	first := byte('A')
	if upper {
		first = 'a'
	}
	out, high := dst[from:], byte(0)
	for i, b := range out { // hot: no branch for ASCII
		high |= b
		flip := byte(0)
		if b-first < 26 {
			flip = 0x20
		}
		out[i] = b ^ flip
	}
	if high < utf8.RuneSelf {
		return dst
	}
	dst = dst[:from]
	for _, r := range s {
		if upper {
			r = unicode.ToUpper(r)
		} else {
			r = unicode.ToLower(r)
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// textKernel makes the string functions that are common in streams.
func textKernel(fn *scalar.Function) kernel {
	switch fn.Key {
	case "lower(text)":
		return appendKernel(func(dst []byte, c *call, i int) []byte { return appendMapped(dst, c.cols[0].Str(i), false) })
	case "upper(text)":
		return appendKernel(func(dst []byte, c *call, i int) []byte { return appendMapped(dst, c.cols[0].Str(i), true) })
	case "||(text,text)", "||(bytea,bytea)":
		return appendKernel(func(dst []byte, c *call, i int) []byte {
			return append(append(dst, c.cols[0].Str(i)...), c.cols[1].Str(i)...)
		})
	case "->>(jsonb,text)":
		return jsonTextKernel(func(c *call, i int) (string, bool) { return types.JSONField(c.cols[0].Str(i), c.cols[1].Str(i)) })
	case "->>(jsonb,integer)":
		return jsonTextKernel(func(c *call, i int) (string, bool) { return types.JSONElement(c.cols[0].Str(i), c.cols[1].Int[i]) })
	case "length(text)", "char_length(text)", "character_length(text)":
		return intKernel(func(c *call, i int) int64 { return int64(utf8.RuneCountInString(c.cols[0].Str(i))) })
	case "octet_length(text)", "octet_length(char)", "octet_length(bytea)", "length(bytea)":
		return intKernel(func(c *call, i int) int64 { return int64(c.cols[0].Views[i].Len) })
	case "strpos(text,text)", "position(text,text)", "instr(text,text)":
		return intKernel(func(c *call, i int) int64 {
			s := c.cols[0].Str(i)
			p := strings.Index(s, c.cols[1].Str(i))
			return int64(utf8.RuneCountInString(s[:max(p, 0)])) + int64(min(p, 0)) + 1
		})
	case "count_char(text,text)":
		return intKernel(func(c *call, i int) int64 {
			if t := c.cols[1].Str(i); t != "" {
				return int64(strings.Count(c.cols[0].Str(i), t))
			}
			return 0
		})
	}
	return nil
}

// jsonTextKernel makes ->>: null for JSON null too.
func jsonTextKernel(find func(c *call, i int) (string, bool)) kernel {
	return func(f *frame, c *call, sel []uint16) {
		each(f.n, sel, func(i int) {
			part, ok := find(c, i)
			if !ok || part == "null" {
				c.null(f, i)
				return
			}
			c.out.Views[i] = c.out.AddStr(types.JSONUnquote(part))
		})
	}
}
