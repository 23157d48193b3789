package state

// goldenHashes are the hashes of goldenKeys. They are never changed.
var goldenHashes = []uint64{
	0x0000000000000000, // no columns
	0x1ff5c2923a788d2c, // integer 0
	0x38f94c439ac36242, // integer 1
	0xdff5c05abb606d30, // integer -1
	0x53040c34b2ea5b6a, // integer 1000
	0xc07b01e244de76de, // integer 9223372036854775807
	0x1272020b0ade6099, // integer -9223372036854775808
	0x1ff5c2923a788d2c, // boolean false
	0x38f94c439ac36242, // boolean true
	0x1ff5c2923a788d2c, // float 0
	0x1ff5c2923a788d2c, // float -0
	0x073a6dcd287ed1e1, // float 1.5
	0xc85c1624bedeee5f, // float +Inf
	0xd7da559d8eb4c1c9, // float -Inf
	0xa801c0c910f00b50, // float NaN
	0x2afa3043c0fbb4d2, // numeric 0
	0x2afa3043c0fbb4d2, // numeric 0.00
	0x4a48ae77fd9ffd84, // numeric 1
	0x4a48ae77fd9ffd84, // numeric 1.0
	0xa4abe8d32432d7be, // numeric -1.000
	0x756953d961a281ae, // numeric 123456789012345678901234567890.12
	0x43cf64d90524cdfa, // numeric NaN
	0xd107053302a4e613, // numeric Infinity
	0x48e02f53f4743eaa, // numeric -Infinity
	0x9edee1ae61c3bfed, // numeric 1e-30
	0x662205c9405436f0, // text of 0
	0xda143dd42ca57b6e, // text of 1
	0xdd0e616d3ccdde40, // text of 2
	0x9ae029d322f5c0ad, // text of 3
	0xe7e516350cf55bfd, // text of 4
	0x389f7a182e740c64, // text of 5
	0x9507b19dda407e6d, // text of 6
	0x4a5632fc32625f9c, // text of 7
	0xe02b284ed67f1642, // text of 8
	0x06c052dd1e9320f0, // text of 9
	0x2466d89283ff58a1, // text of 10
	0x4673e55aa73e03e7, // text of 11
	0x29aef9fb456d26f3, // text of 12
	0x998ca1a13d51f316, // text of 13
	0x6a6953c5d251a9bc, // text of 14
	0x16dc97137e442ebf, // text of 15
	0x98366df667e0e8d0, // text of 16
	0x9adb01ee2a2f2d18, // text of 17
	0x60684e20aeaaf46d, // text of 18
	0x1f88890ed46e7d77, // text of 19
	0xa95ee6d5af39040b, // text of 20
	0x8097711b8ab00f47, // text of 21
	0x173c5f26c510fcb4, // text of 22
	0x2f9d8fd2bf775685, // text of 23
	0x2d210b3c0e068f76, // text of 24
	0x8f0c2bae77e46fab, // text of 25
	0x295b04ca22f2a3e0, // text of 26
	0x3fd823dd0849488e, // text of 27
	0x949c5771c5571ff0, // text of 28
	0x48a671bbd01d55cf, // text of 29
	0x024bae832bab1e1b, // text of 30
	0x48e8a83749773a2f, // text of 31
	0x91c0c68f891306eb, // text of 32
	0x4dcd08f2e88e7327, // text of 33
	0x625c809da5038dbe, // text of 34
	0x7185a25bb5735993, // text of 35
	0xbebec893a4b50422, // text of 36
	0xa1163bc2fc25b0ce, // text of 37
	0xae58f7eeda12420f, // text of 38
	0x8459a6088305fe9f, // text of 39
	0x2afa3043c0fbb4d2, // interval 00:00:00
	0xd8461cb74de6f172, // interval 1 mon
	0xd8461cb74de6f172, // interval 30 days
	0x96f31f9dabb9b55d, // interval -00:00:00.000001
	0x2afa3043c0fbb4d2, // interval -1 days +24:00:00
	0xec895ab5f34d1182, // interval 178956970 years 7 mons 2147483647 days 2562047788:00:54.775807
	0xe6ac823aab4c8cf1, // uuid
	0x9ae16a3b2f90404f, // null 1
	0x9ae16a3b2f90404f, // null 2
	0x9ae16a3b2f90404f, // null 3
	0x9ae16a3b2f90404f, // null 4
	0x9ae16a3b2f90404f, // null 5
	0x9ae16a3b2f90404f, // null 6
	0x9ae16a3b2f90404f, // null 7
	0xf195aee8f2beb4ee, // 1, 2
	0xbb3a30f724622217, // 2, 1
	0x43cf64d90524cdfa, // 1, null
	0xe78be67990c869ec, // null, 1
	0x52ae3b4bc51f47dc, // null, null, null
	0xcf6158f216f49c97, // 1, text, 2
}
