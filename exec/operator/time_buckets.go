package operator

import "github.com/millrace/millrace/exec"

// timeBuckets keeps numbers of rows by when something is to be done about them. What
// it holds is derived from the state: a row may have gone since, or be another one.
type timeBuckets struct {
	buckets map[int64][]uint32
	next    int64 // the earliest bucket, if there are any
	n       int   // how many numbers there are
}

func newTimeBuckets() *timeBuckets { return &timeBuckets{buckets: map[int64][]uint32{}} }

// note remembers a row until the watermark is past t.
func (x *timeBuckets) note(t int64, id uint32) {
	b := floorDiv(t, bucketMicros)
	if len(x.buckets) == 0 || b < x.next {
		x.next = b
	}
	x.buckets[b] = append(x.buckets[b], id)
	x.n++
}

// due calls f for the rows whose time is behind the watermark, and maybe not for those
// of the last bucket's width.
func (x *timeBuckets) due(w exec.Watermark, f func(id uint32)) {
	for len(x.buckets) > 0 && (w == exec.WatermarkMax || x.next < floorDiv(w, bucketMicros)) {
		ids := x.buckets[x.next]
		delete(x.buckets, x.next)
		x.n -= len(ids)
		for _, id := range ids {
			f(id)
		}
		first := true
		for b := range x.buckets {
			if first || b < x.next {
				x.next, first = b, false
			}
		}
	}
}
