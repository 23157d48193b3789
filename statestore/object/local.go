package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// tempFolder, in the root, holds files that are being written. What a crash
// leaves there is removed when the folder is opened next and is never listed.
const tempFolder = ".writing"

// Local is a folder. Objects appear whole: they are written and synced aside and
// then linked or renamed into place, and the folder is synced.
type Local struct {
	root string
	seq  atomic.Int64
	mu   sync.Mutex // replacing, and checking that nobody else is
}

// OpenLocal opens a folder, which the first write makes if it is missing: to read
// leaves no trace.
func OpenLocal(dir string) (*Local, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Local{root: dir}, nil
}

// URL implements Store.
func (l *Local) URL() string { return "file://" + filepath.ToSlash(l.root) }

func (l *Local) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if name == tempFolder || strings.HasPrefix(name, tempFolder+"/") {
		return "", fmt.Errorf("bad object name %q", name)
	}
	return filepath.Join(l.root, filepath.FromSlash(name)), nil
}

// stage writes data to a durable file that has no name in the store yet.
func (l *Local) stage(data []byte) (string, error) {
	temp := filepath.Join(l.root, tempFolder, fmt.Sprintf("%d-%d", os.Getpid(), l.seq.Add(1)))
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(temp), 0o755); err != nil {
			return "", fmt.Errorf("make object folder: %w", err)
		}
		f, err = os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	}
	if err != nil {
		return "", err
	}
	err = writeDurably(f, data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(temp)
		return "", err
	}
	return temp, nil
}

// place gives a staged file its name. The parent folder may vanish in between,
// since Delete removes empty ones: then once more.
func (l *Local) place(path string, data []byte, name func(temp, path string) error) error {
	temp, err := l.stage(data)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	for try := 0; ; try++ {
		if err := l.makeFolder(filepath.Dir(path)); err != nil {
			return err
		}
		err := name(temp, path)
		if errors.Is(err, fs.ErrNotExist) && try < 10 {
			continue
		}
		if err != nil {
			return err
		}
		return syncFolder(filepath.Dir(path))
	}
}

// makeFolder makes a folder and its parents durable.
func (l *Local) makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == l.root {
		return nil
	}
	if err := l.makeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a parent vanished: place tries again
		}
		return err
	}
	err := syncFolder(filepath.Dir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Create implements Store.
func (l *Local) Create(ctx context.Context, name string, data []byte) error {
	path, err := l.path(name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = l.place(path, data, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create %s: %w", name, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}

// Put implements Store.
func (l *Local) Put(ctx context.Context, name string, data []byte) error {
	path, err := l.path(name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.place(path, data, os.Rename); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// Replace implements Store. Other processes are kept out by a lock on the folder
// where the system has such locks.
func (l *Local) Replace(ctx context.Context, name string, data []byte, etag string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.MkdirAll(filepath.Join(l.root, tempFolder), 0o755); err != nil {
		return fmt.Errorf("make object folder: %w", err)
	}
	unlock, err := lockFile(filepath.Join(l.root, tempFolder, "lock"))
	if err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	defer unlock()
	_, info, err := l.Get(ctx, name)
	if errors.Is(err, ErrNotFound) || err == nil && info.ETag != etag {
		return fmt.Errorf("replace %s: %w", name, ErrChanged)
	}
	if err != nil {
		return err
	}
	return l.Put(ctx, name, data)
}

// Get implements Store.
func (l *Local) Get(ctx context.Context, name string) ([]byte, Info, error) {
	path, err := l.path(name)
	if err != nil {
		return nil, Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, Info{}, err
	}
	f, err := openObject(name, path)
	if err != nil {
		return nil, Info{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", name, err)
	}
	data := make([]byte, st.Size()) // objects do not change
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", name, err)
	}
	return data, Info{Name: name, Size: int64(len(data)), ETag: etagOf(data), Modified: st.ModTime()}, nil
}

func openObject(name, path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("get %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("get %s: %w", name, ErrNotFound)
	}
	return f, nil
}

// GetRange implements Store.
func (l *Local) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	path, err := l.path(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := openObject(name, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if length < 0 {
		length = st.Size() - offset
	}
	if offset < 0 || length < 0 || offset+length > st.Size() {
		return nil, fmt.Errorf("read %d bytes at %d of %s, which has %d: %w", length, offset, name, st.Size(), ErrShort)
	}
	data := make([]byte, length)
	if _, err := f.ReadAt(data, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return data, nil
}

// List implements Store. It gives no ETags, which would mean to read everything.
func (l *Local) List(ctx context.Context, prefix string) ([]Info, error) {
	if strings.Contains(prefix, "..") {
		return nil, fmt.Errorf("bad object prefix %q", prefix)
	}
	start := l.root
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = filepath.Join(l.root, filepath.FromSlash(prefix[:i]))
	}
	var list []Info
	err := filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(l.root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if d.IsDir() {
			if name == tempFolder {
				return fs.SkipDir
			}
			return ctx.Err()
		}
		if !strings.HasPrefix(name, prefix) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		list = append(list, Info{Name: name, Size: info.Size(), Modified: info.ModTime()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

// Delete implements Store. Folders that become empty go too.
func (l *Local) Delete(ctx context.Context, name string) error {
	path, err := l.path(name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	for dir := filepath.Dir(path); dir != l.root; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break
		}
	}
	return nil
}
