package server

import (
	"log/slog"
	"net"
	"path/filepath"

	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
)

// Options configure a server.
type Options struct {
	Listen   string // of the PostgreSQL protocol
	HTTP     string // of health and metrics; "" for none
	Data     string // folder of everything kept locally
	Objects  string // URL of the object store; "": a folder below Data
	Metadata string // URL of the metadata database; "": SQLite below Data
	Password string // "": loopback only, and everybody is let in
	TLSCert  string // files; both or neither
	TLSKey   string
	// Parallelism and BatchRows are what jobs use that do not say.
	Parallelism int
	BatchRows   int
	// MemoryLimit is how many bytes the process may take; 0: a share of what there is,
	// negative: no limit.
	MemoryLimit int64
	Version     string
	Log         *slog.Logger
	Clock       clock.Clock
}

// EnsureDefaults fills in what was left out.
func (o *Options) EnsureDefaults() {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:7433"
	}
	if o.Data == "" {
		o.Data = "./millrace-data"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Version == "" {
		o.Version = "dev"
	}
}

// check refuses options that cannot go together.
func (o *Options) check() error {
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return pgerr.New(pgerr.InvalidParameterValue, "a TLS certificate and its key must be given together")
	}
	if o.Password != "" {
		return nil
	}
	for _, address := range []string{o.Listen, o.HTTP} {
		if address == "" {
			continue
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return pgerr.New(pgerr.InvalidParameterValue, "cannot read the address %q: %v", address, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return pgerr.New(pgerr.InvalidParameterValue,
				"refusing to listen on %s without a password: set MILLRACE_PASSWORD, or listen on a loopback address", address)
		}
	}
	return nil
}

// urls fills in the embedded defaults, which need the absolute data folder.
func (o *Options) urls() error {
	dir, err := filepath.Abs(o.Data)
	if err != nil {
		return err
	}
	o.Data = dir
	if o.Objects == "" {
		o.Objects = "file://" + filepath.ToSlash(filepath.Join(dir, "objects"))
	}
	if o.Metadata == "" {
		o.Metadata = "sqlite://" + filepath.ToSlash(filepath.Join(dir, "metadata.db"))
	}
	return nil
}
