package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Table is one state table of one task in a checkpoint: which rows it has, how
// they lie in pages, and where each page is.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"` // the keys first
	Local   int      `json:"local,omitempty"`
	Groups  [2]int   `json:"groups"` // key groups [lo, hi)
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"` // of memory that the pages take
	// End is one more than the largest row number, free rows included.
	End         uint32 `json:"end"`
	RowBytes    int    `json:"row_bytes"`
	RowsPerPage int    `json:"rows_per_page"`
	// Pages and Strings are where the pages of rows and of strings are.
	Pages   PageMap `json:"pages,omitempty"`
	Strings PageMap `json:"strings,omitempty"`
	// Segments are the objects that the maps refer to by position. One without a
	// name is Inline, which has the bytes of blocks as a segment would.
	Segments []Segment `json:"segments,omitempty"`
	Inline   []byte    `json:"inline,omitempty"`
	// File is the table's Parquet file in a canonical savepoint, which has no
	// pages.
	File string `json:"file,omitempty"`
}

// Column is a column of a state table. Type is opaque here.
type Column struct {
	Name string          `json:"name"`
	Type json.RawMessage `json:"type"`
	Key  bool            `json:"key,omitempty"`
}

// Segment is an object with pages of one or more tables.
type Segment struct {
	Name     string `json:"name"` // relative to where the checkpoint's names begin
	Size     int64  `json:"size"`
	Checksum uint32 `json:"crc32c"` // of the whole object
	// Bytes is what the table had in the segment when it was written: with what
	// it still refers to, it tells when the segment is worth rewriting.
	Bytes int64 `json:"bytes"`
}

// EncodedBytes is how many bytes the table refers to in segments and inline, or
// has in its file.
func (t *Table) EncodedBytes() (n int64) {
	if t.File != "" {
		return t.Bytes
	}
	for _, m := range []PageMap{t.Pages, t.Strings} {
		for _, p := range m {
			n += int64(p.Length)
		}
	}
	return n
}

// check refuses a table that contradicts itself.
func (t *Table) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("table %q: %s", t.Name, fmt.Sprintf(format, args...))
	}
	if t.Groups[0] < 0 || t.Groups[0] >= t.Groups[1] || t.Rows < 0 || t.Rows > int64(t.End) && t.File == "" {
		return bad("groups %v and %d of %d rows are impossible", t.Groups, t.Rows, t.End)
	}
	keys := true
	for _, c := range t.Columns {
		if c.Key && !keys {
			return bad("key column %q comes after other columns", c.Name)
		}
		keys = c.Key
	}
	if t.File != "" {
		return checkName(t.File)
	}
	if t.RowBytes < 16 || t.RowBytes%8 != 0 || t.RowsPerPage < 1 || t.RowsPerPage&(t.RowsPerPage-1) != 0 || int64(t.RowBytes)*int64(t.RowsPerPage) > pageBytesMax {
		return bad("%d rows of %d bytes in a page are impossible", t.RowsPerPage, t.RowBytes)
	}
	if want := (int64(t.End) + int64(t.RowsPerPage) - 1) / int64(t.RowsPerPage); int64(len(t.Pages)) != want {
		return bad("%d pages for %d rows", len(t.Pages), t.End)
	}
	for i, p := range t.Pages {
		if want := min(t.RowsPerPage, int(t.End)-i*t.RowsPerPage) * t.RowBytes; p.Bytes != want {
			return bad("page %d has %d bytes, not %d", i, p.Bytes, want)
		}
	}
	for _, s := range t.Segments {
		if s.Name == "" {
			if s.Size != int64(len(t.Inline)) {
				return bad("%d bytes inline, not %d", len(t.Inline), s.Size)
			}
		} else if err := checkName(s.Name); err != nil {
			return err
		}
	}
	for _, m := range []PageMap{t.Pages, t.Strings} {
		for i, p := range m {
			if p.Bytes > 0 && (p.Segment >= len(t.Segments) || p.Offset+int64(p.Length) > t.Segments[p.Segment].Size) {
				return bad("page %d lies outside of its segment", i)
			}
		}
	}
	return nil
}

// checkName refuses object names that lead elsewhere.
func checkName(name string) error {
	for _, part := range strings.Split(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("bad object name %q", name)
		}
	}
	return nil
}
