package types

import (
	"strconv"
	"strings"
)

// JSONPath is a parsed SQL/JSON path, PostgreSQL's jsonpath.
type JSONPath struct {
	Strict bool
	Root   *PathItem
}

// PathOp says what a part of a path does.
type PathOp uint8

// The parts of paths: literals, where to look, predicates, arithmetic, accessors
// and methods.
const (
	PathNull PathOp = iota
	PathString
	PathNumber
	PathBool
	PathVariable // $name
	PathRoot     // $
	PathCurrent  // @
	PathLast
	PathOr
	PathAnd
	PathNot
	PathIsUnknown
	PathExists
	PathEqual
	PathNotEqual
	PathLess
	PathLessEqual
	PathGreater
	PathGreaterEqual
	PathStartsWith
	PathLikeRegex
	PathAdd
	PathSub
	PathMul
	PathDiv
	PathMod
	PathPlus
	PathMinus
	PathKey      // .name
	PathAnyKey   // .*
	PathAnyIndex // [*]
	PathIndex    // [1, 3 to last]
	PathAny      // .**{1 to 2}
	PathFilter   // ?(…)
	PathMethod   // .type()
)

// PathLevelMax stands for the last level in the bounds of .**.
const PathLevelMax = 1<<32 - 1

// PathItem is one part of a path. Next is what is applied to what it gives.
type PathItem struct {
	Op   PathOp
	Bool bool
	// Str is a string's text, a number's canonical text, the name of a variable,
	// key or method, or the pattern of like_regex.
	Str string
	// Flags are those of like_regex.
	Flags string
	// Left and Right are the operands; Left that of one operand, the predicate of a
	// filter, and the argument of a method.
	Left, Right *PathItem
	// Indexes are the subscripts of PathIndex; To is nil for a single one.
	Indexes []PathRange
	// First and Last are the levels of PathAny.
	First, Last uint32
	Next        *PathItem
}

// PathRange is a subscript.
type PathRange struct{ From, To *PathItem }

var pathOperators = map[PathOp]string{
	PathOr: "||", PathAnd: "&&", PathEqual: "==", PathNotEqual: "!=", PathLess: "<", PathLessEqual: "<=", PathGreater: ">", PathGreaterEqual: ">=",
	PathStartsWith: "starts with", PathAdd: "+", PathSub: "-", PathMul: "*", PathDiv: "/", PathMod: "%", PathPlus: "+", PathMinus: "-",
}

// String is how an operator is written.
func (op PathOp) String() string { return pathOperators[op] }

// priority is how strong an operator binds.
func (p *PathItem) priority() int {
	switch p.Op {
	case PathOr:
		return 0
	case PathAnd:
		return 1
	case PathEqual, PathNotEqual, PathLess, PathLessEqual, PathGreater, PathGreaterEqual, PathStartsWith:
		return 2
	case PathAdd, PathSub:
		return 3
	case PathMul, PathDiv, PathMod:
		return 4
	case PathPlus, PathMinus:
		return 5
	}
	return 6
}

// String is the text that PostgreSQL prints for the path.
func (p *JSONPath) String() string {
	var dst []byte
	if p.Strict {
		dst = append(dst, "strict "...)
	}
	return string(p.Root.append(dst, true))
}

// operand appends x as an operand of p, in parentheses where it binds no stronger.
func (p *PathItem) operand(dst []byte, x *PathItem) []byte {
	return x.append(dst, x.Next != nil || x.priority() <= p.priority())
}

func (p *PathItem) append(dst []byte, parentheses bool) []byte {
	open, end := "", ""
	if parentheses || p.Next != nil { // PostgreSQL leaves them out in exists(), and then reads another path
		open, end = "(", ")"
	}
	switch p.Op {
	case PathNull:
		dst = append(dst, "null"...)
	case PathString:
		dst = AppendJSONString(dst, p.Str)
	case PathNumber:
		if p.Next != nil { // 1.type() would not be read back
			dst = append(append(append(dst, '('), p.Str...), ')')
			break
		}
		dst = append(dst, p.Str...)
	case PathBool:
		dst = strconv.AppendBool(dst, p.Bool)
	case PathVariable:
		dst = AppendJSONString(append(dst, '$'), p.Str)
	case PathRoot:
		dst = append(dst, '$')
	case PathCurrent:
		dst = append(dst, '@')
	case PathLast:
		dst = append(dst, "last"...)
	case PathNot:
		dst = append(p.Left.append(append(dst, "!("...), false), ')')
	case PathIsUnknown:
		dst = append(p.Left.append(append(dst, '('), false), ") is unknown"...)
	case PathExists:
		dst = append(p.Left.append(append(dst, "exists ("...), false), ')')
	case PathLikeRegex:
		dst = p.operand(append(dst, open...), p.Left)
		dst = AppendJSONString(append(dst, " like_regex "...), p.Str)
		if p.Flags != "" {
			dst = append(append(append(dst, ` flag "`...), p.Flags...), '"')
		}
		dst = append(dst, end...)
	case PathPlus, PathMinus:
		dst = append(append(dst, open...), p.Op.String()...)
		dst = append(p.operand(dst, p.Left), end...)
	case PathKey:
		dst = AppendJSONString(append(dst, '.'), p.Str)
	case PathAnyKey:
		dst = append(dst, ".*"...)
	case PathAnyIndex:
		dst = append(dst, "[*]"...)
	case PathIndex:
		dst = p.subscripts(dst)
	case PathAny:
		dst = append(dst, p.levels()...)
	case PathFilter:
		dst = append(p.Left.append(append(dst, "?("...), false), ')')
	case PathMethod:
		dst = append(append(append(dst, '.'), p.Str...), '(')
		if p.Left != nil {
			dst = p.Left.append(dst, false)
		}
		dst = append(dst, ')')
	default: // operators with two operands
		dst = p.operand(append(dst, open...), p.Left)
		dst = append(append(append(dst, ' '), p.Op.String()...), ' ')
		dst = append(p.operand(dst, p.Right), end...)
	}
	if p.Next != nil {
		dst = p.Next.append(dst, true)
	}
	return dst
}

func (p *PathItem) subscripts(dst []byte) []byte {
	for i, x := range p.Indexes {
		dst = x.From.append(append(dst, map[bool]byte{true: '[', false: ','}[i == 0]), false)
		if x.To != nil {
			dst = x.To.append(append(dst, " to "...), false)
		}
	}
	return append(dst, ']')
}

func (p *PathItem) levels() string {
	bound := func(n uint32) string {
		if n == PathLevelMax {
			return "last"
		}
		return strconv.FormatUint(uint64(n), 10)
	}
	switch {
	case p.First == 0 && p.Last == PathLevelMax:
		return ".**"
	case p.First == p.Last:
		return ".**{" + bound(p.First) + "}"
	}
	return ".**{" + bound(p.First) + " to " + bound(p.Last) + "}"
}

// Walk calls f for p, all that is in it and all that follows.
func (p *PathItem) Walk(f func(*PathItem)) {
	for ; p != nil; p = p.Next {
		f(p)
		p.Left.Walk(f)
		p.Right.Walk(f)
		for _, x := range p.Indexes {
			x.From.Walk(f)
			x.To.Walk(f)
		}
	}
}

// CanonicalJSONPath gives the text that jsonpath prints.
func CanonicalJSONPath(s string) (string, error) {
	p, err := ParseJSONPath(strings.Clone(s))
	if err != nil {
		return "", err
	}
	return p.String(), nil
}
