package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"flash.test/delay-server/client"
)

func ExampleNew() {
	_, err := client.New("http://127.0.0.1:3000", client.WithToken("secret"))
	fmt.Println(err)

	_, err = client.New("localhost:3000")
	fmt.Println(err)
	// Output:
	// <nil>
	// base URL "localhost:3000" is invalid: use http://HOST:PORT or https://HOST:PORT, with or without a path
}

func ExampleSummary_Speedup() {
	run := client.Run{Summary: client.Summary{
		Requests: 3,
		Wall:     1001 * time.Millisecond,
		Sum:      3003 * time.Millisecond,
	}}
	fmt.Println(run.Speedup())
	// Output: 3
}

// Three concurrent calls are answered one after the other.
func ExampleClient_ReleaseN() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	// The code under test calls http://127.0.0.1:3000/hold/payment three times.
	if _, err := c.AwaitHeld(ctx, "payment", 3); err != nil {
		log.Fatal(err) // after 4.5s: "2 of 3 are held"
	}
	for range 3 {
		if _, err := c.ReleaseN(ctx, "payment", 1); err != nil {
			log.Fatal(err)
		}
	}
}

// The second of two hedged requests wins.
func ExampleHoldControl_ReleaseNewest() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	// The code under test calls http://127.0.0.1:3000/hold/run:stock with the header
	// X-Run-Id: hedge-test, and again when the first call takes long.
	hold := c.RunHold("hedge-test", "stock")
	if _, err := hold.Await(ctx, 2); err != nil {
		log.Fatal(err)
	}
	if _, err := hold.ReleaseNewest(ctx, 1); err != nil {
		log.Fatal(err)
	}
}

// A test has routes of its own on a server that others use too.
func ExampleClient_PutRunScenario() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	err = c.PutRunScenario(ctx, "checkout-test", `
routes:
  - {method: POST, path: /payments, attempts: [503, 503, 201]}
  - {path: "/carts/{id}", delay: 50ms, json: {total: 39.5}}
`)
	if err != nil {
		log.Fatal(err) // with the line of each error
	}
	// The code under test calls http://127.0.0.1:3000/payments with the header
	// X-Run-Id: checkout-test.
	if err := c.ForgetRun(ctx, "checkout-test"); err != nil {
		log.Fatal(err)
	}
}

// A delay of 30 s ends in milliseconds.
func ExampleClient_Advance() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Freeze(ctx); err != nil {
		log.Fatal(err)
	}
	// The code under test calls http://127.0.0.1:3000/delay/30s.
	if _, err := c.AwaitClock(ctx, 1); err != nil {
		log.Fatal(err)
	}
	if _, err := c.Advance(ctx, 30*time.Second); err != nil {
		log.Fatal(err)
	}
}

// A test checks that its calls overlapped, and prints the waterfall if they did not.
func ExampleClient_AwaitSettled() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	run, err := c.AwaitSettled(ctx, "r1")
	if errors.Is(err, client.ProblemRunNotFound) {
		fmt.Println("no request carried X-Run-Id: r1")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	if run.PeakInFlight < 3 {
		waterfall, _ := c.Waterfall(ctx, "r1")
		fmt.Println("the calls did not overlap:\n" + waterfall)
	}
}

// A test proves that the code under test retries and backs off. Its requests have
// X-Run-Id: r1, and the server answers 503 to the first two.
func ExampleClient_Check() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := c.Check(ctx, "r1", "statuses=503,503,200", "backoff=100ms,2", "jitter=equal")
	if err != nil {
		log.Fatal(err)
	}
	for _, check := range verdict.Checks {
		if !check.OK {
			fmt.Printf("%s: got %s, want %s: %s\n", check.Check, check.Got, check.Want, check.Detail)
		}
	}
	if !verdict.OK {
		fmt.Println(verdict.Waterfall)
	}
}

// Full jitter is judged by the distribution of many gaps: here of 40 calls with three
// retries each, in the runs load-1 to load-40.
func ExampleClient_CheckRuns() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := c.CheckRuns(ctx, "load-", "attempts=4", "backoff=100ms,2", "jitter=full")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.OK, verdict.Checks)
}

// An error of a method tells its problem type and its details.
func ExampleProblemType() {
	srv := fakeServer(http.StatusConflict, `{"type":"/problems/too-few-held","title":"Too few requests held",
		"status":409,"detail":"hold \"payment\": 1 of 3 are held"}`)
	defer srv.Close()
	c, err := client.New(srv.URL)
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.ReleaseN(context.Background(), "payment", 3)
	switch p := new(client.Problem); {
	case errors.Is(err, client.ProblemHoldNotFound):
		fmt.Println("no request is held")
	case errors.As(err, &p):
		fmt.Println(p.Status, p.Title)
		fmt.Println(p.Detail)
	}
	// Output:
	// 409 Too few requests held
	// hold "payment": 1 of 3 are held
}

// A test tells a full pool from other errors of an endpoint that waits.
func ExampleReadProblem() {
	srv := fakeServer(http.StatusServiceUnavailable, `{"type":"/problems/pool-full","title":"Pool full",
		"status":503,"detail":"pool \"db\" is full"}`)
	defer srv.Close()
	res, err := http.Get(srv.URL + "/delay/1000?pool=db&workers=1&queue=0")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	p, err := client.ReadProblem(res)
	if err != nil {
		log.Fatal(err)
	}
	if errors.Is(p, client.ProblemPoolFull) {
		fmt.Println("try again after", p.RetryAfter)
	}
	// Output: try again after 3s
}

// fakeServer answers every request with a problem.
func fakeServer(status int, body string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
}
