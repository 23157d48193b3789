package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	neturl "net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	// The drivers register themselves with database/sql.
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite"

	"github.com/millrace/millrace/migrations"
)

// dialect is what differs between the two databases.
type dialect struct {
	postgres bool
	path     string // SQLite's file
	shown    string // the URL without a password
	// forUpdate locks the rows a SELECT reads.
	forUpdate string
}

// connect reads the URL and opens the database without touching it.
func connect(url string) (dialect, *sql.DB, error) {
	u, err := neturl.Parse(url)
	if err != nil {
		return dialect{}, nil, fmt.Errorf("metadata URL %q: %w", url, err)
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		db, err := sql.Open("pgx", url)
		if err != nil {
			return dialect{}, nil, fmt.Errorf("metadata %s: %w", u.Redacted(), err)
		}
		db.SetMaxOpenConns(8)
		return dialect{postgres: true, shown: u.Redacted(), forUpdate: " FOR UPDATE"}, db, nil
	case "sqlite":
		path := u.Path
		if u.Host != "" && u.Host != "localhost" {
			path = u.Host + u.Path // sqlite://relative/path
		}
		if path == "" || path == "/" {
			return dialect{}, nil, fmt.Errorf("metadata URL %q has no path", url)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return dialect{}, nil, fmt.Errorf("metadata folder: %w", err)
		}
		pragmas := neturl.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
		db, err := sql.Open("sqlite", "file:"+(&neturl.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode())
		if err != nil {
			return dialect{}, nil, fmt.Errorf("metadata %s: %w", path, err)
		}
		db.SetMaxOpenConns(4)
		return dialect{path: path, shown: url}, db, nil
	}
	return dialect{}, nil, fmt.Errorf("metadata URL %q: want sqlite:///path or postgres://host/database", u.Redacted())
}

// bind rewrites ? to $1, $2 … for PostgreSQL. No statement here has a question
// mark in a string.
func (d dialect) bind(query string) string {
	if !d.postgres {
		return query
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		} else {
			b.WriteByte(query[i])
		}
	}
	return b.String()
}

// migrate brings the schema up to date. Two servers that start at once do it one
// after the other.
func (d dialect) migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	kind := goose.DialectSQLite3
	if d.postgres {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("prepare the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	} else {
		unlock, err := lockFile(d.path + ".lock")
		if err != nil {
			return fmt.Errorf("lock the metadata file: %w", err)
		}
		defer unlock()
	}
	p, err := goose.NewProvider(kind, db, migrations.Files, options...)
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	sources := p.ListSources()
	newest := sources[len(sources)-1].Version
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if at > newest {
		return fmt.Errorf("%w: its schema has version %d, this program knows up to %d", ErrNewer, at, newest)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, m := range done {
		log.Info("migrated the metadata database", "migration", m.Source.Path, "took", m.Duration)
	}
	return nil
}
