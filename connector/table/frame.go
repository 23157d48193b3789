package table

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/millrace/millrace/connector"
)

// A frame is what one write and one fsync put into a file: the transactions of
// a group. All its bytes are under one checksum, so that a frame is either
// whole or not there. docs/formats/table-log.md describes every byte.
const (
	frameMagic   = "MTLF"
	frameVersion = 1
	frameHeader  = 16
	// frameMax is up to where rows are appended to a frame. What follows the rows of a
	// transaction, definitions and sequences, is small beside it.
	frameMax = 1 << 30
)

var errShort = errors.New("frame is cut short")

// errDamaged is a frame whose bytes are not what was written.
var errDamaged = errors.New("checksum does not match")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// beginFrame appends a header to be filled in by sealFrame.
func beginFrame(dst []byte) []byte { return append(dst, make([]byte, frameHeader)...) }

// sealFrame fills in the header of the frame that begins at start.
func sealFrame(dst []byte, start int) {
	h := dst[start:]
	copy(h, frameMagic)
	h[4] = frameVersion
	binary.LittleEndian.PutUint32(h[8:], uint32(len(h)-frameHeader))
	binary.LittleEndian.PutUint32(h[12:], frameSum(h[:12], h[frameHeader:]))
}

func frameSum(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli()), castagnoli(), payload)
}

// openFrame returns the payload of the frame at the start of data and the
// frame's length.
func openFrame(data []byte) (payload []byte, n int, err error) {
	if len(data) < frameHeader {
		return nil, 0, errShort
	}
	if string(data[:4]) != frameMagic {
		return nil, 0, errDamaged
	}
	if data[4] != frameVersion {
		return nil, 0, fmt.Errorf("frame version %d is newer than this program", data[4])
	}
	length := binary.LittleEndian.Uint32(data[8:])
	if length > 2*frameMax {
		return nil, 0, errDamaged
	}
	if uint64(len(data)) < frameHeader+uint64(length) {
		return nil, 0, errShort
	}
	n = frameHeader + int(length)
	if frameSum(data[:12], data[frameHeader:n]) != binary.LittleEndian.Uint32(data[12:]) {
		return nil, 0, errDamaged
	}
	return data[frameHeader:n], n, nil
}

// entryKind tells the parts of a transaction apart; the numbers are stored.
type entryKind uint8

const (
	createEntry   entryKind = 1  // a table: JSON
	dropEntry     entryKind = 2  // u32 table number
	changesEntry  entryKind = 3  // rows of one table
	writerEntry   entryKind = 4  // name of the pending file that this transaction applied
	snapshotEntry entryKind = 5  // u64 position, u32 next table number: a snapshot begins
	endEntry      entryKind = 6  // u64 rows: a snapshot is complete
	rowIDEntry    entryKind = 7  // u32 table number, u64 next row id
	jointEntry    entryKind = 8  // id of the metadata transaction that decides about this one
	sequenceEntry entryKind = 9  // how far a column has counted
	defineEntry   entryKind = 10 // a table's constraints have changed: JSON
)

// A transaction in a frame: u64 position, u32 number of entries, entries. An
// entry: u8 kind, u32 length, body.
const txnHeader = 12

func appendTxn(dst []byte, position uint64, entries int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, position)
	return binary.LittleEndian.AppendUint32(dst, uint32(entries))
}

// appendEntry appends the head of an entry; sealEntry then fills in the length.
func appendEntry(dst []byte, kind entryKind) []byte { return append(dst, byte(kind), 0, 0, 0, 0) }

func sealEntry(dst []byte, start int) {
	binary.LittleEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-5))
}

// entry is one part of a transaction, still encoded.
type entry struct {
	kind entryKind
	body []byte
}

// eachTxn calls f for the transactions in a frame's payload.
func eachTxn(payload []byte, f func(position uint64, entries []entry) error) error {
	var entries []entry
	for len(payload) > 0 {
		if len(payload) < txnHeader {
			return errDamaged
		}
		position := binary.LittleEndian.Uint64(payload)
		count := binary.LittleEndian.Uint32(payload[8:])
		payload = payload[txnHeader:]
		entries = entries[:0]
		for range count {
			if len(payload) < 5 {
				return errDamaged
			}
			length := uint64(binary.LittleEndian.Uint32(payload[1:]))
			if uint64(len(payload)-5) < length {
				return errDamaged
			}
			entries = append(entries, entry{entryKind(payload[0]), payload[5 : 5+length]})
			payload = payload[5+length:]
		}
		if err := f(position, entries); err != nil {
			return err
		}
	}
	return nil
}

// The ops of stored rows are batch.Op's numbers. A changes entry: u32 table
// number, u32 rows, then per row u8 op, u64 row id, u32 length, the row.
const (
	changesHeader = 8
	changeHeader  = 13
)

func appendChanges(dst []byte, table uint32, rows int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, table)
	return binary.LittleEndian.AppendUint32(dst, uint32(rows))
}

func appendChange(dst []byte, op uint8, rowID uint64, row []byte) []byte {
	dst = append(dst, op)
	dst = binary.LittleEndian.AppendUint64(dst, rowID)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(row)))
	return append(dst, row...)
}

// changeCursor walks over the rows of a changes entry.
type changeCursor struct {
	table uint32
	left  int
	rest  []byte
}

func openChanges(body []byte) (changeCursor, error) {
	if len(body) < changesHeader {
		return changeCursor{}, errDamaged
	}
	c := changeCursor{table: binary.LittleEndian.Uint32(body), left: int(binary.LittleEndian.Uint32(body[4:])), rest: body[changesHeader:]}
	if c.left > len(c.rest)/changeHeader {
		return changeCursor{}, errDamaged
	}
	return c, nil
}

// next returns the next row; the caller asks only while left > 0.
func (c *changeCursor) next() (op uint8, rowID uint64, row []byte, err error) {
	if len(c.rest) < changeHeader {
		return 0, 0, nil, errDamaged
	}
	op, rowID = c.rest[0], binary.LittleEndian.Uint64(c.rest[1:])
	n := uint64(binary.LittleEndian.Uint32(c.rest[9:]))
	if op > 3 || uint64(len(c.rest)-changeHeader) < n {
		return 0, 0, nil, errDamaged
	}
	row = c.rest[changeHeader : changeHeader+n]
	c.rest = c.rest[changeHeader+n:]
	c.left--
	return op, rowID, row, nil
}

// storedTable is a table's definition as it is kept in the log.
type storedTable struct {
	Number  uint32
	ID      string
	Name    string
	Columns []connector.Column
	Key     []int    `json:",omitempty"`
	KeyName string   `json:",omitempty"`
	Unique  []Unique `json:",omitempty"`
}

func storedOf(number uint32, d Def) storedTable {
	return storedTable{Number: number, ID: d.ID, Name: d.Name, Columns: d.Columns, Key: d.Key, KeyName: d.KeyName, Unique: d.Unique}
}

func (d storedTable) definition() Def {
	return Def{ID: d.ID, Name: d.Name, Columns: d.Columns, Key: d.Key, KeyName: d.KeyName, Unique: d.Unique}
}

func (d storedTable) encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // plain data always encodes
	}
	return b
}

func decodeTable(body []byte) (storedTable, error) {
	var d storedTable
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("decode table definition: %w", err)
	}
	keys := d.Key
	for _, u := range d.Unique {
		keys = append(keys[:len(keys):len(keys)], u.Columns...)
	}
	for _, k := range keys {
		if k < 0 || k >= len(d.Columns) {
			return d, fmt.Errorf("decode table definition: key column %d of %d", k, len(d.Columns))
		}
	}
	for _, c := range d.Columns {
		if c.Type.Phys() == 0 {
			return d, fmt.Errorf("decode table definition: column %q has type %s", c.Name, c.Type)
		}
	}
	return d, nil
}
