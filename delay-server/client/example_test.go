package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
)

func ExampleNew() {
	_, err := client.New("http://127.0.0.1:3000", client.WithToken("secret"))
	fmt.Println(err)

	_, err = client.New("localhost:3000")
	fmt.Println(err)
	// Output:
	// <nil>
	// base URL "localhost:3000" is not accepted; accepted: http://HOST:PORT or https://HOST:PORT, perhaps with a path
}

func ExampleSummary_Speedup() {
	run := client.Run{Summary: client.Summary{Requests: 3, Wall: 1001 * time.Millisecond, Sum: 3003 * time.Millisecond}}
	fmt.Println(run.Speedup())
	// Output: 3
}

// Three calls are let go one after the other, in an order that the test chooses.
func ExampleClient_ReleaseN() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	// The code under test calls http://127.0.0.1:3000/hold/payment three times.
	if _, err := c.AwaitHeld(ctx, "payment", 3); err != nil {
		log.Fatal(err) // 504: "2 of 3 are held after 4.5s"
	}
	for range 3 {
		if _, err := c.ReleaseN(ctx, "payment", 1); err != nil {
			log.Fatal(err)
		}
	}
}

// A time-out of 30 s is seen to strike, in milliseconds.
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

// A test asserts that its calls overlapped, and shows the picture where not.
func ExampleClient_AwaitSettled() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:3000")
	if err != nil {
		log.Fatal(err)
	}
	run, err := c.AwaitSettled(ctx, "r1")
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Status == http.StatusNotFound {
		fmt.Println("no request carried X-Run-Id: r1")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	if run.PeakInFlight < 3 {
		picture, _ := c.Waterfall(ctx, "r1")
		fmt.Println("the calls did not overlap:\n" + picture)
	}
}
