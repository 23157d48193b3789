package lower

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/planner/graph"
)

// Constant rows come once, and so are not read by two: a query that has the same subquery
// over them twice has the same operators twice. What these keep is the same, and which is
// which does not matter: they are numbered.

// numberTwins tells operators of one role apart if they do the same with the same rows.
func numberTwins(ops []*operator, group []int) {
	first := map[string]int{}
	count := map[int]int{}
	for _, i := range alike(ops, group) {
		role := ops[i].Role
		at, ok := first[role]
		if !ok {
			first[role] = i
		} else if whole(ops, at) == whole(ops, i) {
			count[at]++
			ops[i].Role += "#" + strconv.Itoa(count[at]+1)
		}
	}
}

// whole is all that operator i and those below it do, without what they are called.
func whole(ops []*operator, i int) string {
	if ops[i].source != nil {
		return fmt.Sprint(i)
	}
	o := ops[i].Operator
	below := make([]string, len(o.Inputs))
	inputs := make([]graph.Input, len(o.Inputs))
	for k, in := range o.Inputs {
		below[k] = whole(ops, in.Operator)
		in.Operator = 0
		inputs[k] = in
	}
	o.ID, o.Role, o.Inputs = "", "", inputs
	data, err := json.Marshal(&o)
	invariant.Assert(err == nil, "an operator cannot be encoded: %v", err)
	var tree any
	err = json.Unmarshal(data, &tree)
	invariant.Assert(err == nil, "an operator cannot be decoded: %v", err)
	unplace(tree)
	return fmt.Sprint(tree, below)
}

// unplace takes out where expressions stand in the statement and how they are written.
func unplace(tree any) {
	switch t := tree.(type) {
	case map[string]any:
		delete(t, "pos")
		delete(t, "text")
		for _, x := range t {
			unplace(x)
		}
	case []any:
		for _, x := range t {
			unplace(x)
		}
	}
}
