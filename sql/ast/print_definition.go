package ast

import (
	"strconv"
	"strings"
)

func (k RelationKind) upper() string { return strings.ToUpper(string(k)) }

func (p *printer) createRelation(c *CreateRelation) {
	p.put("CREATE ")
	p.flag(c.OrReplace, "OR REPLACE ")
	p.flag(c.Temporary, "TEMPORARY ")
	p.put(c.Kind.upper(), " ")
	p.flag(c.IfNotExists, "IF NOT EXISTS ")
	p.path(c.Name)
	p.tableElements(c)
	p.flag(c.Comment != "", " COMMENT "+QuoteString(c.Comment))
	p.flag(c.AppendOnly, " APPEND ONLY")
	if len(c.From) > 0 {
		p.put(" FROM ")
		p.path(c.From)
	}
	p.withOptions(c.Options)
	if c.Query != nil {
		p.put(" AS ")
		p.query(c.Query)
	}
}

// tableElements writes columns and constraints, one a line.
func (p *printer) tableElements(c *CreateRelation) {
	var lines []string
	add := func(write func(*printer)) { lines = append(lines, printed(write)) }
	like := c.Like
	for i := range len(c.Columns) + 1 {
		for ; len(like) > 0 && like[0].Before == i; like = like[1:] {
			add(func(q *printer) { q.tableLike(&like[0]) })
		}
		if i < len(c.Columns) {
			add(func(q *printer) { q.column(&c.Columns[i]) })
		}
	}
	if len(c.PrimaryKey) > 0 {
		add(func(q *printer) {
			q.constraint(c.KeyName)
			q.put("PRIMARY KEY ")
			q.names(c.PrimaryKey)
		})
	}
	for _, u := range c.Unique {
		add(func(q *printer) { q.unique(u) })
	}
	for _, x := range c.Checks {
		add(func(q *printer) { q.check(x) })
	}
	if c.Watermark != nil {
		add(func(q *printer) {
			q.put("WATERMARK FOR ")
			q.name(c.Watermark.Column)
			q.put(" AS ")
			q.expr(c.Watermark.X, 0)
		})
	}
	if len(lines) > 0 {
		p.put(" (\n  ", strings.Join(lines, ",\n  "), "\n)")
	}
}

func (p *printer) tableLike(l *TableLike) {
	p.put("LIKE ")
	p.path(l.Relation)
	for _, o := range l.Options {
		p.put(map[bool]string{true: " INCLUDING ", false: " EXCLUDING "}[o.Including], strings.ToUpper(o.What))
	}
}

func (p *printer) column(c *ColumnDef) {
	p.name(c.Name)
	if c.Type.Name != "" {
		p.put(" ")
		p.typeName(c.Type)
	}
	switch {
	case c.Generated != nil:
		p.put(" GENERATED ALWAYS AS (")
		p.expr(c.Generated, 0)
		p.put(")")
	case c.Identity != nil:
		p.identity(c.Identity)
	case c.IsMetadata:
		p.put(" METADATA")
		p.flag(c.Metadata != "", " FROM "+QuoteString(c.Metadata))
		p.flag(c.Virtual, " VIRTUAL")
	}
	p.flag(c.NotNull, " NOT NULL")
	if c.PrimaryKey {
		p.put(" ")
		p.constraint(c.KeyName)
		p.put("PRIMARY KEY")
	}
	for _, u := range c.Unique {
		p.put(" ")
		p.unique(u)
	}
	if c.Default != nil {
		p.put(" DEFAULT ")
		p.expr(c.Default, bindOther)
	}
	for _, x := range c.Checks {
		p.put(" ")
		p.check(x)
	}
	p.flag(c.Comment != "", " COMMENT "+QuoteString(c.Comment))
}

// constraint writes the name of a constraint, if it has one.
func (p *printer) constraint(name Name) {
	if name.Value != "" {
		p.put("CONSTRAINT ")
		p.name(name)
		p.put(" ")
	}
}

func (p *printer) identity(x *Identity) {
	kind := "BY DEFAULT"
	if x.Always {
		kind = "ALWAYS"
	}
	p.put(" GENERATED ", kind, " AS IDENTITY")
	var options []string
	add := func(name string, n *int64) {
		if n != nil {
			options = append(options, name+strconv.FormatInt(*n, 10))
		}
	}
	add("START WITH ", x.Start)
	add("INCREMENT BY ", x.Increment)
	add("MINVALUE ", x.Min)
	add("MAXVALUE ", x.Max)
	if x.Cycle {
		options = append(options, "CYCLE")
	}
	p.flag(len(options) > 0, " ("+strings.Join(options, " ")+")")
}

func (p *printer) unique(u Unique) {
	p.constraint(u.Name)
	p.put("UNIQUE")
	p.flag(u.NullsNotDistinct, " NULLS NOT DISTINCT")
	if len(u.Columns) > 0 {
		p.put(" ")
		p.names(u.Columns)
	}
}

func (p *printer) check(c Check) {
	p.constraint(c.Name)
	p.put("CHECK (")
	p.expr(c.X, 0)
	p.put(")")
}

func (p *printer) createView(c *CreateView) {
	p.put("CREATE ")
	p.flag(c.OrReplace, "OR REPLACE ")
	p.flag(c.Temporary, "TEMPORARY ")
	p.flag(c.Materialized, "MATERIALIZED ")
	p.put("VIEW ")
	p.flag(c.IfNotExists, "IF NOT EXISTS ")
	p.path(c.Name)
	if len(c.Columns) > 0 {
		p.put(" ")
		p.names(c.Columns)
	}
	p.withOptions(c.Options)
	p.put(" AS ")
	p.query(c.Query)
	p.flag(!c.WithData, " WITH NO DATA")
}

func (p *printer) createIndex(c *CreateIndex) {
	p.put("CREATE ")
	p.flag(c.Unique, "UNIQUE ")
	p.put("INDEX ")
	p.flag(c.IfNotExists, "IF NOT EXISTS ")
	if c.Name.Value != "" {
		p.name(c.Name)
		p.put(" ")
	}
	p.put("ON ")
	p.path(c.Relation)
	p.flag(c.Method != "", " USING "+QuoteName(c.Method))
	p.put(" (")
	p.each(len(c.Columns), func(i int) { p.orderItem(c.Columns[i]) })
	p.put(")")
	if len(c.Include) > 0 {
		p.put(" INCLUDE ")
		p.names(c.Include)
	}
	p.flag(c.NullsNotDistinct, " NULLS NOT DISTINCT")
	p.withOptions(c.Options)
	p.where(c.Where)
}

func (p *printer) createOther(c *CreateOther) {
	p.put("CREATE ")
	p.flag(c.OrReplace, "OR REPLACE ")
	p.put(c.Kind.upper(), " ")
	p.flag(c.IfNotExists, "IF NOT EXISTS ")
	p.path(c.Name)
	p.withOptions(c.Options)
	p.flag(c.Rest != "", " "+c.Rest)
}

func (p *printer) drop(d *Drop) {
	p.put("DROP ", d.Kind.upper(), " ")
	p.flag(d.IfExists, "IF EXISTS ")
	p.paths(d.Names)
	if d.WithSavepoint {
		p.put(" WITH SAVEPOINT")
		p.flag(d.Savepoint != nil, " ")
	}
	if d.Savepoint != nil {
		p.savepointRef(*d.Savepoint)
	}
	p.flag(d.Cascade, " CASCADE")
}

func (p *printer) alterRelation(a *AlterRelation) {
	p.put("ALTER ", a.Kind.upper(), " ")
	p.flag(a.IfExists, "IF EXISTS ")
	p.path(a.Name)
	p.put(" ")
	p.each(len(a.Actions), func(i int) { p.alterAction(&a.Actions[i]) })
}

func (p *printer) alterAction(a *AlterAction) {
	switch a.Action {
	case "add constraint":
		p.put("ADD ")
		p.addedConstraint(a.Constraint)
	case "set default", "drop default", "set not null", "drop not null", "type", "alter column":
		p.put("ALTER COLUMN ")
		p.name(a.Old)
		p.put(" ")
		p.alteredColumn(a)
	default:
		p.put(strings.ToUpper(a.Action))
		p.alteredPart(a)
	}
	p.flag(a.Cascade, " CASCADE")
}

// addedConstraint writes the only constraint that c has.
func (p *printer) addedConstraint(c *CreateRelation) {
	switch {
	case len(c.PrimaryKey) > 0:
		p.constraint(c.KeyName)
		p.put("PRIMARY KEY ")
		p.names(c.PrimaryKey)
	case len(c.Unique) > 0:
		p.unique(c.Unique[0])
	case len(c.Checks) > 0:
		p.check(c.Checks[0])
	}
}

func (p *printer) alteredColumn(a *AlterAction) {
	switch a.Action {
	case "set default":
		p.put("SET DEFAULT ")
		p.expr(a.X, 0)
	case "type":
		p.put("TYPE ")
		p.typeName(a.Type)
		if a.X != nil {
			p.put(" USING ")
			p.expr(a.X, 0)
		}
	case "alter column":
		p.put(a.Rest)
	default:
		p.put(strings.ToUpper(a.Action))
	}
}

func (p *printer) alteredPart(a *AlterAction) {
	switch a.Action {
	case "add column":
		p.flag(a.Exists, " IF NOT EXISTS")
		p.put(" ")
		p.column(a.Column)
	case "drop column", "drop constraint":
		p.flag(a.Exists, " IF EXISTS")
		p.put(" ")
		p.name(a.Old)
	case "rename column", "rename constraint":
		p.put(" ")
		p.name(a.Old)
		p.put(" TO ")
		p.name(a.New)
	case "set", "reset":
		p.put(" ")
		p.options(a.Options)
	case "as":
		p.put(" ")
		p.query(a.Query)
	case "rename to", "owner to", "set schema":
		p.put(" ")
		p.name(a.New)
	}
}

func (p *printer) comment(c *Comment) {
	p.put("COMMENT ON ", c.Kind.upper(), " ")
	p.path(c.Name)
	if c.Text == nil {
		p.put(" IS NULL")
	} else {
		p.put(" IS ", QuoteString(*c.Text))
	}
}
