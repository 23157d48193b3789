package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/exec/operator"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// Plan compiles a query over bid, auction, person and side_input to a job into a sink that
// counts.
func Plan(sql string) (*graph.Graph, error) {
	root, err := bound(sql)
	if err != nil {
		return nil, err
	}
	sink := &logical.Sink{Input: root, Relation: &catalog.Relation{ID: "out", Schema: "public", Name: "out", Kind: catalog.Sink,
		Options: map[string]string{"connector": "blackhole"}}}
	for i, f := range root.Fields() {
		sink.Columns = append(sink.Columns, i)
		sink.Relation.Columns = append(sink.Relation.Columns, catalog.Column{Name: f.Name, Type: f.Type})
	}
	return lower.Job([]*logical.Sink{optimize.Sink(sink, optimize.Options{Evaluate: constant})}, lower.Options{})
}

func constant(x *scalar.Expr) (types.Value, bool) {
	v, err := eval.Constant(x, eval.Options{})
	return v, err == nil
}

// AuctionVersion is the relation of auctions as versions, each of which replaces the
// one before it with the same id.
const AuctionVersion = "auction_version"

// bound parses a query and binds its names.
func bound(sql string) (logical.Node, error) {
	q, err := parse.Query(sql)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	var relations bind.Relations
	for _, stream := range []nexmark.Stream{nexmark.Bid, nexmark.Auction, nexmark.Person, SideInput} {
		name := string(stream)
		r := &catalog.Relation{ID: name, Schema: "public", Name: name, Kind: catalog.Source, Options: map[string]string{"connector": "nexmark"}}
		for i, c := range sourceOf(stream, 0).Schema() {
			r.Columns = append(r.Columns, catalog.Column{Name: c.Name, Type: c.Type})
			if c.Name == "date_time" {
				r.Watermark = &catalog.Watermark{Column: i, X: "date_time - interval '4' second"}
			}
		}
		relations = append(relations, r)
		if stream == nexmark.Auction {
			versions := *r
			versions.Name, versions.PrimaryKey = AuctionVersion, []int{0}
			relations = append(relations, &versions)
		}
	}
	b, err := bind.Query(q, bind.Options{Catalog: relations, Continuous: true})
	if err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	return b.Root, nil
}

// parts is the factory of a run: the generator, state in memory, a sink that
// counts.
type parts struct {
	ctx    context.Context
	graph  *graph.Graph
	source func(of nexmark.Stream) connector.Source
	slabs  *state.Slabs
	memory *memory.Account // counts as that of a job does
	rows   atomic.Int64
}

// run executes a plan over the first events events of all streams, and returns
// how many rows the sink got and the bytes that state took. They are of slabs, and
// go back there.
func run(ctx context.Context, g *graph.Graph, events uint64, parallelism int, slabs *state.Slabs) (rows, kept int64, err error) {
	account := memory.NewPool(memory.Options{}).Open(memory.AccountOptions{Kind: "job", Budget: 1 << 60})
	defer account.Close()
	p := &parts{ctx: ctx, graph: g, slabs: slabs, memory: account,
		source: func(of nexmark.Stream) connector.Source { return sourceOf(of, events) }}
	r, err := exec.Start(ctx, g, exec.Options{Parallelism: parallelism, Factory: p})
	if err != nil {
		return 0, 0, err
	}
	select {
	case <-r.Ended():
	case <-r.Done():
	}
	kept = slabs.InUse()
	r.Stop()
	<-r.Done()
	return p.rows.Load(), kept, r.Err()
}

// Operator implements exec.Factory.
func (p *parts) Operator(op *graph.Operator, task, tasks int) (exec.Made, error) {
	tables := map[string]*state.Table{}
	share := p.memory.Share(op.ID)
	for _, schema := range op.Tables {
		t, err := state.NewTable(schema, state.Options{Slabs: p.slabs.For(share)})
		if err != nil {
			return exec.Made{}, err
		}
		tables[schema.Name] = t
	}
	env := operator.Env{Table: func(name string) *state.Table { return tables[name] }, Task: task, Parallelism: tasks, Context: p.ctx, Memory: share, Counters: &exec.Counters{}}
	for _, in := range op.Inputs {
		env.Inputs = append(env.Inputs, p.graph.Operators[in.Operator].Fields)
	}
	made, err := operator.New(op, env)
	return exec.Made{Operator: made, Tables: tables, Counters: env.Counters}, err
}

// Source implements exec.Factory.
func (p *parts) Source(op *graph.Operator, task, tasks int) (*exec.SourceInput, error) {
	source := p.source(nexmark.Stream(op.Source.RelationID))
	in := &exec.SourceInput{Source: source, TimeColumn: op.TimeColumn}
	splits, err := source.Splits(p.ctx)
	if err != nil {
		return nil, err
	}
	for i, s := range splits {
		if i%tasks == task {
			in.Splits = append(in.Splits, exec.SplitState{ID: s.ID, Data: s.Data, Watermark: exec.WatermarkMin})
		}
	}
	var physical []types.Field
	for _, c := range op.Source.Physical {
		in.Want, in.Layout = append(in.Want, c.Column), append(in.Layout, c.Type.Phys())
		physical = append(physical, types.Field{Name: c.Name, Type: c.Type})
	}
	if op.Source.Exprs != nil {
		if in.Project, err = operator.Projection(op.ID, op.Source.Exprs, physical, operator.Env{Context: p.ctx}); err != nil {
			return nil, err
		}
	}
	if op.Source.Watermark != nil && op.TimeColumn >= 0 {
		f, err := operator.Projection(op.ID, []*scalar.Expr{op.Source.Watermark}, op.Fields, operator.Env{Context: p.ctx})
		if err != nil {
			return nil, err
		}
		in.Watermark = func(b *batch.Batch) (*batch.Column, error) {
			out, err := f(b)
			if err != nil {
				return nil, err
			}
			return out.Cols[0], nil
		}
	}
	return in, nil
}

// Sink implements exec.Factory.
func (p *parts) Sink(*graph.Operator, int, int) (*exec.SinkOutput, error) {
	return &exec.SinkOutput{Writer: &counter{p: p}}, nil
}

// counter is a writer that counts and drops.
type counter struct{ p *parts }

// Write implements connector.Writer.
func (c *counter) Write(_ context.Context, b *batch.Batch) error {
	c.p.rows.Add(int64(b.Live()))
	return nil
}

// PreCommit implements connector.Writer.
func (c *counter) PreCommit(context.Context, uint64) ([]byte, error) { return nil, nil }

// Close implements connector.Writer.
func (c *counter) Close() error { return nil }
