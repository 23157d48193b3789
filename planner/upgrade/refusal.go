package upgrade

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// Err is the refusal that names everything blocked and every state column that
// would be lost, nil when there is nothing of the kind.
func (p *Plan) Err() error {
	var unreadable, lost []string
	columns, whole := 0, 0 // operators that would lose some columns, or all they have
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		switch {
		case v.Unreadable:
			unreadable = append(unreadable, fmt.Sprintf("%s: %s", v.old(), v.Why))
		case v.Result == Blocked:
			whole++
			lost = append(lost, v.blockedLine())
		case len(v.Unsaid) > 0:
			columns++
			lost = append(lost, v.old()+": "+losses(v.Unsaid))
		}
	}
	detail := strings.Join(append(unreadable, lost...), "\n")
	switch {
	case len(unreadable) > 0:
		return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "%s cannot be read on from where the state was taken", counted(len(unreadable), "source")).
			WithDetail("%s", detail).Hint("Restore from a newer savepoint or checkpoint, or write MAP ('source' => DISCARD) to read a source from its beginning.")
	case whole > 0:
		hint := "Write MAP ('old operator' => 'new operator') or MAP ('old operator' => DISCARD) for each, or ALLOW NON RESTORED STATE for all."
		if columns > 0 {
			hint += " A single state column is discarded as 'operator.column'."
		}
		return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "state of %s would be lost", counted(whole+columns, "operator")).WithDetail("%s", detail).Hint("%s", hint)
	case columns > 0:
		return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "state columns of %s would be lost", counted(columns, "operator")).WithDetail("%s", detail).
			Hint("Write ALLOW NON RESTORED STATE to give up all of them, or MAP (%s => DISCARD, …) with each.", literal(p.firstLoss()))
	}
	return nil
}

// old is the id that the state was saved under.
func (v *Verdict) old() string {
	if v.From == "" {
		return v.Operator
	}
	return v.From
}

// GivenUp says what state a restore drops with this verdict, "" for none.
func (v *Verdict) GivenUp() string {
	switch {
	case v.Result == Dropped && (v.Rows > 0 || v.Kind == graph.SourceKind):
		return fmt.Sprintf("%s: %s, %s; %s", v.old(), counted(v.Rows, "row"), counted(v.Bytes, "byte"), v.Why)
	case v.Result == Empty && v.From != "":
		return fmt.Sprintf("%s: %s, %s; %s", v.From, counted(v.Rows, "row"), counted(v.Bytes, "byte"), v.Why)
	case v.Result == KeptPartly && len(v.Removed) > 0 && v.Rows > 0:
		return fmt.Sprintf("%s: %s of %s", v.old(), strings.Join(v.Removed, ", "), counted(v.Rows, "row"))
	}
	return ""
}

func (v *Verdict) blockedLine() string {
	line := fmt.Sprintf("%s: %s, %s; %s", v.old(), counted(v.Rows, "row"), counted(v.Bytes, "byte"), v.Why)
	if len(v.Candidates) > 0 {
		line += "; nearest: " + strings.Join(v.Candidates, ", ")
	}
	return line
}

// firstLoss is what MAP would call the first column that would be lost.
func (p *Plan) firstLoss() string {
	for i := range p.Verdicts {
		if v := &p.Verdicts[i]; len(v.Unsaid) > 0 {
			return v.old() + "." + v.Unsaid[0].ref()
		}
	}
	return ""
}

// ref is what MAP calls the column or table, behind the operator's id and a dot.
func (l Loss) ref() string {
	if l.Table == "" || l.Whole {
		return l.Name
	}
	return l.Table + "." + l.Name
}

// losses tells what each table loses: columns are a part of the table's bytes.
func losses(list []Loss) string {
	var out []string
	for i := 0; i < len(list); {
		l := list[i]
		if l.Whole {
			out = append(out, fmt.Sprintf("table %s: %s, %s", l.Name, counted(l.Rows, "row"), counted(l.Bytes, "byte")))
			i++
			continue
		}
		var names []string
		for ; i < len(list) && list[i].Table == l.Table && !list[i].Whole; i++ {
			names = append(names, list[i].ref())
		}
		out = append(out, fmt.Sprintf("%s: %s, within %s", strings.Join(names, ", "), counted(l.Rows, "row"), counted(l.Bytes, "byte")))
	}
	return strings.Join(out, "; ")
}

// literal writes a name as MAP takes it.
func literal(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

func counted[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
