//go:build ignore

// Waits for a single request, also if it is a slow one.
package main

import (
	"context"
	"fmt"
	"log"
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
	// Change this: after a second without an answer, send a second request.
	// Take the first answer, and cancel the context of the other request.
	status, err := call(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("got", status)
}
