package delayserver_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"flash.test/delay-server/delayserver"
)

func ExampleRun() {
	ctx := context.Background()
	slow, err := delayserver.Run(ctx, "flash-delay-server", delayserver.WithTimeScale(0.1))
	defer func() {
		if err := testcontainers.TerminateContainer(slow); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	url, err := slow.DelayURL(ctx, time.Second)
	if err != nil {
		log.Print(err)
		return
	}
	res, err := http.Get(url) // takes 100 ms
	if err != nil {
		log.Print(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
}

// A test decides when a slow call is answered.
func ExampleContainer_Client() {
	ctx := context.Background()
	slow, err := delayserver.Run(ctx, "flash-delay-server")
	defer func() {
		if err := testcontainers.TerminateContainer(slow); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	c, err := slow.Client(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	// The code under test requests /hold/payment.
	if _, err := c.AwaitHeld(ctx, "payment", 1); err != nil {
		log.Print(err)
		return
	}
	if _, err := c.Release(ctx, "payment"); err != nil {
		log.Print(err)
	}
}

// The server gets routes from a file, and replays recorded latencies.
func ExampleWithScenario() {
	ctx := context.Background()
	shop, err := os.Open("testdata/shop.yaml")
	if err != nil {
		log.Print(err)
		return
	}
	defer shop.Close()
	checkout, err := os.Open("testdata/checkout.csv")
	if err != nil {
		log.Print(err)
		return
	}
	defer checkout.Close()
	slow, err := delayserver.Run(ctx, "flash-delay-server",
		delayserver.WithScenario(shop), delayserver.WithRecording("checkout.csv", checkout))
	defer func() {
		if err := testcontainers.TerminateContainer(slow); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(slow.URL(ctx))
}
