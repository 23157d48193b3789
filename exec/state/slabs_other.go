//go:build !unix

package state

const canMap = false

const hugePage = 2 << 20

func mapMemory(int, int) (b, whole []byte) { return nil, nil }

func unmapMemory([]byte) {}
