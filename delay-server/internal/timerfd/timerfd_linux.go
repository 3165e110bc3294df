// Package timerfd is the alarm of Linux that a poller waits for beside its
// sockets: a file that can be read once its time has come, to the nanosecond.
package timerfd

import (
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Timer is a file descriptor of a timer by the machine's monotonic clock.
type Timer int

// New returns a timer that is not set, for the caller to close. Reads of it do
// not block. The error is the system's.
func New() (Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	return Timer(fd), os.NewSyscallError("timerfd_create", err)
}

// Never is a time that a timer does not come to.
const Never time.Duration = math.MaxInt64

// longest is what a timer is set to at most. No machine runs for so long.
const longest = 100 * 365 * 24 * time.Hour

// Set has the timer go off once, in that long: at once for no time or less, not
// at all for Never. It replaces what was set before.
func (t Timer) Set(in time.Duration) {
	var spec unix.ItimerSpec // zero is never
	if in != Never {
		spec.Value = unix.NsecToTimespec(int64(min(max(in, 1), longest)))
	}
	_ = unix.TimerfdSettime(int(t), 0, &spec, nil) // fails for what is no timer only
}
