package state

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"sync"

	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/segment"
)

const (
	// inlineBytesMax is how many bytes of pages a table may have for its pages to
	// go into the manifest instead of a segment.
	inlineBytesMax = 16 << 10
	// rewriteBytesMax bounds what an upload adds to its own to empty old segments.
	rewriteBytesMax = 64 << 20
	// segmentsMax is how many segments a table may refer to before the emptiest
	// are rewritten if they still hold no more than mergeBytesMax: of two that hold
	// more, two would come.
	segmentsMax   = 64
	mergeBytesMax = 16 << 20
)

// uploads is what is known of a table's checkpoints. The table's goroutine seals,
// others upload and confirm.
type uploads struct {
	mu      sync.Mutex
	version uint32          // of the newest confirmed checkpoint
	table   *manifest.Table // where its pages are; nil: there is none
	pending []pendingUpload
}

type pendingUpload struct {
	checkpoint int64
	version    uint32
	table      *manifest.Table
}

// Confirm tells that a checkpoint is complete: pages not written since it need
// not be uploaded again. What was uploaded for older or failed checkpoints is
// forgotten. Any goroutine may call it.
func (t *Table) Confirm(checkpoint int64) { t.uploads.confirm(checkpoint) }

// Confirm is Table.Confirm, by way of one of the table's snapshots.
func (s *Snapshot) Confirm(checkpoint int64) { s.uploads.confirm(checkpoint) }

func (u *uploads) confirm(checkpoint int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := u.pending[:0]
	for _, p := range u.pending {
		if p.checkpoint == checkpoint && p.version > u.version {
			u.version, u.table = p.version, p.table
		}
		if p.checkpoint > checkpoint {
			kept = append(kept, p)
		}
	}
	clear(u.pending[len(kept):])
	u.pending = kept
}

// before is the confirmed checkpoint that an upload of a version may build on.
func (u *uploads) before(version uint32) (uint32, *manifest.Table) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.table == nil || u.version > version {
		return 0, nil
	}
	return u.version, u.table
}

// Upload writes the pages that have changed since the newest confirmed checkpoint
// and returns where all pages are. The result is complete once w is closed.
// Confirm is to be told if the checkpoint is. The caller holds the snapshot.
func (s *Snapshot) Upload(ctx context.Context, w *segment.Writer, checkpoint int64) (*manifest.Table, error) {
	version, base := s.uploads.before(s.version)
	m, err := s.write(ctx, w, version, base)
	if err != nil {
		return nil, err
	}
	s.uploads.mu.Lock()
	s.uploads.pending = append(s.uploads.pending, pendingUpload{checkpoint, s.version, m})
	s.uploads.mu.Unlock()
	return m, nil
}

// Export writes all pages, for a savepoint that stands on its own.
func (s *Snapshot) Export(ctx context.Context, w *segment.Writer) (*manifest.Table, error) {
	return s.write(ctx, w, 0, nil)
}

func (s *Snapshot) write(ctx context.Context, w *segment.Writer, version uint32, base *manifest.Table) (*manifest.Table, error) {
	m, err := s.describe()
	if err != nil {
		return nil, err
	}
	u := upload{m: m, moved: map[int]int{}}
	inline := m.Bytes <= inlineBytesMax
	u.w = w.Table(m, inline)
	if base != nil && !inline {
		u.base = base
		u.drop = rewrite(base, s.clean(version))
	}
	m.Pages = make(manifest.PageMap, s.rowPages())
	for i := range m.Pages {
		p := &s.rows[i]
		if m.Pages[i], err = u.page(ctx, rowPlace, i, p.bytes()[:s.pageUsed(i)], m.RowBytes, p.version > version); err != nil {
			return nil, fmt.Errorf("upload table %q: %w", s.schema.Name, err)
		}
	}
	m.Strings = make(manifest.PageMap, len(s.strings))
	for i := range s.strings {
		p := &s.strings[i]
		if p.fill == 0 {
			continue
		}
		if m.Strings[i], err = u.page(ctx, stringPlace, i, p.bytes()[:p.fill], 0, p.written > version); err != nil {
			return nil, fmt.Errorf("upload table %q: %w", s.schema.Name, err)
		}
	}
	return m, nil
}

// rowPages is how many pages have rows.
func (s *Snapshot) rowPages() int { return int((uint64(s.end) + uint64(s.mask)) >> s.shift) }

// pageUsed is how many bytes of row page i have rows.
func (s *Snapshot) pageUsed(i int) int {
	return int(min(uint64(s.mask)+1, uint64(s.end)-uint64(i)<<s.shift)) * int(s.width)
}

// describe fills in all of a manifest but where the pages are.
func (s *Snapshot) describe() (*manifest.Table, error) {
	m := &manifest.Table{Name: s.schema.Name, Local: s.schema.Local, Groups: [2]int{s.groups.Lo, s.groups.Hi}, Rows: int64(s.live),
		End: s.end, RowBytes: int(s.width), RowsPerPage: int(s.mask) + 1, Bytes: int64(s.end) * int64(s.width)}
	for i := range s.strings {
		m.Bytes += int64(s.strings[i].fill)
	}
	for i := range s.slots {
		c := s.column(i)
		typ, err := json.Marshal(c.Type)
		if err != nil {
			return nil, fmt.Errorf("describe state column %q: %w", c.Name, err)
		}
		m.Columns = append(m.Columns, manifest.Column{Name: c.Name, Type: typ, Key: i < s.keys})
	}
	return m, nil
}

// upload puts one table's pages where they go.
type upload struct {
	m     *manifest.Table
	w     *segment.TableWriter
	base  *manifest.Table // nil: everything is written
	drop  map[int]bool    // segments of base not to be referred to any more
	moved map[int]int     // positions of base's segments in m
}

// page writes a page, or refers to where it is already.
func (u *upload) page(ctx context.Context, place func(*manifest.Table, int) (manifest.Place, bool), i int, data []byte, rowBytes int, dirty bool) (manifest.Place, error) {
	if !dirty && u.base != nil {
		if p, ok := place(u.base, i); ok && p.Bytes == len(data) && !u.drop[p.Segment] && u.base.Segments[p.Segment].Name != "" {
			at, ok := u.moved[p.Segment]
			if !ok {
				at = len(u.m.Segments)
				u.moved[p.Segment] = at
				u.m.Segments = append(u.m.Segments, u.base.Segments[p.Segment])
			}
			p.Segment = at
			return p, nil
		}
	}
	return u.w.Add(ctx, data, rowBytes)
}

// clean tells which row and string pages were not written since version.
func (s *Snapshot) clean(version uint32) func(strings bool, i int) bool {
	return func(strings bool, i int) bool {
		if strings {
			return i < len(s.strings) && s.strings[i].fill > 0 && s.strings[i].written <= version
		}
		return i < s.rowPages() && s.rows[i].version <= version
	}
}

// rewrite picks the segments of base that are mostly of the past: what is left of
// them is written again, so that they can go.
func rewrite(base *manifest.Table, clean func(strings bool, i int) bool) map[int]bool {
	live := make([]int64, len(base.Segments))
	for i, p := range base.Pages {
		if p.Bytes > 0 && clean(false, i) {
			live[p.Segment] += int64(p.Length)
		}
	}
	for i, p := range base.Strings {
		if p.Bytes > 0 && clean(true, i) {
			live[p.Segment] += int64(p.Length)
		}
	}
	order := make([]int, len(live))
	used := 0
	for i := range order {
		order[i] = i
		if live[i] > 0 {
			used++
		}
	}
	sort.Slice(order, func(i, j int) bool { return live[order[i]] < live[order[j]] })
	drop, budget := map[int]bool{}, int64(rewriteBytesMax)
	for _, i := range order {
		if live[i] == 0 {
			continue
		}
		if live[i] > min(budget, mergeBytesMax) || live[i]*2 >= base.Segments[i].Bytes && used <= segmentsMax {
			continue
		}
		drop[i] = true
		budget -= live[i]
		used--
	}
	return drop
}

func rowPlace(t *manifest.Table, i int) (manifest.Place, bool) { return placeAt(t.Pages, i) }

func stringPlace(t *manifest.Table, i int) (manifest.Place, bool) { return placeAt(t.Strings, i) }

func placeAt(m manifest.PageMap, i int) (manifest.Place, bool) {
	if i >= len(m) || m[i].Bytes == 0 {
		return manifest.Place{}, false
	}
	return m[i], true
}
