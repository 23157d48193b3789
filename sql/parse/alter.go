package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

func multiplePrimaryKeys(t *token) *pgerr.Error {
	return pgerr.New(pgerr.InvalidTableDefinition, "multiple primary keys are not allowed").At(t.pos)
}

// relationKind takes the words of a kind of object.
func (p *parser) relationKind() (ast.RelationKind, bool) {
	if p.accept("materialized", "view") {
		return ast.MaterializedViewKind, true
	}
	if p.accept("user") {
		return ast.RoleKind, true
	}
	w := p.acceptAny("table", "source", "sink", "view", "index", "job", "savepoint", "schema", "secret", "function", "role",
		"connection", "database", "type", "sequence")
	return ast.RelationKind(w), w != ""
}

// drop takes DROP ….
func (p *parser) drop() ast.Statement {
	d := placed(p.here(), &ast.Drop{})
	p.expect("drop")
	p.acceptAny("temporary", "temp")
	kind, ok := p.relationKind()
	if !ok {
		if t := p.cur(); t.isAny("extension", "trigger", "rule", "domain", "owned", "aggregate", "procedure", "publication") {
			p.unsupported(t, "DROP "+upper(t.text))
		}
		p.unexpected()
		return nil
	}
	d.Kind = kind
	if kind == ast.IndexKind {
		p.accept("concurrently")
	}
	d.IfExists = p.accept("if", "exists")
	for {
		if kind == ast.SavepointKind && p.cur().kind == stringLiteral {
			d.Savepoint = p.savepointRef()
			break
		}
		d.Names = append(d.Names, p.path())
		if kind == ast.FunctionKind && p.cur().is("(") {
			p.balanced()
		}
		if !p.acceptSymbol(",") {
			break
		}
	}
	if kind == ast.JobKind && p.accept("with", "savepoint") {
		d.WithSavepoint = true
		if !p.atEnd() && !p.cur().isAny("cascade", "restrict") {
			d.Savepoint = p.savepointRef()
		}
	}
	d.Cascade = p.acceptAny("cascade", "restrict") == "cascade"
	return d
}

// alter takes ALTER ….
func (p *parser) alter() ast.Statement {
	pos, t := p.here(), p.peek(1)
	p.expect("alter")
	if p.accept("job") {
		return p.alterJob(pos)
	}
	if p.accept("system") {
		return p.alterSystem(pos)
	}
	kind, ok := p.relationKind()
	if !ok || kind == ast.SavepointKind {
		p.unexpected()
		return nil
	}
	switch kind {
	case ast.TableKind, ast.SourceKind, ast.SinkKind, ast.ViewKind, ast.MaterializedViewKind, ast.IndexKind, ast.SchemaKind, ast.SecretKind:
	default:
		p.unsupported(t, "ALTER "+upper(string(kind)))
		return nil
	}
	a := placed(pos, &ast.AlterRelation{Kind: kind})
	a.IfExists = p.accept("if", "exists")
	p.accept("only")
	a.Name = p.path()
	alone := func() bool { return p.cur().isAny("rename", "as") || p.ahead("set", "schema") }
	for only := alone(); ; {
		a.Actions = append(a.Actions, p.alterAction())
		if only || !p.acceptSymbol(",") {
			return a
		}
		if alone() {
			p.unexpected()
		}
	}
}

// alterAction takes one of the things that ALTER does.
func (p *parser) alterAction() ast.AlterAction {
	a := ast.AlterAction{At: ast.At{Pos: p.here()}}
	switch t := p.cur(); {
	case t.isWord("add") && p.peek(1).isAny("constraint", "primary", "unique", "check", "foreign", "watermark", "exclude"):
		p.advance()
		p.addedConstraint(&a)
	case p.accept("add"):
		a.Action = "add column"
		p.accept("column")
		a.Exists = p.ifNotExists()
		column := p.column()
		a.Column = &column
	case p.accept("drop"):
		a.Action = "drop column"
		if p.accept("constraint") {
			a.Action = "drop constraint"
		} else {
			p.accept("column")
		}
		a.Exists = p.accept("if", "exists")
		a.Old = p.name()
		a.Cascade = p.acceptAny("cascade", "restrict") == "cascade"
	case p.accept("rename", "to"):
		a.Action = "rename to"
		a.New = p.name()
	case p.accept("rename"):
		a.Action = "rename column"
		if p.accept("constraint") {
			a.Action = "rename constraint"
		} else {
			p.accept("column")
		}
		a.Old = p.name()
		p.expect("to")
		a.New = p.name()
	case p.accept("set", "schema"):
		a.Action = "set schema"
		a.New = p.name()
	case t.isWord("set"):
		a.Action = "set"
		p.advance()
		a.Options = p.options()
	case t.isWord("reset"):
		a.Action = "reset"
		p.advance()
		for _, name := range p.optionNames() {
			a.Options = append(a.Options, ast.Option{At: ast.At{Pos: p.at(t)}, Name: name})
		}
	case p.accept("owner", "to"):
		a.Action = "owner to"
		a.New = p.label()
	case p.accept("alter"):
		p.accept("column")
		a.Old = p.name()
		p.alteredColumn(&a)
	case p.accept("as"):
		a.Action = "as"
		a.Query = p.query()
	default:
		p.unexpected()
	}
	return a
}

// addedConstraint takes what follows ADD: a constraint.
func (p *parser) addedConstraint(a *ast.AlterAction) {
	a.Action, a.Constraint = "add constraint", &ast.CreateRelation{}
	t := p.cur()
	p.tableElement(a.Constraint)
	if c := a.Constraint; len(c.PrimaryKey)+len(c.Unique)+len(c.Checks) == 0 {
		p.unsupported(t, "ADD "+upper(t.text))
	}
	if p.ahead("not", "valid") {
		p.unsupported(p.cur(), "a constraint that is NOT VALID")
	}
}

// alteredColumn takes what follows ALTER COLUMN name.
func (p *parser) alteredColumn(a *ast.AlterAction) {
	switch {
	case p.accept("set", "default"):
		a.Action, a.X = "set default", p.expr()
	case p.accept("drop", "default"):
		a.Action = "drop default"
	case p.accept("set", "not", "null"):
		a.Action = "set not null"
	case p.accept("drop", "not", "null"):
		a.Action = "drop not null"
	case p.accept("set", "data", "type"), p.accept("type"):
		a.Action, a.Type = "type", p.typeName()
		if p.accept("using") {
			a.X = p.expr()
		}
	default:
		a.Action, a.Rest = "alter column", p.rest()
	}
}

// optionNames takes ( name, … ).
func (p *parser) optionNames() []string {
	p.expectSymbol("(")
	var list []string
	for {
		list = append(list, p.optionName())
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	return list
}

func (p *parser) alterSystem(pos ast.Pos) ast.Statement {
	s := placed(pos, &ast.Set{System: true})
	if p.accept("reset") {
		s.Name, s.Default = p.settingName(), true
		return s
	}
	p.expect("set")
	s.Name = p.settingName()
	p.settingValue(s)
	return s
}

// comment takes COMMENT ON kind name IS 'text'|NULL.
func (p *parser) comment() ast.Statement {
	c := placed(p.here(), &ast.Comment{})
	p.expect("comment", "on")
	if p.accept("column") {
		c.Kind = "column"
	} else {
		kind, ok := p.relationKind()
		if !ok {
			p.unexpected()
		}
		c.Kind = kind
	}
	c.Name = p.path()
	p.expect("is")
	if !p.accept("null") {
		text := p.text()
		c.Text = &text
	}
	return c
}

func (p *parser) grant() ast.Statement {
	g := placed(p.here(), &ast.Grant{Revoke: p.cur().isWord("revoke")})
	p.advance()
	if p.atEnd() {
		p.unexpected()
	}
	g.Rest = p.rest()
	return g
}
