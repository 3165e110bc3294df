package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onHangup calls reload for each SIGHUP until stop is called. Some systems have no
// SIGHUP.
func onHangup(reload func()) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			reload()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}
