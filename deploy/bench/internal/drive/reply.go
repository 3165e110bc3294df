package drive

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var (
	headerEnd     = []byte("\r\n\r\n")
	contentLength = []byte("content-length")
)

// Request returns the bytes of a GET that keeps its connection.
func Request(host, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
}

// replyLength returns the length of the HTTP/1.1 reply that read begins with,
// or 0 while there is more to come. A reply without status 200, or without a
// Content-Length, is an error.
func replyLength(read []byte) (int, error) {
	end := bytes.Index(read, headerEnd)
	if end < 0 {
		return 0, nil
	}
	status, fields, _ := bytes.Cut(read[:end], []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("status line %q: want HTTP/1.1 200", status)
	}
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(field, []byte(":"))
		if !bytes.EqualFold(name, contentLength) {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("Content-Length %q: want a number of bytes", value)
		}
		whole := end + len(headerEnd) + n
		switch {
		case len(read) < whole:
			return 0, nil
		case len(read) > whole:
			return 0, fmt.Errorf("%d bytes behind the reply", len(read)-whole)
		}
		return whole, nil
	}
	return 0, errors.New("reply without Content-Length")
}

// errClosed says that the server closed the connection before the reply's end.
func errClosed(read int) error {
	return fmt.Errorf("connection closed after %d bytes of a reply", read)
}
