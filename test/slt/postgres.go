package slt

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// translations turn a statement of Millrace into the one that means the same to
// PostgreSQL: a materialized view there is a plain view, which is always
// current, and event time has no name.
var translations = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`(?is)^CREATE MATERIALIZED VIEW (IF NOT EXISTS )?("[^"]+"|\w+)\s*(\([^)]*\))?\s*(WITH\s*\([^)]*\)\s*)?AS\b`), "CREATE VIEW $2 $3 AS"},
	{regexp.MustCompile(`(?i)^DROP MATERIALIZED VIEW`), "DROP VIEW"},
	{regexp.MustCompile(`(?i),\s*WATERMARK FOR \w+ AS \w+( - INTERVAL '[^']+'( \w+)?)?`), ""},
	{regexp.MustCompile(`(?i)\)\s*APPEND ONLY$`), ")"},
	{regexp.MustCompile(`(?i)^FLUSH$`), ""},
}

// forPostgres returns what PostgreSQL runs for a record, "" for nothing.
func forPostgres(r *Record) string {
	if r.OwnPostgres {
		return r.Postgres
	}
	if r.Code == "0A000" {
		return ""
	}
	sql := r.SQL
	for _, t := range translations {
		sql = t.from.ReplaceAllString(sql, t.to)
	}
	return sql
}

// oracle runs a script on PostgreSQL and returns its answers, by record: rows,
// or for an error its code, position and message.
func oracle(ctx context.Context, conn *pgconn.PgConn, s *Script) (map[*Record][]string, error) {
	answers := map[*Record][]string{}
	for _, r := range s.Records {
		if !r.hasRows() && r.Verb != "statement" && r.Verb != "elsewhere" {
			continue
		}
		sql := forPostgres(r)
		if strings.TrimSpace(sql) == "" {
			continue
		}
		var rows [][][]byte
		var err error
		var copied []string
		if r.Verb == "copy" {
			copied, err = copyOut(ctx, conn, sql, r.Sorted)
		} else {
			rows, err = run(ctx, conn, sql)
		}
		switch {
		case err == nil && r.Verb == "copy":
			answers[r] = copied
		case err == nil && r.Fails:
			return answers, fmt.Errorf("%s:%d: PostgreSQL takes what should fail: %s", s.Path, r.Line, sql)
		case err == nil && r.hasRows():
			answers[r] = Format(rows, r.Sorted)
		case err == nil:
		case r.Fails:
			if answers[r] = []string{errorLine(err)}; sql != r.SQL {
				answers[r][0] = asPgError(err).Code // it points into another text
			}
		default:
			return answers, fmt.Errorf("%s:%d: PostgreSQL: %w: %s", s.Path, r.Line, err, sql)
		}
	}
	return answers, nil
}

// run runs one query string in the simple protocol, with text results, and
// returns the rows of its last statement.
func run(ctx context.Context, conn *pgconn.PgConn, sql string) ([][][]byte, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return results[len(results)-1].Rows, nil
}

// errorLine is an error as a script writes it, without the message.
func errorLine(err error) string {
	pg := asPgError(err)
	if pg == nil {
		return err.Error()
	}
	if pg.Position == 0 {
		return pg.Code
	}
	return fmt.Sprintf("%s @%d", pg.Code, pg.Position)
}
