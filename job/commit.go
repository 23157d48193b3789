package job

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/connector"
)

// commitTo makes visible what sinks have pre-committed, by operator: at once where those
// of a kind can.
func commitTo(ctx context.Context, sinks map[string]connector.Sink, lists map[string][][]byte) error {
	var first connector.Combined
	var together []connector.Part
	var of []string
	for _, id := range sortedKeys(lists) {
		if c, ok := sinks[id].(connector.Combined); ok {
			first, together, of = c, append(together, connector.Part{Sink: c, Committables: lists[id]}), append(of, id)
		}
	}
	if first != nil {
		if err := first.CommitAll(ctx, together); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(of, ", "), err)
		}
	}
	for _, id := range sortedKeys(lists) {
		if _, ok := sinks[id].(connector.Combined); ok {
			continue
		}
		if err := sinks[id].Commit(ctx, lists[id]); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// commit makes what sinks pre-committed visible, and keeps bad rows.
func (p *parts) commit(ctx context.Context, commits []committable) error {
	bySink := map[string][][]byte{}
	var aside [][]byte
	for _, c := range commits {
		if c.blob == asideBlob {
			aside = append(aside, c.data)
			continue
		}
		bySink[c.operator] = append(bySink[c.operator], c.data)
	}
	if err := p.m.keep(aside); err != nil {
		return err
	}
	return commitTo(ctx, p.sinks, bySink)
}

// recommit commits what the starting point had pre-committed, which the last run
// may not have got to, and removes what dead runs left behind.
func (p *parts) recommit(ctx context.Context) error {
	if err := p.m.keep(p.start.aside); err != nil {
		return err
	}
	if p.m.opt.Letters != nil {
		if err := p.m.opt.Letters.Discard(p.r.job.ID, p.start.incarnation); err != nil {
			p.m.opt.Log.Warn("remove what dead runs left behind", "err", err)
		}
	}
	if err := commitTo(ctx, p.sinks, p.start.committed); err != nil {
		return fmt.Errorf("commit what the last run had pre-committed: %w", err)
	}
	for id, sink := range p.sinks {
		if err := sink.Abort(ctx, p.writerID(id, 0)); err != nil {
			p.m.opt.Log.Warn("remove what dead runs left behind", "sink", id, "err", err)
		}
	}
	return nil
}
