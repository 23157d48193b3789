package main

import (
	"errors"
	"flag"
	"reflect"
	"testing"

	"github.com/millrace/millrace/server"
)

// TestFlagsAndEnvironment: each flag has its variable, and wins over it.
func TestFlagsAndEnvironment(t *testing.T) {
	for _, c := range []struct {
		flag, env, field string
		value, other     any
		text, otherText  string
	}{
		{"listen", "MILLRACE_LISTEN", "Listen", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:2"},
		{"http", "MILLRACE_HTTP", "HTTP", "", "127.0.0.1:2", "", "127.0.0.1:2"},
		{"data", "MILLRACE_DATA", "Data", "/a", "/b", "/a", "/b"},
		{"objects", "MILLRACE_OBJECTS", "Objects", "s3://a", "s3://b", "s3://a", "s3://b"},
		{"metadata", "MILLRACE_METADATA", "Metadata", "postgres://a", "postgres://b", "postgres://a", "postgres://b"},
		{"tls-cert", "MILLRACE_TLS_CERT", "TLSCert", "a", "b", "a", "b"},
		{"tls-key", "MILLRACE_TLS_KEY", "TLSKey", "a", "b", "a", "b"},
		{"parallelism", "MILLRACE_PARALLELISM", "Parallelism", 3, 4, "3", "4"},
		{"batch-rows", "MILLRACE_BATCH_ROWS", "BatchRows", 7, 8, "7", "8"},
	} {
		t.Run(c.flag, func(t *testing.T) {
			field := func(o server.Options) any { return reflect.ValueOf(o).FieldByName(c.field).Interface() }
			t.Setenv(c.env, c.text)
			opt, _, err := flags(nil)
			if err != nil || field(opt) != c.value {
				t.Errorf("%s: %v, %v", c.env, field(opt), err)
			}
			opt, _, err = flags([]string{"--" + c.flag, c.otherText})
			if err != nil || field(opt) != c.other {
				t.Errorf("--%s: %v, %v", c.flag, field(opt), err)
			}
		})
	}
	t.Setenv("MILLRACE_PASSWORD", "geheim")
	t.Setenv("MILLRACE_INIT", "/init.sql")
	t.Setenv("MILLRACE_LOG_LEVEL", "warn")
	opt, init, err := flags(nil)
	if err != nil || opt.Password != "geheim" || init != "/init.sql" || opt.Log.Enabled(t.Context(), -4) || !opt.Log.Enabled(t.Context(), 4) {
		t.Error(opt, init, err)
	}
	if opt.Listen != "127.0.0.1:7433" || opt.HTTP != "127.0.0.1:7434" {
		t.Error("defaults are", opt.Listen, opt.HTTP)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"--parallelism", "-1"}, {"--parallelism", "x"}, {"--batch-rows", "99999999"}, {"--log-level", "loud"}, {"extra"}, {"--nope"}} {
		if _, _, err := flags(args); err == nil {
			t.Error(args, "were taken")
		}
	}
	if _, _, err := flags([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}
