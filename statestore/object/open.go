package object

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Options are what a URL does not say. Without keys, a bucket's credentials come
// from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
// MINIO_ROOT_USER and MINIO_ROOT_PASSWORD, or MINIO_ACCESS_KEY and
// MINIO_SECRET_KEY; without any, requests are not signed.
type Options struct {
	AccessKey, SecretKey string
}

// Open opens the store that a URL names: file:///folder, memory:, or
// s3://bucket/prefix?endpoint=http://host:port (and region=…). It does not talk to
// the bucket yet.
func Open(ctx context.Context, rawURL string) (Store, error) {
	return OpenWith(ctx, rawURL, Options{})
}

// OpenWith is Open with options.
func OpenWith(_ context.Context, rawURL string, opt Options) (Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("objects URL %q: %w", rawURL, errors.Unwrap(err))
	}
	switch u.Scheme {
	case "memory":
		return NewMemory(), nil
	case "file":
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("objects URL %q: a folder is written file:///path", rawURL)
		}
		return OpenLocal(filepath.FromSlash(u.Path))
	case "s3":
		return openBucket(u, opt)
	}
	return nil, fmt.Errorf("objects URL %q: want file:///folder, s3://bucket/prefix?endpoint=… or memory:", rawURL)
}

// A store that is slower than this is of no use for checkpoints.
const (
	proofTimeout        = 30 * time.Second
	proofCleanupTimeout = 5 * time.Second
)

// ProveConditionalWrites checks that a store does what the contract asks of
// Create and Replace: without it two servers could overwrite each other. The
// error says in one line what is wrong, also of a store that does not answer.
func ProveConditionalWrites(ctx context.Context, s Store) error {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	name := "probe/" + hex.EncodeToString(id[:])
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	say := func(format string, args ...any) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s is not usable for state: it does not answer: %w", s.URL(), err)
		}
		return fmt.Errorf("%s is not usable for state: %w", s.URL(), fmt.Errorf(format, args...))
	}
	if err := s.Create(ctx, name, []byte("1")); err != nil {
		return say("cannot write: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), proofCleanupTimeout)
		defer cancel()
		_ = s.Delete(ctx, name)
	}()
	if err := s.Create(ctx, name, []byte("2")); err == nil {
		return say("it overwrites an object in spite of If-None-Match")
	} else if !errors.Is(err, ErrExists) {
		return say("it cannot write with If-None-Match: %w", err)
	}
	data, info, err := s.Get(ctx, name)
	if err != nil {
		return say("cannot read what was written: %w", err)
	}
	if string(data) != "1" {
		return say("it returns other bytes than were written")
	}
	if err := s.Replace(ctx, name, []byte("3"), info.ETag); err != nil {
		return say("cannot replace an object with If-Match: %w", err)
	}
	if err := s.Replace(ctx, name, []byte("4"), info.ETag); err == nil {
		return say("it overwrites an object in spite of If-Match")
	} else if !errors.Is(err, ErrChanged) {
		return say("it cannot tell an object that changed: %w", err)
	}
	list, err := s.List(ctx, name)
	if err != nil || len(list) != 1 {
		return say("a listing does not show what was written (%d objects, %v)", len(list), err)
	}
	return nil
}

// Sub is the part of a store below a prefix, which ends without a slash.
func Sub(s Store, prefix string) Store {
	if prefix == "" {
		return s
	}
	return &sub{s, strings.TrimSuffix(prefix, "/") + "/"}
}

type sub struct {
	Store
	prefix string
}

func (s *sub) URL() string { return addPath(s.Store.URL(), s.prefix) }

// addPath appends a prefix to a URL's path, in front of its parameters.
func addPath(rawURL, prefix string) string {
	base, query, has := strings.Cut(rawURL, "?")
	base = strings.TrimSuffix(base, "/") + "/" + strings.TrimSuffix(prefix, "/")
	if has {
		return base + "?" + query
	}
	return base
}

func (s *sub) Create(ctx context.Context, name string, data []byte) error {
	return s.Store.Create(ctx, s.prefix+name, data)
}

func (s *sub) Put(ctx context.Context, name string, data []byte) error {
	return s.Store.Put(ctx, s.prefix+name, data)
}

func (s *sub) Replace(ctx context.Context, name string, data []byte, etag string) error {
	return s.Store.Replace(ctx, s.prefix+name, data, etag)
}

func (s *sub) Get(ctx context.Context, name string) ([]byte, Info, error) {
	data, info, err := s.Store.Get(ctx, s.prefix+name)
	info.Name = name
	return data, info, err
}

func (s *sub) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	return s.Store.GetRange(ctx, s.prefix+name, offset, length)
}

func (s *sub) List(ctx context.Context, prefix string) ([]Info, error) {
	list, err := s.Store.List(ctx, s.prefix+prefix)
	for i := range list {
		list[i].Name = strings.TrimPrefix(list[i].Name, s.prefix)
	}
	return list, err
}

func (s *sub) Delete(ctx context.Context, name string) error {
	return s.Store.Delete(ctx, s.prefix+name)
}
