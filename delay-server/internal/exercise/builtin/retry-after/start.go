//go:build ignore

// Retries at once, whatever the header Retry-After says.
package main

import (
	"fmt"
	"log"
	"net/http"
	"strconv"
	"time"
)

const (
	server = "http://localhost:3000"
	name   = "your-name"
)

// run is a new one for each try.
var run = fmt.Sprintf("%s.retry-after.%d", name, time.Now().UnixMilli())

// call returns the status, and the time that Retry-After says.
func call() (int, time.Duration) {
	url := server + "/delay/20?attempts=429,429,200&retry_after=1s"
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("X-Run-Id", run)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return response.StatusCode, time.Duration(seconds) * time.Second
}

func main() {
	for attempt := range 5 {
		status, retryAfter := call()
		fmt.Println("attempt", attempt, "got", status, "to retry after", retryAfter)
		if status != http.StatusTooManyRequests {
			break
		}
		// Change this: wait as long as the server says.
	}
}
