package batch

// Bitmap is a set of row numbers, one bit each.
type Bitmap []uint64

// Grow returns the bitmap with room for n bits, new ones clear.
func (m Bitmap) Grow(n int) Bitmap {
	words := (n + 63) / 64
	if words <= len(m) {
		return m
	}
	if words <= cap(m) {
		old := len(m)
		m = m[:words]
		clear(m[old:])
		return m
	}
	t := make(Bitmap, words, max(words, RowsDefault/64))
	copy(t, m)
	return t
}

// Get reports whether bit i is set; bits beyond the end are clear.
func (m Bitmap) Get(i int) bool { return i>>6 < len(m) && m[i>>6]>>(uint(i)&63)&1 != 0 }

// Set sets bit i, which must be within the bitmap.
func (m Bitmap) Set(i int) { m[i>>6] |= 1 << (uint(i) & 63) }

// Clear clears bit i, which must be within the bitmap.
func (m Bitmap) Clear(i int) { m[i>>6] &^= 1 << (uint(i) & 63) }
