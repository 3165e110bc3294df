//go:build !unix || solaris

package dockertest

import (
	"os"
	"time"
)

// tryLock reports whether the file is too old to belong to a live run.
func tryLock(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && (time.Since(info.ModTime()) > maxRun || info.Name() == current)
}
