// Package slt runs SQL scripts over the wire and compares what comes back with
// what the script expects, and that with what a real PostgreSQL answers. A
// script is a list of records, divided by blank lines:
//
//	statement ok                      the statement on the next lines succeeds
//	statement error 42P01 [@15] [text]  it fails with this SQLSTATE, at this character, with a message that has the text
//	query [rowsort]                   the query's rows follow after a line "----"
//	settle                            every job has seen all that was written
//	finish j …                        these jobs have come to the end of their input
//	restart                           the server is killed and started again
//	file name                         the lines that follow are a file; ${dir} in SQL is its folder
//
// Values are separated by a tab; NULL is NULL, an empty string is (empty).
// Queries need no settle before them: the runner waits for what was written.
//
// PostgreSQL runs the same statements, with materialized views as plain ones. A
// line "-- postgres:" in a record begins what it runs instead, and
// "-- postgres: none" says that it has nothing like it; refusals (0A000) are
// never run there.
package slt

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"sort"
	"strings"
)

// Record is one step of a script.
type Record struct {
	Line int
	// Verb is statement, query, settle, finish, restart or file.
	Verb string
	// SQL is what Millrace runs, or a file's content.
	SQL string
	// Postgres is what PostgreSQL runs instead; OwnPostgres says that there is
	// such a text, which is empty when it runs nothing.
	Postgres    string
	OwnPostgres bool

	Fails    bool
	Code     string // SQLSTATE of an expected error
	Position string // "@15", if it matters
	Message  string // text that the error has

	Sorted   bool
	Expected []string
	Names    []string // jobs of finish, the name of a file

	resultAt, resultEnd int // lines of the file, for rewriting
}

// Script is a parsed file.
type Script struct {
	Path    string
	Records []*Record
	lines   []string
}

// postgresLine begins the text that is for PostgreSQL alone.
const postgresLine = "-- postgres:"

// Load reads a script.
func Load(path string) (*Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Script{Path: path}
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		s.lines = append(s.lines, sc.Text())
	}
	for i := 0; i < len(s.lines); {
		line := s.lines[i]
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			i++
			continue
		}
		r := &Record{Line: i + 1}
		words := strings.Fields(line)
		r.Verb = words[0]
		i++
		switch r.Verb {
		case "settle", "restart":
		case "finish":
			r.Names = words[1:]
		case "file":
			r.Names = words[1:]
			i = s.take(r, i)
		case "statement":
			if err := r.outcome(words[1:]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, r.Line, err)
			}
			i = s.take(r, i)
		case "query":
			r.Sorted = len(words) > 1 && words[1] == "rowsort"
			i = s.take(r, i)
			if i < len(s.lines) && s.lines[i] == "----" {
				i++
			}
			r.resultAt = i
			for i < len(s.lines) && s.lines[i] != "" {
				r.Expected = append(r.Expected, s.lines[i])
				i++
			}
			r.resultEnd = i
		default:
			return nil, fmt.Errorf("%s:%d: unknown record %q", path, r.Line, r.Verb)
		}
		s.Records = append(s.Records, r)
	}
	return s, nil
}

// outcome reads "ok", or "error" with what is known of it.
func (r *Record) outcome(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "ok":
		return nil
	case len(words) == 0 || words[0] != "error":
		return fmt.Errorf("a statement is ok or an error, not %q", strings.Join(words, " "))
	}
	r.Fails = true
	words = words[1:]
	if len(words) > 0 {
		r.Code, words = words[0], words[1:]
	}
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		r.Position, words = words[0], words[1:]
	}
	r.Message = strings.Join(words, " ")
	return nil
}

// take reads the lines of a record's SQL.
func (s *Script) take(r *Record, i int) int {
	var sql []string
	for i < len(s.lines) && s.lines[i] != "" && s.lines[i] != "----" {
		line := s.lines[i]
		i++
		if rest, ok := strings.CutPrefix(line, postgresLine); ok && !r.OwnPostgres {
			r.SQL, sql, r.OwnPostgres = strings.Join(sql, "\n"), nil, true
			if line = strings.TrimSpace(rest); line == "none" || line == "" {
				continue
			}
		}
		sql = append(sql, line)
	}
	if r.OwnPostgres {
		r.Postgres = strings.Join(sql, "\n")
	} else {
		r.SQL = strings.Join(sql, "\n")
	}
	return i
}

// Rewrite stores the results that were seen as the ones expected: the rows of a
// query, or the error of a statement as one line "42P01 @15 text".
func (s *Script) Rewrite(seen map[*Record][]string) error {
	var out []string
	at := 0
	for _, r := range s.Records {
		rows, ok := seen[r]
		switch {
		case ok && r.Verb == "query":
			out = append(out, s.lines[at:r.resultAt]...)
			if s.lines[r.resultAt-1] != "----" {
				out = append(out, "----")
			}
			out = append(out, rows...)
			at = r.resultEnd
		case ok && r.Fails && len(rows) == 1:
			out = append(out, s.lines[at:r.Line-1]...)
			out = append(out, strings.TrimSpace("statement error "+rows[0]))
			at = r.Line
		}
	}
	out = append(out, s.lines[at:]...)
	return os.WriteFile(s.Path, []byte(strings.Join(out, "\n")+"\n"), 0o644)
}

// Format turns rows of text values into lines, sorted when the record says so.
func Format(rows [][][]byte, sorted bool) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		vals := make([]string, len(row))
		for j, v := range row {
			switch {
			case v == nil:
				vals[j] = "NULL"
			case len(v) == 0:
				vals[j] = "(empty)"
			default:
				vals[j] = strings.ReplaceAll(string(v), "\n", "\\n")
			}
		}
		out[i] = strings.Join(vals, "\t")
	}
	if sorted {
		sort.Strings(out)
	}
	return out
}
