package optimize

import "github.com/millrace/millrace/planner/logical"

// flattenUnions makes one union of unions directly in one another.
func flattenUnions(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		u, ok := n.(*logical.Union)
		if !ok {
			return n
		}
		var all []logical.Node
		for _, in := range u.All {
			if inner, ok := in.(*logical.Union); ok {
				all = append(all, inner.All...)
			} else {
				all = append(all, in)
			}
		}
		c := *u
		c.All = all
		return &c
	})
}
