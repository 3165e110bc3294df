//go:build !linux

package clock

import "errors"

func newPreciseAlarm(func()) (alarm, error) { return nil, errors.ErrUnsupported }
