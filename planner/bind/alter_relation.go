package bind

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// Altered is what an own table becomes by ALTER TABLE.
type Altered struct {
	// Relation has the id of the one that was altered, and its unique indexes.
	Relation *catalog.Relation
	// From has for each column the position that it had before, -1 for a new one.
	From []int
	// Using are the expressions that ALTER COLUMN … TYPE … USING has, by column, and
	// the values of new columns where these are not their defaults.
	Using map[int]ast.Expr
	// Rewrite says that the rows have other columns, or another primary key.
	Rewrite bool
	// Gone says what was dropped or renamed that other objects may name, as in
	// "drop column a of table t"; empty for nothing.
	Gone string
	// Checks and NotNull are what the rows are to be checked for: conditions, and
	// columns that had nulls so far. Dropped names unique constraints.
	Checks  []catalog.Check
	NotNull []int
	Unique  []catalog.Unique
	Dropped []string
	// Skipped are notices of what was there already, or not there.
	Skipped []string
}

// alteration is a table's definition while it is being changed.
type alteration struct {
	rel     *catalog.Relation
	def     *ast.CreateRelation
	from    []int
	using   map[string]ast.Expr // by column
	skipped []string
	gone    string
}

// AlterRelation turns ALTER TABLE into the relation that it makes of rel, whose
// definition def is; def is changed.
func AlterRelation(st *ast.AlterRelation, rel *catalog.Relation, def *ast.CreateRelation, opts Options) (*Altered, error) {
	a := &alteration{rel: rel, def: def, using: map[string]ast.Expr{}}
	a.normalize()
	actions := slices.Clone(st.Actions)
	slices.SortStableFunc(actions, func(x, y ast.AlterAction) int { return pass(x) - pass(y) })
	for i := range actions {
		if err := a.do(&actions[i]); err != nil {
			return nil, err
		}
	}
	made, err := newDefinition(def, opts, true)
	if err != nil {
		e := pgerr.From(err)
		if len(st.Actions) != 1 || st.Actions[0].Column == nil && st.Actions[0].Constraint == nil && st.Actions[0].X == nil {
			e.Position = 0 // it is in the definition that was there
			return nil, e.At(int(st.Name.Offset()))
		}
		return nil, e
	}
	return a.altered(made), nil
}

// pass is when an action is carried out among several: what goes goes first.
func pass(x ast.AlterAction) int {
	switch x.Action {
	case "drop column", "drop constraint", "drop default", "drop not null":
		return 0
	case "type":
		return 1
	case "add column":
		return 2
	case "add constraint":
		return 4
	}
	return 3
}

// normalize names the constraints, and takes them out of the columns.
func (a *alteration) normalize() {
	d, r := a.def, a.rel
	name := func(s string) ast.Name { return ast.Name{Value: s} }
	names := func(columns []int) (out []ast.Name) {
		for _, i := range columns {
			out = append(out, name(r.Columns[i].Name))
		}
		return out
	}
	checks := slices.Clone(d.Checks)
	for i := range d.Columns {
		c := &d.Columns[i]
		checks = append(checks, c.Checks...)
		c.Checks, c.Unique, c.PrimaryKey, c.KeyName = nil, nil, false, ast.Name{}
		c.NotNull = c.NotNull || r.Columns[i].NotNull && r.Columns[i].Identity == nil && !slices.Contains(r.PrimaryKey, i)
	}
	slices.SortStableFunc(checks, func(x, y ast.Check) int { return int(x.Pos) - int(y.Pos) })
	for i := range checks {
		if i < len(r.Checks) {
			checks[i].Name = name(r.Checks[i].Name)
		}
		checks[i].Pos = -1
	}
	d.Checks, d.Unique, d.PrimaryKey, d.KeyName = checks, nil, names(r.PrimaryKey), name(r.KeyName)
	for _, u := range r.Unique {
		if !u.Index {
			d.Unique = append(d.Unique, ast.Unique{At: ast.At{Pos: -1}, Name: name(u.Name), Columns: names(u.Columns), NullsNotDistinct: u.NullsNotDistinct})
		}
	}
	for i := range d.Columns {
		a.from = append(a.from, i)
	}
}

func (a *alteration) do(x *ast.AlterAction) error {
	switch x.Action {
	case "add column":
		return a.addColumn(x)
	case "drop column":
		return a.dropColumn(x)
	case "rename column":
		return a.renameColumn(x)
	case "rename to":
		a.renameTo(x.New.Value)
		return tooLong(x.New)
	case "rename constraint":
		return a.renameConstraint(x)
	case "add constraint":
		return a.addConstraint(x)
	case "drop constraint":
		return a.dropConstraint(x)
	case "set default", "drop default", "set not null", "drop not null", "type":
		return a.alterColumn(x)
	}
	return pgerr.NotSupported(int(x.Pos), "ALTER TABLE … "+upper(x.Action)).
		Hint("Columns, constraints, defaults, NOT NULL and names can be changed.")
}

func (a *alteration) find(name string) int {
	return slices.IndexFunc(a.def.Columns, func(c ast.ColumnDef) bool { return c.Name.Value == name })
}

func (a *alteration) noColumn(n ast.Name) *pgerr.Error {
	e := pgerr.New(pgerr.UndefinedColumn, "column %q of relation %q does not exist", n.Value, a.rel.Name).At(int(n.Pos))
	var names []string
	for _, c := range a.def.Columns {
		names = append(names, c.Name.Value)
	}
	if near := nearest(n.Value, names); near != "" {
		e.Hint("Perhaps you meant %q.", near)
	}
	return e
}

func (a *alteration) isThere(n ast.Name) *pgerr.Error {
	return pgerr.New(pgerr.DuplicateColumn, "column %q of relation %q already exists", n.Value, a.rel.Name).At(int(n.Pos))
}

func (a *alteration) addColumn(x *ast.AlterAction) error {
	if a.find(x.Column.Name.Value) >= 0 {
		if x.Exists {
			a.skipped = append(a.skipped, fmt.Sprintf("column %q of relation %q already exists, skipping", x.Column.Name.Value, a.rel.Name))
			return nil
		}
		return a.isThere(x.Column.Name)
	}
	if x.Column.PrimaryKey && len(a.def.PrimaryKey) > 0 {
		return a.secondKey(x)
	}
	a.def.Columns = append(a.def.Columns, *x.Column)
	a.from = append(a.from, -1)
	return nil
}

func (a *alteration) secondKey(x *ast.AlterAction) error {
	return pgerr.New(pgerr.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", a.rel.Name).At(int(x.Pos))
}

// dropColumn drops the constraints that are about the column, too.
func (a *alteration) dropColumn(x *ast.AlterAction) error {
	at, name := a.find(x.Old.Value), x.Old.Value
	if at < 0 {
		if x.Exists {
			a.skipped = append(a.skipped, fmt.Sprintf("column %q of relation %q does not exist, skipping", name, a.rel.Name))
			return nil
		}
		return a.noColumn(x.Old)
	}
	uses := func(e ast.Expr) bool { return e != nil && firstReference(e, map[string]bool{name: true}) != nil }
	var dependents []string
	for _, c := range a.def.Columns {
		if uses(c.Generated) {
			dependents = append(dependents, c.Name.Value)
		}
	}
	if w := a.def.Watermark; w != nil && (w.Column.Value == name || uses(w.X)) {
		if !x.Cascade {
			return a.errDepends(x, "the watermark")
		}
		a.def.Watermark = nil
	}
	if len(dependents) > 0 && !x.Cascade {
		return a.errDepends(x, "column "+dependents[0])
	}
	about := func(columns []ast.Name) bool {
		return slices.ContainsFunc(columns, func(n ast.Name) bool { return n.Value == name })
	}
	if about(a.def.PrimaryKey) {
		a.dropKey()
	}
	a.def.Unique = slices.DeleteFunc(a.def.Unique, func(u ast.Unique) bool { return about(u.Columns) })
	a.def.Checks = slices.DeleteFunc(a.def.Checks, func(c ast.Check) bool { return uses(c.X) })
	a.def.Columns = slices.Delete(a.def.Columns, at, at+1)
	a.from = slices.Delete(a.from, at, at+1)
	a.gone = "drop column " + name + " of table " + a.rel.Name
	for _, d := range dependents {
		if err := a.dropColumn(&ast.AlterAction{At: x.At, Old: ast.Name{At: x.Old.At, Value: d}, Cascade: true, Exists: true}); err != nil {
			return err
		}
	}
	return nil
}

func (a *alteration) errDepends(x *ast.AlterAction, what string) error {
	return pgerr.New(pgerr.DependentObjectsStillExist, "cannot drop column %s of table %s because other objects depend on it", x.Old.Value, a.rel.Name).At(int(x.Old.Pos)).
		WithDetail("%s of table %s depends on column %s of table %s", what, a.rel.Name, x.Old.Value, a.rel.Name).
		Hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

// dropKey drops the primary key; its columns stay without nulls.
func (a *alteration) dropKey() {
	for _, n := range a.def.PrimaryKey {
		if i := a.find(n.Value); i >= 0 {
			a.def.Columns[i].NotNull = true
		}
	}
	a.def.PrimaryKey, a.def.KeyName = nil, ast.Name{}
}

func (a *alteration) renameColumn(x *ast.AlterAction) error {
	at := a.find(x.Old.Value)
	switch {
	case at < 0:
		return pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", x.Old.Value).At(int(x.Old.Pos))
	case a.find(x.New.Value) >= 0:
		return a.isThere(x.New)
	}
	if err := tooLong(x.New); err != nil {
		return err
	}
	d, from, to := a.def, x.Old.Value, x.New.Value
	d.Columns[at].Name.Value = to
	rename := func(list []ast.Name) {
		for i := range list {
			if list[i].Value == from {
				list[i].Value = to
			}
		}
	}
	rename(d.PrimaryKey)
	for i := range d.Unique {
		rename(d.Unique[i].Columns)
	}
	if d.Watermark != nil && d.Watermark.Column.Value == from {
		d.Watermark.Column.Value = to
	}
	a.references(func(r *ast.ColumnRef) {
		if last := &r.Path[len(r.Path)-1]; last.Value == from {
			last.Value = to
		}
	})
	a.gone = "rename column " + from + " of table " + a.rel.Name
	return nil
}

// renameTo renames the table, in the conditions that name it too.
func (a *alteration) renameTo(name string) {
	old := a.def.Name.Last().Value
	a.references(func(r *ast.ColumnRef) {
		if n := len(r.Path); n > 1 && r.Path[n-2].Value == old {
			r.Path[n-2].Value = name
		}
	})
	a.def.Name = slices.Clone(a.def.Name)
	a.def.Name[len(a.def.Name)-1].Value = name
	a.gone = "rename table " + a.rel.Name
}

// references calls f for each column that the definition's expressions mention.
func (a *alteration) references(f func(*ast.ColumnRef)) {
	see := func(e ast.Expr) {
		if e == nil {
			return
		}
		visit(reflect.ValueOf(e), func(n any) bool {
			if r, ok := n.(*ast.ColumnRef); ok {
				f(r)
			}
			return true
		})
	}
	for i := range a.def.Columns {
		see(a.def.Columns[i].Generated)
		for _, c := range a.def.Columns[i].Checks {
			see(c.X)
		}
	}
	for _, c := range a.def.Checks {
		see(c.X)
	}
	if a.def.Watermark != nil {
		see(a.def.Watermark.X)
	}
}

func (a *alteration) addConstraint(x *ast.AlterAction) error {
	c := x.Constraint
	for _, n := range []ast.Name{c.KeyName, nameOf(c.Unique, func(u ast.Unique) ast.Name { return u.Name }), nameOf(c.Checks, func(k ast.Check) ast.Name { return k.Name })} {
		if err := a.freeName(n); err != nil {
			return err
		}
	}
	if len(c.PrimaryKey) > 0 {
		for _, n := range c.PrimaryKey {
			if a.find(n.Value) < 0 {
				return a.noColumn(n)
			}
		}
		if len(a.def.PrimaryKey) > 0 {
			return a.secondKey(x)
		}
		a.def.PrimaryKey, a.def.KeyName = c.PrimaryKey, c.KeyName
	}
	a.def.Unique = append(a.def.Unique, c.Unique...)
	a.def.Checks = append(a.def.Checks, c.Checks...)
	return nil
}

// nameOf is the name of the first of a list.
func nameOf[T any](list []T, name func(T) ast.Name) ast.Name {
	if len(list) == 0 {
		return ast.Name{}
	}
	return name(list[0])
}

// freeName refuses the name of a constraint that there is.
func (a *alteration) freeName(n ast.Name) error {
	if n.Value != "" && slices.ContainsFunc(a.constraintNames(), func(have *ast.Name) bool { return have.Value == n.Value }) {
		return pgerr.New(pgerr.DuplicateObject, "constraint %q for relation %q already exists", n.Value, a.rel.Name).At(int(n.Pos))
	}
	return nil
}

// constraintNames are where the names of the constraints are.
func (a *alteration) constraintNames() (list []*ast.Name) {
	if len(a.def.PrimaryKey) > 0 {
		list = append(list, &a.def.KeyName)
	}
	for i := range a.def.Unique {
		list = append(list, &a.def.Unique[i].Name)
	}
	for i := range a.def.Checks {
		list = append(list, &a.def.Checks[i].Name)
	}
	return list
}

func (a *alteration) renameConstraint(x *ast.AlterAction) error {
	if err := a.freeName(x.New); err != nil {
		return err
	}
	for _, have := range a.constraintNames() {
		if have.Value == x.Old.Value {
			have.Value = x.New.Value
			return tooLong(x.New)
		}
	}
	return pgerr.New(pgerr.UndefinedObject, "constraint %q for table %q does not exist", x.Old.Value, a.rel.Name).At(int(x.Old.Pos))
}

func (a *alteration) dropConstraint(x *ast.AlterAction) error {
	name := x.Old.Value
	if len(a.def.PrimaryKey) > 0 && a.def.KeyName.Value == name {
		a.dropKey()
		return nil
	}
	n := len(a.def.Unique) + len(a.def.Checks)
	a.def.Unique = slices.DeleteFunc(a.def.Unique, func(u ast.Unique) bool { return u.Name.Value == name })
	a.def.Checks = slices.DeleteFunc(a.def.Checks, func(c ast.Check) bool { return c.Name.Value == name })
	switch {
	case n != len(a.def.Unique)+len(a.def.Checks):
		return nil
	case x.Exists:
		a.skipped = append(a.skipped, fmt.Sprintf("constraint %q of relation %q does not exist, skipping", name, a.rel.Name))
		return nil
	}
	return pgerr.New(pgerr.UndefinedObject, "constraint %q of relation %q does not exist", name, a.rel.Name).At(int(x.Old.Pos))
}

func (a *alteration) alterColumn(x *ast.AlterAction) error {
	at := a.find(x.Old.Value)
	if at < 0 {
		return a.noColumn(x.Old)
	}
	c := &a.def.Columns[at]
	counts := c.Identity != nil || IsSerial(c.Type)
	refuse := func(what string) error {
		return pgerr.New(pgerr.SyntaxError, "column %q of relation %q is %s", c.Name.Value, a.rel.Name, what).At(int(x.Old.Pos))
	}
	switch x.Action {
	case "set default", "drop default":
		switch {
		case c.Generated != nil:
			return refuse("a generated column")
		case c.Identity != nil:
			return refuse("an identity column")
		}
		if name := serialTypes[c.Type.Name]; name != "" { // its numbers were its default
			c.Type.Name, c.NotNull = name, true
		}
		if _, filled := a.using[c.Name.Value]; a.from[at] < 0 && !filled { // the rows there are get what it was added with
			if a.using[c.Name.Value] = c.Default; c.Default == nil {
				a.using[c.Name.Value] = &ast.Literal{Kind: ast.NullLiteral, Text: "null"}
			}
		}
		c.Default = x.X
	case "set not null":
		c.NotNull = true
	case "drop not null":
		if slices.ContainsFunc(a.def.PrimaryKey, func(n ast.Name) bool { return n.Value == c.Name.Value }) {
			return pgerr.New(pgerr.InvalidTableDefinition, "column %q is in a primary key", c.Name.Value).At(int(x.Old.Pos))
		}
		if counts {
			return refuse("an identity column")
		}
		c.NotNull = false
	case "type":
		if counts {
			return pgerr.NotSupported(int(x.Pos), "ALTER COLUMN … TYPE of an identity column")
		}
		c.Type = x.Type
		if x.X != nil {
			a.using[c.Name.Value] = x.X
		}
	}
	return nil
}

// altered compares the relation with what it was.
func (a *alteration) altered(made *catalog.Relation) *Altered {
	old := a.rel
	made.ID, made.Created, made.SQL, made.Comment = old.ID, old.Created, ast.Print(a.def), old.Comment
	out := &Altered{Relation: made, From: a.from, Using: map[int]ast.Expr{}, Skipped: a.skipped, Gone: a.gone,
		Rewrite: len(made.Columns) != len(old.Columns)}
	to := map[int]int{} // from old positions
	for i, from := range a.from {
		c := &made.Columns[i]
		if x := a.using[c.Name]; x != nil {
			out.Using[i] = x
		}
		if from != i {
			out.Rewrite = true
		}
		if from < 0 {
			continue
		}
		to[from] = i
		was := old.Columns[from]
		c.Comment = was.Comment
		out.Rewrite = out.Rewrite || !c.Type.Equal(was.Type) || out.Using[i] != nil
		if c.NotNull && !was.NotNull {
			out.NotNull = append(out.NotNull, i)
		}
		if c.Identity != nil && was.Identity != nil {
			c.Identity.Sequence = was.Identity.Sequence
		}
	}
	mapped := func(columns []int) (list []int, all bool) {
		for _, c := range columns {
			n, ok := to[c]
			if !ok {
				return nil, false
			}
			list = append(list, n)
		}
		return list, true
	}
	if key, ok := mapped(old.PrimaryKey); !ok || !slices.Equal(key, made.PrimaryKey) {
		out.Rewrite = true
	}
	for _, u := range old.Unique {
		columns, ok := mapped(u.Columns)
		switch kept := slices.ContainsFunc(made.Unique, func(v catalog.Unique) bool { return v.Name == u.Name }); {
		case u.Index && ok:
			u.Columns = columns
			made.Unique = append(made.Unique, u)
		case !u.Index && !kept:
			out.Dropped = append(out.Dropped, u.Name)
		}
	}
	for _, u := range made.Unique {
		if !slices.ContainsFunc(old.Unique, func(v catalog.Unique) bool { return v.Name == u.Name }) {
			out.Unique = append(out.Unique, u)
		}
	}
	for _, c := range made.Checks {
		if !slices.ContainsFunc(old.Checks, func(v catalog.Check) bool { return v.Name == c.Name }) {
			out.Checks = append(out.Checks, c)
		}
	}
	return out
}
