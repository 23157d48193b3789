package object

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/millrace/millrace/statestore/object"
)

// fakeStore is a bucket in memory. fail, if set, may refuse a call.
type fakeStore struct {
	data map[string][]byte
	fail func(op, name string) error
}

func (s *fakeStore) URL() string { return "s3://bucket" }

func (s *fakeStore) check(op, name string) error {
	if s.fail != nil {
		return s.fail(op, name)
	}
	return nil
}

func (s *fakeStore) Create(_ context.Context, name string, data []byte) error {
	if err := s.check("create", name); err != nil {
		return err
	}
	if _, ok := s.data[name]; ok {
		return fmt.Errorf("create: %w", object.ErrExists)
	}
	s.data[name] = data
	return nil
}

func (s *fakeStore) Put(_ context.Context, name string, data []byte) error {
	if err := s.check("put", name); err != nil {
		return err
	}
	s.data[name] = data
	return nil
}

func (s *fakeStore) Replace(context.Context, string, []byte, string) error {
	return errors.New("not used")
}

func (s *fakeStore) Get(_ context.Context, name string) ([]byte, object.Info, error) {
	data, ok := s.data[name]
	if !ok {
		return nil, object.Info{}, fmt.Errorf("get: %w", object.ErrNotFound)
	}
	return data, object.Info{Name: name, Size: int64(len(data))}, nil
}

func (s *fakeStore) GetRange(_ context.Context, name string, offset, length int64) ([]byte, error) {
	if err := s.check("range", name); err != nil {
		return nil, err
	}
	data, ok := s.data[name]
	if !ok {
		return nil, object.ErrNotFound
	}
	data = data[min(offset, int64(len(data))):]
	return data[:min(length, int64(len(data)))], nil
}

func (s *fakeStore) List(_ context.Context, prefix string) ([]object.Info, error) {
	var out []object.Info
	for name, data := range s.data {
		if strings.HasPrefix(name, prefix) {
			out = append(out, object.Info{Name: name, Size: int64(len(data))})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

func (s *fakeStore) Delete(_ context.Context, name string) error {
	if err := s.check("delete", name); err != nil {
		return err
	}
	delete(s.data, name)
	return nil
}

// newStore returns an empty bucket and the connector's options for it.
func newStore(t *testing.T) (*fakeStore, Options) {
	t.Helper()
	s := &fakeStore{data: map[string][]byte{}}
	return s, Options{OpenStore: func(context.Context, string, Credentials) (object.Store, error) { return s, nil }}
}
