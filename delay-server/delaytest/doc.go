// Package delaytest tests concurrent Go code without a stopwatch. It starts a
// delay-server in the test, which decides when slow calls are answered and sees
// which of them ran at the same time. Such a test takes milliseconds and does not
// fail because the machine is slow.
//
//	srv := delaytest.NewServer(t)
//	run := srv.Run("checkout")
//	prices := srv.Hold("prices")
//
//	go checkout(run.HTTPClient(), prices.URL) // code under test: makes three calls
//	prices.Await(3)                           // all three wait at the same time
//	prices.Release()                          // and are answered
//	delaytest.AssertConcurrent(t, run, 3)
//
// A call is answered:
//
//   - when N calls have arrived, at a barrier ([Server.BarrierURL]);
//   - when the test releases it, in a hold ([Server.Hold]); the newest first if a hedge
//     must win ([Hold.ReleaseNewest]);
//   - after a delay ([Server.DelayURL]) on a clock that the test can freeze and
//     advance ([Server.Clock]);
//   - as a route says that the test sets ([Server.Scenario], [Run.Scenario]).
//
// A run ([Server.Run]) groups requests, and records when each came and went. So
// assertions judge whether the client sent them at once ([AssertConcurrent]), retried
// and backed off ([AssertBackoff]), hedged ([AssertHedged]), gave up ([AssertGaveUp])
// or stopped calling ([AssertBreaker]).
//
// # Parallel tests
//
// Parallel tests share a server if each gives its run a clock ([Run.Clock]), routes
// ([Run.Scenario]) and holds ([Run.Hold]). Get the server in each by ServerAt(t, shared.URL), so that failures
// belong to that test.
//
// # Failures
//
// A method that fails ends the test as t.Fatal does, with the server's reason;
// call it from the test's goroutine. Methods that wait fail after
// [Server.Timeout] of real time, whatever the server's clock shows. Assertions
// fail as t.Error does, and print the run's waterfall.
package delaytest
