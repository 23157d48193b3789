// Package migrations holds the numbered, append-only SQL that makes the metadata
// database, the same for SQLite and PostgreSQL: text ids, BIGINT microseconds and
// flags, JSON as TEXT, no defaults that call functions. A file that was released
// is never changed.
package migrations

import "embed"

// Files is the migrations, for goose.
//
//go:embed *.sql
var Files embed.FS
