package slt

import (
	"context"
	"flag"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/test/servers"
)

// rewrite accepts results: PostgreSQL's, and Millrace's where PostgreSQL has
// nothing like the query.
var rewrite = flag.Bool("rewrite", false, "store the results that were seen in the scripts")

// scriptMax is how long one script may take in one mode.
const scriptMax = 3 * time.Minute

// TestScripts runs every script on PostgreSQL and in every mode.
func TestScripts(t *testing.T) {
	bin := servers.BuildMillrace(t, "../..")
	pg := servers.StartPostgres(t)
	t.Run("all", func(t *testing.T) {
		for _, path := range scripts(t) {
			name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".slt")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := load(t, path)
				checkOracle(t, pg, strings.ReplaceAll(name, "/", "_"), s, bin)
				for _, mode := range Modes {
					t.Run(mode.Name, func(t *testing.T) {
						ctx, cancel := context.WithTimeout(context.Background(), scriptMax)
						defer cancel()
						for _, err := range RunScript(ctx, bin, t.TempDir(), load(t, path), mode, nil) {
							t.Errorf("%s: %v", path, err)
						}
					})
				}
			})
		}
	})
}

func scripts(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir("testdata", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".slt") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d scripts, %v", len(paths), err)
	}
	return paths
}

func load(t *testing.T, path string) *Script {
	t.Helper()
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// createDatabase makes a database that sorts by code point, and knows letters
// beyond ASCII, as Millrace does.
func createDatabase(ctx context.Context, t *testing.T, pg *servers.Postgres, name string) (url string) {
	t.Helper()
	conn, err := pgconn.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	sql := "CREATE DATABASE " + name + " TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
	if _, err := run(ctx, conn, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return pg.URL(name)
}

// checkOracle compares what a script expects with what PostgreSQL answers, or
// with -rewrite makes that what it expects.
func checkOracle(t *testing.T, pg *servers.Postgres, database string, s *Script, bin string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptMax)
	defer cancel()
	conn, err := pgconn.Connect(ctx, createDatabase(ctx, t, pg, database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	answers, err := oracle(ctx, conn, s)
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		seen := map[*Record][]string{}
		for _, err := range RunScript(ctx, bin, t.TempDir(), s, Modes[0], seen) {
			t.Error(err)
		}
		for r, a := range answers {
			if r.Message != "" {
				a[0] += " " + r.Message
			}
			seen[r] = a
		}
		for _, r := range s.Records {
			if r.Fails && r.Code != "" {
				delete(seen, r)
			}
		}
		if err := s.Rewrite(seen); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, r := range s.Records {
		a, ok := answers[r]
		if !ok {
			continue
		}
		if r.Fails {
			if want := strings.TrimSpace(r.Code + " " + r.Position); want != a[0] && (r.Position != "" || want != strings.Fields(a[0])[0]) {
				t.Errorf("%s:%d: expects error %s, PostgreSQL gives %s", s.Path, r.Line, want, a[0])
			}
			continue
		}
		if !slices.Equal(a, r.Expected) {
			t.Errorf("%s:%d: expected:\n%s\nPostgreSQL:\n%s", s.Path, r.Line, strings.Join(r.Expected, "\n"), strings.Join(a, "\n"))
		}
	}
}
