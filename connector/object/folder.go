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
func (f folder) GetRange(_ context.Context, name string, offset, length int64) ([]byte, error) {
	file, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, object.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data := make([]byte, length)
	if _, err := file.ReadAt(data, offset); err == io.EOF {
		return nil, fmt.Errorf("read %s: %w", name, object.ErrShort)
	} else if err != nil {
		return nil, err
	}
	return data, nil
}
