// Package object reads and writes files of rows in a folder or a bucket: JSON
// lines or CSV, plain, gzip or zstd.
//
// As a source every file is a split, read from its start to its end. A file is
// taken as complete when it is listed: write it elsewhere, or under a hidden
// name, and move it into place. Names with an element that begins with a dot or
// an underscore, or that end in .tmp, are hidden. A file that changes while it is
// read is read on if what was read is still the same. What is appended to a file
// that is finished is not noticed.
//
// As a sink every task writes files of its own. They become visible only once
// the checkpoint that covers their rows is complete.
package object

import (
	"context"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/format/csv"
	"github.com/millrace/millrace/format/json"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/types"
)

// Credentials are what a bucket asks for; empty means those of the environment.
type Credentials struct{ AccessKey, SecretKey string }

// Options are what the connector needs of the process.
type Options struct {
	// OpenStore opens the store at a URL, file:///dir or s3://bucket/prefix.
	OpenStore func(ctx context.Context, url string, c Credentials) (object.Store, error)
	Clock     clock.Clock
}

// EnsureDefaults fills in what was left zero.
func (o Options) EnsureDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return o
}

// Kind returns the connector.
func Kind(o Options) *connector.Kind {
	o = o.EnsureDefaults()
	k := &connector.Kind{
		Name: "object",
		Options: []connector.Option{
			{Name: "path", Required: true, Doc: "file:///folder, s3://bucket/prefix?endpoint=…, one file, or a pattern in the last element such as *.json"},
			{Name: "format", Required: true, Values: []string{"json", "csv"}, Doc: "JSON lines or CSV"},
			{Name: "compression", Default: "auto", Values: []string{"auto", "none", "gzip", "zstd"}, Doc: "auto: a source looks at the file, a sink does not compress"},
			{Name: "header", Default: "false", Doc: "CSV only: the first line of a file names the columns"},
			{Name: "delimiter", Default: ",", Doc: "CSV only: one ASCII character"},
			{Name: "null", Default: "", Doc: "CSV only: what stands for null when it is not quoted"},
			{Name: "follow", Only: connector.SourceOnly, Default: "true", Doc: "pick up new files, or finish after those there are"},
			{Name: "roll_bytes", Only: connector.SinkOnly, Default: "64MB", Doc: "a file is finished when it has that many bytes before compression"},
			{Name: "roll_interval", Only: connector.SinkOnly, Default: "0s", Doc: "a file is finished at that age too, 0s for at checkpoints only"},
			{Name: "access_key", Secret: true, Doc: "S3 access key; default is the environment's"},
			{Name: "secret_key", Secret: true, Doc: "S3 secret key"},
		},
	}
	k.NewSource = func(ctx context.Context, spec connector.Spec, env connector.Env) (connector.Source, error) {
		s, err := k.Check(spec)
		if err != nil {
			return nil, err
		}
		return newSource(ctx, o, s, spec, env)
	}
	k.NewSink = func(ctx context.Context, spec connector.Spec, env connector.Env) (connector.Sink, error) {
		s, err := k.Check(spec)
		if err != nil {
			return nil, err
		}
		return newSink(ctx, o, s, spec, env)
	}
	return k
}

// dialect is the format as the options describe it.
type dialect struct {
	name string
	csv  csv.Options
}

func readDialect(s *connector.Settings) (dialect, error) {
	d := dialect{name: s.Text("format")}
	for _, name := range []string{"header", "delimiter", "null"} {
		if s.Given(name) && d.name != "csv" {
			return d, pgerr.New(pgerr.InvalidParameterValue, "option %q is for format 'csv' only", name)
		}
	}
	var err error
	if d.csv.Header, err = s.Bool("header"); err != nil {
		return d, err
	}
	delimiter := s.Text("delimiter")
	if delimiter == "\\t" {
		delimiter = "\t"
	}
	if len(delimiter) != 1 || strings.ContainsAny(delimiter, "\"\r\n") || delimiter[0] >= 0x80 {
		return d, s.Bad("delimiter", "one ASCII character other than a quote or a line end")
	}
	d.csv.Delimiter, d.csv.Null = delimiter[0], s.Text("null")
	if strings.ContainsAny(d.csv.Null, "\"\r\n"+delimiter) {
		return d, s.Bad("null", "text without quotes, line ends and the delimiter")
	}
	return d, nil
}

func (d dialect) decoder(columns []format.Column, want []int) format.Decoder {
	if d.name == "csv" {
		return csv.NewDecoder(columns, want, d.csv)
	}
	return json.NewDecoder(columns, want)
}

func (d dialect) encoder(columns []format.Column, ops bool) format.Encoder {
	if d.name == "csv" {
		return csv.NewEncoder(columns, d.csv, ops)
	}
	return json.NewEncoder(columns, ops)
}

// place is where the files are: a store, and which of its names count.
type place struct {
	files   files
	store   object.Store // of a sink; nil for a source
	local   bool
	pattern string // of the whole name; "" for all
}

// matches reports whether the object is one of the relation's files.
func (p *place) matches(name string) bool {
	if p.pattern != "" {
		ok, err := path.Match(p.pattern, name)
		if hidden := name[:min(1, len(name))]; hidden == "." || hidden == "_" { // found by its own pattern only
			ok = ok && strings.HasPrefix(p.pattern, hidden)
		}
		return ok && err == nil
	}
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(element, ".") || strings.HasPrefix(element, "_") {
			return false
		}
	}
	return !strings.HasSuffix(name, ".tmp")
}

// openPlace finds the store that an option path means. A sink makes the folder;
// for a source it must be there.
func openPlace(ctx context.Context, o Options, s *connector.Settings, sink bool) (*place, error) {
	u, err := url.Parse(s.Text("path"))
	if err != nil || u.Scheme != "file" && u.Scheme != "s3" || u.Scheme == "file" && (u.Host != "" || !strings.HasPrefix(u.Path, "/")) || u.Scheme == "s3" && u.Host == "" {
		return nil, s.Bad("path", "file:///folder or s3://bucket/prefix?endpoint=http://host:port")
	}
	p := &place{local: u.Scheme == "file"}
	dir, base := path.Split(strings.TrimSuffix(u.Path, "/"))
	single := strings.ContainsAny(base, "*?[")
	if p.local {
		info, err := os.Stat(filepath.FromSlash(u.Path))
		single = single || err == nil && info.Mode().IsRegular()
		if !single && !sink && err != nil {
			return nil, pgerr.New(pgerr.UndefinedFile, "path %q of option \"path\" cannot be read: %s", u.Path, rootCause(err)).Wrap(err)
		}
	} else if !sink && strings.Contains(base, ".") && !strings.HasSuffix(u.Path, "/") {
		single = true // an object of that name; a prefix with a dot ends in a slash
	}
	if single {
		if sink {
			return nil, s.Bad("path", "a folder: a sink names its files itself")
		}
		if _, err := path.Match(base, ""); err != nil {
			return nil, s.Bad("path", "a pattern with closed brackets")
		}
		u.Path, p.pattern = dir, base
	}
	if p.local && !sink {
		p.files = folder{root: filepath.Clean(filepath.FromSlash(u.Path))}
		return p, nil
	}
	if p.local { // so that what cannot be written is told at CREATE, and the folder can be read
		if err := os.MkdirAll(filepath.FromSlash(u.Path), 0o755); err != nil {
			return nil, pgerr.New(pgerr.IOError, "folder %q of option \"path\" cannot be made: %s", u.Path, rootCause(err)).Wrap(err)
		}
	}
	store, err := o.OpenStore(ctx, u.String(), Credentials{s.Text("access_key"), s.Text("secret_key")})
	if err != nil {
		e := pgerr.From(err)
		if e.Code == pgerr.InternalError {
			e = pgerr.New(pgerr.IOError, "%s", e.Message)
		}
		return nil, pgerr.New(e.Code, "cannot open %s of option \"path\": %s", safeURL(u), e.Message).Wrap(err)
	}
	p.files, p.store = store, store
	if _, err := store.List(ctx, ".millrace-probe"); err != nil {
		return nil, pgerr.New(pgerr.IOError, "cannot list %s of option \"path\": %s", safeURL(u), err).Wrap(err).
			Hint("Check that the bucket exists and that access_key and secret_key, or those of the environment, may read it.")
	}
	return p, nil
}

// safeURL is the URL without anything that could be a secret.
func safeURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func rootCause(err error) string {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// fileColumns tells the columns of the files from metadata and from what the
// engine computes.
func fileColumns(spec connector.Spec) (columns []format.Column, position []int, err error) {
	position = make([]int, len(spec.Columns))
	for i, c := range spec.Columns {
		position[i] = -1
		if c.Generated {
			continue
		}
		if c.Type.Phys() == types.PhysNone {
			return nil, nil, pgerr.New(pgerr.DatatypeMismatch, "column %q has type %s, which files cannot hold", c.Name, c.Type)
		}
		if c.Metadata == "" && !c.Generated {
			position[i] = len(columns)
			columns = append(columns, format.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull})
		}
	}
	return columns, position, nil
}
