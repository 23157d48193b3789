package bind

import (
	"sort"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// Catalog is what names mean. It is read only and must not change while a
// statement is bound against it.
type Catalog interface {
	// Relation returns the relation of that schema and name, nil for none.
	Relation(schema, name string) *catalog.Relation
	// HasSchema reports whether there is a schema of that name.
	HasSchema(schema string) bool
	// RelationNames lists the names of a schema's relations, for hints.
	RelationNames(schema string) []string
}

// Relations is a Catalog over a list.
type Relations []*catalog.Relation

// Relation implements Catalog.
func (r Relations) Relation(schema, name string) *catalog.Relation {
	for _, x := range r {
		if x.Schema == schema && x.Name == name {
			return x
		}
	}
	return nil
}

// HasSchema implements Catalog.
func (r Relations) HasSchema(schema string) bool {
	switch schema {
	case "public", "pg_catalog", "information_schema", "millrace":
		return true
	}
	for _, x := range r {
		if x.Schema == schema {
			return true
		}
	}
	return false
}

// RelationNames implements Catalog.
func (r Relations) RelationNames(schema string) []string {
	var names []string
	for _, x := range r {
		if x.Schema == schema {
			names = append(names, x.Name)
		}
	}
	return names
}

// relation looks a path up, or says that there is no such relation.
func (b *binder) relation(path ast.Path) (*catalog.Relation, error) {
	r, err := b.findRelation(path)
	if err != nil || r != nil {
		return r, err
	}
	e := pgerr.New(pgerr.UndefinedTable, "relation %q does not exist", pathText(path)).At(int(path.Offset()))
	schemas := b.opts.SearchPath
	if len(path) > 1 {
		schemas = []string{path[len(path)-2].Value}
	}
	var all []string
	for _, s := range schemas {
		all = append(all, b.opts.Catalog.RelationNames(s)...)
	}
	if near := nearest(path.Last().Value, all); near != "" {
		return nil, e.Hint("Perhaps you meant %q.", near)
	}
	return nil, e
}

func (b *binder) findRelation(path ast.Path) (*catalog.Relation, error) {
	name := path.Last().Value
	switch len(path) {
	case 1:
		for _, s := range b.opts.SearchPath {
			if r := b.opts.Catalog.Relation(s, name); r != nil {
				return r, nil
			}
		}
		return nil, nil
	case 3:
		if d := path[0].Value; b.opts.Database != "" && d != b.opts.Database {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "cross-database references are not implemented: %q", pathText(path)).At(int(path.Offset()))
		}
	case 2:
	default:
		return nil, pgerr.New(pgerr.SyntaxError, "improper qualified name (too many dotted names): %s", pathText(path)).At(int(path.Offset()))
	}
	schema := path[len(path)-2]
	if r := b.opts.Catalog.Relation(schema.Value, name); r != nil {
		return r, nil
	}
	return nil, nil
}

func pathText(path ast.Path) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = p.Value
	}
	return strings.Join(parts, ".")
}

// nearest returns the candidate that name is most likely a slip for, "" when
// none is near enough. Ties go to the first in alphabetical order.
func nearest(name string, candidates []string) string {
	candidates = append([]string(nil), candidates...)
	sort.Strings(candidates)
	best, bestDistance := "", len([]rune(name))/2+1
	if bestDistance > 4 {
		bestDistance = 4
	}
	for _, c := range candidates {
		if c == name {
			continue
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, bounded in cost by the shortness of names.
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(y)]
}
