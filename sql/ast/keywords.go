package ast

import (
	"maps"
	"slices"
)

// KeywordClass says where PostgreSQL lets a word stand unquoted.
type KeywordClass uint8

// The classes of words.
const (
	// Plain words may name anything.
	Plain KeywordClass = iota
	// ColumnKeyword words may name columns and tables, not functions or types.
	ColumnKeyword
	// FunctionKeyword words may name functions and types, not columns or tables.
	FunctionKeyword
	// ReservedKeyword words name nothing unless they are quoted.
	ReservedKeyword
)

// Keyword returns the class of a word in lower case.
func Keyword(word string) KeywordClass { return keywords[word] }

// Keywords lists the words that are not plain, sorted.
func Keywords() []string { return slices.Sorted(maps.Keys(keywords)) }

// NeedsAs reports whether the word, unquoted, labels a column only after AS.
func NeedsAs(word string) bool { return asLabels[word] }

var keywords = func() map[string]KeywordClass {
	classes := map[string]KeywordClass{}
	add := func(class KeywordClass, words ...string) {
		for _, w := range words {
			classes[w] = class
		}
	}
	add(ReservedKeyword, "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast",
		"check", "collate", "column", "constraint", "create", "current_catalog", "current_date", "current_role", "current_time",
		"current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false",
		"fetch", "for", "foreign", "from", "grant", "group", "having", "in", "initially", "intersect", "into", "lateral", "leading",
		"limit", "localtime", "localtimestamp", "not", "null", "offset", "on", "only", "or", "order", "placing", "primary",
		"references", "returning", "select", "session_user", "some", "symmetric", "table", "then", "to", "trailing", "true",
		"union", "unique", "user", "using", "variadic", "when", "where", "window", "with")
	add(FunctionKeyword, "authorization", "binary", "collation", "concurrently", "cross", "current_schema", "freeze", "full",
		"ilike", "inner", "is", "isnull", "join", "left", "like", "natural", "notnull", "outer", "overlaps", "right", "similar",
		"tablesample", "verbose")
	add(ColumnKeyword, "between", "bigint", "bit", "boolean", "char", "character", "coalesce", "dec", "decimal", "exists",
		"extract", "float", "greatest", "grouping", "inout", "int", "integer", "interval", "least", "national", "nchar", "none",
		"normalize", "nullif", "numeric", "out", "overlay", "position", "precision", "real", "row", "setof", "smallint",
		"substring", "time", "timestamp", "treat", "trim", "values", "varchar")
	return classes
}()

var asLabels = func() map[string]bool {
	labels := map[string]bool{}
	for _, w := range []string{"array", "as", "char", "character", "create", "day", "except", "fetch", "filter", "for", "from",
		"grant", "group", "having", "hour", "intersect", "into", "isnull", "limit", "minute", "month", "notnull", "offset", "on",
		"order", "over", "overlaps", "precision", "returning", "second", "to", "union", "varying", "where", "window", "with",
		"within", "without", "year"} {
		labels[w] = true
	}
	return labels
}()
