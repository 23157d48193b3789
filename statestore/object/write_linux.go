package object

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// window is how much of an object is on its way to the disk, and as much again filled
// meanwhile.
const window = 4 << 20

// directBytes is what disks want memory, place and length to be multiples of, of what
// they are to take by themselves.
const directBytes = 4 << 10

// writeDurably writes data to a new file and syncs it. Of large data the system's cache
// keeps nothing, and sees nothing where that is possible: nobody reads a checkpoint soon,
// and a gigabyte of them every few seconds would cost the copies, the memory it pushes
// out, and the time to touch what takes its place.
func writeDurably(f *os.File, data []byte) error {
	if len(data) > window {
		var err error
		if data, err = writeDirect(f, data); err != nil {
			return err
		}
	}
	if len(data) <= window {
		if _, err := f.Write(data); err != nil {
			return err
		}
		return f.Sync()
	}
	for at := 0; at < len(data); at += window {
		if _, err := f.Write(data[at:min(at+window, len(data))]); err != nil {
			return err
		}
		if err := syncRange(f, at, unix.SYNC_FILE_RANGE_WRITE); err != nil {
			return err
		}
		if at == 0 {
			continue
		}
		const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
		if err := syncRange(f, at-window, wait); err != nil {
			return err
		}
		forget(f, at-window, window)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	forget(f, 0, len(data))
	return nil
}

// writeDirect writes data to a new file past the system's cache, and returns what is left
// to be written: less than directBytes, or all of it where the file system does not do
// that, or not with data that lies there.
func writeDirect(f *os.File, data []byte) (rest []byte, err error) {
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%directBytes != 0 {
		return data, nil
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return data, nil
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, flags|unix.O_DIRECT); err != nil {
		return data, nil
	}
	n := len(data) &^ (directBytes - 1)
	_, err = f.Write(data[:n])
	if _, e := unix.FcntlInt(f.Fd(), unix.F_SETFL, flags); err == nil {
		err = e
	}
	if errors.Is(err, unix.EINVAL) { // it takes none, or larger multiples
		_, err := f.Seek(0, io.SeekStart)
		return data, err
	}
	return data[n:], err
}

// syncRange syncs a window's data. A failure is told once, here or by Sync; a file
// system that cannot do it leaves all to Sync.
func syncRange(f *os.File, at, flags int) error {
	err := unix.SyncFileRange(int(f.Fd()), int64(at), window, flags)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return os.NewSyscallError("sync_file_range", err)
}

// forget lets the system's cache go of what is on the disk.
func forget(f *os.File, at, n int) {
	_ = unix.Fadvise(int(f.Fd()), int64(at), int64(n), unix.FADV_DONTNEED) // advice
}
