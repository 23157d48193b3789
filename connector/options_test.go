package connector

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
)

func kind() *Kind {
	return &Kind{Name: "k", Options: []Option{{Name: "path", Required: true, Doc: "where"}, {Name: "mode", Default: "a", Values: []string{"a", "b"}}, {Name: "size", Default: "1kB"}, {Name: "f.<column>.x"}},
		NewSource: func(context.Context, Spec, Env) (Source, error) { return nil, nil }}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		options   map[string]string
		err, hint string
	}{
		{map[string]string{"path": "p", "connector": "k", "mode": "b", "f.col.x": "1", "rows_per_second": "5", "idle_timeout": "5s"}, "", ""},
		{map[string]string{}, `connector "k" requires option "path"`, "Path is where."},
		{map[string]string{"path": "p", "mode": "c"}, `invalid value for option "mode": "c"`, "Valid values are a, b."},
		{map[string]string{"path": "p", "delivery": "exactly_once"}, `connector "k" has no option "delivery"`, "Valid options are bad_data, f.<column>.x, idle_timeout, mode, path, rows_per_second, size, watermark_alignment."},
		{map[string]string{"path": "p", "rows_per_second": "fast"}, `invalid value for option "rows_per_second": "fast"`, "Valid is a whole number from 0 to 1099511627776."},
		{map[string]string{"path": "p", "watermark_alignment": "-1s"}, `invalid value for option "watermark_alignment": "-1s"`, "Valid is a duration such as 500ms, 10s, 5min, 1h or 1d."},
	}
	for _, tt := range tests {
		_, err := kind().Check(Spec{Options: tt.options})
		var e *pgerr.Error
		switch {
		case tt.err == "" && err == nil:
		case !errors.As(err, &e) || e.Message != tt.err || e.HintText != tt.hint || e.Code != pgerr.InvalidParameterValue:
			t.Errorf("%v: %v, hint %q", tt.options, err, pgerr.From(err).HintText)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "0s": 0, "500ms": 500 * time.Millisecond, "10s": 10 * time.Second, "5 min": 5 * time.Minute, "1h30m": 90 * time.Minute,
		"2 days": 48 * time.Hour, "1.5s": 1500 * time.Millisecond, "10 Seconds": 10 * time.Second} {
		if got, ok := ParseDuration(text); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "5", "s", "-1s", "1 fortnight", "1s2", "9999999999999h", "1..5s"} {
		if got, ok := ParseDuration(text); ok {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"1024": 1024, "64kB": 65536, "128MB": 128 << 20, "1 GB": 1 << 30, "7b": 7} {
		s, err := kind().Check(Spec{Options: map[string]string{"path": "p", "size": text}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Bytes("size", 1, 1<<40); err != nil || got != want {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-5", "1TBx", "99999999999GB"} {
		s, _ := kind().Check(Spec{Options: map[string]string{"path": "p", "size": text}})
		if got, err := s.Bytes("size", 1, 1<<40); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func TestRegistryRefusesTwins(t *testing.T) {
	if _, err := NewRegistry(kind(), kind()); err == nil {
		t.Fatal("two kinds of one name")
	}
	r, err := NewRegistry(kind())
	if err != nil || r.Lookup("k") == nil || r.Lookup("x") != nil || len(r.Names()) != 1 {
		t.Fatal(r, err)
	}
}
