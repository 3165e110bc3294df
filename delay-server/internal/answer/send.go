package answer

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Sender sends answers.
type Sender struct {
	// Sleep waits until so long after the begin of the answer, and returns an error
	// when the client leaves or the server stops.
	Sleep func(due time.Duration) error

	// Elapsed returns how long ago the answer began.
	Elapsed func() time.Duration

	// Last, where it is not nil, is called before the last of an answer is given
	// to the connection, where the sender can tell: once the client has that, it
	// may send its next request at once.
	Last func()
}

// Send sends a with the headers that are already set on w, where a has none of
// the name. A body is not sent in reply to HEAD. The error is that of Sleep or
// of the connection. A fault ends by panicking with http.ErrAbortHandler where
// net/http is to end the connection, or the stream of HTTP/2.
func (s Sender) Send(w http.ResponseWriter, r *http.Request, a Answer) error {
	switch a.Fault {
	case Reset, Empty, Garbage:
		s.last()
		return a.Fault.send(w, r)
	}
	a.SetHeader(w.Header())
	if n := a.Body.Size(); n >= 0 && mayHaveLength(a.Status) {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if a.Body.Open == nil && a.Fault == "" && len(a.Body.Whole) <= block {
		s.last()
		w.WriteHeader(a.Status)
		return write(w, a.Body.Whole)
	}
	return s.sendParts(w, r, a)
}

func (s Sender) last() {
	if s.Last != nil {
		s.Last()
	}
}

// sendParts sends the headers at once and each part when it is due. Parts that
// are due already are left to the connection's buffer to join.
func (s Sender) sendParts(w http.ResponseWriter, r *http.Request, a Answer) error {
	flush := http.NewResponseController(w).Flush
	w.WriteHeader(a.Status)
	bodiless := r.Method == http.MethodHead || !HasBody(a.Status)
	if bodiless || a.Body.Size() == 0 {
		s.last()
	}
	if bodiless {
		return flush()
	}
	left := a.Body.Size()
	halve := a.Fault == Truncate && left >= 0
	if halve {
		left /= 2
	}
	var elapsed time.Duration
	next := a.Body.Parts()
	for p, ok := next(); ok; p, ok = next() {
		due, part := p.Due, p.Bytes
		if halve {
			part = part[:min(int64(len(part)), left)]
		}
		if due > elapsed {
			elapsed = s.Elapsed()
		}
		if due > elapsed {
			if err := flush(); err != nil {
				return fmt.Errorf("send body: %w", err)
			}
			if err := s.Sleep(due); err != nil {
				return err
			}
		}
		if len(part) == 0 {
			continue
		}
		if left -= int64(len(part)); left == 0 {
			s.last()
		}
		if err := write(w, part); err != nil {
			return fmt.Errorf("send body: %w", err)
		}
		if left == 0 && halve {
			break
		}
	}
	if err := flush(); err != nil {
		return fmt.Errorf("send body: %w", err)
	}
	if a.Fault == Truncate {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// write writes part, or nothing at all where it is empty: over HTTP/2 net/http
// refuses even that of a status that has no body.
func write(w http.ResponseWriter, part []byte) error {
	if len(part) == 0 {
		return nil
	}
	_, err := w.Write(part)
	return err
}
