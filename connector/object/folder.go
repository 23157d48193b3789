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

	"github.com/millrace/millrace/statestore/object"
)

// files is what a source needs of a store. Buckets have it from
// statestore/object; local folders are read directly, since a source must not
// write into them and they may hold links.
type files interface {
	URL() string
	List(ctx context.Context, prefix string) ([]object.Info, error)
	GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error)
}

// folder reads a local folder.
type folder struct{ root string }

// URL names the folder.
func (f folder) URL() string { return "file://" + filepath.ToSlash(f.root) }

func (f folder) path(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

// List returns the files below prefix in name order. Folders that are links are
// not entered.
func (f folder) List(ctx context.Context, prefix string) ([]object.Info, error) {
	if prefix != "" { // the one use of a prefix is to look up a file
		info, err := os.Stat(f.path(prefix))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []object.Info{{Name: prefix, Size: info.Size(), Modified: info.ModTime()}}, nil
	}
	var out []object.Info
	err := filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != f.root {
			return nil // gone meanwhile
		}
		if err != nil || d.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		out = append(out, object.Info{Name: filepath.ToSlash(strings.TrimPrefix(path[len(f.root):], string(filepath.Separator))), Size: info.Size(), Modified: info.ModTime()})
		return nil
	})
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, err
}

// GetRange reads part of a file; a file that is shorter gives ErrShort.
func (f folder) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	return f.GetRangeOf(ctx, object.Info{Name: name}, offset, length)
}

// GetRangeOf implements object.Watchful: a file is another one if its size or the time
// of its last change is. Only an info with a time says what it was.
func (f folder) GetRangeOf(_ context.Context, info object.Info, offset, length int64) ([]byte, error) {
	file, err := os.Open(f.path(info.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", info.Name, object.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data := make([]byte, length)
	_, err = file.ReadAt(data, offset)
	if now, e := file.Stat(); e != nil { // after it was read: it may be written to
		return nil, e
	} else if !info.Modified.IsZero() && (now.Size() != info.Size || !now.ModTime().Equal(info.Modified)) {
		return nil, fmt.Errorf("read %s: %w", info.Name, object.ErrChanged)
	}
	if err == io.EOF {
		return nil, fmt.Errorf("read %s: %w", info.Name, object.ErrShort)
	}
	return data, err
}
