package clock

import (
	"os"
	"time"

	"flash.test/delay-server/internal/timerfd"
)

// preciseAlarm is a timer that the runtime's poller waits for, beside its sockets.
type preciseAlarm struct {
	timer timerfd.Timer
	file  *os.File // that of timer
	ended chan struct{}
}

func newPreciseAlarm(ring func()) (alarm, error) {
	timer, err := timerfd.New()
	if err != nil {
		return nil, err
	}
	a := &preciseAlarm{timer, os.NewFile(uintptr(timer), "timerfd"), make(chan struct{})}
	if err := a.file.SetReadDeadline(time.Time{}); err != nil { // the poller does not take it
		_ = a.file.Close()
		return nil, err
	}
	go a.listen(ring)
	return a, nil
}

// listen calls ring each time that the alarm goes off, until it is stopped.
func (a *preciseAlarm) listen(ring func()) {
	defer close(a.ended)
	var times [8]byte
	for {
		if _, err := a.file.Read(times[:]); err != nil {
			return
		}
		ring()
	}
}

func (a *preciseAlarm) set(in time.Duration) { a.timer.Set(in) }

func (a *preciseAlarm) stop() {
	_ = a.file.Close()
	<-a.ended
}
