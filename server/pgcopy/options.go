// Package pgcopy is COPY's data: rows in batches to and from PostgreSQL's text,
// CSV and binary forms. It knows no protocol message and no relation.
package pgcopy

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// Format is the form of the data.
type Format string

// The forms.
const (
	Text   Format = "text"
	CSV    Format = "csv"
	Binary Format = "binary"
)

// Options are COPY's options, checked and with defaults filled in.
type Options struct {
	Format    Format
	Delimiter byte
	Null      string
	Header    bool // a first line of names: written, or skipped
	Match     bool // HEADER MATCH: the names read must be the columns'
	Quote     byte
	Escape    byte
	// ForceQuote quotes all values of these columns in CSV; "*" is all columns.
	ForceQuote []string
	// ForceNotNull and ForceNull are of CSV input, by column name.
	ForceNotNull []string
	ForceNull    []string
}

// ParseOptions checks the options of a COPY statement. from tells COPY FROM.
func ParseOptions(given []ast.Option, from bool) (Options, error) {
	o := Options{Format: Text}
	seen := map[string]int{}
	for _, g := range given {
		name := strings.ToLower(g.Name)
		if _, dup := seen[name]; dup {
			return o, pgerr.New(pgerr.SyntaxError, "conflicting or redundant options").At(int(g.Pos))
		}
		seen[name] = int(g.Pos)
		if err := o.set(name, g); err != nil {
			return o, err
		}
	}
	return o, o.check(seen, from)
}

func (o *Options) set(name string, g ast.Option) error {
	var err error
	text := optionText(g.Value)
	switch name {
	case "format":
		switch f := Format(strings.ToLower(text)); f {
		case Text, CSV, Binary:
			o.Format = f
		default:
			return pgerr.New(pgerr.InvalidParameterValue, "COPY format %q not recognized", text).At(int(g.Pos))
		}
	case "delimiter", "delimiters":
		o.Delimiter, err = oneByte("delimiter", text, g)
	case "null":
		if strings.ContainsAny(text, "\r\n") {
			return pgerr.New(pgerr.InvalidParameterValue, "COPY null representation cannot use newline or carriage return").At(int(g.Pos))
		}
		o.Null = text
	case "header":
		switch strings.ToLower(text) {
		case "", "true", "on", "1", "t", "yes":
			o.Header = true
		case "false", "off", "0", "f", "no":
		case "match":
			o.Header, o.Match = true, true
		default:
			return pgerr.New(pgerr.SyntaxError, "header requires a Boolean value or \"match\"").At(int(g.Pos))
		}
	case "quote":
		o.Quote, err = oneByte("quote", text, g)
	case "escape":
		o.Escape, err = oneByte("escape", text, g)
	case "force_quote":
		o.ForceQuote = optionNames(g.Value)
	case "force_not_null":
		o.ForceNotNull = optionNames(g.Value)
	case "force_null":
		o.ForceNull = optionNames(g.Value)
	case "encoding":
		if e := strings.ToUpper(strings.ReplaceAll(text, "-", "")); e != "UTF8" && e != "UNICODE" {
			return pgerr.NotSupported(int(g.Pos), "COPY encoding "+text).Hint("Convert the data to UTF8.")
		}
	case "freeze", "oids": // no effect here
	case "csv", "text", "binary": // the old spelling: COPY t FROM STDIN CSV
		o.Format = Format(name)
	default:
		return pgerr.New(pgerr.SyntaxError, "option %q not recognized", g.Name).At(int(g.Pos)).
			Hint("Valid options are format, delimiter, null, header, quote, escape, force_quote, force_not_null, force_null and encoding.")
	}
	return err
}

// CheckColumns refuses FORCE_QUOTE and its like of a column that is not copied.
// relation is the table that is copied and all its columns, "" and nil for a query.
func (o *Options) CheckColumns(copied []string, relation string, all []string) error {
	for _, force := range []struct {
		name    string
		columns []string
	}{{"FORCE_QUOTE", o.ForceQuote}, {"FORCE_NOT_NULL", o.ForceNotNull}, {"FORCE_NULL", o.ForceNull}} {
		for _, c := range force.columns {
			switch {
			case c == "*" || slices.Contains(copied, c):
			case slices.Contains(all, c):
				return pgerr.New(pgerr.InvalidColumnReference, "%s column %q not referenced by COPY", force.name, c)
			case relation != "":
				return pgerr.New(pgerr.UndefinedColumn, "column %q of relation %q does not exist", c, relation)
			default:
				return pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", c)
			}
		}
	}
	return nil
}

// check finds contradictions and fills in defaults.
func (o *Options) check(seen map[string]int, from bool) error {
	has := func(name string) bool { _, ok := seen[name]; return ok }
	if o.Format == Binary {
		for _, name := range []string{"delimiter", "null", "header"} {
			if has(name) {
				return pgerr.New(pgerr.SyntaxError, "cannot specify %s in BINARY mode", strings.ToUpper(name)).At(seen[name])
			}
		}
	}
	if o.Format != CSV {
		for _, name := range []string{"quote", "escape", "force_quote", "force_not_null", "force_null"} {
			if has(name) {
				return pgerr.New(pgerr.FeatureNotSupported, "COPY %s available only in CSV mode", strings.ReplaceAll(name, "_", " ")).At(seen[name])
			}
		}
	}
	for name, only := range map[string]string{"force_quote": "TO", "force_not_null": "FROM", "force_null": "FROM"} {
		if has(name) && from != (only == "FROM") {
			return pgerr.New(pgerr.FeatureNotSupported, "COPY %s only available using COPY %s", strings.ReplaceAll(name, "_", " "), only).At(seen[name])
		}
	}
	if o.Match && !from {
		return pgerr.New(pgerr.FeatureNotSupported, "cannot use \"match\" with HEADER in COPY TO").At(seen["header"])
	}
	if o.Delimiter == 0 {
		o.Delimiter = '\t'
		if o.Format == CSV {
			o.Delimiter = ','
		}
	}
	if o.Format == Text && !has("null") {
		o.Null = `\N`
	}
	if o.Quote == 0 {
		o.Quote = '"'
	}
	if o.Escape == 0 {
		o.Escape = o.Quote
	}
	switch {
	case o.Format == Text && strings.IndexByte("\\.abcdefghijklmnopqrstuvwxyz0123456789", o.Delimiter) >= 0, o.Delimiter == '\n', o.Delimiter == '\r':
		return pgerr.New(pgerr.InvalidParameterValue, "COPY delimiter cannot be %q", string(o.Delimiter))
	case strings.IndexByte(o.Null, o.Delimiter) >= 0:
		return pgerr.New(pgerr.InvalidParameterValue, "COPY delimiter character must not appear in the NULL specification")
	case o.Format == CSV && o.Delimiter == o.Quote:
		return pgerr.New(pgerr.InvalidParameterValue, "COPY delimiter and quote must be different")
	}
	return nil
}

func oneByte(what, text string, g ast.Option) (byte, error) {
	if len(text) != 1 {
		return 0, pgerr.New(pgerr.FeatureNotSupported, "COPY %s must be a single one-byte character", what).At(int(g.Pos))
	}
	return text[0], nil
}

// optionText reads an option's value as text.
func optionText(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Literal:
		return x.Text
	case *ast.ColumnRef:
		return x.Path.Last().Value
	}
	return ""
}

// optionNames reads an option's value as a list of column names.
func optionNames(x ast.Expr) []string {
	switch x := x.(type) {
	case *ast.Star:
		return []string{"*"}
	case *ast.RowExpr:
		var out []string
		for _, e := range x.Elems {
			out = append(out, optionText(e))
		}
		return out
	case nil:
		return nil
	}
	return []string{optionText(x)}
}
