//go:build unix && !solaris

package dockertest

import (
	"os"
	"syscall"
)

// tryLock reports whether it got the lock of an open file.
func tryLock(file *os.File) bool {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
