package job

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/object"
)

// world is what outlives a crash of a manager: the catalog, the bucket, the input
// and the output.
type world struct {
	t       *testing.T
	store   *catalog.Store
	bucket  *object.Faulty
	in      *input
	out     *output
	manager *Manager
	dir     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	store, err := catalog.Open(context.Background(), "sqlite:"+filepath.Join(dir, "catalog.db"), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	local, err := object.OpenLocal(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: store, bucket: object.NewFaulty(local), in: &input{}, out: &output{pending: map[string][]string{}, done: map[string]bool{}}, dir: dir}
	w.boot()
	t.Cleanup(func() {
		w.manager.Kill()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// boot starts a manager on what there is.
func (w *world) boot() {
	w.manager = NewManager(ManagerOptions{Store: w.store, Objects: w.bucket, Slots: background.Shared(), Parallelism: 2,
		Sources: func(context.Context, *catalog.Job, *graph.Operator, func(connector.BadRow) error) (connector.Source, error) {
			return w.in, nil
		},
		Sinks: func(context.Context, *catalog.Job, *graph.Operator) (connector.Sink, error) { return w.out, nil }})
	w.manager.Resume()
}

// crash ends the manager as it is and starts another.
func (w *world) crash() {
	w.manager.Kill()
	w.bucket.Set()
	w.out.set(nil)
	w.boot()
}

const query = "INSERT INTO out SELECT k FROM raw"

// create makes and starts a job; options alternate names and values.
func (w *world) create(sql string, options ...string) *catalog.Job {
	w.t.Helper()
	encoded, err := graph.Encode(w.graph(sql))
	if err != nil {
		w.t.Fatal(err)
	}
	j := catalog.Job{Name: "j", SQL: sql, Graph: encoded, Options: map[string]string{}, Wanted: "running", State: "created", FirstCheckpoint: 1}
	for i := 0; i < len(options); i += 2 {
		j.Options[options[i]] = options[i+1]
	}
	tx := w.store.Begin()
	made, err := tx.CreateJob(j)
	if err == nil {
		err = tx.Commit(context.Background())
	}
	if err == nil {
		err = w.manager.Start(made)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func (w *world) graph(sql string) *graph.Graph {
	w.t.Helper()
	g, err := fixture.Graph(sql)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("still not: %s\nevents:\n%s\noutput: %v", what, strings.Join(w.events(), "\n"), w.out.rows())
}

// events is the history of all jobs.
func (w *world) events() []string {
	list, err := w.store.Events(context.Background(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Kind+": "+e.Message)
	}
	return out
}

func (w *world) happened(part string) func() bool {
	return func() bool {
		return slices.ContainsFunc(w.events(), func(e string) bool { return strings.Contains(e, part) })
	}
}

func (w *world) state() string { return w.store.Snapshot().Job("j").State }

// exactly checks that the output becomes each of the rows once and stays so.
func (w *world) exactly(rows ...int64) {
	w.t.Helper()
	want := fmt.Sprint(rows)
	w.eventually("output "+want, func() bool { return len(w.out.rows()) >= len(rows) })
	time.Sleep(30 * time.Millisecond)
	if got := fmt.Sprint(w.out.rows()); got != want {
		w.t.Fatalf("output is %s, want %s\nevents:\n%s", got, want, strings.Join(w.events(), "\n"))
	}
}

// read adds rows to the input and waits until the job has read them.
func (w *world) read(rows ...int64) {
	w.t.Helper()
	w.in.add(rows...)
	w.eventually("read", func() bool {
		w.in.mu.Lock()
		defer w.in.mu.Unlock()
		return w.in.at == len(w.in.rows)
	})
}

// checkpointed takes a checkpoint.
func (w *world) checkpointed() int64 {
	w.t.Helper()
	n, err := w.manager.Checkpoint(context.Background(), "j")
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// input is a source of one split whose rows tests add.
type input struct {
	mu   sync.Mutex
	rows []int64
	gone int // rows that cannot be read any more
	fail error
	done bool // no more rows come
	at   int  // rows delivered to the newest reader
}

func (in *input) add(rows ...int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.rows = append(in.rows, rows...)
}

func (in *input) set(f func(in *input)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f(in)
}

func (in *input) Schema() []connector.Column { return nil }
func (in *input) Follows() bool              { return false }
func (in *input) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "all"}}, nil
}

func (in *input) CheckOffsets(_ context.Context, _ []connector.Split, offsets [][]byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, o := range offsets {
		if n, _ := strconv.Atoi(string(o)); n < in.gone {
			return &connector.GoneError{Message: fmt.Sprintf("the input cannot be read from row %d any more: the oldest there is is %d", n, in.gone)}
		}
	}
	return nil
}

func (in *input) Open(_ context.Context, _ connector.Split, offset []byte, _ []int) (connector.Reader, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	at, err := strconv.Atoi(string(append([]byte("0"), offset...)))
	return &inputReader{in: in, at: at}, err
}

type inputReader struct {
	in *input
	at int
}

func (r *inputReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if r.in.fail != nil {
		return connector.Idle, r.in.fail
	}
	for ; r.at < len(r.in.rows) && out.N < limit; r.at++ {
		out.Cols[0].Int = append(out.Cols[0].Int, r.in.rows[r.at])
		out.N++
	}
	r.in.at = r.at
	switch {
	case out.N > 0:
		return connector.More, nil
	case r.in.done:
		return connector.End, nil
	}
	return connector.Idle, nil
}

func (r *inputReader) Ready() <-chan struct{} { return nil }
func (r *inputReader) Offset() []byte         { return strconv.AppendInt(nil, int64(r.at), 10) }
func (r *inputReader) Close() error           { return nil }

// output is a sink with transactions. hook is asked before each step, "precommit"
// and "commit", and after a commit, "committed"; its error is the step's.
type output struct {
	mu      sync.Mutex
	pending map[string][]string // by transaction
	done    map[string]bool
	visible []string
	hook    func(ctx context.Context, step string) error
}

func (o *output) set(hook func(ctx context.Context, step string) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hook = hook
}

func (o *output) step(ctx context.Context, step string) error {
	o.mu.Lock()
	hook := o.hook
	o.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, step)
}

// rows is what readers see, in order.
func (o *output) rows() []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := []int64{}
	for _, s := range o.visible {
		n, _ := strconv.ParseInt(s, 10, 64)
		out = append(out, n)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

func (o *output) Open(_ context.Context, id connector.WriterID) (connector.Writer, error) {
	return &outputWriter{o: o, id: id}, nil
}

func (o *output) Commit(ctx context.Context, committables [][]byte) error {
	if err := o.step(ctx, "commit"); err != nil {
		return err
	}
	o.mu.Lock()
	for _, c := range committables {
		name := string(c)
		if !o.done[name] {
			o.done[name] = true
			o.visible = append(o.visible, o.pending[name]...)
		}
	}
	o.mu.Unlock()
	return o.step(ctx, "committed")
}

func (o *output) Abort(_ context.Context, id connector.WriterID) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name := range o.pending {
		if strings.HasPrefix(name, id.JobID+" ") && !strings.Contains(name, " "+id.Incarnation+" ") {
			delete(o.pending, name)
		}
	}
	return nil
}

type outputWriter struct {
	o    *output
	id   connector.WriterID
	rows []string
}

func (w *outputWriter) Write(_ context.Context, b *batch.Batch) error {
	for k := range b.Live() {
		w.rows = append(w.rows, strconv.FormatInt(b.Cols[0].Int[b.RowAt(k)], 10))
	}
	return nil
}

func (w *outputWriter) PreCommit(ctx context.Context, epoch uint64) ([]byte, error) {
	if err := w.o.step(ctx, "precommit"); err != nil || len(w.rows) == 0 {
		return nil, err
	}
	name := fmt.Sprintf("%s %s %d %d", w.id.JobID, w.id.Incarnation, w.id.Task, epoch)
	w.o.mu.Lock()
	w.o.pending[name], w.rows = w.rows, nil
	w.o.mu.Unlock()
	return []byte(name), nil
}

func (w *outputWriter) Close() error { return nil }

var errDown = errors.New("the bucket is down")
