package memory

import (
	"testing"
	"testing/fstest"
)

// TestMachine reads what a machine or a cgroup of either version allows.
func TestMachine(t *testing.T) {
	const meminfo = "MemTotal:       8000000 kB\nMemFree:        1 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing": {nil, 0},
		"machine": {map[string]string{"proc/meminfo": meminfo}, 8000000 << 10},
		"v2, of a parent": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1000000000\n"}, 1000000000},
		"v2, in a container": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/docker/x\n",
			"sys/fs/cgroup/memory.max": "500000000\n"}, 500000000},
		"v2, more than there is": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "900000000000\n"}, 8000000 << 10},
		"v1": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "700000000\n"}, 700000000},
		"v1, none": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8000000 << 10},
		"garbage": {map[string]string{"proc/meminfo": "MemTotal: much kB\n", "proc/self/cgroup": "x\n:::\n0::\n"}, 0},
	} {
		root := fstest.MapFS{}
		for file, text := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := Machine(root); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

// TestSizes reads and writes sizes.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "2GB": 2 << 30, "1.5 mb": 3 << 19, "100": 100, " 7 kB ": 7 << 10, "1TB": 1 << 40, "12b": 12} {
		if got, ok := ParseSize(text); !ok || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "GB", "-1", "much", "1PB", "0x10", "NaN", "inf", "1e30TB", "2 GB GB"} {
		if got, ok := ParseSize(text); ok {
			t.Errorf("%q was read as %d", text, got)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1 << 30: "1 GB", 3 << 29: "1.5 GB", 4096: "4 kB"} {
		if got := Size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
