package parse

import (
	"strings"

	"github.com/millrace/millrace/sql/ast"
)

// create takes CREATE ….
func (p *parser) create() ast.Statement {
	pos := p.here()
	p.expect("create")
	replace := p.accept("or", "replace")
	temporary := p.acceptAny("temporary", "temp") != ""
	t := p.cur()
	switch {
	case p.accept("table"):
		return p.createRelation(pos, ast.TableKind, replace, temporary)
	case p.accept("source"):
		return p.createRelation(pos, ast.SourceKind, replace, temporary)
	case p.accept("sink"):
		return p.createRelation(pos, ast.SinkKind, replace, temporary)
	case p.accept("view"):
		return p.createView(pos, false, replace, temporary)
	case p.accept("materialized", "view"):
		return p.createView(pos, true, replace, temporary)
	case p.accept("unique", "index"):
		return p.createIndex(pos, true)
	case p.accept("index"):
		return p.createIndex(pos, false)
	case p.accept("job"):
		return p.createJob(pos)
	case p.accept("savepoint"):
		return p.createSavepoint(pos)
	}
	for _, k := range []struct {
		words []string
		kind  ast.RelationKind
	}{
		{[]string{"schema"}, ast.SchemaKind}, {[]string{"secret"}, ast.SecretKind}, {[]string{"aggregate", "function"}, ast.FunctionKind},
		{[]string{"function"}, ast.FunctionKind}, {[]string{"role"}, ast.RoleKind}, {[]string{"user"}, ast.RoleKind},
		{[]string{"connection"}, ast.ConnectionKind}, {[]string{"database"}, ast.DatabaseKind}, {[]string{"type"}, ast.TypeKind},
		{[]string{"sequence"}, ast.SequenceKind},
	} {
		if p.accept(k.words...) {
			return p.createOther(pos, k.kind, replace)
		}
	}
	if t.isAny("extension", "trigger", "rule", "domain", "cast", "operator", "publication", "subscription", "policy", "server",
		"foreign", "collation", "aggregate", "procedure", "unlogged", "tablespace", "language", "event", "statistics") {
		p.unsupported(t, "CREATE "+upper(t.text))
		return nil
	}
	p.unexpectedHint("CREATE takes TABLE, SOURCE, SINK, VIEW, MATERIALIZED VIEW, INDEX, JOB, SAVEPOINT, SCHEMA and SECRET.")
	return nil
}

func (p *parser) createRelation(pos ast.Pos, kind ast.RelationKind, replace, temporary bool) ast.Statement {
	c := placed(pos, &ast.CreateRelation{Kind: kind, OrReplace: replace, Temporary: temporary})
	c.IfNotExists = p.ifNotExists()
	c.Name = p.path()
	if p.cur().is("(") {
		if p.queryAhead(p.i) {
			p.unexpected()
		}
		p.tableElements(c)
	}
	if p.accept("comment") {
		c.Comment = p.text()
	}
	c.AppendOnly = p.accept("append", "only")
	if kind == ast.SinkKind && p.accept("from") {
		c.From = p.path()
	}
	c.Options = p.withOptions()
	if !c.AppendOnly {
		c.AppendOnly = p.accept("append", "only")
	}
	if t := p.cur(); t.isWord("format") && !p.peek(1).is("=") || t.isWord("encode") {
		p.fail(p.near(t).Hint("Write format = 'json' or another format among the options: WITH (connector = '…', format = 'json')."))
	}
	for _, word := range []string{"partitioned", "partition", "inherits", "tablespace", "distributed", "engine"} {
		if p.cur().isWord(word) {
			p.unsupported(p.cur(), upper(word)+" in CREATE "+upper(string(kind)))
		}
	}
	if p.accept("as") {
		c.Query = p.query()
		if t := p.cur(); p.accept("with", "no", "data") {
			p.unsupported(t, "WITH NO DATA")
		}
		p.accept("with", "data")
	}
	return c
}

// tableElements takes ( column or constraint, … ).
func (p *parser) tableElements(c *ast.CreateRelation) {
	p.expectSymbol("(")
	for !p.cur().is(")") {
		p.tableElement(c)
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
}

func (p *parser) tableElement(c *ast.CreateRelation) {
	named := p.constraintName()
	if named.Value != "" && !p.cur().isAny("primary", "unique", "check") {
		p.unexpected()
	}
	t := p.cur()
	switch {
	case p.accept("primary", "key"):
		if c.PrimaryKey != nil {
			p.fail(multiplePrimaryKeys(t))
		}
		c.PrimaryKey, c.KeyName = p.names(), named
		p.accept("not", "enforced")
		p.immediate()
	case t.isWord("unique") && (p.peek(1).is("(") || p.peek(1).isWord("nulls")):
		u := p.unique(named)
		u.Columns = p.names()
		p.immediate()
		c.Unique = append(c.Unique, u)
	case t.isWord("check") && p.peek(1).is("("):
		c.Checks = append(c.Checks, p.check(named))
		p.immediate()
	case p.ahead("watermark", "for"):
		w := p.watermark()
		if c.Watermark != nil {
			p.fail(p.near(t).Hint("A relation has one watermark."))
		}
		c.Watermark = w
	case t.isWord("like") && p.peek(1).isName():
		c.Like = append(c.Like, p.tableLike(len(c.Columns)))
	case t.isAny("foreign", "exclude") && (p.peek(1).isWord("key") || p.peek(1).isAny("using")):
		p.unsupported(t, upper(t.text)+" constraints")
	default:
		c.Columns = append(c.Columns, p.column())
	}
}

// tableLike takes LIKE relation [INCLUDING|EXCLUDING what …].
func (p *parser) tableLike(before int) ast.TableLike {
	l := ast.TableLike{At: ast.At{Pos: p.here()}, Before: before}
	p.expect("like")
	l.Relation = p.path()
	for {
		word := p.acceptAny("including", "excluding")
		if word == "" {
			return l
		}
		what := p.acceptAny(append([]string{"all"}, ast.LikeOptions...)...)
		if what == "" {
			p.unexpectedHint("%s takes ALL, %s.", upper(word), upper(strings.Join(ast.LikeOptions, ", ")))
		}
		l.Options = append(l.Options, ast.LikeOption{Including: word == "including", What: what})
	}
}

// constraintName takes CONSTRAINT name, if it is there.
func (p *parser) constraintName() (n ast.Name) {
	if p.accept("constraint") {
		n = p.name()
	}
	return n
}

// unique takes UNIQUE [NULLS [NOT] DISTINCT].
func (p *parser) unique(name ast.Name) ast.Unique {
	u := ast.Unique{At: ast.At{Pos: p.here()}, Name: name}
	p.expect("unique")
	if u.NullsNotDistinct = p.accept("nulls", "not", "distinct"); !u.NullsNotDistinct {
		p.accept("nulls", "distinct")
	}
	return u
}

// check takes CHECK (x).
func (p *parser) check(name ast.Name) ast.Check {
	c := ast.Check{At: ast.At{Pos: p.here()}, Name: name}
	p.expect("check")
	c.X = p.parenthesized()
	p.accept("no", "inherit")
	return c
}

// immediate takes when a constraint is checked, which is at once.
func (p *parser) immediate() {
	for {
		t := p.cur()
		switch {
		case p.accept("not", "deferrable"), p.accept("initially", "immediate"):
		case t.isWord("deferrable"), p.ahead("initially", "deferred"):
			p.unsupported(t, "a deferrable constraint")
		default:
			return
		}
	}
}

func (p *parser) watermark() *ast.Watermark {
	w := &ast.Watermark{At: ast.At{Pos: p.here()}}
	p.expect("watermark", "for")
	w.Column = p.name()
	p.expect("as")
	w.X = p.expr()
	return w
}

// parenthesized takes ( expression ).
func (p *parser) parenthesized() ast.Expr {
	p.expectSymbol("(")
	x := p.expr()
	p.expectSymbol(")")
	return x
}

// column takes a column of CREATE TABLE or ADD COLUMN.
func (p *parser) column() ast.ColumnDef {
	c := ast.ColumnDef{At: ast.At{Pos: p.here()}, Name: p.name()}
	if p.accept("as") { // Flink's name AS x
		c.Generated = p.expr()
	} else if !p.cur().isAny("generated", "metadata") && !p.cur().is(",") && !p.cur().is(")") {
		c.Type = p.typeName()
	} else if !p.cur().isAny("generated", "metadata") {
		p.unexpected()
	}
	for p.columnConstraint(&c) {
	}
	return c
}

// columnConstraint takes one of what may follow a column's type.
func (p *parser) columnConstraint(c *ast.ColumnDef) bool {
	named := p.constraintName()
	t := p.cur()
	switch {
	case p.accept("not", "null"):
		c.NotNull = true
	case p.accept("null"):
	case p.accept("primary", "key"):
		c.PrimaryKey, c.KeyName = true, named
		p.accept("not", "enforced")
		p.immediate()
	case t.isWord("unique"):
		c.Unique = append(c.Unique, p.unique(named))
		p.immediate()
	case p.accept("default"):
		c.Default = p.expr()
	case t.isWord("check"):
		c.Checks = append(c.Checks, p.check(named))
		p.immediate()
	case p.accept("generated"):
		p.generated(c)
	case p.accept("metadata"):
		c.IsMetadata = true
		if p.accept("from") {
			c.Metadata = p.text()
		}
		c.Virtual = p.accept("virtual")
	case p.accept("comment"):
		c.Comment = p.text()
	case p.accept("collate"):
		p.wordPath()
	case t.isWord("references"):
		p.unsupported(t, "REFERENCES")
	default:
		return false
	}
	return true
}

// generated takes ALWAYS AS (x) [STORED|VIRTUAL] or ALWAYS|BY DEFAULT AS IDENTITY.
func (p *parser) generated(c *ast.ColumnDef) {
	pos := p.here()
	always := !p.accept("by", "default")
	if always {
		p.expect("always")
	}
	p.expect("as")
	if p.accept("identity") {
		c.Identity = &ast.Identity{At: ast.At{Pos: pos}, Always: always}
		p.sequenceOptions(c.Identity)
		return
	}
	if !always {
		p.unexpected()
	}
	c.Generated = p.parenthesized()
	p.acceptAny("stored", "virtual")
}

// sequenceOptions takes [(START WITH n INCREMENT BY n …)].
func (p *parser) sequenceOptions(x *ast.Identity) {
	if !p.cur().is("(") {
		return
	}
	p.expectSymbol("(")
	number := func() *int64 {
		n := p.number()
		return &n
	}
	for !p.cur().is(")") {
		t := p.cur()
		switch {
		case p.accept("start"):
			p.accept("with")
			x.Start = number()
		case p.accept("increment"):
			p.accept("by")
			x.Increment = number()
		case p.accept("minvalue"):
			x.Min = number()
		case p.accept("maxvalue"):
			x.Max = number()
		case p.accept("cache"):
			number()
		case p.accept("cycle"):
			x.Cycle = true
		case p.accept("no", "minvalue"), p.accept("no", "maxvalue"), p.accept("no", "cycle"):
		case t.isAny("sequence", "owned", "as"):
			p.unsupported(t, upper(t.text)+" of an identity column")
			return
		default:
			p.unexpected()
			return
		}
	}
	p.expectSymbol(")")
}

func (p *parser) createView(pos ast.Pos, materialized, replace, temporary bool) ast.Statement {
	c := placed(pos, &ast.CreateView{Materialized: materialized, OrReplace: replace, Temporary: temporary, WithData: true})
	c.IfNotExists = p.ifNotExists()
	c.Name = p.path()
	if p.cur().is("(") {
		c.Columns = p.names()
	}
	c.Options = p.withOptions()
	p.expect("as")
	c.Query = p.query()
	switch {
	case p.accept("with", "no", "data"):
		c.WithData = false
	case p.accept("with", "data"):
	}
	return c
}

func (p *parser) createIndex(pos ast.Pos, unique bool) ast.Statement {
	c := placed(pos, &ast.CreateIndex{Unique: unique})
	p.accept("concurrently")
	c.IfNotExists = p.ifNotExists()
	if !p.cur().isWord("on") {
		c.Name = p.name()
	}
	p.expect("on")
	p.accept("only")
	c.Relation = p.path()
	if p.accept("using") {
		c.Method = p.name().Value
	}
	p.expectSymbol("(")
	for {
		item := ast.OrderItem{At: ast.At{Pos: p.here()}, X: p.expr()}
		item.Desc = p.acceptAny("asc", "desc") == "desc"
		item.NullsFirst = p.nullsOrder()
		c.Columns = append(c.Columns, item)
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	if p.accept("include") {
		c.Include = p.names()
	}
	if c.NullsNotDistinct = p.accept("nulls", "not", "distinct"); !c.NullsNotDistinct {
		p.accept("nulls", "distinct")
	}
	c.Options = p.withOptions()
	if p.accept("where") {
		c.Where = p.expr()
	}
	return c
}

// createOther keeps the definition as it was written, and its WITH options.
func (p *parser) createOther(pos ast.Pos, kind ast.RelationKind, replace bool) ast.Statement {
	c := placed(pos, &ast.CreateOther{Kind: kind, OrReplace: replace})
	c.IfNotExists = p.ifNotExists()
	if kind == ast.SchemaKind && p.accept("authorization") {
		c.Name = ast.Path{p.name()}
		return c
	}
	c.Name = p.path()
	if kind != ast.FunctionKind {
		c.Options = p.withOptions()
	}
	c.Rest = p.rest()
	return c
}
