package types

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

// pathDepthMax is how deep a path may be nested.
const pathDepthMax = 1000

type pathParser struct {
	lex   pathLexer
	t     pathToken
	depth int
	// filters and subscripts tell how many of them are open: @ is allowed in the
	// ones, last in the others.
	filters, subscripts int
}

// ParseJSONPath reads a path as PostgreSQL's jsonpath does.
func ParseJSONPath(s string) (*JSONPath, error) {
	p := &pathParser{lex: pathLexer{s: s}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.t.kind == pathEnd {
		return nil, pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type jsonpath: %q", s)
	}
	path := &JSONPath{}
	if mode := p.keyword(); mode == "strict" || mode == "lax" {
		path.Strict = mode == "strict"
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	var err error
	if path.Root, err = p.or(); err != nil {
		return nil, err
	}
	if p.t.kind != pathEnd {
		return nil, p.unexpected()
	}
	return path, nil
}

func (p *pathParser) advance() (err error) {
	p.t, err = p.lex.next()
	return err
}

func (p *pathParser) unexpected() error {
	if p.t.kind == pathEnd {
		return errPath("syntax error at end")
	}
	return errPath("syntax error at or near \"%s\"", p.t.text)
}

// keyword is the word that stands next, in lower case, "" for none. true, false
// and null are words only as they are.
func (p *pathParser) keyword() string {
	if p.t.kind != pathName {
		return ""
	}
	switch k := strings.ToLower(p.t.val); k {
	case "true", "false", "null":
		if p.t.val != k {
			return ""
		}
		return k
	default:
		return k
	}
}

func (p *pathParser) is(op string) bool { return p.t.kind == pathOperator && p.t.text == op }

// accept takes the operator op if it stands next.
func (p *pathParser) accept(op string) (bool, error) {
	if !p.is(op) {
		return false, nil
	}
	return true, p.advance()
}

func (p *pathParser) expect(op string) error {
	if !p.is(op) {
		return p.unexpected()
	}
	return p.advance()
}

func (p *pathParser) expectWord(word string) error {
	if p.keyword() != word {
		return p.unexpected()
	}
	return p.advance()
}

// predicate reports whether p is one, rather than an expression: only those may
// be combined by logic, only expressions compared.
func (p *PathItem) predicate() bool { return p.Op >= PathOr && p.Op <= PathLikeRegex && p.Next == nil }

func (p *pathParser) or() (*PathItem, error) { return p.logic("||", PathOr, p.and) }

func (p *pathParser) and() (*PathItem, error) { return p.logic("&&", PathAnd, p.comparison) }

func (p *pathParser) logic(op string, code PathOp, operand func() (*PathItem, error)) (*PathItem, error) {
	left, err := operand()
	for err == nil && p.is(op) {
		if !left.predicate() {
			return nil, p.unexpected()
		}
		if err = p.advance(); err != nil {
			break
		}
		var right *PathItem
		if right, err = operand(); err != nil {
			break
		}
		if !right.predicate() {
			return nil, p.unexpected()
		}
		left = &PathItem{Op: code, Left: left, Right: right}
	}
	return left, err
}

var pathComparisons = map[string]PathOp{"==": PathEqual, "!=": PathNotEqual, "<>": PathNotEqual, "<": PathLess, "<=": PathLessEqual, ">": PathGreater, ">=": PathGreaterEqual}

func (p *pathParser) comparison() (*PathItem, error) {
	left, err := p.sum()
	if err != nil || left.predicate() {
		return left, err
	}
	if op, ok := pathComparisons[p.t.text]; ok && p.t.kind == pathOperator {
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.sum()
		if err != nil {
			return nil, err
		}
		if right.predicate() {
			return nil, p.unexpected()
		}
		return &PathItem{Op: op, Left: left, Right: right}, nil
	}
	switch p.keyword() {
	case "starts":
		return p.startsWith(left)
	case "like_regex":
		return p.likeRegex(left)
	}
	return left, nil
}

func (p *pathParser) startsWith(left *PathItem) (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectWord("with"); err != nil {
		return nil, err
	}
	x := &PathItem{Op: PathStartsWith, Left: left, Right: &PathItem{Op: PathString, Str: p.t.val}}
	switch p.t.kind {
	case pathText:
	case pathVar:
		x.Right.Op = PathVariable
	default:
		return nil, p.unexpected()
	}
	return x, p.advance()
}

func (p *pathParser) likeRegex(left *PathItem) (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.t.kind != pathText {
		return nil, p.unexpected()
	}
	x := &PathItem{Op: PathLikeRegex, Left: left, Str: p.t.val}
	if err := p.advance(); err != nil || p.keyword() != "flag" {
		return x, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.t.kind != pathText {
		return nil, p.unexpected()
	}
	given := p.t.val
	for _, c := range given {
		if !strings.ContainsRune("ismxq", c) {
			return nil, pgerr.New(pgerr.SyntaxError, "invalid input syntax for type jsonpath").
				WithDetail("Unrecognized flag character %q in LIKE_REGEX predicate.", string(c))
		}
	}
	for _, c := range "ismxq" {
		if strings.ContainsRune(given, c) {
			x.Flags += string(c)
		}
	}
	if strings.Contains(x.Flags, "x") && !strings.Contains(x.Flags, "q") {
		return nil, pgerr.New(pgerr.FeatureNotSupported, `XQuery "x" flag (expanded regular expressions) is not implemented`)
	}
	return x, p.advance()
}

// sum reads terms of + and -.
func (p *pathParser) sum() (*PathItem, error) {
	return p.arithmetic(map[string]PathOp{"+": PathAdd, "-": PathSub}, p.product)
}

func (p *pathParser) product() (*PathItem, error) {
	return p.arithmetic(map[string]PathOp{"*": PathMul, "/": PathDiv, "%": PathMod}, p.signed)
}

func (p *pathParser) arithmetic(ops map[string]PathOp, operand func() (*PathItem, error)) (*PathItem, error) {
	left, err := operand()
	for err == nil && p.t.kind == pathOperator && !left.predicate() {
		op, ok := ops[p.t.text]
		if !ok {
			break
		}
		if err = p.advance(); err != nil {
			break
		}
		var right *PathItem
		if right, err = operand(); err != nil {
			break
		}
		if right.predicate() {
			return nil, p.unexpected()
		}
		left = &PathItem{Op: op, Left: left, Right: right}
	}
	return left, err
}

func (p *pathParser) signed() (*PathItem, error) {
	op := PathPlus
	switch {
	case p.is("-"):
		op = PathMinus
	case !p.is("+"):
		return p.accessed()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.signed()
	if err != nil {
		return nil, err
	}
	if x.predicate() {
		return nil, p.unexpected()
	}
	if x.Op != PathNumber || x.Next != nil {
		return &PathItem{Op: op, Left: x}, nil
	}
	if op == PathMinus { // a negative number
		d, err := ParseDecimal(x.Str)
		if err != nil {
			return nil, err
		}
		x.Str = d.Neg().String()
	}
	return x, nil
}

func (p *pathParser) enter() error {
	if p.depth++; p.depth > pathDepthMax {
		return pgerr.New(pgerr.StatementTooComplex, "jsonpath is nested more than %d levels", pathDepthMax)
	}
	return nil
}

// accessed reads a primary and the accessors behind it. A predicate in
// parentheses becomes an expression by them.
func (p *pathParser) accessed() (*PathItem, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, closed, err := p.primary()
	if err != nil || !closed {
		return x, err
	}
	for last := x; ; {
		next, err := p.accessor()
		if err != nil || next == nil {
			return x, err
		}
		if last == x && x.Next != nil { // (path).more goes on at the end of path
			for last.Next != nil {
				last = last.Next
			}
		}
		last.Next = next
		last = next
	}
}

// primary reads what accessors may follow, if closed is true.
func (p *pathParser) primary() (x *PathItem, closed bool, err error) {
	x = &PathItem{Str: p.t.val}
	switch p.t.kind {
	case pathText:
		x.Op = PathString
	case pathVar:
		x.Op = PathVariable
	case pathInt, pathDecimal:
		x.Op = PathNumber
	case pathName:
		return p.word(x)
	case pathOperator:
		switch p.t.text {
		case "$":
			x.Op = PathRoot
		case "@":
			if x.Op = PathCurrent; p.filters == 0 {
				return nil, false, pgerr.New(pgerr.SyntaxError, "@ is not allowed in root expressions")
			}
		case "(":
			return p.parentheses()
		case "!":
			x, err = p.not()
			return x, false, err
		default:
			return nil, false, p.unexpected()
		}
	default:
		return nil, false, p.unexpected()
	}
	return x, true, p.advance()
}

func (p *pathParser) word(x *PathItem) (*PathItem, bool, error) {
	switch p.keyword() {
	case "null":
		x.Op = PathNull
	case "true", "false":
		x.Op, x.Bool = PathBool, p.t.val == "true"
	case "last":
		if x.Op = PathLast; p.subscripts == 0 {
			return nil, false, pgerr.New(pgerr.SyntaxError, "LAST is allowed only in array subscripts")
		}
	case "exists":
		x, err := p.exists()
		return x, false, err
	default:
		return nil, false, p.unexpected()
	}
	x.Str = ""
	return x, true, p.advance()
}

func (p *pathParser) exists() (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	x, err := p.sum()
	if err != nil {
		return nil, err
	}
	if x.predicate() {
		return nil, p.unexpected()
	}
	return &PathItem{Op: PathExists, Left: x}, p.expect(")")
}

func (p *pathParser) not() (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.keyword() == "exists" {
		x, err := p.exists()
		return &PathItem{Op: PathNot, Left: x}, err
	}
	x, err := p.enclosed()
	if err != nil {
		return nil, err
	}
	return &PathItem{Op: PathNot, Left: x}, nil
}

// enclosed reads a predicate in parentheses.
func (p *pathParser) enclosed() (*PathItem, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if !x.predicate() {
		return nil, p.unexpected()
	}
	return x, p.expect(")")
}

func (p *pathParser) parentheses() (*PathItem, bool, error) {
	if err := p.advance(); err != nil {
		return nil, false, err
	}
	x, err := p.or()
	if err != nil {
		return nil, false, err
	}
	if err := p.expect(")"); err != nil {
		return nil, false, err
	}
	if p.keyword() != "is" || !x.predicate() {
		return x, true, nil
	}
	if err := p.advance(); err != nil {
		return nil, false, err
	}
	return &PathItem{Op: PathIsUnknown, Left: x}, false, p.expectWord("unknown")
}

// accessor reads one accessor, nil for none.
func (p *pathParser) accessor() (*PathItem, error) {
	switch {
	case p.is("."):
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.member()
	case p.is("["):
		return p.index()
	case p.is("?"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		p.filters++
		x, err := p.enclosed()
		p.filters--
		return &PathItem{Op: PathFilter, Left: x}, err
	}
	return nil, nil
}

func (p *pathParser) index() (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if ok, err := p.accept("*"); ok || err != nil {
		if err != nil {
			return nil, err
		}
		return &PathItem{Op: PathAnyIndex}, p.expect("]")
	}
	p.subscripts++
	defer func() { p.subscripts-- }()
	x := &PathItem{Op: PathIndex}
	for {
		var r PathRange
		var err error
		if r.From, err = p.subscript(); err != nil {
			return nil, err
		}
		if p.keyword() == "to" {
			if err := p.advance(); err != nil {
				return nil, err
			}
			if r.To, err = p.subscript(); err != nil {
				return nil, err
			}
		}
		x.Indexes = append(x.Indexes, r)
		if more, err := p.accept(","); err != nil || !more {
			if err != nil {
				return nil, err
			}
			return x, p.expect("]")
		}
	}
}

func (p *pathParser) subscript() (*PathItem, error) {
	x, err := p.sum()
	if err == nil && x.predicate() {
		err = p.unexpected()
	}
	return x, err
}

var pathMethods = map[string]bool{"abs": true, "size": true, "type": true, "floor": true, "double": true, "ceiling": true, "keyvalue": true, "datetime": true}

// member reads what follows a dot.
func (p *pathParser) member() (*PathItem, error) {
	t := p.t
	switch {
	case p.is("*"):
		return &PathItem{Op: PathAnyKey}, p.advance()
	case p.is("**"):
		return p.anyLevel()
	case t.kind == pathText:
		return &PathItem{Op: PathKey, Str: t.val}, p.advance()
	case t.kind != pathName:
		return nil, p.unexpected()
	}
	method := p.keyword()
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.is("(") || !pathMethods[method] {
		return &PathItem{Op: PathKey, Str: t.val}, nil
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	x := &PathItem{Op: PathMethod, Str: method}
	if method == "datetime" && p.t.kind == pathText { // a template
		x.Left = &PathItem{Op: PathString, Str: p.t.val}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	return x, p.expect(")")
}

func (p *pathParser) anyLevel() (*PathItem, error) {
	x := &PathItem{Op: PathAny, Last: PathLevelMax}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if ok, err := p.accept("{"); err != nil || !ok {
		return x, err
	}
	var err error
	if x.First, err = p.level(); err != nil {
		return nil, err
	}
	x.Last = x.First
	if p.keyword() == "to" {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if x.Last, err = p.level(); err != nil {
			return nil, err
		}
	}
	return x, p.expect("}")
}

func (p *pathParser) level() (uint32, error) {
	if p.keyword() == "last" {
		return PathLevelMax, p.advance()
	}
	if p.t.kind != pathInt {
		return 0, p.unexpected()
	}
	n, err := strconv.ParseInt(p.t.val, 10, 32)
	if err != nil {
		return 0, pgerr.New(pgerr.NumericValueOutOfRange, "value %q is out of range for type %s", p.t.val, "integer")
	}
	return uint32(n), p.advance()
}
