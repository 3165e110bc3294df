//go:build !linux

package clock

import "errors"

func newTimerfd(func()) (wallTimer, error) { return nil, errors.ErrUnsupported }
