package object

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

// Memory is a store that forgets everything with the process.
type Memory struct {
	mu      sync.Mutex
	objects map[string]memoryObject
}

type memoryObject struct {
	data     []byte
	modified time.Time
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{objects: map[string]memoryObject{}} }

// etagOf names content.
func etagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// checkName refuses names that could leave the store or mean two things.
func checkName(name string) error {
	if name == "" || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.ContainsRune(name, 0) {
		return fmt.Errorf("bad object name %q", name)
	}
	for _, part := range strings.Split(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("bad object name %q", name)
		}
	}
	return nil
}

// cut takes the part of data that GetRange asks for.
func cut(name string, data []byte, offset, length int64) ([]byte, error) {
	size := int64(len(data))
	if length < 0 {
		length = size - offset
	}
	if offset < 0 || length < 0 || offset+length > size {
		return nil, fmt.Errorf("read %d bytes at %d of %s, which has %d: %w", length, offset, name, size, ErrShort)
	}
	return data[offset : offset+length], nil
}

// URL implements Store.
func (m *Memory) URL() string { return "memory:" }

func (m *Memory) put(name string, data []byte) {
	m.objects[name] = memoryObject{append([]byte(nil), data...), time.Now()}
}

// Create implements Store.
func (m *Memory) Create(ctx context.Context, name string, data []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.objects[name]; there {
		return fmt.Errorf("create %s: %w", name, ErrExists)
	}
	m.put(name, data)
	return ctx.Err()
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, name string, data []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, data)
	return ctx.Err()
}

// Replace implements Store.
func (m *Memory) Replace(ctx context.Context, name string, data []byte, etag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, there := m.objects[name]
	if !there || etagOf(o.data) != etag {
		return fmt.Errorf("replace %s: %w", name, ErrChanged)
	}
	m.put(name, data)
	return ctx.Err()
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, there := m.objects[name]
	if !there {
		return nil, Info{}, fmt.Errorf("get %s: %w", name, ErrNotFound)
	}
	return append([]byte(nil), o.data...), o.info(name), ctx.Err()
}

func (o memoryObject) info(name string) Info {
	return Info{Name: name, Size: int64(len(o.data)), ETag: etagOf(o.data), Modified: o.modified}
}

// GetRange implements Store.
func (m *Memory) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	data, _, err := m.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return cut(name, data, offset, length)
}

// List implements Store.
func (m *Memory) List(ctx context.Context, prefix string) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Info
	for name, o := range m.objects {
		if strings.HasPrefix(name, prefix) {
			list = append(list, o.info(name))
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, ctx.Err()
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return ctx.Err()
}
