package parse

// kind tells tokens apart.
type kind uint8

const (
	endOfInput    kind = iota
	identifier         // text is folded to lower case
	quoted             // "…": text is the name itself
	stringLiteral      // text is the value, escapes resolved
	integerNumber      // text is decimal digits
	decimalNumber      // text has a point or an exponent
	parameter          // text is the digits of $n
	bitString          // text is zeros and ones
	operator           // text is one operator by PostgreSQL's rules
	punctuation        // ( ) [ ] , ; . : :: := ..
	hint               // text is what stands between /*+ and */
)

// token is one lexical element; pos and end are byte offsets in the source.
type token struct {
	kind     kind
	text     string
	pos, end int
	// match is the index of the closing token of an opening parenthesis or
	// bracket, or -1 when it is never closed.
	match int
}

func (t *token) is(symbol string) bool {
	return (t.kind == punctuation || t.kind == operator) && t.text == symbol
}

func (t *token) isWord(word string) bool { return t.kind == identifier && t.text == word }

func (t *token) isAny(words ...string) bool {
	if t.kind != identifier {
		return false
	}
	for _, w := range words {
		if t.text == w {
			return true
		}
	}
	return false
}

// isName reports whether the token is an identifier of any kind.
func (t *token) isName() bool { return t.kind == identifier || t.kind == quoted }
