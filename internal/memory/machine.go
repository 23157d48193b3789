package memory

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// unlimited is from where on a cgroup's limit is none: v1 writes a number near 2^63.
const unlimited = 1 << 60

// Machine is how many bytes the process may use: what the machine has, or its cgroup if
// that allows less. root is the root of the file system; 0: nothing tells.
func Machine(root fs.FS) int64 {
	least := int64(0)
	lower := func(n int64) {
		if n > 0 && n < unlimited && (least == 0 || n < least) {
			least = n
		}
	}
	if b, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		lower(memTotal(b))
	}
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		parts := strings.SplitN(lines.Text(), ":", 3) // number:controllers:path
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[1] == "":
			lower(cgroupLimit(root, "sys/fs/cgroup", parts[2], "memory.max"))
		case hasWord(parts[1], "memory"):
			lower(cgroupLimit(root, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return least
}

func hasWord(list, word string) bool {
	for _, w := range strings.Split(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// cgroupLimit is the least limit of a cgroup and those around it. In a container the
// cgroup's path is that of the host, and what is mounted is the container's own.
func cgroupLimit(root fs.FS, mount, group, file string) int64 {
	least := int64(0)
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if b, err := fs.ReadFile(root, path.Join(mount, at, file)); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && (least == 0 || n < least) {
				least = n
			}
		}
		if at == "/" {
			return least
		}
	}
}

// memTotal is MemTotal of /proc/meminfo in bytes.
func memTotal(b []byte) int64 {
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) >= 2 && f[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(f[1], 10, 64) // 0 if it is no number
			return n << 10
		}
	}
	return 0
}
