package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
)

// lockDir keeps a second process out of the folder.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open table store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, pgerr.New(pgerr.ObjectInUse, "the table store in %s is in use by another process", dir).Wrap(err)
	}
	return f, nil
}

// recover loads the newest snapshot and replays the log behind it.
func (s *Store) recover() error {
	if err := s.loadSnapshot(); err != nil {
		return err
	}
	s.snapshot, s.reclaimed = s.durable, s.durable
	s.log = &logFiles{dir: s.dir, max: s.opt.SegmentBytesMax, sync: !s.opt.NoSync}
	last := uint64(0)
	err := s.log.load(func(payload []byte) error {
		s.sinceSnap += int64(len(payload))
		return eachTxn(payload, func(position uint64, entries []entry) error {
			if last != 0 && position != last+1 {
				return fmt.Errorf("transaction %d follows %d", position, last)
			}
			last = position
			if position <= s.snapshot {
				return nil
			}
			if position != s.durable+1 {
				return fmt.Errorf("transaction %d follows %d", position, s.durable)
			}
			return s.replay(position, entries)
		})
	}, func() uint64 { return max(last, s.durable) }, s.undecided)
	if err != nil {
		return err
	}
	s.staged = s.durable
	return s.known()
}

// known refuses a log that does not go with what else is stored. The metadata knows the
// last joint transaction for as long as it is the last: if not, one of the two was lost, and
// whoever compared them would take tables that only one of them has for such that were
// dropped. What a checkpoint has read was durable: if the log ends before it, it was cut.
func (s *Store) known() error {
	for holder, r := range s.retained {
		if r.Position > s.durable {
			return pgerr.New(pgerr.DataCorrupted, "the own tables in %s end with transaction %d, but %s has read them up to %d: the end of the log was lost, or it was put back to an older state", s.dir, s.durable, holder, r.Position).
				Hint("Put the files back as they were. To go on with what there is, remove %s; jobs that have read more are then refused by name.", s.retainedPath())
		}
	}
	if s.joint == "" || s.opt.Committed == nil {
		return nil
	}
	committed, err := s.opt.Committed(s.joint)
	if err == nil && !committed {
		err = pgerr.New(pgerr.DataCorrupted, "the own tables in %s do not go with the metadata database: it does not know their last common transaction, so it is another one, or one of the two was lost or put back to an older state", s.dir).
			Hint("Start with the metadata database that belongs to the folder. To go on without the rows of these tables, move the folder away.")
	}
	return err
}

// replay applies a transaction read from the log.
func (s *Store) replay(position uint64, entries []entry) error {
	for _, e := range entries {
		if err := s.replayEntry(position, e); err != nil {
			return err
		}
	}
	s.durable, s.staged = position, position
	s.reclaim()
	return nil
}

func (s *Store) replayEntry(position uint64, e entry) error {
	switch e.kind {
	case createEntry:
		d, err := decodeTable(e.body)
		if err != nil {
			return err
		}
		t := newTable(d)
		t.created = position
		s.addTable(t)
	case dropEntry:
		if len(e.body) != 4 {
			return errDamaged
		}
		if t := s.numbers[binary.LittleEndian.Uint32(e.body)]; t != nil {
			s.removeTable(t)
		}
	case defineEntry:
		return s.replayDefine(e.body)
	case changesEntry:
		return s.replayChanges(position, e.body)
	case writerEntry:
		s.writers[string(e.body)] = position
	case jointEntry:
		s.joint = string(e.body)
	case rowIDEntry:
		if len(e.body) != 12 {
			return errDamaged
		}
		if t := s.numbers[binary.LittleEndian.Uint32(e.body)]; t != nil {
			t.rows.nextRow = max(t.rows.nextRow, binary.LittleEndian.Uint64(e.body[4:]))
		}
	case sequenceEntry:
		return s.replaySequence(e.body)
	default:
		return errUnknownEntry(e.kind)
	}
	return nil
}

func (s *Store) replayChanges(position uint64, body []byte) error {
	c, err := openChanges(body)
	if err != nil {
		return err
	}
	t := s.numbers[c.table]
	if t == nil {
		if c.table < s.nextNumber {
			return nil // dropped since, and left out of the snapshot
		}
		return fmt.Errorf("rows of table number %d, which was never created", c.table)
	}
	for c.left > 0 {
		op, rowID, row, err := c.next()
		if err != nil {
			return err
		}
		if err := t.codec.check(row); err != nil {
			return err
		}
		current := t.rows.byRow[rowID]
		switch {
		case batch.Op(op).Retracts():
			if current == 0 {
				return fmt.Errorf("row %d of table %s is taken away but not there", rowID, t.def.Name)
			}
			t.rows.kill(current, position)
			t.rows.bury(current)
		case current != 0:
			return fmt.Errorf("row %d of table %s is there already", rowID, t.def.Name)
		default:
			t.rows.add(rowID, position, row)
		}
	}
	return nil
}

// loadSnapshot reads the newest snapshot file, if there is one.
func (s *Store) loadSnapshot() error {
	paths, positions, err := listed(s.dir, "snapshot-")
	if err != nil || len(paths) == 0 {
		return err
	}
	path := paths[len(paths)-1]
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read table snapshot: %w", err)
	}
	if err := checkHead(data, snapshotMagic, path); err != nil {
		return errAt(err, path, 0)
	}
	at, ended, rows := int64(fileHeader), false, uint64(0)
	for at < int64(len(data)) {
		payload, n, err := openFrame(data[at:])
		if err == nil {
			err = eachTxn(payload, func(position uint64, entries []entry) error {
				for _, e := range entries {
					if err := s.loadEntry(position, e, &rows, &ended); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err != nil {
			return errAt(err, path, at)
		}
		at += int64(n)
	}
	if !ended {
		return errCorrupt(path, at, errors.New("the end is missing"))
	}
	s.durable, s.staged = positions[len(positions)-1], positions[len(positions)-1]
	return nil
}

// loadEntry applies one entry of a snapshot.
func (s *Store) loadEntry(position uint64, e entry, rows *uint64, ended *bool) error {
	switch e.kind {
	case snapshotEntry:
		if len(e.body) != 12 {
			return errDamaged
		}
		s.nextNumber = binary.LittleEndian.Uint32(e.body[8:])
		return nil
	case endEntry:
		if len(e.body) != 8 || binary.LittleEndian.Uint64(e.body) != *rows {
			return fmt.Errorf("the snapshot holds %d rows and says otherwise", *rows)
		}
		*ended = true
		return nil
	case changesEntry:
		if len(e.body) >= changesHeader {
			*rows += uint64(binary.LittleEndian.Uint32(e.body[4:]))
		}
	}
	return s.replayEntry(position, e)
}
