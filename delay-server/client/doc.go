// Package client is a client of delay-server's admin API. A test uses it to see
// which requests ran at the same time (runs), to decide when requests are answered
// (holds) and how (scenarios), and to control the time of the server or of one run (the
// clocks).
//
//	c, err := client.New("http://127.0.0.1:3000")
//	…
//	go fetchAll(server + "/hold/payment?run=r1") // code under test: makes three calls
//	hold, err := c.AwaitHeld(ctx, "payment", 3)  // all three wait at the same time
//	n, err := c.Release(ctx, "payment")          // and are answered
//	run, err := c.AwaitSettled(ctx, "r1")        // run.PeakInFlight is 3
//
// Package delaytest wraps this client for Go tests, and starts a server.
//
// # Errors
//
// Each method makes one request, follows no redirect, and reads at most 64 MB.
// Its error names the request. An error reply is a [Problem]; use [errors.Is] with
// a [ProblemType] to tell problems apart, and [errors.As] for the details:
//
//	if errors.Is(err, client.ProblemRunNotFound) { … }
//
// Every method may also return [ProblemTokenRequired], [ProblemHostNotAllowed] and
// [ProblemAdminDisabled].
// Any other reply, such as a proxy's page, is an error with its status and its
// first 200 characters.
//
// [ReadProblem] reads the problem in a reply of an endpoint that waits, such as
// /delay/1000?workers=1.
//
// # Waiting
//
// The Await methods return once their condition holds. The server's timeout ends
// before ctx's deadline, by a tenth of the remaining time and at most 1 s, so
// that the error is the server's [ProblemWaitTimeout], such as "2 of 3 wait after
// 9s", and not a bare [context.DeadlineExceeded]. If ctx has no deadline, the
// server waits 10 s. It waits at most 10 min.
//
// # Units
//
// Times are [time.Duration]. JSON has them as decimal numbers of milliseconds,
// exact to the nanosecond: 1000, 1.5, 0.000001.
package client
