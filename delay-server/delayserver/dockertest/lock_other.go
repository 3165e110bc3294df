//go:build !unix || solaris

package dockertest

import (
	"os"
	"time"
)

// tryLock reports whether an open file is old enough to belong to no run.
func tryLock(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && (time.Since(info.ModTime()) > maxRun || info.Name() == current)
}
