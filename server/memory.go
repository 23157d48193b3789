package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/server/pgcatalog"
)

// limitShare is the share of the machine's or cgroup's memory, in percent, that the
// server takes at the most unless it is told otherwise. The rest is for the system, for
// what the runtime needs besides objects, and for growth between two looks.
const limitShare = 75

// ParseMemoryLimit reads a size, a share of what there is, or none. Its error is what it
// takes.
func ParseMemoryLimit(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "none") {
		return -1, nil
	}
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		n, err := strconv.ParseInt(percent, 10, 64)
		if err == nil && n > 0 && n <= 100 {
			return memory.Machine(os.DirFS("/")) / 100 * n, nil
		}
	} else if n, ok := memory.ParseSize(text); ok && n >= memoryLimitMin {
		return n, nil
	}
	return 0, fmt.Errorf("a size from %s on, a share from 1%% to 100%%, or none", memory.Size(memoryLimitMin))
}

// memoryLimitMin is what a server needs to do anything.
const memoryLimitMin = 128 << 20

// memoryLimit is how many bytes the process may take, 0 for no limit.
func (o *Options) memoryLimit() int64 {
	if o.MemoryLimit != 0 {
		return max(o.MemoryLimit, 0)
	}
	return memory.Machine(os.DirFS("/")) / 100 * limitShare
}

// memoryRows are millrace.memory: the process, those who hold memory, and what each of
// their operators holds.
func (s *Server) memoryRows(out *pgcatalog.Rows) {
	some := func(n int64) any {
		if n == 0 {
			return nil
		}
		return n
	}
	out.Add("server", nil, nil, nil, s.memory.Used(), nil, some(s.memory.Limit()))
	for _, a := range s.memory.Accounts() {
		var name any
		if a.Name != nil {
			name = a.Name()
		}
		pid := some(int64(a.Session))
		out.Add(a.Kind, name, pid, nil, a.Held(), a.Peak(), some(a.Budget))
		for _, h := range a.Holdings() {
			out.Add(a.Kind, name, pid, h.Name, h.Bytes, nil, nil)
		}
	}
}
