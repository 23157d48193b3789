package gc

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/millrace/millrace/test/random"
)

func TestPlan(t *testing.T) {
	objects := []string{
		"j/chk-1/_metadata", "j/chk-2/_metadata", "j/chk-3/_metadata", "j/chk-10/_metadata", "j/chk-x/_metadata", "j/chk-2/other",
		"j/shared/a-1-0-0.seg", "j/shared/a-2-0-0.seg", "j/shared/a-3-0-0.seg", "j/shared/b-10-0-0.seg", "j/shared/b-11-0-0.seg", "j/shared/odd", "jj/shared/a-1-0-0.seg",
	}
	for _, c := range []struct {
		name     string
		retained map[int64][]string
		want     []string
	}{
		{"two kept", map[int64][]string{3: {"j/shared/a-1-0-0.seg", "j/shared/a-3-0-0.seg"}, 10: {"j/shared/a-1-0-0.seg", "j/shared/b-10-0-0.seg"}},
			[]string{"j/chk-1/_metadata", "j/chk-2/_metadata", "j/shared/a-2-0-0.seg"}},
		{"one cannot be read", map[int64][]string{3: nil, 10: {"j/shared/b-10-0-0.seg"}}, []string{"j/chk-1/_metadata", "j/chk-2/_metadata"}},
		{"nothing known", nil, nil},
		{"empty state", map[int64][]string{10: {}}, []string{"j/chk-1/_metadata", "j/chk-2/_metadata", "j/chk-3/_metadata",
			"j/shared/a-1-0-0.seg", "j/shared/a-2-0-0.seg", "j/shared/a-3-0-0.seg", "j/shared/b-10-0-0.seg"}},
		{"only old ones kept", map[int64][]string{1: {"j/shared/a-1-0-0.seg"}}, []string{"j/chk-2/_metadata", "j/chk-3/_metadata",
			"j/shared/a-2-0-0.seg", "j/shared/a-3-0-0.seg", "j/shared/b-10-0-0.seg"}},
	} {
		if got := Plan(Seen{Job: "j", Objects: objects, Retained: c.retained}); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRetain(t *testing.T) {
	for _, c := range []struct {
		complete []int64
		keep     int
		pinned   map[int64]bool
		want     []int64
	}{
		{nil, 3, nil, nil},
		{[]int64{1, 2, 3}, 0, nil, []int64{3}},
		{[]int64{1, 2, 3, 4}, 2, map[int64]bool{1: true, 9: true}, []int64{1, 3, 4}},
		{[]int64{1}, 5, nil, []int64{1}},
	} {
		if got := Retain(c.complete, c.keep, c.pinned); !reflect.DeepEqual(got, c.want) {
			t.Errorf("Retain(%v, %d): %v, want %v", c.complete, c.keep, got, c.want)
		}
	}
}

// TestPlanNeverDeletesWhatIsReferred takes random histories of checkpoints, each
// referring to segments of itself and of the one before.
func TestPlanNeverDeletesWhatIsReferred(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		stored := map[string]bool{}
		manifests := map[int64][]string{}
		var last []string
		for n := int64(1); n < 30; n++ {
			own := SegmentPrefix("j", "r", n, "0") + "-0.seg"
			stored[own] = true
			refs := []string{own}
			for _, s := range last {
				if r.IntN(3) > 0 {
					refs = append(refs, s)
				}
			}
			if r.IntN(4) == 0 {
				continue // it failed
			}
			manifests[n], last = refs, refs
			stored[CheckpointName("j", n)] = true
			var objects []string
			for o := range stored {
				objects = append(objects, o)
			}
			pending := SegmentPrefix("j", "r", n+1, "0") + "-0.seg"
			seen := Seen{Job: "j", Objects: append(objects, pending), Retained: map[int64][]string{}}
			for _, k := range Retain(Checkpoints("j", objects), 1+r.IntN(3), nil) {
				seen.Retained[k] = manifests[k]
			}
			for _, o := range Plan(seen) {
				if o == pending {
					t.Fatal("what is being written is deleted")
				}
				delete(stored, o)
				if r.IntN(20) == 0 {
					break // killed half way
				}
			}
			for k := range seen.Retained {
				for _, s := range manifests[k] {
					if !stored[s] {
						t.Fatalf("segment %s of checkpoint %d is gone", s, k)
					}
				}
			}
		}
	}
}
