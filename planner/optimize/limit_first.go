package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// limitFirst computes expressions of the rows alone that a LIMIT leaves, where none of
// them is what the rows are sorted by: the others cost nothing and cannot fail. Where
// rows are sorted, what the expressions are made of is held, which should be little.
func limitFirst(n logical.Node) logical.Node {
	s, ok := n.(*logical.Sort)
	if !ok || s.Limit == nil || len(s.Keys) > 0 && !(isFew(s.Limit) && (s.Skip == nil || isFew(s.Skip))) {
		return n
	}
	p, ok := s.Input.(*logical.Project)
	if !ok {
		return n
	}
	below := *s
	below.Input, below.Keys = p.Input, nil
	for _, k := range s.Keys {
		if k.X = scalar.Substitute(k.X, p.Exprs); !isPlain(k.X) {
			return n
		}
		below.Keys = append(below.Keys, k)
	}
	above := *p
	above.Input = limitFirst(&below)
	return &above
}

func isFew(rows *scalar.Expr) bool {
	return rows.Op == scalar.OpConst && !rows.Value.Null && rows.Value.Int <= 100
}
