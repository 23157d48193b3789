package exec

import (
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// Stage is a maximal set of operators that run fused in the same tasks. Only its
// first operator may receive from other stages.
type Stage struct {
	Tasks     int
	Operators []int // indexes into the graph, in topological order
}

// Plan is a graph cut at its exchanges for one parallelism.
type Plan struct {
	Graph   *graph.Graph
	Stages  []Stage
	StageOf []int // by operator
}

// Cut divides a graph into stages. An operator runs in the stage of its inputs
// when they all come forward from that one stage; otherwise it heads its own.
// Between single tasks every edge is forward.
func Cut(g *graph.Graph, parallelism int) *Plan {
	p := &Plan{Graph: g, StageOf: make([]int, len(g.Operators))}
	for i := range g.Operators {
		op := &g.Operators[i]
		tasks := p.tasks(op, parallelism)
		stage := p.fused(op, tasks)
		if stage < 0 {
			stage = len(p.Stages)
			p.Stages = append(p.Stages, Stage{Tasks: tasks})
		}
		p.StageOf[i] = stage
		p.Stages[stage].Operators = append(p.Stages[stage].Operators, i)
	}
	return p
}

// tasks is how many tasks op wants.
func (p *Plan) tasks(op *graph.Operator, parallelism int) int {
	if generates(op.Kind) {
		return 1
	}
	tasks := 0
	for _, in := range op.Inputs {
		switch in.Exchange.Kind {
		case graph.Single:
			return 1
		case graph.Forward:
			tasks = max(tasks, p.Stages[p.StageOf[in.Operator]].Tasks)
		default:
			tasks = parallelism
		}
	}
	if tasks == 0 {
		return parallelism
	}
	return tasks
}

// fused is the stage that op can run in, -1 if it needs its own.
func (p *Plan) fused(op *graph.Operator, tasks int) int {
	stage := -1
	for k, in := range op.Inputs {
		from := p.StageOf[in.Operator]
		if k > 0 && from != stage || p.Stages[from].Tasks != tasks || in.Exchange.Kind != graph.Forward && tasks != 1 {
			return -1
		}
		stage = from
	}
	return stage
}

// GroupRange is the key groups that a task owns.
func GroupRange(task, tasks int) state.GroupRange {
	return state.GroupRange{Lo: (task*state.KeyGroups + tasks - 1) / tasks, Hi: ((task+1)*state.KeyGroups + tasks - 1) / tasks}
}

// TaskOf is the task that owns a key group.
func TaskOf(group, tasks int) int { return group * tasks / state.KeyGroups }

// generates reports whether operators of a kind have no input and are no sources:
// they give their rows when they are told that what they have not has ended.
func generates(k graph.Kind) bool {
	switch k {
	case graph.ValuesKind, graph.FunctionScanKind, graph.RecursiveKind, graph.WorkingKind:
		return true
	}
	return false
}
