// Package manifest is what a checkpoint or savepoint consists of: its _metadata
// object, encoded and decoded strictly. It does no I/O and knows bytes, not SQL:
// schemas, plans and positions are carried as they are.
package manifest
