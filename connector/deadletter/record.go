package deadletter

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/millrace/millrace/internal/clock"
)

// The file and record layout is described in docs/formats/dead-letters.md.
const (
	fileMagic     = "MRDEADLT"
	fileVersion   = 1
	fileHeader    = 16
	recordVersion = 1 // 2 has an origin
	recordHeader  = 8
	recordMax     = 64 << 20
)

// RawBytesMax is how much of a row's bytes is kept; RawLength tells how many
// there were.
const RawBytesMax = 4 << 20

var errDamaged = errors.New("record is cut short or its checksum does not match")

// Letter is a row that could not be processed.
type Letter struct {
	Number   uint64 // in the order of arrival, from 1; given by Append
	Time     time.Time
	Relation string
	Job      string
	Operator string
	Split    string
	Offset   string
	Code     string // SQLSTATE
	Error    string
	Raw      []byte
	// RawLength is the length of the row as it came.
	RawLength int

	origin string // the file the letter was put aside in
	index  uint32 // and its number there, from 1
}

// fill completes a letter that is about to be written.
func (l *Letter) fill(c clock.Clock) {
	if l.RawLength == 0 {
		l.RawLength = len(l.Raw)
	}
	l.Raw = l.Raw[:min(len(l.Raw), RawBytesMax)]
	if l.Time.IsZero() {
		l.Time = c.Now()
	}
}

func (l *Letter) strings() []*string {
	return []*string{&l.Relation, &l.Job, &l.Operator, &l.Split, &l.Offset, &l.Code, &l.Error}
}

// appendRecord appends the letter's record.
func appendRecord(dst []byte, l *Letter) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, recordHeader)...)
	version := byte(recordVersion)
	if l.origin != "" {
		version++
	}
	dst = append(dst, version)
	dst = binary.LittleEndian.AppendUint64(dst, l.Number)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(l.Time.UnixMicro()))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.RawLength))
	for _, s := range l.strings() {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(*s)))
		dst = append(dst, *s...)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(l.Raw)))
	dst = append(dst, l.Raw...)
	if l.origin != "" {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(l.origin)))
		dst = append(dst, l.origin...)
		dst = binary.LittleEndian.AppendUint32(dst, l.index)
	}
	payload := dst[start+recordHeader:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[start+4:], crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	return dst
}

// readRecord returns the first record of data and its length. The letter shares
// no memory with data.
func readRecord(data []byte) (Letter, int, error) {
	var l Letter
	if len(data) < recordHeader {
		return l, 0, errDamaged
	}
	length := binary.LittleEndian.Uint32(data)
	if length > recordMax || uint64(len(data)) < recordHeader+uint64(length) {
		return l, 0, errDamaged
	}
	p := data[recordHeader : recordHeader+length]
	if crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(data[4:]) || len(p) < 21 || p[0] < recordVersion || p[0] > recordVersion+1 {
		return l, 0, errDamaged
	}
	version := p[0]
	l.Number = binary.LittleEndian.Uint64(p[1:])
	l.Time = time.UnixMicro(int64(binary.LittleEndian.Uint64(p[9:]))).UTC()
	l.RawLength = int(binary.LittleEndian.Uint32(p[17:]))
	p = p[21:]
	take := func() ([]byte, bool) {
		if len(p) < 4 {
			return nil, false
		}
		n := uint64(binary.LittleEndian.Uint32(p))
		if uint64(len(p)-4) < n {
			return nil, false
		}
		part := p[4 : 4+n]
		p = p[4+n:]
		return part, true
	}
	for _, s := range l.strings() {
		part, ok := take()
		if !ok {
			return Letter{}, 0, errDamaged
		}
		*s = string(part)
	}
	raw, ok := take()
	if !ok {
		return Letter{}, 0, errDamaged
	}
	l.Raw = append([]byte{}, raw...)
	if version > recordVersion {
		origin, ok := take()
		if !ok || len(origin) == 0 || len(p) != 4 {
			return Letter{}, 0, errDamaged
		}
		l.origin, l.index = string(origin), binary.LittleEndian.Uint32(p)
		p = nil
	}
	if len(p) != 0 {
		return Letter{}, 0, errDamaged
	}
	return l, recordHeader + int(length), nil
}
