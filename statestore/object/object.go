// Package object is named, immutable blobs: MinIO or S3, a local folder, memory,
// and a wrapper that injects faults. It knows bytes only.
package object

import (
	"context"
	"errors"
	"time"
)

// The errors that callers test for.
var (
	ErrExists   = errors.New("object exists")
	ErrNotFound = errors.New("object not found")
	ErrChanged  = errors.New("object changed")
	ErrShort    = errors.New("object is shorter than that")
)

// Info describes an object.
type Info struct {
	Name     string // relative to the store's root, with slashes
	Size     int64
	ETag     string
	Modified time.Time
}

// Watchful is a store whose objects others may replace while they are read.
type Watchful interface {
	// GetRangeOf is GetRange of the object that a List told of: ErrChanged if there is
	// another one now.
	GetRangeOf(ctx context.Context, info Info, offset, length int64) ([]byte, error)
}

// Store is a bucket with a prefix, or a folder. All methods may be called
// concurrently. Names are relative, use slashes and contain no "..".
type Store interface {
	// URL names the store, without credentials: s3://bucket/prefix, file:///dir.
	URL() string
	// Create stores data only if name is absent, else returns ErrExists. Two
	// concurrent Creates of one name never both succeed. When it returns nil the
	// object is durable.
	Create(ctx context.Context, name string, data []byte) error
	// Put stores data under name whatever was there.
	Put(ctx context.Context, name string, data []byte) error
	// Replace stores data only if the object still has that ETag, else
	// ErrChanged.
	Replace(ctx context.Context, name string, data []byte, etag string) error
	// Get returns the whole object, or ErrNotFound.
	Get(ctx context.Context, name string) ([]byte, Info, error)
	// GetRange returns length bytes from offset, or ErrShort; length < 0 means to
	// the end.
	GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error)
	// List returns the objects below prefix in name order.
	List(ctx context.Context, prefix string) ([]Info, error)
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, name string) error
}
