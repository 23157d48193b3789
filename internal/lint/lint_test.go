package lint

import (
	"bufio"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/millrace/millrace/"

// layers lists the folders from the wire down: a folder may import only those
// further down.
var layers = []string{
	"cmd", "test", "bench", "server", "job", "exec", "connector", "format", "planner", "catalog", "sql",
	"batch", "types", "statestore", "migrations", "internal",
}

// onceImported are client libraries that only one folder may import.
var onceImported = map[string]string{
	"github.com/pingcap/tidb/pkg/parser":  "sql/parse",
	"github.com/minio/minio-go/v7":        "statestore/object",
	"github.com/pressly/goose/v3":         "catalog",
	"modernc.org/sqlite":                  "catalog",
	"github.com/xdg-go/scram":             "server/pgwire",
	"github.com/parquet-go/parquet-go":    "exec/state/canonical",
	"github.com/prometheus/client_golang": "server/admin",
}

// longFiles may stay over the limit but must not grow.
var longFiles = map[string]int{}

const linesMax = 600

func goFiles(t *testing.T) []string {
	t.Helper()
	root := "../.."
	var files []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "millrace-data" || name == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			rel, _ := filepath.Rel(root, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func layer(path string) int {
	top, _, _ := strings.Cut(path, "/")
	for i, l := range layers {
		if l == top {
			return i
		}
	}
	return -1
}

func TestImportsGoDown(t *testing.T) {
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("parse %s: %v", file, err)
			continue
		}
		if layer(file) < 0 {
			t.Errorf("%s: folder is not one of the layers %v", file, layers)
		}
		for _, imp := range f.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			test := strings.HasSuffix(file, "_test.go")
			if own, ok := strings.CutPrefix(path, module); ok {
				if !test && layer(own) < layer(file) {
					t.Errorf("%s imports %s, which is a layer above", file, own)
				}
				continue
			}
			if test {
				continue
			}
			for lib, folder := range onceImported {
				if (path == lib || strings.HasPrefix(path, lib+"/")) && !strings.HasPrefix(file, folder+"/") {
					t.Errorf("%s imports %s, which only %s may", file, path, folder)
				}
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	said := map[string]bool{}
	for _, file := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(file))
		f, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		test := strings.HasSuffix(file, "_test.go")
		if f.Doc != nil {
			said[dir] = true
		} else if !said[dir] && !test {
			said[dir] = false
		}
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_gen.go") {
			continue
		}
		h, err := os.Open("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for s := bufio.NewScanner(h); s.Scan(); {
			n++
		}
		h.Close()
		limit := max(linesMax, longFiles[file])
		if n > limit {
			t.Errorf("%s has %d lines, limit %d", file, n, limit)
		}
	}
}
