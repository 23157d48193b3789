package segment

// goldenBlock is the length and the checksum of a block of testdata/*.seg.
type goldenBlock struct {
	length int
	sum    uint32
}

var goldenBlocks = []goldenBlock{
	{9, 0x45727635}, {9, 0x45727635}, {9, 0x45727635}, {10, 0x6f3b1326}, {10, 0xf5bc8c86}, {10, 0x0df3b4df}, {19, 0x84eba298}, {109, 0xa01fc0fe}, {31, 0xe0464988},
}

var goldenColumns = []goldenBlock{
	{17, 0x32397295}, {22, 0x7463fb0d}, {29, 0xfa321f63}, {1049, 0xe0f2e545}, {33, 0x9d3e1397}, {57, 0x56ff5522}, {153, 0xf568ddb5}, {12297, 0xe8a0732e}, {71, 0x335a883d}, {130, 0x38ff1d94}, {305, 0xc8836a78}, {15981, 0x61ac6f3b},
}
