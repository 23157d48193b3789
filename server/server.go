// Package server is the process: it opens what a data folder, an object store and
// a metadata database hold, wires the layers together, listens, resumes the jobs,
// and ends in good order. What a statement does is in package handler, what a job
// does in package job.
package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/blackhole"
	"github.com/millrace/millrace/connector/datagen"
	"github.com/millrace/millrace/connector/deadletter"
	"github.com/millrace/millrace/connector/nexmark"
	objectfiles "github.com/millrace/millrace/connector/object"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/admin"
	"github.com/millrace/millrace/server/handler"
	"github.com/millrace/millrace/server/pgcatalog"
	"github.com/millrace/millrace/server/pgwire"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/statestore/object"
)

// The one role and the one database there are so far.
const (
	roleName     = "millrace"
	databaseName = "millrace"
)

// initialized is the setting that tells a data folder that has run before.
const initialized = "initialized"

// compactInterval is how often own tables are asked whether their log has grown
// enough to be written anew.
const compactInterval = 10 * time.Second

// Server is a running Millrace.
type Server struct {
	opt     Options
	started time.Time
	wire    net.Listener
	http    net.Listener // nil for none

	lock     *os.File // of the data folder
	leased   bool
	store    *catalog.Store
	objects  object.Store
	tables   *table.Store
	letters  *deadletter.Store
	drops    *blackhole.Counts
	jobs     *job.Manager
	sessions *session.Manager
	memory   *memory.Pool
	pgwire   *pgwire.Server
	admin    *admin.Server

	ready  sync.Mutex
	why    error // why the server is not ready; nil when it is
	fresh  bool
	failed chan error
	ctx    context.Context // of the goroutines below
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Start opens everything, resumes the jobs, and listens. When another server has
// the lease on the metadata database it waits for it, until ctx is done.
func Start(ctx context.Context, opt Options) (*Server, error) {
	opt.EnsureDefaults()
	if err := opt.check(); err != nil {
		return nil, err
	}
	if err := opt.urls(); err != nil {
		return nil, err
	}
	s := &Server{opt: opt, started: opt.Clock.Now(), why: errors.New("starting"), failed: make(chan error, 4), drops: &blackhole.Counts{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) (err error) {
	if err := s.listen(); err != nil {
		return err
	}
	if s.http != nil {
		s.admin = admin.New(admin.Options{Ready: func(context.Context) error { return s.notReady() }, Metrics: s, Version: s.opt.Version, Logger: s.opt.Log})
		s.serve("HTTP", func() error { return s.admin.Serve(s.http) })
	}
	if err := os.MkdirAll(s.opt.Data, 0o755); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if s.lock, err = lockFolder(s.opt.Data); err != nil {
		return err
	}
	if err := s.openStores(ctx); err != nil {
		return err
	}
	if err := s.wireUp(); err != nil {
		return err
	}
	if err := s.recover(ctx); err != nil {
		return err
	}
	s.wg.Go(s.maintain)
	s.wg.Go(func() { s.memory.Watch(s.ctx) })
	s.serve("PostgreSQL clients", func() error { return s.pgwire.Serve(s.wire) })
	s.setReady(nil)
	return nil
}

// listen takes the ports before anything else, so that a port in use is told
// before a job is touched.
func (s *Server) listen() (err error) {
	if s.wire, err = net.Listen("tcp", s.opt.Listen); err != nil {
		return fmt.Errorf("listen for PostgreSQL clients: %w", err)
	}
	if s.opt.HTTP == "" {
		return nil
	}
	if s.http, err = net.Listen("tcp", s.opt.HTTP); err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	return nil
}

// serve runs a listener's loop; its end by itself is a failure of the server.
func (s *Server) serve(what string, loop func() error) {
	s.wg.Go(func() {
		if err := loop(); err != nil {
			s.fail(fmt.Errorf("serve %s: %w", what, err))
		}
	})
}

// fail reports what the server cannot go on without.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default: // one reason is enough
	}
}

// openStores opens what is durable: objects, metadata, own tables, dead letters.
func (s *Server) openStores(ctx context.Context) (err error) {
	if s.objects, err = object.Open(ctx, s.opt.Objects); err != nil {
		return err
	}
	if err = object.ProveConditionalWrites(ctx, s.objects); err != nil {
		return err
	}
	if s.store, err = catalog.Open(ctx, s.opt.Metadata, catalog.Options{Clock: s.opt.Clock, Logger: s.opt.Log}); err != nil {
		return fmt.Errorf("open the metadata database: %w", err)
	}
	if err := s.acquireLease(ctx); err != nil {
		return err
	}
	if s.tables, err = table.Open(filepath.Join(s.opt.Data, "tables"), table.Options{Log: s.opt.Log,
		Committed: func(id string) (bool, error) { return s.store.JointCommitted(ctx, id) }}); err != nil {
		return fmt.Errorf("open the own tables: %w", err)
	}
	if s.letters, err = deadletter.Open(filepath.Join(s.opt.Data, "dead-letters"), deadletter.Options{Log: s.opt.Log, Clock: s.opt.Clock}); err != nil {
		return fmt.Errorf("open the dead letters: %w", err)
	}
	_, ran, err := s.store.Setting(ctx, initialized)
	s.fresh = !ran && len(s.store.Snapshot().Relations()) == 0
	return err
}

// wireUp makes the layers and tells each what it needs of the others.
func (s *Server) wireUp() error {
	connectors, err := connector.NewRegistry(nexmark.Kind(), datagen.Kind(), blackhole.Kind(s.drops),
		objectfiles.Kind(objectfiles.Options{OpenStore: openFiles, Clock: s.opt.Clock}))
	if err != nil {
		return err
	}
	// The handler needs the jobs and the system relations, and both need the
	// handler: what they ask of it goes through h, which is set below.
	var h *handler.Handler
	slabs := state.NewSlabs(state.SlabOptions{})
	s.memory = memory.NewPool(memory.Options{Limit: s.opt.memoryLimit(), Outside: slabs.Mapped, Trim: slabs.Trim, Tune: os.Getenv("GOMEMLIMIT") == "", Log: s.opt.Log})
	s.jobs = job.NewManager(job.ManagerOptions{
		Store: s.store, Objects: s.objects, Slabs: slabs, Memory: s.memory, Slots: background.Shared(), Version: s.opt.Version,
		Parallelism: s.opt.Parallelism, BatchRows: s.opt.BatchRows, Log: s.opt.Log, Clock: s.opt.Clock,
		Sources: func(ctx context.Context, j *catalog.Job, op *graph.Operator, undecodable func(connector.BadRow) error) (connector.Source, error) {
			return h.Source(ctx, j, op, undecodable)
		},
		Sinks: func(ctx context.Context, j *catalog.Job, op *graph.Operator) (connector.Sink, error) {
			return h.Sink(ctx, j, op)
		},
		Tables:  s.tables,
		Retain:  func(holder string, offsets [][]byte) error { return s.tables.Retain(holder, offsets...) },
		Release: s.tables.Release, Letters: s.letters, Describe: func(j *catalog.Job) (json.RawMessage, error) { return h.Describe(j) },
	})
	var late struct{ session.Handler }
	s.sessions = session.NewManager(session.Options{Handler: &late, Parse: parse.Statements, Clock: s.opt.Clock, Logger: s.opt.Log})
	system := pgcatalog.New(pgcatalog.Options{Store: s.store, Sessions: s.sessions, Provider: s, Sequences: s, Clock: s.opt.Clock, Started: s.started,
		Snapshot: func(x *session.Session) *catalog.Snapshot { return h.Snapshot(x) }})
	h = handler.New(handler.Options{Catalog: s.store, Jobs: s.jobs, Tables: s.tables, Connectors: connectors, System: system, Slabs: slabs, Memory: s.memory,
		Version: s.opt.Version, Log: s.opt.Log, Clock: s.opt.Clock})
	late.Handler = h
	wire := pgwire.Options{Sessions: s.sessions, Password: s.opt.Password, User: roleName, Database: databaseName, Logger: s.opt.Log}
	if s.opt.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(s.opt.TLSCert, s.opt.TLSKey)
		if err != nil {
			return fmt.Errorf("load the TLS certificate: %w", err)
		}
		wire.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	s.pgwire, err = pgwire.New(wire)
	return err
}

// openFiles opens a folder or bucket of the object connector.
func openFiles(ctx context.Context, url string, c objectfiles.Credentials) (object.Store, error) {
	return object.OpenWith(ctx, url, object.Options{AccessKey: c.AccessKey, SecretKey: c.SecretKey})
}

// recover removes what a crash left half done, and resumes the jobs.
func (s *Server) recover(ctx context.Context) error {
	snap := s.store.Snapshot()
	for _, t := range s.tables.Tables() {
		if snap.RelationByID(t.ID) == nil { // made by a transaction that did not commit
			if err := s.tables.Drop(ctx, t.ID); err != nil {
				return fmt.Errorf("drop table %s, which is in no catalog: %w", t.Name, err)
			}
		}
	}
	for _, r := range snap.Relations() {
		if !r.IsOwnTable() {
			continue
		}
		if _, err := s.tables.Def(r.ID); err != nil {
			s.opt.Log.Warn("the rows of a table are not in this data folder: it was made with another one", "table", r.Name)
		}
	}
	if err := s.releaseHolders(ctx); err != nil {
		return err
	}
	s.jobs.Resume()
	return nil
}

// releaseHolders lets go of what own tables keep for checkpoints and savepoints
// that are gone.
func (s *Server) releaseHolders(ctx context.Context) error {
	live := map[string]bool{}
	checkpoints, err := s.store.Checkpoints(ctx, "") // those of dropped jobs that retain them too
	if err != nil {
		return err
	}
	for _, c := range checkpoints {
		if c.State != "discarded" {
			live[job.CheckpointHolder(c.JobID, c.N)] = true
		}
	}
	savepoints, err := s.store.Savepoints(ctx, "")
	if err != nil {
		return err
	}
	for _, p := range savepoints {
		live[job.SavepointHolder(p.Name)] = true
	}
	for _, holder := range s.tables.Holders() {
		if live[holder] {
			continue
		}
		if err := s.tables.Release(holder); err != nil {
			return fmt.Errorf("release what %s held: %w", holder, err)
		}
	}
	return nil
}

// maintain compacts own tables and renews the lease until the server ends.
func (s *Server) maintain() {
	compact := s.opt.Clock.After(compactInterval)
	renew := s.opt.Clock.After(leaseRenew)
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-compact:
			if err := s.tables.CompactIfNeeded(s.ctx); err != nil && s.ctx.Err() == nil {
				s.opt.Log.Warn("compact own tables", "err", err)
			}
			compact = s.opt.Clock.After(compactInterval)
		case <-renew:
			s.renewLease()
			renew = s.opt.Clock.After(leaseRenew)
		}
	}
}

func (s *Server) notReady() error {
	s.ready.Lock()
	defer s.ready.Unlock()
	return s.why
}

func (s *Server) setReady(why error) {
	s.ready.Lock()
	defer s.ready.Unlock()
	s.why = why
}

// Addr is where PostgreSQL clients connect.
func (s *Server) Addr() net.Addr { return s.wire.Addr() }

// Fresh reports whether the data folder is new.
func (s *Server) Fresh() bool { return s.fresh }

// Failed delivers the reason when the server cannot go on.
func (s *Server) Failed() <-chan error { return s.failed }

// RunFile runs the statements of a file as one transaction, in which
// ${MILLRACE_DATA} is the data folder.
func (s *Server) RunFile(ctx context.Context, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the init file: %w", err)
	}
	sql := strings.ReplaceAll(string(text), "${MILLRACE_DATA}", filepath.ToSlash(strings.TrimPrefix(s.opt.Data, "/")))
	conn, err := pgconn.Connect(ctx, s.clientURL())
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Position > 0 {
			line := 1 + strings.Count(string([]rune(sql)[:min(int(e.Position)-1, len([]rune(sql)))]), "\n")
			return fmt.Errorf("%s:%d: %s (SQLSTATE %s)", name, line, e.Message, e.Code)
		}
		return fmt.Errorf("run %s: %w", name, err)
	}
	return s.store.PutSetting(ctx, initialized, "true")
}

// clientURL is how the server connects to itself.
func (s *Server) clientURL() string {
	u := url.URL{Scheme: "postgres", Host: s.wire.Addr().String(), Path: databaseName, User: url.User(roleName)}
	if s.opt.Password != "" {
		u.User = url.UserPassword(roleName, s.opt.Password)
	}
	return u.String()
}

// Welcome tells a newcomer what to do next.
func (s *Server) Welcome() string {
	host, port, err := net.SplitHostPort(s.wire.Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nMillrace %s is ready, with its data in %s.\nConnect from another terminal:\n\n    psql -h %s -p %s %s\n\nand try\n\n", s.opt.Version, s.opt.Data, host, port, databaseName)
	snap := s.store.Snapshot()
	if v := snap.Relation("public", "bids_per_window"); v != nil {
		b.WriteString("    SELECT * FROM bids_per_window ORDER BY window_start DESC, bids DESC LIMIT 4;\n")
	}
	b.WriteString("    SHOW JOBS;\n")
	if j := snap.Job("busy_bidders"); j != nil {
		b.WriteString("    EXPLAIN JOB busy_bidders;\n    SAVEPOINT JOB busy_bidders AS before_change;\n")
	}
	b.WriteString("\n")
	if s.http != nil {
		fmt.Fprintf(&b, "Health and metrics: http://%s/healthz, /readyz, /metrics. Ctrl-C stops the server after a last checkpoint.\n\n", s.http.Addr())
	}
	return b.String()
}

// Shutdown ends the server in good order: clients are sent away, every job takes
// a last checkpoint, and everything is closed. When ctx is done first the jobs
// end as in a crash, which loses nothing.
func (s *Server) Shutdown(ctx context.Context) {
	s.setReady(errors.New("shutting down"))
	if err := s.pgwire.Shutdown(ctx); err != nil {
		s.opt.Log.Warn("close client connections", "err", err)
	}
	s.jobs.Shutdown(ctx)
	s.close()
}

// close closes what is open, in any state of the start.
func (s *Server) close() {
	s.cancel()
	if s.jobs != nil {
		s.jobs.Kill()
	}
	warn := func(what string, err error) {
		if err != nil {
			s.opt.Log.Warn("close "+what, "err", err)
		}
	}
	if s.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		warn("HTTP", s.admin.Shutdown(ctx))
		cancel()
	} else if s.http != nil {
		warn("the HTTP listener", s.http.Close())
	}
	if s.wire != nil {
		_ = s.wire.Close() // already, after Shutdown
	}
	s.wg.Wait()
	s.memory.Untune()
	if s.letters != nil {
		warn("dead letters", s.letters.Close())
	}
	if s.tables != nil {
		warn("own tables", s.tables.Close())
	}
	if s.store != nil {
		s.releaseLease()
		warn("the metadata database", s.store.Close())
	}
	if s.lock != nil {
		warn("the data folder", s.lock.Close())
	}
}
