package deadletter

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
)

// asidePrefix begins the names of files of letters put aside.
const asidePrefix = "aside-"

// Aside collects the letters of one task of a job that count only once a
// checkpoint covers the rows: after a crash the task reads the rows again, and
// puts their letters aside again. It is used by one goroutine.
type Aside struct {
	store  *Store
	prefix string
	file   *os.File
	size   int64
	done   []string // files that are full
	total  int64    // bytes since the last Cut
	record []byte
}

// owner begins the names of a job's files; run tells its attempts apart.
func owner(job string) string {
	h := fnv.New64a()
	h.Write([]byte(job))
	return asidePrefix + hex.EncodeToString(h.Sum(nil)) + "-"
}

// Aside starts a place for letters of one attempt of a job. Nothing is written
// before the first letter.
func (s *Store) Aside(job, run string) *Aside {
	return &Aside{store: s, prefix: owner(job) + run + "-"}
}

// Put writes a letter to where Keep finds it. When more comes between two Cuts
// than the log can hold, the rest is counted as dropped.
func (a *Aside) Put(l Letter) error {
	if a.total > a.store.opt.BytesMax {
		a.store.mu.Lock()
		a.store.overflow++
		a.store.mu.Unlock()
		return nil
	}
	if a.file != nil && a.size >= a.store.opt.SegmentBytes {
		if err := a.finish(); err != nil {
			return err
		}
	}
	if a.file == nil {
		if err := a.begin(); err != nil {
			return err
		}
	}
	l.fill(a.store.opt.Clock)
	a.record = appendRecord(a.record[:0], &l)
	if _, err := a.file.Write(a.record); err != nil {
		return fmt.Errorf("put a dead letter aside: %w", err)
	}
	a.size += int64(len(a.record))
	a.total += int64(len(a.record))
	return nil
}

func (a *Aside) begin() error {
	name := fmt.Sprintf("%s%d", a.prefix, a.store.asides.Add(1))
	f, err := os.OpenFile(filepath.Join(a.store.dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("put a dead letter aside: %w", err)
	}
	if _, err := f.Write(header()); err != nil {
		f.Close()
		return fmt.Errorf("put a dead letter aside: %w", err)
	}
	a.file, a.size = f, fileHeader
	return nil
}

// finish makes the file durable.
func (a *Aside) finish() error {
	err := a.file.Sync()
	if e := a.file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("put dead letters aside: %w", err)
	}
	a.done = append(a.done, filepath.Base(a.file.Name()))
	a.file = nil
	return nil
}

// Cut makes what came since the last Cut durable and names the files that hold
// it, for Keep; none when nothing came.
func (a *Aside) Cut() ([]string, error) {
	if a.file != nil {
		if err := a.finish(); err != nil {
			return nil, err
		}
	}
	names := a.done
	a.done, a.total = nil, 0
	if len(names) == 0 {
		return nil, nil
	}
	return names, a.store.syncDir()
}

// Close gives up what was not cut; Discard deletes it.
func (a *Aside) Close() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// Keep takes the letters of the files that Cut named into the log, each once
// however often it is asked to, and deletes the files.
func (s *Store) Keep(names []string) error {
	for _, name := range names {
		if name != filepath.Base(name) || !strings.HasPrefix(name, asidePrefix) {
			return fmt.Errorf("keep dead letters: %q is not a file of them", name)
		}
		if err := s.keep(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) keep(name string) error {
	path := filepath.Join(s.dir, name)
	s.mu.Lock()
	kept := s.origins[name]
	s.mu.Unlock()
	index := uint32(0)
	var failed error
	_, _, err := each(path, func(l Letter) bool {
		if index++; index <= kept {
			return true
		}
		l.origin, l.index = name, index
		failed = s.Append(l)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := s.Flush(); err != nil { // before the file goes
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("keep dead letters: %w", err)
	}
	s.mu.Lock()
	delete(s.origins, name)
	s.mu.Unlock()
	return nil
}

// Discard deletes what attempts of a job other than run put aside and no
// checkpoint covers. It is to be called after Keep of what one does cover.
func (s *Store) Discard(job, run string) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("discard dead letters: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), owner(job)) || run != "" && strings.HasPrefix(e.Name(), owner(job)+run+"-") {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("discard dead letters: %w", err)
		}
	}
	return nil
}
