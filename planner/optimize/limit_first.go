package optimize

import "github.com/millrace/millrace/planner/logical"

// limitFirst computes expressions of the rows alone that a LIMIT leaves: the others cost
// nothing and cannot fail. Rows that are sorted are held, so they stay as narrow as the
// expressions make them.
func limitFirst(n logical.Node) logical.Node {
	s, ok := n.(*logical.Sort)
	if !ok || s.Limit == nil || len(s.Keys) > 0 {
		return n
	}
	p, ok := s.Input.(*logical.Project)
	if !ok {
		return n
	}
	below, above := *s, *p
	below.Input = p.Input
	above.Input = limitFirst(&below)
	return &above
}
