package clock

import (
	"os"
	"time"

	"flash.test/delay-server/internal/timerfd"
)

// timerfdTimer is a timerfd that the runtime's network poller watches.
type timerfdTimer struct {
	fd   timerfd.Timer
	file *os.File // of fd
	done chan struct{}
}

func newTimerfd(fire func()) (wallTimer, error) {
	fd, err := timerfd.New()
	if err != nil {
		return nil, err
	}
	t := &timerfdTimer{fd, os.NewFile(uintptr(fd), "timerfd"), make(chan struct{})}
	if err := t.file.SetReadDeadline(time.Time{}); err != nil { // the poller rejects it
		_ = t.file.Close()
		return nil, err
	}
	go t.run(fire)
	return t, nil
}

// run calls fire whenever the timer expires, until it is stopped.
func (t *timerfdTimer) run(fire func()) {
	defer close(t.done)
	var expirations [8]byte
	for {
		if _, err := t.file.Read(expirations[:]); err != nil {
			return
		}
		fire()
	}
}

func (t *timerfdTimer) set(in time.Duration) { t.fd.Set(in) }

func (t *timerfdTimer) stop() {
	_ = t.file.Close()
	<-t.done
}
