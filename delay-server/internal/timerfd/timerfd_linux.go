// Package timerfd wraps Linux timer file descriptors, which become readable when they
// expire. A poller can wait for them together with sockets, to the nanosecond.
package timerfd

import (
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Timer is the file descriptor of a timer of the monotonic clock.
type Timer int

// New returns a timer that is not set. Reads of it do not block. The caller closes it.
func New() (Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	return Timer(fd), os.NewSyscallError("timerfd_create", err)
}

// Never is the duration with which Set disarms a timer.
const Never time.Duration = math.MaxInt64

// maxDuration is the longest duration that Set passes to the kernel.
const maxDuration = 100 * 365 * 24 * time.Hour

// Set makes the timer fire once after d: at once if d <= 0, never if d is Never. It
// replaces the previous setting.
func (t Timer) Set(d time.Duration) {
	var spec unix.ItimerSpec // zero disarms
	if d != Never {
		spec.Value = unix.NsecToTimespec(int64(min(max(d, 1), maxDuration)))
	}
	_ = unix.TimerfdSettime(int(t), 0, &spec, nil) // fails only if t is no timer
}
