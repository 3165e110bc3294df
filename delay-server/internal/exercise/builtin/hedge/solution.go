//go:build ignore

// Sends a second request after a second, takes the first answer, and cancels
// the other request.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	server = "http://localhost:3000"
	name   = "your-name"
)

// run is a new one for each try.
var run = fmt.Sprintf("%s.hedge.%d", name, time.Now().UnixMilli())

func call(ctx context.Context) (int, error) {
	url := server + "/delay/100?attempts=200@6s,200"
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-Run-Id", run)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	answers := make(chan int, 2)
	send := func() {
		if status, err := call(ctx); err == nil {
			answers <- status
		}
	}
	go send()
	hedge := time.AfterFunc(time.Second, send)
	fmt.Println("got", <-answers)
	hedge.Stop()
	cancel() // closes the connection of the other request
}
