package object

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/types"
)

// source reads the files of a place.
type source struct {
	place       *place
	dialect     dialect
	compression string
	follow      bool
	spec        connector.Spec
	env         connector.Env
	columns     []format.Column
	position    []int // relation column → column of the files, -1 for metadata
}

func newSource(ctx context.Context, o Options, s *connector.Settings, spec connector.Spec, env connector.Env) (connector.Source, error) {
	src := &source{spec: spec, env: env, compression: s.Text("compression")}
	var err error
	if src.dialect, err = readDialect(s); err != nil {
		return nil, err
	}
	if src.follow, err = s.Bool("follow"); err != nil {
		return nil, err
	}
	if src.columns, src.position, err = fileColumns(spec); err != nil {
		return nil, err
	}
	for _, c := range spec.Columns {
		switch {
		case c.Metadata == "":
		case c.Metadata != "path" && c.Metadata != "offset":
			return nil, pgerr.New(pgerr.UndefinedColumn, "connector \"object\" has no metadata %q", c.Metadata).Hint("It has 'path' and 'offset'.")
		case c.Metadata == "path" && c.Type.Kind != types.Text && c.Type.Kind != types.Varchar, c.Metadata == "offset" && c.Type.Kind != types.Int64:
			return nil, pgerr.New(pgerr.DatatypeMismatch, "metadata column %q cannot be %s: path is text and offset is bigint", c.Name, c.Type)
		}
	}
	if src.place, err = openPlace(ctx, o, s, false); err != nil {
		return nil, err
	}
	return src, nil
}

// Schema is nil: the declaration lists the columns.
func (s *source) Schema() []connector.Column { return nil }

// Follows reports the option.
func (s *source) Follows() bool { return s.follow }

// filesAtOnce is how many files a task reads side by side.
const filesAtOnce = 8

// AtOnce implements connector.Staged: a file that is being read has a buffer and a
// decompressor.
func (s *source) AtOnce() int {
	if s.InOrder() {
		return 1
	}
	return filesAtOnce
}

// InOrder implements connector.Ordered: with a primary key the last row of a key
// counts, and that is the one in the last file by name.
func (s *source) InOrder() bool { return len(s.spec.Key) > 0 }

// Splits lists the files in name order.
func (s *source) Splits(ctx context.Context) ([]connector.Split, error) {
	list, err := s.place.files.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.place.files.URL(), err)
	}
	var out []connector.Split
	for _, info := range list {
		if s.place.matches(info.Name) {
			out = append(out, connector.Split{ID: info.Name})
		}
	}
	return out, nil
}

// Open starts to read a file at a byte of its decompressed content.
func (s *source) Open(ctx context.Context, split connector.Split, offset []byte, want []int) (connector.Reader, error) {
	r := &reader{source: s, name: split.ID, given: offset}
	var fromFile []int
	for k, w := range want {
		switch s.spec.Columns[w].Metadata {
		case "path":
			r.pathCols = append(r.pathCols, k)
		case "offset":
			r.offsetCols = append(r.offsetCols, k)
		default:
			fromFile = append(fromFile, s.position[w])
			r.fileCols = append(r.fileCols, k)
		}
	}
	r.decoder = s.dialect.decoder(s.columns, fromFile)
	if offset != nil {
		at, mark, _ := strings.Cut(string(offset), " ")
		n, err := strconv.ParseInt(at, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("open %s: bad offset %q", split.ID, offset)
		}
		r.start, r.mark = n, mark
	}
	return r, nil
}

// CheckOffsets implements connector.OffsetChecker: a file that was not read to
// its end must still be there.
func (s *source) CheckOffsets(ctx context.Context, splits []connector.Split, offsets [][]byte) error {
	list, err := s.Splits(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, sp := range list {
		there[sp.ID] = true
	}
	for i, sp := range splits {
		if there[sp.ID] {
			continue
		}
		at, oldest := "0", "there is no file"
		if offsets[i] != nil {
			at, _, _ = strings.Cut(string(offsets[i]), " ")
		}
		if len(list) > 0 {
			oldest = fmt.Sprintf("the oldest there is is %q", list[0].ID)
		}
		return &connector.GoneError{Message: fmt.Sprintf("file %q cannot be read from byte %s any more: it is not in %s; %s", sp.ID, at, s.place.files.URL(), oldest)}
	}
	return nil
}

// contextBytes is how much of the content before a position tells whether a file is
// still the one that was read up to there. What comes after it may be new: a damaged file
// is replaced by the whole one, a short one by one that goes on.
const contextBytes = 4096

// triesMax is how often a file may change before it is given up.
const triesMax = 5

// reader reads one file. buf holds its content from byte start on, of which pos
// bytes are dealt with; contextBytes of these stay, if there are as many.
type reader struct {
	source     *source
	name       string
	given      []byte // the offset to begin at
	mark       string // of the content before it, "" if nobody knows
	decoder    format.Decoder
	stream     *stream
	buf        []byte
	start      int64
	pos        int
	end        bool   // the stream has no more
	header     bool   // the header has been read
	skipping   bool   // pos is in the middle of a row that was given up, which
	skipFrom   []byte // begins at this offset
	rows       batch.Batch
	fileCols   []int
	pathCols   []int
	offsetCols []int
}

// Read implements connector.Reader. It asks the store for the next piece of the
// file when it runs out of rows, and otherwise does no I/O.
func (r *reader) Read(ctx context.Context, out *batch.Batch, max int) (connector.Status, error) {
	out.Sel, out.Ops, out.N = nil, nil, 0
	for _, c := range out.Cols {
		c.Reset()
	}
	if r.stream == nil {
		if err := r.begin(ctx); err != nil {
			return connector.End, err
		}
	}
	r.rows.Cols = r.rows.Cols[:0]
	for _, k := range r.fileCols {
		r.rows.Cols = append(r.rows.Cols, out.Cols[k])
	}
	r.rows.N = 0
	for refused := 0; r.rows.N == 0; {
		if refused >= max { // the caller has other things to do than to read bad rows
			return connector.More, nil
		}
		if done, err := r.skipLine(ctx); err != nil || !done {
			return connector.More, err
		}
		n, bad := r.decoder.Decode(r.buf[r.pos:], r.end, &r.rows, max)
		r.addMetadata(out)
		from := r.start + int64(r.pos)
		if bad != nil {
			refused++
			if err := r.report(from, bad); err != nil {
				return connector.End, err
			}
		}
		r.pos += n
		if bad != nil && r.pos > 0 && r.buf[r.pos-1] != '\n' { // too long to be seen to its end
			r.skipping, r.skipFrom = true, r.offset(r.pos-n+bad.Start)
		}
		if r.rows.N > 0 || bad != nil || n > 0 {
			continue
		}
		if r.end {
			r.release()
			return connector.End, nil
		}
		if err := r.fetch(ctx); err != nil {
			return connector.End, err
		}
	}
	out.N = r.rows.N
	return connector.More, nil
}

// skipLine takes a step over the rest of a row that was given up, and reports
// whether there is none left.
func (r *reader) skipLine(ctx context.Context) (done bool, err error) {
	if !r.skipping {
		return true, nil
	}
	if i := bytes.IndexByte(r.buf[r.pos:], '\n'); i >= 0 {
		r.pos += i + 1
	} else if r.pos = len(r.buf); !r.end {
		return false, r.fetch(ctx)
	}
	r.skipping = false
	return true, nil
}

// addMetadata fills the columns that do not come from the file's content.
func (r *reader) addMetadata(out *batch.Batch) {
	if len(r.pathCols)+len(r.offsetCols) == 0 {
		return
	}
	for _, k := range r.pathCols {
		c := out.Cols[k]
		c.Resize(r.rows.N)
		if r.rows.N > 0 {
			v := c.AddStr(r.name)
			for i := range c.Views {
				c.Views[i] = v
			}
		}
	}
	for _, k := range r.offsetCols {
		c := out.Cols[k]
		c.Resize(r.rows.N)
		for i, at := range r.decoder.Starts() {
			c.Int[i] = r.start + int64(r.pos+at)
		}
	}
}

func (r *reader) report(from int64, bad *format.BadRow) error {
	raw := r.buf[r.pos+bad.Start : r.pos+bad.End]
	if r.source.env.BadRow == nil {
		return fmt.Errorf("decode %s at byte %d: %w", r.name, from+int64(bad.Start), bad.Err)
	}
	return r.source.env.BadRow(connector.BadRow{Relation: r.source.spec.Relation, Split: r.name,
		Offset: strconv.FormatInt(from+int64(bad.Start), 10), Raw: raw, Err: bad.Err})
}

// begin opens the file and reads its header, which lies before any offset.
func (r *reader) begin(ctx context.Context) error {
	resume := r.start
	var err error
	if r.stream, _, _, err = r.open(ctx, 0); err != nil {
		return err
	}
	r.start = 0
	for !r.header {
		n, done, err := r.decoder.Header(r.buf, r.end)
		if err != nil {
			return pgerr.New(pgerr.From(err).Code, "file %q: %s", r.name, err.Error()).Wrap(err)
		}
		if done {
			r.header, r.pos = true, n
		} else if err := r.fetch(ctx); err != nil {
			return err
		}
	}
	// The pieces read so far may hold the place to go on from.
	if resume <= int64(len(r.buf)) {
		r.pos = max(r.pos, int(resume))
	} else if err := r.goTo(ctx, resume); err != nil {
		return err
	}
	if r.mark != "" && string(r.offset(r.pos)) != string(r.given) {
		return errReplaced(r.name, resume)
	}
	return nil
}

// open opens the file anew and reads what comes before byte at, as far as it tells what
// file it is, and perhaps more.
func (r *reader) open(ctx context.Context, at int64) (s *stream, content []byte, end bool, err error) {
	for range triesMax {
		if s, content, end, err = r.tryOpen(ctx, at); !errors.Is(err, object.ErrChanged) {
			return s, content, end, err
		}
	}
	return nil, nil, false, errRestless(r.name)
}

func (r *reader) tryOpen(ctx context.Context, at int64) (s *stream, content []byte, end bool, err error) {
	from := max(0, at-contextBytes)
	if s, err = openStream(ctx, r.source.place, r.name, r.source.compression, from); err != nil {
		return nil, nil, false, err
	}
	for err == nil && !end && from+int64(len(content)) < at {
		content, end, err = s.more(ctx, content)
	}
	if have := from + int64(len(content)); err == nil && have < at {
		err = errShortened(r.name, have, at)
	}
	if err != nil {
		s.close()
		return nil, nil, false, err
	}
	return s, content, end, nil
}

// goTo goes on at a byte that is not in the buffer.
func (r *reader) goTo(ctx context.Context, at int64) error {
	s, content, end, err := r.open(ctx, at)
	if err != nil {
		return err
	}
	r.stream.close()
	r.stream, r.buf, r.end, r.start = s, content, end, max(0, at-contextBytes)
	r.pos = int(at - r.start)
	return nil
}

// fetch drops what is dealt with and reads on.
func (r *reader) fetch(ctx context.Context) error {
	if drop := r.pos - contextBytes; drop > 0 {
		r.buf = r.buf[:copy(r.buf, r.buf[drop:])]
		r.start, r.pos = r.start+int64(drop), r.pos-drop
	}
	have := len(r.buf)
	for range triesMax {
		err := r.more(ctx)
		if errors.Is(err, object.ErrChanged) {
			err = r.reopen(ctx)
		}
		if !errors.Is(err, object.ErrChanged) && (err != nil || r.end || len(r.buf) > have) {
			return err
		}
	}
	return errRestless(r.name)
}

// more reads on. The end of a file that has changed since is none.
func (r *reader) more(ctx context.Context) error {
	buf, end, err := r.stream.more(ctx, r.buf)
	if err != nil {
		return err
	}
	if r.buf = buf; end {
		if changed, err := r.stream.changed(ctx, r.source.place); err != nil || changed {
			return cmp.Or(err, object.ErrChanged)
		}
	}
	r.end = end
	return nil
}

// reopen goes on with a file that has changed, if it is the same as far as it was read.
func (r *reader) reopen(ctx context.Context) error {
	at := r.start + int64(len(r.buf))
	s, content, end, err := r.open(ctx, at)
	if err != nil {
		return err
	}
	r.stream.close()
	r.stream, r.end = s, end
	n := int(min(at, contextBytes))
	if !bytes.Equal(content[:n], r.buf[len(r.buf)-n:]) {
		return errReplaced(r.name, at)
	}
	r.buf = append(r.buf, content[n:]...)
	return nil
}

func (r *reader) release() {
	r.start, r.pos, r.buf = r.start+int64(r.pos), 0, nil
	r.stream.close()
}

// Ready is nil: files do not wait.
func (r *reader) Ready() <-chan struct{} { return nil }

// Offset is the byte of the decompressed content behind the last row delivered,
// or the beginning of a row that is being skipped.
func (r *reader) Offset() []byte {
	switch {
	case r.stream == nil && r.given != nil:
		return r.given
	case r.skipping:
		return r.skipFrom
	}
	return r.offset(r.pos)
}

// offset is that of byte pos of the buffer, with the checksum of what comes before it.
func (r *reader) offset(pos int) []byte {
	b := strconv.AppendInt(nil, r.start+int64(pos), 10)
	if n := min(pos, contextBytes); n > 0 {
		b = fmt.Appendf(b, " %08x", crc32.Checksum(r.buf[pos-n:pos], castagnoli))
	}
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Close frees the decompressor.
func (r *reader) Close() error {
	if r.stream != nil {
		r.stream.close()
	}
	return nil
}
