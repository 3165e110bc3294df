// Package delaytest lets a Go test decide when slow calls are answered, and see
// which of them ran at the same time. No stopwatch is involved: such a test is
// over in milliseconds, and does not fail because the machine is busy.
//
//	srv := delaytest.NewServer(t)
//	run := srv.Run("checkout")
//	prices := srv.Hold("prices")
//
//	go checkout(run.HTTPClient(), prices.URL) // the code under test makes three calls
//	prices.Await(3)                           // all of them stand there at once,
//	prices.Release()                          // and now they are answered
//	delaytest.AssertConcurrent(t, run, 3)
//
// A barrier ([Server.BarrierURL]) answers when so many requests stand there: code
// that calls in turn never passes it. A hold ([Server.Hold]) answers when the test
// says so. The clock ([Server.Clock]) can be frozen and moved on, so that a reply
// of in half an hour comes now. A run ([Server.Run]) is the requests that belong
// together, with the figures and the picture of what overlapped.
//
// # Failures
//
// What waits, waits [Server.Timeout] at most, by the machine's clock, whatever the
// server's shows. Then, and where the server refuses, the test fails at once with
// the server's reason: call it from the test's own goroutine, as t.Fatal. The
// assertions fail as t.Error does; they show the run as a picture.
package delaytest
