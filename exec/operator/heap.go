package operator

// minHeap is a heap whose first element is before none of the others.
type minHeap[T interface{ before(T) bool }] []T

// push adds v.
func (h *minHeap[T]) push(v T) {
	s := append(*h, v)
	*h = s
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !v.before(s[up]) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = v
}

// pop takes the first element out; there must be one.
func (h *minHeap[T]) pop() T {
	s := *h
	first, v := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) > 0 {
		s.sink(0, v)
	}
	return first
}

// replace puts v in the place of the first element.
func (h minHeap[T]) replace(v T) { h.sink(0, v) }

// sink puts v at i or below.
func (h minHeap[T]) sink(i int, v T) {
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if right := down + 1; right < len(h) && h[right].before(h[down]) {
			down = right
		}
		if !h[down].before(v) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = v
}
