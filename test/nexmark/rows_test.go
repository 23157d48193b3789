package nexmark

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var hashSeed = maphash.MakeSeed()

// digest stands for rows in any order: their number and the sum of their hashes.
type digest struct {
	rows int
	sum  uint64
}

func (d *digest) add(line []byte, copies int) {
	d.rows += copies
	d.sum += uint64(copies) * maphash.Bytes(hashSeed, line)
}

// digestOf is the digest of a query's rows in COPY's text.
func digestOf(t *testing.T, conn *pgx.Conn, sql string) (d digest) {
	t.Helper()
	eachLine(t, conn, sql, func(line []byte) { d.add(line, 1) })
	return d
}

func digestOfLines(lines map[string]int) (d digest) {
	for line, n := range lines {
		d.add([]byte(line), n)
	}
	return d
}

// lines are a query's rows in COPY's text, with how many there are of each.
func lines(t *testing.T, conn *pgx.Conn, sql string) map[string]int {
	t.Helper()
	out := map[string]int{}
	eachLine(t, conn, sql, func(line []byte) { out[string(line)]++ })
	return out
}

func eachLine(t *testing.T, conn *pgx.Conn, sql string, do func(line []byte)) {
	t.Helper()
	w := lineWriter{do: do}
	if _, err := conn.PgConn().CopyTo(context.Background(), &w, "COPY ("+sql+") TO STDOUT"); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if len(w.rest) > 0 {
		t.Fatalf("%s: ends within a line", sql)
	}
}

// lineWriter cuts what is written to it into lines.
type lineWriter struct {
	rest []byte
	do   func(line []byte)
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	at := 0
	for {
		n := bytes.IndexByte(w.rest[at:], '\n')
		if n < 0 {
			break
		}
		w.do(w.rest[at : at+n])
		at += n + 1
	}
	w.rest = append(w.rest[:0], w.rest[at:]...)
	return len(p), nil
}

// difference shows some of the rows that only one side has.
func difference(got, want map[string]int) string {
	var extra, missing []string
	for line, n := range got {
		if n > want[line] {
			extra = append(extra, fmt.Sprintf("%d× %s", n-want[line], line))
		}
	}
	for line, n := range want {
		if n > got[line] {
			missing = append(missing, fmt.Sprintf("%d× %s", n-got[line], line))
		}
	}
	return fmt.Sprintf("%d kinds of rows too many\n%s\n%d missing\n%s", len(extra), strings.Join(extra[:min(5, len(extra))], "\n"),
		len(missing), strings.Join(missing[:min(5, len(missing))], "\n"))
}

func (s *server) folder(q query) string { return filepath.Join(s.files, q.name) }

// written adds up the JSON lines in the visible files of a query's job, rows or
// changes with an op each, and returns the rows in COPY's text.
func (s *server) written(t *testing.T, q query) map[string]int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.folder(q), "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(file)
		for in.Scan() {
			var row map[string]json.RawMessage
			if err := json.Unmarshal(in.Bytes(), &row); err != nil {
				t.Fatalf("%s: %v: %s", name, err, in.Text())
			}
			line := copyLine(t, row, q.sink)
			switch string(row["op"]) {
			case `"delete"`, `"update_before"`:
				out[line]--
			default:
				out[line]++
			}
			if out[line] == 0 {
				delete(out, line)
			}
		}
		if err := in.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file.Close()
	}
	return out
}

// copyLine is a JSON row as COPY writes it; columns are declarations of names and types.
func copyLine(t *testing.T, row map[string]json.RawMessage, columns string) string {
	t.Helper()
	var fields []string
	for column := range strings.SplitSeq(columns, ", ") {
		name, kind, _ := strings.Cut(column, " ")
		text := string(row[name])
		switch {
		case text == "null":
			text = `\N`
		case strings.HasPrefix(text, `"`):
			if err := json.Unmarshal(row[name], &text); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(kind, "timestamp") {
			text = strings.Replace(text, "T", " ", 1)
		}
		fields = append(fields, text)
	}
	return strings.Join(fields, "\t")
}
