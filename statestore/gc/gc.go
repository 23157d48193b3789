// Package gc decides which objects of a job's checkpoints may be deleted. It does
// no I/O: the caller lists objects, reads the manifests of retained checkpoints,
// and deletes what Plan says, in its order.
package gc

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// MetadataName is the object that makes a checkpoint complete.
const MetadataName = "_metadata"

// CheckpointName is the _metadata object of a job's checkpoint.
func CheckpointName(job string, n int64) string {
	return fmt.Sprintf("%s/chk-%d/%s", job, n, MetadataName)
}

// SegmentPrefix is what the names of the segments begin with that one task writes
// for a checkpoint. The incarnation names the run, so that a dead run never
// overwrites what a live one wrote.
func SegmentPrefix(job, incarnation string, checkpoint int64, part string) string {
	return fmt.Sprintf("%s/shared/%s-%d-%s", job, incarnation, checkpoint, part)
}

// checkpointOfName is the number of the complete checkpoint that an object makes.
func checkpointOfName(job, name string) (int64, bool) {
	rest, ok := strings.CutPrefix(name, job+"/chk-")
	if !ok {
		return 0, false
	}
	number, ok := strings.CutSuffix(rest, "/"+MetadataName)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n, err == nil && n > 0
}

// checkpointOfSegment is the number of the checkpoint that a segment was written
// for.
func checkpointOfSegment(job, name string) (int64, bool) {
	rest, ok := strings.CutPrefix(name, job+"/shared/")
	if !ok {
		return 0, false
	}
	_, rest, ok = strings.Cut(rest, "-")
	if !ok {
		return 0, false
	}
	number, _, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n, err == nil && n > 0
}

// Checkpoints are the numbers of the complete checkpoints among a job's objects,
// ascending.
func Checkpoints(job string, objects []string) []int64 {
	var list []int64
	for _, name := range objects {
		if n, ok := checkpointOfName(job, name); ok {
			list = append(list, n)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	return list
}

// Retain picks the checkpoints to keep: the newest keep of them, at least one, and
// those pinned, by a restore that is under way for one.
func Retain(complete []int64, keep int, pinned map[int64]bool) []int64 {
	first := len(complete) - max(keep, 1)
	var kept []int64
	for i, n := range complete {
		if i >= first || pinned[n] {
			kept = append(kept, n)
		}
	}
	return kept
}

// Seen is what the caller knows of a job's objects.
type Seen struct {
	Job     string
	Objects []string // all below "<job>/", listed before the manifests were read
	// Retained are the checkpoints to keep, with the segments that each refers to.
	// A nil slice means that the manifest could not be read.
	Retained map[int64][]string
}

// Plan returns the objects to delete, in order: first what makes a checkpoint
// complete, then what nothing refers to any more. While a retained manifest cannot
// be read no segment goes. Segments of checkpoints newer than all that are complete
// stay: they may be being written.
func Plan(seen Seen) []string {
	var manifests, segments []string
	complete := Checkpoints(seen.Job, seen.Objects)
	if len(complete) == 0 || len(seen.Retained) == 0 {
		return nil
	}
	newest := complete[len(complete)-1]
	used := map[string]bool{}
	readable := true
	for _, refs := range seen.Retained {
		if refs == nil {
			readable = false
		}
		for _, r := range refs {
			used[r] = true
		}
	}
	for _, name := range seen.Objects {
		if n, ok := checkpointOfName(seen.Job, name); ok {
			if _, keep := seen.Retained[n]; !keep && n < newest {
				manifests = append(manifests, name)
			}
		} else if n, ok := checkpointOfSegment(seen.Job, name); ok && readable && !used[name] && n <= newest {
			segments = append(segments, name)
		}
	}
	return append(manifests, segments...)
}
