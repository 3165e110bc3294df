package eventloop

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/journal"
)

// BenchmarkServe measures a request without a wait, from its bytes in the socket to its
// response there.
func BenchmarkServe(b *testing.B) {
	for _, run := range []string{"", "X-Run-Id: r\r\n"} {
		b.Run(fmt.Sprintf("run=%t", run != ""), func(b *testing.B) {
			s := newStoppedLoop(b)
			s.listener.config.Engine.Journal = journal.New(100, s.engine().Clock.Now, func(journal.Wait) {})
			const n = maxTurnRequests
			sent := strings.Repeat(reqHead("GET /delay/0 HTTP/1.1", run), n)
			other, c := s.serveNew(b, reqHead("GET /delay/0 HTTP/1.1", run))
			reply := make([]byte, 64<<10)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%n > 0 {
					continue
				}
				if _, err := io.WriteString(other, sent); err != nil {
					b.Fatal(err)
				}
				s.serve(c, unix.EPOLLIN, onEvent)
				for s.deferred != nil {
					s.runDeferred()
				}
				if _, err := other.Read(reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
