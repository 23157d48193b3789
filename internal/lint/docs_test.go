package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/blackhole"
	"github.com/millrace/millrace/connector/datagen"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/connector/object"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/sql/parse"
)

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are the files of documentation, by path from the top.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"ARCHITECTURE.md", "README.md"}
	err := filepath.WalkDir("../../docs", func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			rel, _ := filepath.Rel("../..", path)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var (
	fence  = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	link   = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	code   = regexp.MustCompile("`([^`\n]+)`")
	aPath  = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$`)
	inTree = regexp.MustCompile(`^([a-z][a-z0-9_-]*)/`)
)

// topFolders are the folders in which a path in a page is one of the repository.
func topFolders() []string { return append([]string{"docs", "examples"}, layers...) }

// TestPagesNamePathsThatExist follows the links of the documentation, and the
// paths in backticks that begin with a folder of the repository.
func TestPagesNamePathsThatExist(t *testing.T) {
	for _, page := range pages(t) {
		text := fence.ReplaceAllString(readPage(t, page), "")
		exists := func(path string) {
			if _, err := os.Stat(filepath.Join("../..", filepath.FromSlash(path))); err != nil {
				t.Errorf("%s names %s, which does not exist", page, path)
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			exists(filepath.ToSlash(filepath.Join(filepath.Dir(page), m[1])))
		}
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			path := m[1]
			top := inTree.FindStringSubmatch(path)
			if !aPath.MatchString(path) || top == nil && !slices.Contains([]string{".md", ".go", ".sql"}, filepath.Ext(path)) {
				continue
			}
			if top != nil && !slices.Contains(topFolders(), top[1]) {
				if page == "ARCHITECTURE.md" {
					t.Errorf("%s names %s, whose folder is not one of the repository", page, path)
				}
				continue
			}
			exists(path)
		}
	}
}

// TestStatementsInPagesParse parses the SQL of the documentation.
func TestStatementsInPagesParse(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(readPage(t, page), -1) {
			if m[1] != "sql" {
				continue
			}
			if _, err := parse.Statements(m[2]); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, m[2])
			}
		}
	}
}

// row reports whether a table of the page has a row that begins with name and
// has the default, which is code, anywhere in it.
func row(page, name, byDefault string) bool {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "| `"+name+"` ") && strings.Contains(line, "`"+byDefault+"`") {
			return true
		}
	}
	return false
}

const configuration = "docs/configuration.md"

// TestConfigurationListsJobOptions asks for each job option with its default.
func TestConfigurationListsJobOptions(t *testing.T) {
	page := readPage(t, configuration)
	for _, o := range job.OptionDocs() {
		value := o.Default
		if value == "" {
			value = o.Name
		}
		if !row(page, o.Name, value) {
			t.Errorf("%s lacks the job option %s with the default %q", configuration, o.Name, o.Default)
		}
	}
}

// TestConfigurationListsConnectorOptions asks for each option of each connector
// in the part of the page that is about it.
func TestConfigurationListsConnectorOptions(t *testing.T) {
	page := readPage(t, configuration)
	_, shared, _ := strings.Cut(page, "\n## Connectors\n")
	shared, _, _ = strings.Cut(shared, "\n### ")
	check := func(where, text string, options []connector.Option) {
		for _, o := range options {
			value := o.Default
			if value == "" {
				value = o.Name
			}
			if !row(text, o.Name, value) {
				t.Errorf("%s lacks the option %s of %s with the default %q", configuration, o.Name, where, o.Default)
			}
		}
	}
	check("sources", shared, connector.SourceOptions())
	check("sinks", shared, connector.SinkOptions())
	for _, k := range []*connector.Kind{nexmark.Kind(), datagen.Kind(), blackhole.Kind(&blackhole.Counts{}), object.Kind(object.Options{})} {
		_, part, found := strings.Cut(page, "\n### "+k.Name+"\n")
		if !found {
			t.Errorf("%s has no part about the connector %s", configuration, k.Name)
		}
		part, _, _ = strings.Cut(part, "\n##")
		check(k.Name, part, k.Options)
	}
}

// TestConfigurationListsFlags reads the flags and variables out of the program's
// source, where each flag is a call text(&field, "name", "default", …).
func TestConfigurationListsFlags(t *testing.T) {
	page := readPage(t, configuration)
	f, err := parser.ParseFile(token.NewFileSet(), "../../cmd/millrace/main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			if fn.Name != "text" || len(call.Args) < 3 {
				break
			}
			name, value := literal(call.Args[1]), literal(call.Args[2])
			if value == "" {
				value = "--" + name
			}
			env := "MILLRACE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			if !row(page, "--"+name, value) || !row(page, "--"+name, env) {
				t.Errorf("%s lacks the flag --%s with %s and the default %q", configuration, name, env, value)
			}
			flags++
		case *ast.SelectorExpr:
			if name := fn.Sel.Name; (name == "Getenv" || name == "LookupEnv") && literal(call.Args[0]) != "" && !row(page, literal(call.Args[0]), literal(call.Args[0])) {
				t.Errorf("%s lacks the variable %s", configuration, literal(call.Args[0]))
			}
		}
		return true
	})
	if flags < 5 {
		t.Errorf("found only %d flags in the program's source", flags)
	}
}

// literal is the value of a string literal, else "".
func literal(x ast.Expr) string {
	l, ok := x.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value)
	return s
}
