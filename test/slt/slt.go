// Package slt runs SQL scripts over the wire and compares what comes back with
// what the script expects. A script is a list of records, divided by blank
// lines:
//
//	statement ok                 the statement on the next lines succeeds
//	statement error 42P01 [text] it fails with this SQLSTATE and a message that has the text
//	query [rowsort]              the query's rows follow after a line "----"
//	settle                       waits until jobs have read what there is
//	restart                      the server is killed and started again
//	skip-postgres                the records up to the end are not run on PostgreSQL
//
// Values are separated by a tab; NULL is NULL, an empty string is (empty).
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
	Line     int
	Verb     string // statement, query, settle, restart, skip-postgres
	SQL      string
	Code     string // SQLSTATE of an expected error
	Message  string // text that the error has
	Sorted   bool
	Expected []string

	resultAt, resultEnd int // lines of the file, for rewriting
}

// Script is a parsed file.
type Script struct {
	Path    string
	Records []*Record
	lines   []string
}

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
		case "settle", "restart", "skip-postgres":
		case "statement":
			if len(words) > 2 && words[1] == "error" {
				r.Code = words[2]
				r.Message = strings.Join(words[3:], " ")
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

// take reads the lines of a record's SQL.
func (s *Script) take(r *Record, i int) int {
	var sql []string
	for i < len(s.lines) && s.lines[i] != "" && s.lines[i] != "----" {
		sql = append(sql, s.lines[i])
		i++
	}
	r.SQL = strings.Join(sql, "\n")
	return i
}

// Rewrite stores the results that were seen as the ones expected.
func (s *Script) Rewrite(seen map[*Record][]string) error {
	var out []string
	at := 0
	for _, r := range s.Records {
		rows, ok := seen[r]
		if !ok || r.Verb != "query" {
			continue
		}
		out = append(out, s.lines[at:r.resultAt]...)
		if s.lines[r.resultAt-1] != "----" {
			out = append(out, "----")
		}
		out = append(out, rows...)
		at = r.resultEnd
	}
	out = append(out, s.lines[at:]...)
	return os.WriteFile(s.Path, []byte(strings.Join(out, "\n")+"\n"), 0o644)
}

// Format turns rows of text values into lines, sorted when the record says so.
func Format(rows [][]*string, sorted bool) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		vals := make([]string, len(row))
		for j, v := range row {
			switch {
			case v == nil:
				vals[j] = "NULL"
			case *v == "":
				vals[j] = "(empty)"
			default:
				vals[j] = strings.ReplaceAll(*v, "\n", "\\n")
			}
		}
		out[i] = strings.Join(vals, "\t")
	}
	if sorted {
		sort.Strings(out)
	}
	return out
}
