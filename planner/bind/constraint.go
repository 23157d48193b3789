package bind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// constraints takes what UNIQUE and CHECK say, and names the constraints that have
// no name, the primary key's too.
func (d *definition) constraints() error {
	checks, unique := slices.Clone(d.st.Checks), slices.Clone(d.st.Unique)
	d.rel.KeyName = d.st.KeyName.Value
	for i := range d.st.Columns {
		c := &d.st.Columns[i]
		checks = append(checks, c.Checks...)
		for _, u := range c.Unique {
			u.Columns = []ast.Name{c.Name}
			unique = append(unique, u)
		}
		if c.PrimaryKey {
			d.rel.KeyName = c.KeyName.Value
		}
	}
	slices.SortStableFunc(checks, func(a, b ast.Check) int { return int(a.Pos) - int(b.Pos) })
	slices.SortStableFunc(unique, func(a, b ast.Unique) int { return int(a.Pos) - int(b.Pos) })
	if len(checks) > 0 && !d.rel.IsOwnTable() {
		return notOnConnector(checks[0].Pos, "a CHECK constraint")
	}
	if len(unique) > 0 && !d.rel.IsOwnTable() {
		return notOnConnector(unique[0].Pos, "a UNIQUE constraint")
	}
	for i := range checks {
		if err := d.check(&checks[i]); err != nil {
			return err
		}
	}
	for i := range unique {
		if err := d.unique(&unique[i]); err != nil {
			return err
		}
	}
	if len(d.rel.PrimaryKey) > 0 && d.rel.KeyName == "" {
		d.rel.KeyName = chosenName(d.rel, "", "pkey")
	}
	for i := range d.rel.Unique {
		if u := &d.rel.Unique[i]; u.Name == "" {
			u.Name = chosenName(d.rel, columnNames(d.rel, u.Columns), "key")
		}
	}
	return nil
}

func notOnConnector(pos ast.Pos, what string) error {
	return pgerr.NotSupported(int(pos), what+" on a relation with a connector").Hint("Millrace's own tables can have constraints.")
}

func columnNames(r *catalog.Relation, columns []int) string {
	var names []string
	for _, i := range columns {
		names = append(names, r.Columns[i].Name)
	}
	return strings.Join(names, "_")
}

// check takes CHECK (x).
func (d *definition) check(c *ast.Check) error {
	e, err := (&level{b: d.b, scope: tableScope(d.rel, nil)}).checkExpr(c.X)
	if err != nil {
		return err
	}
	var about []int
	walk(e, func(x *scalar.Expr) bool {
		if x.Op == scalar.OpColumn && !slices.Contains(about, x.Column) {
			about = append(about, x.Column)
		}
		return true
	})
	name := c.Name.Value
	if name == "" {
		column := ""
		if len(about) == 1 {
			column = d.rel.Columns[about[0]].Name
		}
		name = chosenName(d.rel, column, "check")
	} else if err := tooLong(c.Name); err != nil {
		return err
	}
	if slices.ContainsFunc(d.rel.Checks, func(c catalog.Check) bool { return c.Name == name }) {
		return pgerr.New(pgerr.DuplicateObject, "check constraint %q already exists", name).At(int(c.Name.Pos))
	}
	d.rel.Checks = append(d.rel.Checks, catalog.Check{Name: name, X: d.b.opts.Print(c.X), Columns: about})
	return nil
}

// checkExpr binds the condition of a CHECK.
func (l *level) checkExpr(x ast.Expr) (*scalar.Expr, error) {
	l.clause = "check constraints"
	e, err := l.expr(x)
	if err != nil {
		return nil, err
	}
	if len(l.pending) > 0 {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "cannot use subquery in check constraint").At(int(x.Offset()))
	}
	return l.b.boolean(e, "CHECK")
}

// unique takes UNIQUE (columns). One over the columns of another is that one.
func (d *definition) unique(u *ast.Unique) error {
	add := catalog.Unique{Name: u.Name.Value, NullsNotDistinct: u.NullsNotDistinct}
	for _, n := range u.Columns {
		i := d.find(n.Value)
		if i < 0 {
			return pgerr.New(pgerr.UndefinedColumn, "column %q named in key does not exist", n.Value).At(int(n.Pos))
		}
		if slices.Contains(add.Columns, i) {
			return pgerr.New(pgerr.DuplicateColumn, "column %q appears twice in unique constraint", n.Value).At(int(n.Pos))
		}
		if _, ok := scalar.Comparison("=", d.rel.Columns[i].Type); !ok {
			return pgerr.New(pgerr.UndefinedObject, "column %q of type %s cannot be part of a unique constraint", n.Value, d.rel.Columns[i].Type).At(int(n.Pos))
		}
		add.Columns = append(add.Columns, i)
	}
	same := func(columns []int, notDistinct bool) bool {
		return !d.altered && slices.Equal(columns, add.Columns) && notDistinct == add.NullsNotDistinct
	}
	if same(d.rel.PrimaryKey, false) {
		d.rel.KeyName = cmp.Or(d.rel.KeyName, add.Name)
		return nil
	}
	for i := range d.rel.Unique {
		if have := &d.rel.Unique[i]; same(have.Columns, have.NullsNotDistinct) {
			have.Name = cmp.Or(have.Name, add.Name)
			return nil
		}
	}
	if add.Name != "" && slices.Contains(constraintNames(d.rel), add.Name) {
		return pgerr.New(pgerr.DuplicateTable, "relation %q already exists", add.Name).At(int(u.Name.Pos))
	}
	d.rel.Unique = append(d.rel.Unique, add)
	return tooLong(u.Name)
}

// constraintNames lists the names of a relation's constraints.
func constraintNames(r *catalog.Relation) []string {
	out := []string{r.KeyName}
	for _, u := range r.Unique {
		out = append(out, u.Name)
	}
	for _, c := range r.Checks {
		out = append(out, c.Name)
	}
	return out
}

func tooLong(n ast.Name) error {
	if len(n.Value) > 63 {
		return pgerr.New(pgerr.NameTooLong, "identifier %q is longer than 63 bytes", n.Value).At(int(n.Pos))
	}
	return nil
}

// chosenName is the name that PostgreSQL would give a constraint: the table's, the
// columns', and what it is, at most 63 bytes long, with a number if it is taken.
func chosenName(r *catalog.Relation, columns, what string) string {
	taken := constraintNames(r)
	for n := 0; ; n++ {
		label := what
		if n > 0 {
			label = fmt.Sprint(what, n)
		}
		table, column := r.Name, columns
		room := 63 - len(label) - 1
		if column != "" {
			room--
		}
		for len(table)+len(column) > room {
			if len(table) > len(column) {
				table = table[:len(table)-1]
			} else {
				column = column[:len(column)-1]
			}
		}
		name := strings.ToValidUTF8(table, "") + "_"
		if column != "" {
			name += strings.ToValidUTF8(column, "") + "_"
		}
		if name += label; !slices.Contains(taken, name) {
			return name
		}
	}
}

// Check is a condition over a relation's columns that no row may fail.
type Check struct {
	Name string
	X    *scalar.Expr
}

// Checks binds the CHECK constraints of a relation, in the order they are tested.
func Checks(rel *catalog.Relation, opts Options) ([]Check, error) {
	return newBinder(opts).checks(rel)
}

func (b *binder) checks(rel *catalog.Relation) ([]Check, error) {
	var out []Check
	for _, c := range rel.Checks {
		e, err := (&level{b: b, scope: tableScope(rel, nil)}).storedExpr(c.X, types.Of(types.Bool))
		if err != nil {
			x := pgerr.From(err)
			return nil, pgerr.New(x.Code, "check constraint %q of relation %q: %s", c.Name, rel.Name, x.Message)
		}
		out = append(out, Check{c.Name, e})
	}
	slices.SortFunc(out, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// checked lets the rows of a job's INSERT through that pass the CHECK constraints;
// the others are bad rows.
func (b *binder) checked(node logical.Node, rel *catalog.Relation) (logical.Node, error) {
	checks, err := b.checks(rel)
	if err != nil {
		return nil, err
	}
	for _, c := range checks {
		text := func(s string) *scalar.Expr {
			return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Text), Value: &types.Value{Bytes: s}, Pos: -1}
		}
		node = &logical.Filter{Input: node, Predicate: &scalar.Expr{Op: scalar.OpCall, Func: "check_constraint(boolean,text,text)", Type: types.Of(types.Bool),
			Args: []*scalar.Expr{c.X, text(rel.Name), text(c.Name)}, Pos: -1}}
	}
	return node, nil
}
