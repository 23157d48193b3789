package handler

import (
	"context"
	"slices"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/server/pgcopy"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// prepareCopy describes COPY FROM STDIN and COPY TO STDOUT.
func (h *Handler) prepareCopy(s *session.Session, p *session.Prepared, st *ast.Copy, declared []types.Type) error {
	options, err := pgcopy.ParseOptions(st.Options, st.From)
	if err != nil {
		return err
	}
	if st.File != "" {
		return pgerr.NotSupported(int(st.Pos), "COPY with a file of the server").Hint("COPY … FROM STDIN and TO STDOUT take the client's; psql has \\copy.")
	}
	if st.From {
		p.Plan = planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
			if err := writable(s, "COPY FROM"); err != nil {
				return nil, err
			}
			return h.copyFrom(ctx, s, st, options)
		})
		return nil
	}
	switch q := st.Query.(type) {
	case nil:
		err = h.prepareCopiedTable(s, p, st, declared)
	case *ast.Query:
		err = h.prepareQuery(s, p, q, declared)
	case *ast.Subscribe:
		err = h.prepareSubscribe(s, p, q, declared)
	default:
		err = h.prepareCopiedChange(s, p, q, declared)
	}
	if err == nil {
		err = h.checkCopied(s, st, p.Columns, &options)
	}
	if err != nil {
		return err
	}
	inner := p.Plan.(plan)
	p.Plan = planFunc(func(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
		r, err := inner.run(ctx, s, params)
		if err != nil {
			return nil, err
		}
		r.Tag, r.CopyOut = "COPY", &options
		return r, nil
	})
	return nil
}

// checkCopied checks the columns that options name.
func (h *Handler) checkCopied(s *session.Session, st *ast.Copy, columns []session.Column, options *pgcopy.Options) error {
	var copied, all []string
	for _, c := range columns {
		copied = append(copied, c.Name)
	}
	if st.Query != nil {
		return options.CheckColumns(copied, "", nil)
	}
	r, err := h.findRelation(s, st.Relation)
	if err != nil {
		return err
	}
	for i := range r.Columns {
		all = append(all, r.Columns[i].Name)
	}
	return options.CheckColumns(copied, r.Name, all)
}

// prepareCopiedChange describes a change whose RETURNING is copied.
func (h *Handler) prepareCopiedChange(s *session.Session, p *session.Prepared, st ast.Statement, declared []types.Type) error {
	returning, pos, err := 0, 0, error(nil)
	switch st := st.(type) {
	case *ast.Insert:
		returning, pos, err = len(st.Returning), int(st.Pos), h.prepareInsert(s, p, st, declared)
	case *ast.Update:
		returning, pos, err = len(st.Returning), int(st.Pos), h.prepareUpdate(s, p, st, declared)
	case *ast.Delete:
		returning, pos, err = len(st.Returning), int(st.Pos), h.prepareDelete(s, p, st, declared)
	}
	if err == nil && returning == 0 {
		return pgerr.New(pgerr.FeatureNotSupported, "COPY query must have a RETURNING clause").At(pos)
	}
	return err
}

// prepareCopiedTable describes the query that COPY t (columns) TO stands for.
func (h *Handler) prepareCopiedTable(s *session.Session, p *session.Prepared, st *ast.Copy, declared []types.Type) error {
	r, err := h.findRelation(s, st.Relation)
	if err != nil {
		return err
	}
	columns, err := copyColumns(r, st.Columns)
	if err != nil {
		return err
	}
	sel := &ast.Select{From: []ast.TableExpr{&ast.TableRef{Name: st.Relation}}}
	for _, c := range columns {
		sel.Items = append(sel.Items, ast.SelectItem{X: &ast.ColumnRef{Path: ast.Path{{Value: r.Columns[c].Name}}}})
	}
	return h.prepareQuery(s, p, &ast.Query{Body: sel}, declared)
}

// copyFrom begins COPY t FROM STDIN.
func (h *Handler) copyFrom(ctx context.Context, s *session.Session, st *ast.Copy, options pgcopy.Options) (*session.Result, error) {
	r, err := h.findRelation(s, st.Relation)
	if err != nil {
		return nil, err
	}
	if !r.IsOwnTable() {
		return nil, pgerr.New(pgerr.WrongObjectType, "cannot copy to %s %q", r.Kind, r.Name).At(int(st.Relation.Offset()))
	}
	if err := h.opt.Memory.Admit(ctx); err != nil {
		return nil, err
	}
	k := &copySink{h: h, s: s, relation: r, work: h.work(s)}
	k.begun = k.work.rows.Mark()
	in := &session.CopyIn{Options: options, Sink: k}
	if k.given, err = copyColumns(r, st.Columns); err != nil {
		return nil, err
	}
	for _, c := range k.given {
		in.Columns = append(in.Columns, session.Column{Name: r.Columns[c].Name, Type: r.Columns[c].Type})
	}
	if err := h.checkCopied(s, st, in.Columns, &options); err != nil {
		return nil, err
	}
	if err := k.complete(ctx); err != nil {
		return nil, err
	}
	if st.Where != nil {
		x, err := bind.CopyWhere(r, st.Where, h.bindOptions(s, nil))
		if err != nil {
			return nil, err
		}
		if k.where, err = eval.CompilePredicate(x, eval.Options{Context: h.evalContext(ctx, s)}); err != nil {
			return nil, err
		}
	}
	return &session.Result{CopyIn: in}, nil
}

// copyColumns are the positions of the columns that are copied: without names, all that
// are not computed from others.
func copyColumns(r *catalog.Relation, names []ast.Name) ([]int, error) {
	var out []int
	if len(names) == 0 {
		for i, c := range r.Columns {
			if c.Generated == "" {
				out = append(out, i)
			}
		}
		return out, nil
	}
	for _, n := range names {
		at := -1
		for i, c := range r.Columns {
			if c.Name == n.Value {
				at = i
			}
		}
		if at < 0 {
			return nil, pgerr.New(pgerr.UndefinedColumn, "column %q of relation %q does not exist", n.Value, r.Name).At(int(n.Pos))
		}
		if slices.Contains(out, at) {
			return nil, pgerr.New(pgerr.DuplicateColumn, "column %q specified more than once", n.Value).At(int(n.Pos))
		}
		if r.Columns[at].Generated != "" {
			return nil, pgerr.New(pgerr.InvalidColumnReference, "column %q is a generated column", n.Value).At(int(n.Pos)).
				WithDetail("Generated columns cannot be used in COPY.")
		}
		out = append(out, at)
	}
	return out, nil
}

// copySink turns the rows of a COPY into changes of its transaction. Columns
// that the client does not send get their default, or are computed.
type copySink struct {
	h        *Handler
	s        *session.Session
	relation *catalog.Relation
	given    []int
	defaults map[int]*eval.Program
	computed map[int]*eval.Program
	checks   *checks
	where    *eval.Predicate // nil for none
	work     *work
	begun    table.TxnMark
	rows     int64
	changes  []table.Change
}

// complete compiles what fills the columns that do not come.
func (k *copySink) complete(ctx context.Context) error {
	list, err := bind.Checks(k.relation, k.h.bindOptions(k.s, nil))
	if err != nil {
		return err
	}
	if k.checks, err = k.h.compileChecks(ctx, k.s, k.relation, list); err != nil {
		return err
	}
	k.defaults, k.computed = map[int]*eval.Program{}, map[int]*eval.Program{}
	sent := map[int]bool{}
	for _, c := range k.given {
		sent[c] = true
	}
	opt := eval.Options{Context: k.h.evalContext(ctx, k.s)}
	var generated []*scalar.Expr
	for i, c := range k.relation.Columns {
		if sent[i] {
			continue
		}
		switch {
		case c.Generated != "":
			if generated == nil {
				var err error
				if generated, err = k.generated(); err != nil {
					return err
				}
			}
			p, err := eval.Compile(generated[i], opt)
			if err != nil {
				return err
			}
			k.computed[i] = p
		case k.relation.DefaultSQL(i) != "":
			x, err := k.defaultOf(i)
			if err != nil {
				return err
			}
			if k.defaults[i], err = eval.Compile(x, opt); err != nil {
				return err
			}
		}
	}
	return nil
}

// generated are the relation's generated columns over its columns.
func (k *copySink) generated() ([]*scalar.Expr, error) {
	b, err := bind.Query(allOf(ast.Path{{Value: k.relation.Schema}, {Value: k.relation.Name}}), k.h.bindOptions(k.s, nil))
	if err != nil {
		return nil, err
	}
	for n := b.Root; ; n = n.Inputs()[0] {
		if scan, ok := n.(*logical.Scan); ok {
			return scan.Generated, nil
		}
	}
}

// defaultOf is a column's default, cast to its type.
func (k *copySink) defaultOf(i int) (*scalar.Expr, error) {
	c := k.relation.Columns[i]
	x, err := parse.Expr(k.relation.DefaultSQL(i))
	if err != nil {
		return nil, err
	}
	b, err := bind.Query(&ast.Query{Body: &ast.Select{Items: []ast.SelectItem{{X: x}}}}, k.h.bindOptions(k.s, nil))
	if err != nil {
		return nil, err
	}
	p, ok := b.Root.(*logical.Project)
	if !ok {
		return nil, pgerr.New(pgerr.InternalError, "the default of column %q is no expression", c.Name)
	}
	e := p.Exprs[0]
	if !e.Type.Equal(c.Type) {
		e = &scalar.Expr{Op: scalar.OpCast, Type: c.Type, Args: []*scalar.Expr{e}, Pos: -1}
	}
	return e, nil
}

// Write implements session.CopySink.
func (k *copySink) Write(_ context.Context, in *batch.Batch) error {
	full := batch.New(layoutOf(k.relation), 0)
	n := in.Live()
	for i, c := range k.given {
		full.Cols[c].AppendFrom(in.Cols[i], in.Sel, in.N)
	}
	full.N = n
	one := &batch.Batch{N: n}
	for i := range k.relation.Columns {
		if full.Cols[i].Len() == n || k.computed[i] != nil {
			continue
		}
		if p := k.defaults[i]; p != nil {
			c, err := p.Eval(one)
			if err != nil {
				return rowCause(err)
			}
			full.Cols[i].AppendFrom(c, nil, n)
			continue
		}
		for range n {
			full.Cols[i].AppendNull()
		}
	}
	for i := range k.relation.Columns {
		if p := k.computed[i]; p != nil {
			full.Cols[i].Resize(n)
		}
	}
	full, err := k.wanted(full)
	if err != nil {
		return err
	}
	if n = full.N; n == 0 {
		return nil
	}
	for i, p := range k.computed {
		c, err := p.Eval(full)
		if err != nil {
			return rowCause(err)
		}
		fresh := &batch.Column{Phys: c.Phys}
		fresh.AppendFrom(c, nil, n)
		full.Cols[i] = fresh
	}
	return k.checks.add(full, func(rows *batch.Batch) error {
		c := table.Change{Table: k.relation.ID, Action: table.Insert, Rows: rows}
		if _, err := k.work.rows.Add(c); err != nil {
			return k.h.elsewhere(err, k.relation.ID)
		}
		k.rows += int64(rows.Live())
		k.changes = append(k.changes, c)
		return nil
	})
}

// wanted are the rows for which WHERE holds.
func (k *copySink) wanted(full *batch.Batch) (*batch.Batch, error) {
	if k.where == nil {
		return full, nil
	}
	sel, err := k.where.Select(full, nil)
	if err != nil {
		return nil, rowCause(err)
	}
	if len(sel) == full.N {
		return full, nil
	}
	out := batch.New(layoutOf(k.relation), 0)
	if len(sel) > 0 { // no selection would mean all rows
		out.AppendSelected(full, sel)
	}
	return out, nil
}

// Finish implements session.CopySink.
func (k *copySink) Finish(context.Context) (int64, error) {
	k.work.done = append(k.work.done, k)
	return k.rows, nil
}

// Abort implements session.CopySink.
func (k *copySink) Abort() {
	k.changes = nil
	k.work.rows.RollbackTo(k.begun)
}

// again implements step.
func (k *copySink) again(_ context.Context, w *work) error {
	for _, c := range k.changes {
		if _, err := w.rows.Add(c); err != nil {
			return err
		}
	}
	return nil
}
