package ast

import "strings"

// statement writes any statement; the families have files of their own.
func (p *printer) statement(s Statement) {
	switch s := s.(type) {
	case *Query:
		p.query(s)
	case *Insert:
		p.insert(s)
	case *Update:
		p.update(s)
	case *Delete:
		p.delete(s)
	case *Merge:
		p.put("MERGE ", s.Rest)
	case *Copy:
		p.copyStatement(s)
	case *Truncate:
		p.put("TRUNCATE ")
		p.paths(s.Names)
		p.flag(s.RestartIdentity, " RESTART IDENTITY")
	default:
		p.definition(s)
	}
}

func (p *printer) definition(s Statement) {
	switch s := s.(type) {
	case *CreateRelation:
		p.createRelation(s)
	case *CreateView:
		p.createView(s)
	case *CreateIndex:
		p.createIndex(s)
	case *CreateOther:
		p.createOther(s)
	case *Drop:
		p.drop(s)
	case *AlterRelation:
		p.alterRelation(s)
	case *Comment:
		p.comment(s)
	case *Grant:
		if s.Revoke {
			p.put("REVOKE ", s.Rest)
		} else {
			p.put("GRANT ", s.Rest)
		}
	default:
		p.jobStatement(s)
	}
}

func (p *printer) jobStatement(s Statement) {
	switch s := s.(type) {
	case *CreateJob:
		p.createJob(s)
	case *StopJob:
		p.stopJob(s)
	case *PauseJob:
		if s.Resume {
			p.put("RESUME JOB ")
		} else {
			p.put("PAUSE JOB ")
		}
		p.name(s.Name)
	case *AlterJob:
		p.alterJob(s)
	case *CreateSavepoint:
		p.createSavepoint(s)
	case *RestoreJob:
		p.restoreJob(s)
	case *VerifySavepoint:
		p.put("VERIFY SAVEPOINT ")
		p.savepointRef(s.Savepoint)
	case *Flush:
		p.put("FLUSH")
	default:
		p.sessionStatement(s)
	}
}

func (p *printer) sessionStatement(s Statement) {
	switch s := s.(type) {
	case *Explain:
		p.explain(s)
	case *Subscribe:
		p.subscribe(s)
	case *Transaction:
		p.transaction(s)
	case *TransactionSavepoint:
		p.put(strings.ToUpper(s.Verb), " ")
		p.name(s.Name)
	case *Set:
		p.set(s)
	case *Reset:
		p.put("RESET ")
		p.optionName(s.Name)
	case *Show:
		p.show(s)
	case *Describe:
		p.put("DESCRIBE ")
		p.flag(s.Kind != "", s.Kind.upper()+" ")
		p.path(s.Name)
	case *Use:
		p.put("USE ")
		p.name(s.Name)
	case *Prepare:
		p.prepare(s)
	case *Execute:
		p.execute(s)
	case *Deallocate:
		p.allOr("DEALLOCATE ", s.All, s.Name)
	case *DeclareCursor:
		p.declareCursor(s)
	case *Fetch:
		p.fetch(s)
	case *CloseCursor:
		p.allOr("CLOSE ", s.All, s.Name)
	default:
		p.otherStatement(s)
	}
}

func (p *printer) allOr(verb string, all bool, name Name) {
	p.put(verb)
	if all {
		p.put("ALL")
	} else {
		p.name(name)
	}
}

func (p *printer) otherStatement(s Statement) {
	switch s := s.(type) {
	case *Discard:
		p.put("DISCARD ", strings.ToUpper(s.What))
	case *Listen:
		p.put(strings.ToUpper(s.Verb), " ")
		if s.Channel == "*" {
			p.put("*")
		} else {
			p.put(QuoteName(s.Channel))
		}
		p.flag(s.Payload != "", ", "+QuoteString(s.Payload))
	case *Cancel:
		p.put("CANCEL ", strings.ToUpper(s.Kind), " ", QuoteString(s.Name))
	case *Analyze:
		p.put(strings.ToUpper(s.Verb))
		p.flag(s.Rest != "", " "+s.Rest)
	case *Lock:
		p.put("LOCK ", s.Rest)
	case *CallStatement:
		p.put("CALL ")
		p.call(s.Call)
	case *Do:
		p.put("DO ", QuoteString(s.Body))
	}
}
