// Package slt runs SQL scripts over the wire and compares what comes back with
// what the script expects, and that with what a real PostgreSQL answers. A
// script is a list of records, divided by blank lines:
//
//	statement ok                      the statement on the next lines succeeds
//	statement error 42P01 [@15] [text]  it fails with this SQLSTATE, at this character, with a message that has the text
//	query [rowsort] [await]           the query's rows follow after a line "----"; await reads until they are there
//	copy [rowsort]                    a COPY … TO STDOUT, whose lines follow
//	subscribe name                    the changes of a SUBSCRIBE, or of a COPY of one, are applied from here on
//	changes name                      what they come to; the SQL is for PostgreSQL alone
//	elsewhere                         the statement succeeds on another connection, and no restart follows
//	settle                            every job has seen all that was written, and keeps it if the server is killed:
//	                                  what is late after that is late whatever is read again
//	finish j …                        these jobs have come to the end of their input
//	restart                           the server is killed and started again
//	file name                         the lines that follow are a file; ${dir} in SQL is its folder
//
// Values are separated by a tab; NULL is NULL, an empty string is (empty). A value
// that is expected to be * may be any, and the epoch of a subscription is "-".
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
	"slices"
	"sort"
	"strings"
)

// Record is one step of a script.
type Record struct {
	Line int
	// Verb is the word that a record begins with, as statement or query.
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
	Await    bool
	Expected []string
	Names    []string // jobs of finish, the name of a file or of a subscription

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
		case "elsewhere":
			i = s.take(r, i)
		case "file", "subscribe":
			r.Names = words[1:]
			i = s.take(r, i)
		case "statement":
			if err := r.outcome(words[1:]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, r.Line, err)
			}
			i = s.take(r, i)
		case "query", "copy", "changes":
			r.Names = words[1:]
			r.Sorted = r.Verb == "changes" || slices.Contains(words, "rowsort")
			r.Await = slices.Contains(words, "await")
			i = s.results(r, s.take(r, i))
		default:
			return nil, fmt.Errorf("%s:%d: unknown record %q", path, r.Line, r.Verb)
		}
		s.Records = append(s.Records, r)
	}
	return s, nil
}

// hasRows reports whether a record is one that answers with rows.
func (r *Record) hasRows() bool { return r.Verb == "query" || r.Verb == "copy" || r.Verb == "changes" }

// matches compares rows with those expected.
func (r *Record) matches(got []string) bool {
	return slices.EqualFunc(got, r.Expected, func(g, e string) bool {
		if g == e || !strings.Contains(e, "*") {
			return g == e
		}
		return slices.EqualFunc(strings.Split(g, "\t"), strings.Split(e, "\t"), func(g, e string) bool { return g == e || e == "*" })
	})
}

// results reads the lines of a record's rows.
func (s *Script) results(r *Record, i int) int {
	if i < len(s.lines) && s.lines[i] == "----" {
		i++
	}
	r.resultAt = i
	for i < len(s.lines) && s.lines[i] != "" {
		r.Expected = append(r.Expected, s.lines[i])
		i++
	}
	r.resultEnd = i
	return i
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
		case ok && r.hasRows():
			if r.matches(rows) {
				rows = r.Expected // what may be anything stays so
			}
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
		out[i] = formatRow(row)
	}
	if sorted {
		sort.Strings(out)
	}
	return out
}

func formatRow(row [][]byte) string {
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
	return strings.Join(vals, "\t")
}
