package manifest

// PageMap is the places of a table's pages, by page number.
type PageMap []Place

// Place is where a page is: Length bytes at Offset of the table's segment number
// Segment. Bytes is the page's size in memory. A page of no bytes is not there.
type Place struct {
	Segment  int
	Offset   int64
	Length   int
	Bytes    int
	Checksum uint32 // CRC-32C of the bytes in the segment
}
