package segment

// The blocks of testdata/v1.seg: their lengths and checksums.
var (
	goldenLengths = []int{9, 9, 9, 10, 10, 10, 19, 109, 31}
	goldenSums    = []uint32{0x45727635, 0x45727635, 0x45727635, 0x6f3b1326, 0xf5bc8c86, 0x0df3b4df, 0x84eba298, 0xa01fc0fe, 0xe0464988}
)
