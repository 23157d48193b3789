package scalar

// SignatureGroups are the tables of signatures, as docs/functions.md orders them.
var SignatureGroups = []struct{ Title, Signatures string }{
	{"Strings and bytes", stringFunctions},
	{"Numbers", numberFunctions},
	{"Dates and times", timeFunctions},
	{"JSON", jsonFunctions},
	{"Arrays", arrayFunctions},
	{"Conditionals and the rest", otherFunctions},
}

// The other tables, for docs/functions.md.
const (
	OperatorSignatures = operators
	WindowSignatures   = windowFunctions
	CatalogSignatures  = catalogFunctions
)

// ParseSignatures reads a table of signatures.
func ParseSignatures(s string) []Function { return parseSignatures(s) }

// Aggregates are all overloads of all aggregates, by name.
func Aggregates() map[string][]Function { return aggregateTable() }
