package bind

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
)

// createScript binds CREATE statements and shows the relation they make.
func createScript(opts Options, sql string) (string, *catalog.Relation) {
	list, err := parse.Statements(sql)
	if err != nil {
		return errorText(err, sql), nil
	}
	switch st := list[0].Statement.(type) {
	case *ast.CreateRelation:
		r, err := CreateRelation(st, opts)
		if err != nil {
			return errorText(err, sql), nil
		}
		return relationText(r), r
	case *ast.CreateView:
		v, err := View(st, opts)
		if err != nil {
			return errorText(err, sql), nil
		}
		s := notices(v.Notices) + ttls(v.StateTTL) + relationText(v.Relation)
		if v.Root != nil {
			s += logical.Print(v.Root)
		}
		return s, v.Relation
	}
	return fmt.Sprintf("unexpected %T\n", list[0].Statement), nil
}

func relationText(r *catalog.Relation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s.%s", r.Kind, r.Schema, r.Name)
	if r.AppendOnly {
		b.WriteString(" append only")
	}
	if len(r.PrimaryKey) > 0 {
		fmt.Fprintf(&b, " key %v", r.PrimaryKey)
	}
	if len(r.Options) > 0 {
		fmt.Fprintf(&b, " %v", r.Options)
	}
	if len(r.Depends) > 0 {
		fmt.Fprintf(&b, " depends %v", r.Depends)
	}
	b.WriteByte('\n')
	for _, c := range r.Columns {
		fmt.Fprintf(&b, "  %s %s", c.Name, c.Type)
		if c.NotNull {
			b.WriteString(" not null")
		}
		if c.Default != "" {
			b.WriteString(" default " + c.Default)
		}
		if c.Generated != "" {
			b.WriteString(" generated " + c.Generated)
		}
		if c.Metadata != "" {
			b.WriteString(" metadata " + c.Metadata)
		}
		b.WriteByte('\n')
	}
	if r.Watermark != nil {
		fmt.Fprintf(&b, "  watermark %s: %s\n", r.Columns[r.Watermark.Column].Name, r.Watermark.X)
	}
	for _, u := range r.Unique {
		fmt.Fprintf(&b, "  unique %s %v\n", u.Name, u.Columns)
	}
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  check %s: %s %v\n", c.Name, c.X, c.Columns)
	}
	if r.Query != "" {
		b.WriteString("  query " + r.Query + "\n")
	}
	return b.String()
}

// jobScript binds CREATE JOB.
func jobScript(opts Options, sql string) string {
	list, err := parse.Statements(sql)
	if err != nil {
		return errorText(err, sql)
	}
	j, err := Job(list[0].Statement.(*ast.CreateJob).Inserts, opts)
	if err != nil {
		return errorText(err, sql)
	}
	s := notices(j.Notices) + ttls(j.StateTTL)
	for _, k := range j.Sinks {
		s += logical.Print(k)
	}
	return s + fmt.Sprintf("depends %v\n", j.Depends)
}

// changeText shows a bound data statement.
func changeText(st ast.Statement, opts Options, sql string) string {
	switch st := st.(type) {
	case *ast.Insert:
		i, err := Insert(st, opts)
		if err != nil {
			return errorText(err, sql)
		}
		s := notices(i.Notices) + params(i.Params) + returningText(i.Returning, i.ReturningColumns)
		if c := i.OnConflict; c != nil {
			s += "on conflict"
			if c.DoUpdate {
				for _, e := range c.NewRow {
					s += " " + logical.ExprString(e)
				}
			} else {
				s += " nothing"
			}
			if c.Where != nil {
				s += " where " + logical.ExprString(c.Where)
			}
			s += "\n"
		}
		return s + logical.Print(i.Input)
	case *ast.Update:
		u, err := Update(st, opts)
		if err != nil {
			return errorText(err, sql)
		}
		return notices(u.Notices) + params(u.Params) + returningText(u.Returning, u.ReturningColumns) + logical.Print(u.Input)
	case *ast.Delete:
		d, err := Delete(st, opts)
		if err != nil {
			return errorText(err, sql)
		}
		return notices(d.Notices) + params(d.Params) + returningText(d.Returning, d.ReturningColumns) + logical.Print(d.Input)
	}
	return fmt.Sprintf("unexpected %T\n", st)
}

func returningText(list []*scalar.Expr, fields []logical.Field) string {
	if len(list) == 0 {
		return ""
	}
	s := "returning"
	for i, e := range list {
		s += " " + fields[i].Name + "=" + logical.ExprString(e)
	}
	return s + "\n"
}
