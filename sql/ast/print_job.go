package ast

import "strings"

func (p *printer) createJob(j *CreateJob) {
	p.put("CREATE JOB ")
	p.flag(j.IfNotExists, "IF NOT EXISTS ")
	p.name(j.Name)
	if j.From == nil {
		p.withOptions(j.Options)
	} else {
		p.put(" FROM ")
		p.restorePoint(*j.From)
	}
	p.jobQuery(j.Inserts)
	p.mapList(j.Map)
	p.flag(j.AllowNonRestored, " ALLOW NON RESTORED STATE")
	if j.From != nil {
		p.withOptions(j.Options)
	}
}

func (p *printer) jobQuery(list []*Insert) {
	switch len(list) {
	case 0:
	case 1:
		p.put(" AS ")
		p.insert(list[0])
	default:
		p.put(" AS BEGIN ")
		for _, s := range list {
			p.insert(s)
			p.put("; ")
		}
		p.put("END")
	}
}

func (p *printer) mapList(list []MapEntry) {
	if list == nil {
		return
	}
	p.put(" MAP (")
	p.each(len(list), func(i int) {
		p.put(QuoteString(list[i].Old), " => ")
		if list[i].Discard {
			p.put("DISCARD")
		} else {
			p.put(QuoteString(list[i].New))
		}
	})
	p.put(")")
}

func (p *printer) restorePoint(r RestorePoint) {
	p.put(strings.ToUpper(r.Kind))
	switch {
	case r.Kind == "latest":
	case r.URL != "":
		p.put(" ", QuoteString(r.URL))
	case r.Kind == "checkpoint":
		p.put(" ")
		p.int(r.N)
	default:
		p.put(" ", QuoteName(r.Name))
	}
}

func (p *printer) savepointRef(r SavepointRef) {
	if r.URL != "" {
		p.put(QuoteString(r.URL))
	} else {
		p.put(QuoteName(r.Name))
	}
}

func (p *printer) stopJob(s *StopJob) {
	p.put("STOP JOB ")
	p.flag(s.IfExists, "IF EXISTS ")
	p.name(s.Name)
	if s.WithSavepoint {
		p.put(" WITH SAVEPOINT")
		p.flag(s.Savepoint != "", " "+QuoteString(s.Savepoint))
		p.flag(s.To != "", " TO "+QuoteString(s.To))
		p.flag(s.Format != "", " FORMAT "+strings.ToUpper(s.Format))
	}
	p.flag(s.Drain, " DRAIN")
}

func (p *printer) alterJob(a *AlterJob) {
	p.put("ALTER JOB ")
	p.name(a.Name)
	switch {
	case a.Set != nil:
		p.put(" SET ")
		p.options(a.Set)
	case a.Reset != nil:
		p.put(" RESET (")
		p.each(len(a.Reset), func(i int) { p.optionName(a.Reset[i]) })
		p.put(")")
	case a.Rename != nil:
		p.put(" RENAME TO ")
		p.name(*a.Rename)
	}
	p.jobQuery(a.Inserts)
	p.mapList(a.Map)
	p.flag(a.AllowNonRestored, " ALLOW NON RESTORED STATE")
}

func (p *printer) createSavepoint(s *CreateSavepoint) {
	p.put("SAVEPOINT JOB ")
	p.name(s.Job)
	p.flag(s.Name != "", " AS "+QuoteName(s.Name))
	p.flag(s.To != "", " TO "+QuoteString(s.To))
	p.flag(s.Format != "", " FORMAT "+strings.ToUpper(s.Format))
}

func (p *printer) restoreJob(s *RestoreJob) {
	p.put("RESTORE JOB ")
	p.name(s.Job)
	p.put(" FROM ")
	p.restorePoint(s.From)
	p.jobQuery(s.Inserts)
	if s.Query != nil {
		p.put(" AS ")
		p.query(s.Query)
	}
	p.mapList(s.Map)
	p.flag(s.Claim, " CLAIM")
	p.flag(s.AllowNonRestored, " ALLOW NON RESTORED STATE")
	p.withOptions(s.Options)
}
