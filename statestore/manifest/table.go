package manifest

import "encoding/json"

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
	// Segments are the objects that the maps refer to by position. An object
	// without a name is Inline.
	Segments []Segment `json:"segments,omitempty"`
	Inline   []byte    `json:"inline,omitempty"`
}

// Column is a column of a state table. Type is opaque here.
type Column struct {
	Name string          `json:"name"`
	Type json.RawMessage `json:"type"`
	Key  bool            `json:"key,omitempty"`
}

// Segment is an object with pages of one or more tables.
type Segment struct {
	Name string `json:"name"` // relative to where the checkpoint's names begin
	Size int64  `json:"size"`
	// Bytes is what the table had in the segment when it was written: with what
	// it still refers to, it tells when the segment is worth rewriting.
	Bytes int64 `json:"bytes"`
}
