package datadir

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lock is an exclusive lock on a directory. The kernel holds it for the open
// file, so it ends with the process in every case; the file itself stays.
type lock struct {
	file    *os.File
	created bool // by this process
}

// acquire locks the directory and writes the process id into the file for the
// next one to read. It does not wait: the error is an *InUseError when
// somebody else has the lock.
func acquire(dir string) (*lock, error) {
	path := filepath.Join(dir, lockFile)
	for {
		f, created, err := openLock(path)
		if err != nil {
			return nil, fmt.Errorf("open lock file: %w", err)
		}
		err = flock(f)
		if errors.Is(err, unix.EWOULDBLOCK) {
			pid := holder(f)
			_ = f.Close()
			return nil, &InUseError{Path: dir, PID: pid}
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}

		// A failed first Open removes its lock file. Whoever opened it
		// just before now has the lock of a file without a name.
		l := &lock{f, created}
		if !l.named(path) {
			_ = f.Close()
			continue
		}
		if err := l.sign(); err != nil {
			l.discard(path)
			return nil, fmt.Errorf("write %s: %w", path, err)
		}

		return l, nil
	}
}

// openLock opens the lock file and says whether it had to be created.
func openLock(path string) (*os.File, bool, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return f, true, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, false, err
		}
		f, err = os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			return f, false, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
	}
}

// flock takes the lock of the kernel without waiting.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// holder reads the process id that sign wrote, 0 if there is none yet.
func holder(f *os.File) int {
	raw := make([]byte, 20)
	n, err := f.ReadAt(raw, 0)
	if err != nil && err != io.EOF {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw[:n])))
	if err != nil {
		return 0
	}

	return pid
}

// named reports whether the locked file is still the one at path.
func (l *lock) named(path string) bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)

	return err == nil && os.SameFile(mine, there)
}

// sign replaces the content by the id of this process.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)

	return err
}

// release ends the lock and leaves an empty file.
func (l *lock) release() error {
	return cmp.Or(l.file.Truncate(0), l.file.Close())
}

// discard ends the lock of a failed Open: the file goes if that Open made it.
func (l *lock) discard(path string) {
	if l.created {
		_ = os.Remove(path) // while it is locked, so nobody else's
	}
	_ = l.release()
}
