package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// writeArchive writes a zip archive with the folder dir, and the archive's SHA-256 in a
// file beside it. Unlike a tar archive, Windows, macOS and Linux open it by a double
// click; it has the permission to execute, too.
func writeArchive(ctx context.Context, archive, dir string, modified time.Time) error {
	names, err := files(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(archive, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w := zip.NewWriter(f)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, name := range append(names, sumsName) {
		if err = ctx.Err(); err == nil {
			err = addToArchive(w, dir, name, modified)
		}
		if err != nil {
			break
		}
	}
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		return err
	}
	sum, err := sumOf(archive)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%s  %s\n", sum, filepath.Base(archive))
	return os.WriteFile(archive+".sha256", []byte(line), 0o644)
}

func addToArchive(w *zip.Writer, dir, name string, modified time.Time) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	h := &zip.FileHeader{Name: filepath.Base(dir) + "/" + name, Modified: modified, Method: zip.Deflate}
	if strings.HasSuffix(name, ".zip") || name == imagesName { // compressed already
		h.Method = zip.Store
	}
	mode := os.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	h.SetMode(mode)
	to, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Close())
}
