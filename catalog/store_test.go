package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/test/servers"
	"github.com/millrace/millrace/types"
)

// postgres serves all tests of the package; nil when it is not installed.
var postgres *servers.Postgres

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if bin := servers.PostgresBin(); bin != "" {
			p, stop, err := servers.RunPostgres(bin)
			if err != nil {
				fmt.Fprintln(os.Stderr, "start PostgreSQL:", err)
				return 1
			}
			defer stop()
			postgres = p
		}
		return m.Run()
	}())
}

// fakeClock is moved by hand.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}
func (c *fakeClock) After(time.Duration) <-chan time.Time { return nil }
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// eachBackend runs a test on both databases. open opens the same one again.
func eachBackend(t *testing.T, f func(t *testing.T, open func() *Store, clock *fakeClock)) {
	run := func(t *testing.T, url string) {
		clock := &fakeClock{now: time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)}
		f(t, func() *Store {
			t.Helper()
			s, err := Open(context.Background(), url, Options{Clock: clock, CheckpointsMax: 4, EventsMax: 3})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}, clock)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite://"+t.TempDir()+"/new folder/meta.db") })
	t.Run("postgres", func(t *testing.T) {
		if postgres == nil {
			t.Skipf("PostgreSQL is not installed and %s is not set", servers.PostgresBinEnv)
		}
		run(t, postgres.CreateDatabase(t, t.Name()))
	})
}

func table(name string, depends ...string) Relation {
	return Relation{Schema: "public", Name: name, Kind: Table, Depends: depends,
		Columns: []Column{{Name: "id", Type: types.Of(types.Int64), NotNull: true}}}
}

func code(err error) pgerr.Code {
	if err == nil {
		return ""
	}
	var e *pgerr.Error
	if !errors.As(err, &e) {
		return pgerr.Code(err.Error())
	}
	return e.Code
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestRelationsAndJobsSurviveReopening(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, clock *fakeClock) {
		ctx := context.Background()
		s := open()
		full := Relation{
			Schema: "public", Name: "orders", Kind: Source, AppendOnly: true, PrimaryKey: []int{0},
			Columns: []Column{
				{Name: "id", Type: types.Of(types.Int64), NotNull: true, Default: "1"},
				{Name: "amount", Type: types.Type{Kind: types.Numeric, Precision: 12, Scale: 2, HasPrecision: true}},
				{Name: "tags", Type: types.ArrayOf(types.Of(types.Text)), Metadata: "headers"},
				{Name: "ts", Type: types.Of(types.Timestamp), Generated: "now()"},
			},
			Watermark: &Watermark{Column: 3, X: "ts - INTERVAL '5 seconds'"},
			Options:   map[string]string{"connector": "object", "path": "s3://b/'x'?"},
			SQL:       "CREATE SOURCE …", Created: clock.Now(),
		}
		tx := s.Begin()
		src := must[*Relation](t)(tx.CreateRelation(full))
		view := table("totals", src.ID, SystemID("pg_catalog", "pg_class"))
		view.Kind, view.Query = MaterializedView, "SELECT 1"
		view.ID, view.JobID = NewID(), NewID()
		must[*Relation](t)(tx.CreateRelation(view))
		job := Job{ID: view.JobID, Name: "totals", SQL: "CREATE …", Graph: []byte{0, 1, 0xff}, Options: map[string]string{"parallelism": "2"},
			Wanted: "running", State: "created", ViewID: view.ID, FirstCheckpoint: 861, Lineage: []string{"a", "b"}, Depends: []string{src.ID}}
		must[*Job](t)(tx.CreateJob(job))
		if s.Snapshot().Relation("public", "orders") != nil {
			t.Error("seen before commit")
		}
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.SetJobState(ctx, job.ID, "failed", "out of luck"); err != nil {
			t.Fatal(err)
		}
		want := s.Snapshot()
		got := open().Snapshot()
		for _, name := range []string{"orders", "totals"} {
			a, b := want.Relation("public", name), got.Relation("public", name)
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s came back as\n%+v, was\n%+v", name, b, a)
			}
		}
		if a, b := want.Job("totals"), got.Job("totals"); !reflect.DeepEqual(a, b) || b.State != "failed" || b.Failure != "out of luck" {
			t.Errorf("job came back as\n%+v, was\n%+v", b, a)
		}
	})
}

func TestDropRefusesNamesAndCascades(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, _ *fakeClock) {
		ctx := context.Background()
		s := open()
		tx := s.Begin()
		a := must[*Relation](t)(tx.CreateRelation(table("a")))
		idx := table("a_idx", a.ID)
		idx.Kind = Index
		must[*Relation](t)(tx.CreateRelation(idx))
		v := table("v", a.ID)
		v.Kind = View
		vr := must[*Relation](t)(tx.CreateRelation(v))
		m := table("m", vr.ID)
		m.ID, m.JobID, m.Kind = NewID(), NewID(), MaterializedView
		must[*Relation](t)(tx.CreateRelation(m))
		must[*Job](t)(tx.CreateJob(Job{ID: m.JobID, Name: "m", ViewID: m.ID, Depends: []string{vr.ID}}))
		must[*Job](t)(tx.CreateJob(Job{Name: "j", Depends: []string{a.ID}}))
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}

		tx = s.Begin()
		_, err := tx.CreateRelation(table("a"))
		if code(err) != pgerr.DuplicateTable {
			t.Error(err)
		}
		if _, err := tx.CreateJob(Job{Name: "j"}); code(err) != pgerr.DuplicateObject {
			t.Error(err)
		}
		_, err = tx.DropRelation(a.ID, false)
		e := pgerr.From(err)
		wantDetail := "view v depends on table a\nmaterialized view m depends on view v\njob j depends on table a"
		if e.Code != pgerr.DependentObjectsStillExist || e.Message != "cannot drop table a because other objects depend on it" || e.Detail != wantDetail {
			t.Errorf("%s %s\n%s", e.Code, e.Message, e.Detail)
		}
		if err := tx.DropJob(m.JobID); code(err) != pgerr.DependentObjectsStillExist {
			t.Error(err)
		}
		if err := tx.RenameRelation(a.ID, "b"); code(err) != pgerr.DependentObjectsStillExist {
			t.Error(err)
		}
		if !tx.Empty() {
			t.Error("refused changes are in the transaction")
		}
		version := s.Snapshot().Version
		mark := tx.Mark()
		d := must[Dropped](t)(tx.DropRelation(a.ID, true))
		if len(d.Relations) != 4 || len(d.Jobs) != 2 {
			t.Errorf("dropped %d relations, %d jobs", len(d.Relations), len(d.Jobs))
		}
		if len(tx.Snapshot().Relations()) != 0 || len(s.Snapshot().Relations()) != 4 {
			t.Error("the change shows in the wrong place")
		}
		tx.RollbackTo(mark)
		if len(tx.Snapshot().Relations()) != 4 || !tx.Empty() {
			t.Error("rollback to the mark did not bring it back")
		}
		must[Dropped](t)(tx.DropRelation(a.ID, true))
		must[*Relation](t)(tx.CreateRelation(table("a"))) // the name is free again
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if got := open().Snapshot(); len(got.Relations()) != 1 || len(got.Jobs()) != 0 || s.Snapshot().Version == version {
			t.Errorf("%d relations, %d jobs are left", len(got.Relations()), len(got.Jobs()))
		}
	})
}

func TestTransactionsThatCollide(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, _ *fakeClock) {
		ctx := context.Background()
		s := open()
		one, two := s.Begin(), s.Begin()
		a := must[*Relation](t)(one.CreateRelation(table("a")))
		must[*Relation](t)(two.CreateRelation(table("b")))
		must[*Relation](t)(two.CreateRelation(table("a")))
		if err := one.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if err := two.Commit(ctx); code(err) != pgerr.DuplicateTable {
			t.Error(err)
		}
		if s.Snapshot().Relation("public", "b") != nil {
			t.Error("half a transaction took effect")
		}
		three, four := s.Begin(), s.Begin()
		must[*Relation](t)(three.CreateRelation(table("c", a.ID)))
		must[Dropped](t)(four.DropRelation(a.ID, false))
		if err := four.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if err := three.Commit(ctx); code(err) != pgerr.UndefinedTable {
			t.Error(err)
		}
		if err := s.Begin().RenameRelation("nope", "x"); code(err) != pgerr.UndefinedTable {
			t.Error(err)
		}
	})
}

func TestJobsAreReplacedAndRenamed(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, _ *fakeClock) {
		ctx := context.Background()
		s := open()
		tx := s.Begin()
		view := table("m")
		view.ID, view.Kind, view.JobID = NewID(), MaterializedView, NewID()
		must[*Relation](t)(tx.CreateRelation(view))
		old := must[*Job](t)(tx.CreateJob(Job{ID: view.JobID, Name: "m", ViewID: view.ID}))
		must[*Job](t)(tx.CreateJob(Job{Name: "other"}))
		fresh := must[*Job](t)(tx.ReplaceJob(old.ID, Job{Name: "m", ViewID: view.ID, Lineage: []string{old.ID}}))
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		got := open().Snapshot()
		if got.Job("m").ID != fresh.ID || got.JobByID(old.ID) != nil || got.Relation("public", "m").JobID != fresh.ID {
			t.Errorf("job is %+v, view %+v", got.Job("m"), got.Relation("public", "m"))
		}
		tx = s.Begin()
		if err := tx.RenameJob(fresh.ID, "other"); code(err) != pgerr.DuplicateObject {
			t.Error(err)
		}
		if err := tx.RenameJob(fresh.ID, "better"); err != nil {
			t.Error(err)
		}
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot().FindJob("beter"); code(err) != pgerr.UndefinedObject || pgerr.From(err).HintText != `Perhaps you meant "better".` {
			t.Errorf("%v", err)
		}
	})
}

func TestCheckpointsSavepointsEventsSettings(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, clock *fakeClock) {
		ctx := context.Background()
		s := open()
		for n := int64(1); n <= 3; n++ {
			c := Checkpoint{JobID: "j", N: n, State: "running", Started: clock.Now()}
			if err := s.PutCheckpoint(ctx, c); err != nil {
				t.Fatal(err)
			}
			c.State, c.URL, c.Bytes, c.FullBytes, c.Rows, c.Ended = "complete", fmt.Sprintf("file:///chk-%d", n), n, 10*n, 100*n, clock.Now().Add(time.Second)
			if n == 3 {
				c.State, c.Failure = "failed", "bucket is gone"
			}
			if err := s.PutCheckpoint(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		all := must[[]Checkpoint](t)(s.Checkpoints(ctx, "j"))
		if len(all) != 3 || all[0].N != 3 || all[0].Failure != "bucket is gone" || !all[0].Ended.Equal(clock.Now().Add(time.Second)) {
			t.Errorf("checkpoints: %+v", all)
		}
		c, ok, err := s.NewestCheckpoint(ctx, "j")
		if err != nil || !ok || c.N != 2 {
			t.Errorf("newest: %+v %v %v", c, ok, err)
		}
		if _, ok, _ := s.NewestCheckpoint(ctx, "nobody"); ok {
			t.Error("a job without checkpoints has one")
		}
		if err := s.RemoveCheckpoint(ctx, "j", 1); err != nil || len(must[[]Checkpoint](t)(s.Checkpoints(ctx, ""))) != 2 {
			t.Error("checkpoint 1 is still there", err)
		}
		for n := int64(4); n <= 8; n++ { // 2 is complete and stays, 3 has failed
			if err := s.PutCheckpoint(ctx, Checkpoint{JobID: "j", N: n, State: "discarded", Started: clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		var left []int64
		for _, c := range must[[]Checkpoint](t)(s.Checkpoints(ctx, "j")) {
			left = append(left, c.N)
		}
		if !slices.Equal(left, []int64{8, 7, 6, 5, 2}) {
			t.Errorf("checkpoints %v are remembered", left)
		}

		p := Savepoint{Name: "sp", JobID: "j", JobName: "job", URL: "s3://b/sp", Format: "canonical", Bytes: 5, Rows: 6}
		if err := s.AddSavepoint(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := s.AddSavepoint(ctx, p); code(err) != pgerr.DuplicateObject {
			t.Error(err)
		}
		if got, err := s.FindSavepoint(ctx, "sp"); err != nil || got.URL != p.URL || got.Rows != 6 {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := s.FindSavepoint(ctx, "sq"); code(err) != pgerr.UndefinedObject || pgerr.From(err).HintText == "" {
			t.Error(err)
		}
		if err := s.RemoveSavepoint(ctx, "sp"); err != nil || len(must[[]Savepoint](t)(s.Savepoints(ctx, ""))) != 0 {
			t.Error("savepoint is still there", err)
		}

		for i := range 5 {
			clock.advance(time.Second)
			if err := s.AddEvent(ctx, Event{JobID: "j", Kind: "note", Message: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		events := must[[]Event](t)(s.Events(ctx, "j"))
		if len(events) != 3 || events[0].Message != "2" || events[2].Message != "4" {
			t.Errorf("events: %+v", events)
		}

		for _, v := range []string{"1", "2"} {
			if err := s.PutSetting(ctx, "x", v); err != nil {
				t.Fatal(err)
			}
		}
		if v, ok, err := s.Setting(ctx, "x"); v != "2" || !ok || err != nil {
			t.Errorf("setting %q %v %v", v, ok, err)
		}
		if _, ok, err := s.Setting(ctx, "y"); ok || err != nil {
			t.Errorf("setting y: %v %v", ok, err)
		}
	})
}

func TestLease(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, clock *fakeClock) {
		ctx := context.Background()
		one, two := open(), open()
		l := must[Lease](t)(one.AcquireLease(ctx, "one", 10*time.Second))
		if l.Incarnation != 1 {
			t.Errorf("incarnation %d", l.Incarnation)
		}
		if held, err := two.AcquireLease(ctx, "two", 10*time.Second); !errors.Is(err, ErrLeaseHeld) || held.Holder != "one" {
			t.Fatalf("%+v %v", held, err)
		}
		clock.advance(8 * time.Second)
		must[Lease](t)(one.RenewLease(ctx, 10*time.Second))
		clock.advance(8 * time.Second)
		if _, err := two.AcquireLease(ctx, "two", 10*time.Second); !errors.Is(err, ErrLeaseHeld) {
			t.Fatal(err)
		}
		clock.advance(8 * time.Second)
		l = must[Lease](t)(two.AcquireLease(ctx, "two", 10*time.Second))
		if l.Incarnation != 2 {
			t.Errorf("incarnation %d", l.Incarnation)
		}
		// The first server finds out whatever it does.
		if _, err := one.RenewLease(ctx, time.Second); !errors.Is(err, ErrLeaseLost) {
			t.Error(err)
		}
		tx := one.Begin()
		must[*Relation](t)(tx.CreateRelation(table("late")))
		if err := tx.Commit(ctx); !errors.Is(err, ErrLeaseLost) {
			t.Error(err)
		}
		if err := one.PutSetting(ctx, "x", "y"); !errors.Is(err, ErrLeaseLost) {
			t.Error(err)
		}
		if one.Snapshot().Relation("public", "late") != nil {
			t.Error("a refused commit shows")
		}
		if err := two.ReleaseLease(ctx); err != nil {
			t.Fatal(err)
		}
		if l := must[Lease](t)(one.AcquireLease(ctx, "one", time.Second)); l.Incarnation != 3 {
			t.Errorf("incarnation %d", l.Incarnation)
		}
	})
}

func TestLeaseRace(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, _ *fakeClock) {
		stores := []*Store{open(), open(), open(), open()}
		var won sync.Map
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := s.AcquireLease(context.Background(), fmt.Sprint("server ", i), time.Minute)
				if err == nil {
					won.Store(i, true)
				} else if !errors.Is(err, ErrLeaseHeld) {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		n := 0
		won.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d servers have the lease", n)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	eachBackend(t, func(t *testing.T, open func() *Store, _ *fakeClock) {
		s := open()
		if _, err := s.db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, " + map[bool]string{true: "true", false: "1"}[s.dialect.postgres] + ")"); err != nil {
			t.Fatal(err)
		}
		err := s.dialect.migrate(context.Background(), s.db, s.log)
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "9999") {
			t.Errorf("got %v", err)
		}
	})
	for _, url := range []string{"mysql://x", "sqlite://", "postgres://127.0.0.1:1/x?connect_timeout=1", ":"} {
		if _, err := Open(context.Background(), url, Options{}); err == nil {
			t.Errorf("%s was opened", url)
		}
	}
}

func TestConcurrentOpens(t *testing.T) {
	url := "sqlite://" + t.TempDir() + "/meta.db"
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s, err := Open(context.Background(), url, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.PutSetting(context.Background(), "x", "y"); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

func TestNear(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"ordres", "orders"}, {"order", "orders"}, {"Orders", "orders"}, {"xyz", ""}, {"", ""}, {"customer", "customers"},
	} {
		if got := Near(c.name, []string{"orders", "customers", "bid"}); got != c.want {
			t.Errorf("%q: got %q, want %q", c.name, got, c.want)
		}
	}
}
