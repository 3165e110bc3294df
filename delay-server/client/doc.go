// Package client speaks delay-server's admin API: what ran at the same time
// (runs), who waits until it is let go (holds), and what time it is (the clock).
//
//	c, err := client.New("http://127.0.0.1:3000")
//	…
//	go fetchAll(server + "/hold/payment?run=r1") // the code under test
//	hold, err := c.AwaitHeld(ctx, "payment", 3)  // its three calls stand there at once
//	n, err := c.Release(ctx, "payment")          // and are answered
//	run, err := c.AwaitSettled(ctx, "r1")        // run.PeakInFlight is 3
//
// Every call makes one request, follows no redirect, and reads at most 64 MB.
// Its error names the request; where the server refused it, errors.As finds the
// [problem.Problem] with the status and the detail:
//
//	var p *problem.Problem
//	if errors.As(err, &p) && p.Status == http.StatusNotFound { … }
//
// 401 is a missing or wrong token, 403 a Host that the server does not take for
// its own, 404 also a server with ADMIN=false. A reply that is neither what was
// asked for nor a problem document, as of a proxy between, is an error with its
// status and its first 200 bytes.
//
// # Waiting
//
// The Await calls return once their condition holds. The server waits a little
// less than is left of the context's time, a tenth but one second at most, so
// that its 504 ("2 of 3 wait after 9s") comes before the context's own bare
// error. Under a context without a deadline it waits 10 s: a test that waits for
// what never comes then fails with the reason, and does not hang.
package client
