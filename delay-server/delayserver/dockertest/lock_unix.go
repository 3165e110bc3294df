//go:build unix && !solaris

package dockertest

import (
	"os"
	"syscall"
)

// tryLock locks the file and reports whether it could.
func tryLock(file *os.File) bool {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
