//go:build !unix

package state

const canMap = false

func mapMemory(int) (b, whole []byte) { return nil, nil }

func unmapMemory([]byte) {}
